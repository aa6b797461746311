"""`mergekit.yml`: mergekit-yaml makes the merged folder's weights of it, and where it could not, no file is written."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from transformers import BertForMaskedLM

import spkit
from spkit import load_base, save_model
from spkit.hashing import weights_hash
from spkit.models.origin import note_source
from tests.experts import noisy
from tests.test_recipe import run_mergekit
from tests.tiny import WIDTH, WORDS, tiny_encoder

pytest.importorskip("mergekit")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base and two experts, saved: mergekit reads folders."""
    root = tmp_path_factory.mktemp("models")
    base = tiny_encoder(words=WORDS)
    for name, model in {"base": base, "a": noisy(base, 1), "b": noisy(base, 2)}.items():
        save_model(model, root / name)
    return root


def assert_runs(folder, tmp_path):
    """The program itself, started in another folder, makes the weights of the merged folder."""
    program = Path(sys.executable).with_name("mergekit-yaml")
    made = tmp_path / "made"
    done = subprocess.run(
        [program, folder / "mergekit.yml", made, "--no-copy-tokenizer"], cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-500:]
    theirs, ours = load_file(made / "model.safetensors"), load_file(folder / "model.safetensors")
    assert theirs.keys() == ours.keys()
    for name, value in ours.items():
        assert theirs[name].dtype == value.dtype
        largest = 5e-7 if value.dtype == torch.float32 else float(value.abs().max()) / 128  # one step of bfloat16
        assert float((theirs[name].float() - value.float()).abs().max()) <= largest, name


def plain(folder):
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (folder / "mergekit.yml").exists() == isinstance(recipe["mergekit"], dict)
    assert ("makes the same weights" in (folder / "README.md").read_text()) == isinstance(recipe["mergekit"], dict)
    return recipe["mergekit"]


def test_mergekit_yaml_runs_from_any_folder(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(folders)
    save_model(spkit.merge("base", {"a": "a", "b": "b"}, "task_arithmetic", weight=[0.7, 0.2]), tmp_path / "merged")
    paths = [one["model"]["model"]["path"] for one in plain(tmp_path / "merged")["models"]]
    assert paths == [str(folders / name) for name in "ab"]
    assert_runs(tmp_path / "merged", tmp_path)


def test_a_bfloat16_merge_comes_out_of_mergekit_as_bfloat16(folders, tmp_path):
    for name in ("base", "a", "b"):
        save_model(load_base(folders / name), tmp_path / name, dtype="bfloat16")
    merged = spkit.merge(tmp_path / "base", {name: tmp_path / name for name in "ab"}, "task_arithmetic", weight=0.4)
    save_model(merged, tmp_path / "merged")
    assert plain(tmp_path / "merged")["out_dtype"] == "bfloat16"
    assert_runs(tmp_path / "merged", tmp_path)
    save_model(merged, tmp_path / "wide", dtype="float32")
    assert "out_dtype" not in plain(tmp_path / "wide")


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "nuslerp", "multislerp", "breadcrumbs", "dare_ties"])
def test_parameters_that_were_left_out_are_written(folders, tmp_path, method):
    merged = spkit.merge(folders / "base", {name: folders / name for name in "ab"}, f"mergekit:{method}")
    save_model(merged, tmp_path / "merged")
    assert json.loads((tmp_path / "merged" / "recipe.json").read_text())["settings"] == {}
    theirs = run_mergekit(plain(tmp_path / "merged"), tmp_path / "made")
    for name, value in load_file(tmp_path / "merged" / "model.safetensors").items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=2e-7)


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della"])
def test_what_draws_at_random_has_no_file(folders, tmp_path, method):
    experts = {name: folders / name for name in "ab"}
    given = {"density": 0.5, "weight": 0.5} | ({"epsilon": 0.1} if method == "della" else {})
    save_model(spkit.merge(folders / "base", experts, f"mergekit:{method}", **given), tmp_path / "merged")
    assert "draws at random" in plain(tmp_path / "merged")


def masked(folder, target):
    """A checkpoint as masked language models are published: with a head, and all names behind `bert.`"""
    inner = SentenceTransformer(str(folder), device="cpu")[0].model
    outer = BertForMaskedLM(inner.config)
    outer.bert.load_state_dict(inner.state_dict(), strict=False)
    outer.save_pretrained(target)
    SentenceTransformer(str(folder), device="cpu").tokenizer.save_pretrained(target)


def below(folder, target):
    """The layout of old versions: the transformer in a folder of its own."""
    shutil.copytree(folder, target)
    (target / "0_Transformer").mkdir()
    for path in [*target.glob("config.json"), *target.glob("model.safetensors"), *target.glob("*token*")]:
        path.rename(target / "0_Transformer" / path.name)
    (target / "sentence_bert_config.json").rename(target / "0_Transformer" / "sentence_bert_config.json")
    modules = json.loads((target / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (target / "modules.json").write_text(json.dumps(modules))


@pytest.mark.parametrize(
    ("method", "parameters"), [("task_arithmetic", {"weight": 0.4}), ("mergekit:linear", {"weight": 0.4})]
)
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (below, "The transformer of a stands in a folder below"),
        (masked, "mergekit reads weights by their names in the file, and .* is not in the files of all"),
    ],
)
def test_folders_that_mergekit_cannot_read_have_no_file(folders, tmp_path, changed, reason, method, parameters):
    changed(folders / "a", tmp_path / "a")
    expert = load_base(folders / "a")
    note_source(expert, str(tmp_path / "a"), weights_hash(expert))  # it holds the same weights
    merged = spkit.merge(folders / "base", {"a": expert, "b": folders / "b"}, method, **parameters)
    save_model(merged, tmp_path / "merged")
    assert re.search(reason, plain(tmp_path / "merged"))


def test_weights_outside_of_the_transformer_have_no_file_for_any_method(folders, tmp_path):
    for name in ("base", "a", "b"):
        model = load_base(folders / name)
        model.append(Dense(WIDTH, WIDTH, init_weight=torch.eye(WIDTH)))
        save_model(model, tmp_path / name)
    merged = spkit.merge(tmp_path / "base", {name: tmp_path / name for name in "ab"}, "mergekit:linear", weight=0.5)
    save_model(merged, tmp_path / "merged")
    assert "stands outside of it" in plain(tmp_path / "merged")
