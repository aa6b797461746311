"""Models with code of their own: it runs only where it is trusted, and then everywhere that belongs to them."""

import json
import shutil

import pytest
import torch
from typer.testing import CliRunner

import spkit
from spkit import SpkitError, TaskVectors, load_base, save_model, train
from spkit.cli.root import app
from spkit.models.loading import code_files
from spkit.study import load_profile
from tests.experts import flat, noisy

CONFIGURATION = "from transformers import BertConfig\nclass OwnConfig(BertConfig):\n    model_type = 'own'\n"
MODELING = (
    "from transformers import BertModel\nfrom .configuration import OwnConfig\n"
    "class OwnModel(BertModel):\n    config_class = OwnConfig\n"
)
CODE = "which needs 'configuration.py', 'modeling.py'. Read it; then pass `trust_remote_code=True`"


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    """A folder of the tiny base that asks for two files of code beside its weights."""
    root = tmp_path_factory.mktemp("own") / "model"
    base.save(str(root))
    (root / "configuration.py").write_text(CONFIGURATION)
    (root / "modeling.py").write_text(MODELING)
    config = json.loads((root / "config.json").read_text())
    config |= {"model_type": "own", "architectures": ["OwnModel"]}
    config |= {"auto_map": {"AutoConfig": "configuration.OwnConfig", "AutoModel": "modeling.OwnModel"}}
    (root / "config.json").write_text(json.dumps(config))
    return root


@pytest.fixture(scope="module")
def own(folder):
    """The model of the folder."""
    return load_base(folder, trust_remote_code=True)


def test_code_runs_only_where_it_is_trusted(folder, own):
    assert code_files(folder) == ["configuration.py", "modeling.py"]
    for call in (
        lambda: load_base(folder),
        lambda: spkit.evaluate(folder, []),
        lambda: spkit.merge(folder, {}, "dare"),
    ):
        with pytest.raises(SpkitError):
            call()
    with pytest.raises(SpkitError, match=CODE):
        load_base(folder)
    assert type(own[0].model).__name__ == "OwnModel"


def test_what_belongs_to_a_trusted_base_is_loaded_as_it_was(own, folder, tasks, tmp_path):
    experts = {name: noisy(own, seed) for seed, name in enumerate("ab", start=1)}
    for name, expert in experts.items():
        save_model(expert, tmp_path / name)
    paths = {name: tmp_path / name for name in experts}
    on_disk = TaskVectors.from_models(own, paths, folder=tmp_path / "vectors")
    torch.testing.assert_close(flat(on_disk.at([0.5, 0.5])), (flat(experts["a"]) + flat(experts["b"])) / 2)
    with pytest.raises(SpkitError, match=CODE):
        TaskVectors.load(tmp_path / "vectors")
    assert TaskVectors.load(tmp_path / "vectors", trust_remote_code=True).names == ("a", "b")
    merged = spkit.merge(own, paths, "mergekit:linear", weight=0.5)
    save_model(merged, tmp_path / "merged")
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert "has code of its own" in recipe["mergekit"]
    again = [
        train(own, tasks["faq"], steps=2, batch_size=8, progress=False, checkpoints=tmp_path / "checkpoints")
        for _ in range(2)
    ]
    assert torch.equal(flat(again[0]), flat(again[1]))


def test_the_command_line_trusts_where_it_is_told(folder, own, tmp_path):
    for seed, name in enumerate("ab", start=1):
        save_model(noisy(own, seed), tmp_path / name)
    given = ["merge", "--base", str(folder), "-o", str(tmp_path / "merged"), "--method", "average"]
    given += [part for name in "ab" for part in ("--expert", f"{name}={tmp_path / name}")]
    refused = CliRunner().invoke(app, given)
    assert isinstance(refused.exception, SpkitError)
    assert "--trust-remote-code" in str(refused.exception)
    assert CliRunner().invoke(app, [*given, "--trust-remote-code"]).exit_code == 0
    assert type(load_base(tmp_path / "merged", trust_remote_code=True)[0].model).__name__ == "OwnModel"
    shutil.rmtree(tmp_path / "merged")
    assert CliRunner().invoke(app, [*given, "--trust-remote-code", "--dtype", "auto"]).exit_code == 0


def test_a_revision_is_of_a_hub_id(folder):
    with pytest.raises(SpkitError, match=r"`revision` must be of a hub id. Found 'main' for 'minilm-l3'"):
        load_base("minilm-l3", revision="main")
    with pytest.raises(SpkitError, match=r"`revision` must be of a hub id"):
        load_base(folder, revision="main")


def test_attention_is_the_one_that_is_asked_for(base, tmp_path):
    save_model(base, tmp_path / "base")
    assert load_base(tmp_path / "base", attention="eager")[0].model.config._attn_implementation == "eager"
    with pytest.raises(SpkitError, match=r'could not be loaded: .*attn_implementation="fast"'):
        load_base(tmp_path / "base", attention="fast")


PROFILE = """
base = "company/own"
dtype = "auto"
trust_remote_code = true
revision = "v2"
tasks = ["chat", "headline"]
training = {steps = 6, precision = "bfloat16"}
"""


def test_a_profile_says_how_its_base_is_loaded(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(PROFILE)
    profile = load_profile(path)
    right = {"dtype": "auto", "device": None, "trust_remote_code": True, "revision": "v2", "attention": None}
    assert profile.loading() == {"max_seq_length": None} | right
    assert profile.training.without_length() == {"learning_rate": 1e-4, "batch_size": 32, "precision": "bfloat16"}
    assert profile.with_loading({"dtype": "float32"}).loading() == profile.loading() | {"dtype": "float32"}
    path.write_text(PROFILE.replace('"auto"', '"float8"'))
    with pytest.raises(SpkitError, match=r"`dtype` must be one of 'float32', .*'auto'. Found 'float8'"):
        load_profile(path)
    default = load_profile("demo")
    assert default.loading() == right | {"max_seq_length": default.max_seq_length, "dtype": "float32"} | {
        "trust_remote_code": False,
        "revision": None,
    }
