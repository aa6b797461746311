"""Folders of models as people have them: plain transformers of several architectures, files that lack tensors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from tests.tiny import WIDTH, WORDS, tiny_tokenizer

_CONFIGS = {
    "bert": transformers.BertConfig,
    "xlm-roberta": transformers.XLMRobertaConfig,
    "mpnet": transformers.MPNetConfig,
    "albert": transformers.AlbertConfig,
    "squeezebert": transformers.SqueezeBertConfig,
    "modernbert": transformers.ModernBertConfig,
    "qwen3": transformers.Qwen3Config,
}
_OWN: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": WIDTH},
    "squeezebert": {
        "embedding_size": WIDTH,
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
        "post_attention_groups": 1,
    },
    "modernbert": {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3, "local_attention": 16},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16, "bos_token_id": 2, "eos_token_id": 3},
}


def plain_folder(
    folder: Path,
    architecture: str = "bert",
    auto: Any = transformers.AutoModel,
    tokenizer: PreTrainedTokenizerFast | None = None,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """A folder as transformers writes it: no modules.json, and mostly no pooler where `auto` has a head."""
    tokenizer = tokenizer or tiny_tokenizer(WORDS)
    common = {"vocab_size": len(tokenizer), "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes = {"intermediate_size": 2 * WIDTH, "max_position_embeddings": 80, "pad_token_id": 0}
    config = _CONFIGS[architecture](**{**common, **sizes, **_OWN.get(architecture, {}), **settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        auto.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    """Change the tensors of a folder's model.safetensors."""
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


def reconfigure(folder: Path, file: str = "config.json", **changes: Any) -> Path:
    """Change keys of a folder's JSON file."""
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**said, **changes}))
    return folder
