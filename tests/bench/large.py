"""A search on a model of 0.6 B parameters and four experts: its peak of anonymous memory must stay below 8 GB.

The model has the shape of Qwen3 0.6 B and random weights, the experts are the base and noise. Everything is written to
a temporary folder, some 25 GB, and removed.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import Qwen3Config, Qwen3Model

import spkit
from spkit.models.bases import quiet_libraries
from spkit.vectors.matrix import BLOCK_BYTES
from tests.bench.measuring import AnonymousPeak, Row, in_own_process
from tests.tiny import WORDS, tiny_tasks, tiny_tokenizer

EXPERTS = ("faq", "topic", "likeness", "other")
LIMIT, GB = 8.0, 1e9
ALLOWED = "one model, one gradient, one block"


def large() -> list[Row]:
    """Peaks of making the vectors and of searching, in a process that did not make the models."""
    with tempfile.TemporaryDirectory(prefix="spkit-large-") as folder:
        in_own_process("tests.bench.large", "models", folder)
        measured = in_own_process("tests.bench.large", "search", folder)
    what = f"peak, {measured['parameters'] / 1e9:.2f} B parameters, N = {len(EXPERTS)}"
    parts = ("making the vectors", "loading them", "searching by module")
    return [
        *(Row(f"{what}, {part} / limit", measured[part] / GB, LIMIT, "GB") for part in parts),
        Row(
            f"{what}, above what is there before the search / {ALLOWED}",
            measured["more"] / GB,
            measured["sum"] / GB,
            "GB",
        ),
    ]


def make_models(folder: Path) -> dict[str, float]:
    """Base and experts, each in its folder."""
    tokenizer = tiny_tokenizer(WORDS)
    config = Qwen3Config(
        vocab_size=151_936,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory(dir=folder) as plain:
        Qwen3Model(config).save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        modules = [Transformer(plain), Pooling(config.hidden_size, pooling_mode="lasttoken")]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder / "base"))
    del modules
    for name in EXPERTS:
        expert = SentenceTransformer(str(folder / "base"), device="cpu")
        with torch.no_grad():
            for parameter in expert.parameters():
                for rows in parameter.view(len(parameter), -1).split(4096):
                    rows.add_(torch.randn(rows.shape), alpha=1e-3)
        expert.save(str(folder / name))
        del expert
    return {}


def search(folder: Path) -> dict[str, float]:
    """Vectors on disk, loaded, and two steps by module: the peak of each, in bytes."""
    peaks = {}
    models = {name: folder / name for name in EXPERTS}
    with AnonymousPeak() as peak:
        spkit.TaskVectors.from_models(folder / "base", models, folder=folder / "vectors", dtype="bfloat16")
    peaks["making the vectors"] = peak.peak
    with AnonymousPeak() as peak:
        vectors = spkit.TaskVectors.load(folder / "vectors")
    peaks["loading them"] = peak.peak
    probe = spkit.Probe.sample(tiny_tasks(), size=96)
    with AnonymousPeak() as peak:
        spkit.self_position(vectors, probe, granularity="module", steps=2, batch_size=8, progress=False)
    peaks["searching by module"], peaks["more"] = peak.peak, peak.peak - peak.before
    weights = 4 * vectors.num_parameters
    return peaks | {"parameters": vectors.num_parameters, "sum": 2 * weights + BLOCK_BYTES}


if __name__ == "__main__":
    with quiet_libraries():
        answer = {"models": make_models, "search": search}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(answer))
