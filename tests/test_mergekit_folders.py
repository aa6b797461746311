"""Which folders mergekit can read: in what files the weights may lie, and what is said of the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import save_file

from spkit.saving.mergekit_folders import InexpressibleError, check_folders
from spkit.vectors.provenance import Provenance

WEIGHTS = {"embeddings.weight": torch.zeros(2, 2), "layer.0.weight": torch.ones(2)}


def parts(folder: Path) -> None:
    """Weights in two files, with the list of which tensor lies where."""
    files = {name: f"model-{number}-of-2.safetensors" for number, name in enumerate(WEIGHTS, 1)}
    for name, file in files.items():
        save_file({name: WEIGHTS[name]}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))


#: The ways in which transformers writes the same weights.
FORMS: dict[str, Callable[[Path], None]] = {
    "safetensors": lambda folder: save_file(WEIGHTS, folder / "model.safetensors"),
    "safetensors in parts": parts,
    "pickle": lambda folder: torch.save(WEIGHTS, folder / "pytorch_model.bin"),
    "pickle in parts": lambda folder: (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"weight_map": dict.fromkeys(WEIGHTS, "pytorch_model-1-of-1.bin")})
    ),
}


@pytest.fixture
def saved(tmp_path) -> Callable[[str, str], Path]:
    """Writes a folder of a transformer, with its weights in one of these forms."""

    def write(name: str, form: str = "safetensors") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        FORMS[form](folder)
        return folder

    return write


def check(base: Path | str, expert: Path | str, *names: str) -> None:
    check_folders(Provenance(str(base), {"faq": str(expert)}), names)


@pytest.mark.parametrize("form", FORMS)
def test_the_names_of_tensors_are_read_whatever_the_form_of_the_files(saved, form) -> None:
    base, expert = saved("base"), saved("expert", form)
    check(base, expert, *WEIGHTS)
    check(expert, base)
    with pytest.raises(InexpressibleError, match=r"head\.weight is not in the files of all \(looked at: the base\)"):
        check(base, expert, "head.weight")
    save_file({"bert.layer.0.weight": torch.ones(2)}, base / "model.safetensors")
    with pytest.raises(InexpressibleError, match=r"by their names in the file.*\(looked at: faq\)"):
        check(base, expert)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder without weights": (lambda folder: (folder / "model.safetensors").unlink(), "in no file that mergekit"),
    "a file that was cut off": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:20]),
        "The weights of faq in .* cannot be looked at: ",
    ),
    "an index that lists nothing": (
        lambda folder: (folder / "model.safetensors.index.json").write_text("{}"),
        "cannot be looked at: 'weight_map'",
    ),
    "an index that is no JSON": (
        lambda folder: (folder / "model.safetensors.index.json").write_text("{"),
        "cannot be looked at: ",
    ),
    "an adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}"), "no folder that mergekit reads"),
    "an adapter alone": (
        lambda folder: (
            (folder / "model.safetensors").rename(folder / "adapter_model.safetensors"),
            (folder / "adapter_config.json").write_text("{}"),
        ),
        "is an adapter: save the adapted model",
    ),
    "code of its own": (
        lambda folder: (folder / "config.json").write_text('{"auto_map": {"AutoModel": "own.Model"}}'),
        "has code of its own",
    ),
    "nothing": (shutil.rmtree, "no folder that mergekit reads: A model must be"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_mergekit_could_not_read_is_said(saved, what) -> None:
    change, reason = BROKEN[what]
    base, expert = saved("base"), saved("expert")
    change(expert)
    with pytest.raises(InexpressibleError, match=reason):
        check(base, expert)


def test_files_of_a_hub_id_are_looked_at_in_the_cache(saved, tmp_path, monkeypatch) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setattr(huggingface_hub.constants, name, str(tmp_path / "hub"), raising=False)
    copy = tmp_path / "hub" / "models--company--model"
    base, version = saved("base"), saved(f"hub/models--company--model/snapshots/{'0' * 40}")
    (copy / "refs").mkdir()
    (copy / "refs" / "v2").write_text("0" * 40)
    check(base, "company/model@v2", *WEIGHTS)
    save_file({"bert.layer.0.weight": torch.ones(2)}, version / "model.safetensors")
    with pytest.raises(InexpressibleError, match="by their names in the file"):
        check(base, "company/model@v2")
    # The cache was cleared since the model was loaded. The hub still has it, and is not asked for the files again.
    shutil.rmtree(copy)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: None)
    monkeypatch.setattr("transformers.utils.peft_utils.find_adapter_config_file", lambda *_, **__: None)
    with pytest.raises(InexpressibleError, match=r"The files of faq \(company/model\) cannot be looked at"):
        check(base, "company/model@v2")
