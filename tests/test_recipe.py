"""Recipes: what a merged folder says of itself, and that mergekit makes the same weights from it."""

import json
import pickle
import shutil
from copy import deepcopy

import pytest
import torch
import yaml
from huggingface_hub import ModelCardData
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense

import spkit
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model, load_base, source_of
from spkit.saving.card import model_card
from spkit.saving.mergekit_config import position_config
from spkit.saving.mergekit_folders import InexpressibleError
from spkit.saving.recipe import save_model
from spkit.searching.result import PositionResult
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat, noisy
from tests.tiny import WIDTH, WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base of four layers and three experts, saved: mergekit reads folders."""
    root = tmp_path_factory.mktemp("models")
    base = tiny_encoder(words=WORDS, layers=4)
    for name, model in {"base": base, **{name: noisy(base, n + 1) for n, name in enumerate("abc")}}.items():
        save_model(model, root / name)
    return root


@pytest.fixture(scope="module")
def vectors(folders):
    return TaskVectors.from_models(folders / "base", {name: folders / name for name in "abc"})


def run_mergekit(config, folder):
    """The tensors that mergekit writes for a configuration."""
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    run_merge(
        MergeConfiguration.model_validate(config),
        str(folder),
        MergeOptions(copy_tokenizer=False, lazy_unpickle=False, quiet=True),
    )
    return load_file(folder / "model.safetensors")


def assert_same_as_mergekit(folder, tmp_path):
    """`mergekit.yml` of a merged folder gives the weights that stand in it."""
    text = (folder / "mergekit.yml").read_text()
    assert text.startswith("# ")  # why the architecture that it names is another
    config = yaml.safe_load(text)
    theirs, ours = run_mergekit(config, tmp_path / "by-mergekit"), load_file(folder / "model.safetensors")
    assert set(theirs) == set(ours)
    base = load_file(f"{config['base_model']['model']['path']}/model.safetensors")
    assert not all(torch.equal(ours[name], base[name]) for name in ours)
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=2e-7, msg=name)


@pytest.mark.parametrize("granularity", ["model", "module"])
def test_mergekit_makes_the_same_position(vectors, tmp_path, granularity):
    modules = list(vectors.modules) if granularity == "module" else ["model"]
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(len(modules), 3, generator=generator, dtype=torch.float64)
    position = PositionResult(vectors, rows, modules, torch_history(), {"granularity": granularity})
    position.save(tmp_path / "merged")
    assert_same_as_mergekit(tmp_path / "merged", tmp_path)


def torch_history():
    import pandas as pd

    return pd.DataFrame({"step": [0], "loss": [1.0]})


def test_filters_separate_layers_whose_numbers_begin_alike():
    base = tiny_encoder(layers=12)
    vectors = TaskVectors.from_models(base, {"a": noisy(base, 1)})
    from spkit.saving.mergekit_config import _setting, _tensor_names

    names = _tensor_names(vectors.base)
    column = [float(number) for number in range(len(vectors.modules))]
    setting = _setting(column, vectors, names)
    assert isinstance(setting, list)
    for name, module in vectors.layout.module_by_name.items():
        first = next(one["value"] for one in setting if one["filter"] in names[name])  # as mergekit chooses
        assert first == column[vectors.modules.index(module)], name


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("average", {"weight": [1.0, 2.0, 3.0]}),
        ("task_arithmetic", {"weight": 0.4}),
        ("slerp", {"length": 1.3}),
        ("ties", {"density": 0.3, "length": 0.8, "scope": "tensor"}),
        ("mergekit:ties", {"density": 0.3, "weight": [0.2, 0.5, 0.9]}),
        ("mergekit:karcher", {}),
    ],
    ids=str,
)
def test_mergekit_makes_the_same_merge(folders, tmp_path, method, parameters):
    experts = {name: folders / name for name in "abc"}
    save_model(spkit.merge(folders / "base", experts, method, **parameters), tmp_path / "merged")
    if method == "mergekit:karcher":  # of the experts alone
        config = yaml.safe_load((tmp_path / "merged" / "mergekit.yml").read_text())
        assert "base_model" not in config
        theirs = run_mergekit(config, tmp_path / "by-mergekit")
        for name, value in load_file(tmp_path / "merged" / "model.safetensors").items():
            torch.testing.assert_close(theirs[name], value, rtol=0, atol=2e-7)
        return
    assert_same_as_mergekit(tmp_path / "merged", tmp_path)


def test_mergekit_makes_the_same_slerp_of_two(folders, tmp_path):
    merged = spkit.merge(folders / "base", [folders / "a", folders / "b"], "mergekit:slerp", t=0.3)
    save_model(merged, tmp_path / "merged")
    config = yaml.safe_load((tmp_path / "merged" / "mergekit.yml").read_text())
    assert config["base_model"]["model"]["path"] == str(folders / "a")
    assert_same_as_mergekit(tmp_path / "merged", tmp_path)


def test_the_recipe_rebuilds_a_sparsified_merge(folders, vectors, tmp_path):
    save_model(spkit.merge(folders / "base", vectors, "dare", density=0.5, seed=3), tmp_path / "merged")
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    again = TaskVectors.from_models(recipe["base"], recipe["experts"])
    for one in recipe["operations"]:
        again = getattr(again, one.pop("operation"))(**one)
    rebuilt = again.at(recipe["coefficients"]["model"])
    assert weights_hash(rebuilt) == recipe["sha256"]
    assert weights_hash(SentenceTransformer(str(tmp_path / "merged"))) == recipe["sha256"]


def test_a_folder_of_vectors_remembers_models_and_operations(folders, vectors, tmp_path):
    vectors.trim(0.5).elect().save(tmp_path / "ties")
    loaded = TaskVectors.load(tmp_path / "ties").select(["c", "a"])
    assert loaded.provenance.experts == {"c": str(folders / "c"), "a": str(folders / "a")}
    assert loaded.provenance.base == str(tmp_path / "ties" / "base")  # the folder works alone
    assert [one["operation"] for one in loaded.provenance.operations] == ["trim", "elect"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda vectors: vectors.trim(0.5).elect(),
            "no method for these coefficients on vectors after",
        ),
        (lambda vectors: vectors.drop(0.5), "after drop"),
        (lambda vectors: vectors.elect(), "after elect"),
    ],
)
def test_what_mergekit_cannot_express_says_why(vectors, change, reason):
    with pytest.raises(InexpressibleError, match=reason):
        position_config(change(vectors), torch.full((1, 3), 0.5, dtype=torch.float64))


def test_ties_at_unequal_coefficients_is_not_that_of_mergekit(vectors):
    basis = vectors.trim(0.5, scope="tensor").elect()
    assert position_config(basis, torch.full((1, 3), 0.5, dtype=torch.float64))["merge_method"] == "ties"
    with pytest.raises(InexpressibleError, match="after trim, elect"):
        position_config(basis, torch.tensor([[0.5, 0.5, 0.4]], dtype=torch.float64))


def test_models_in_memory_have_no_mergekit_configuration(tmp_path):
    base = tiny_encoder()
    merged = spkit.merge(base, {"a": noisy(base, 1), "b": noisy(base, 2)}, "average")
    save_model(merged, tmp_path / "merged")
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert recipe["mergekit"] == "The model of the base was given in memory: save it, and pass its folder."
    assert not (tmp_path / "merged" / "mergekit.yml").exists()
    assert recipe["mergekit"] in (tmp_path / "merged" / "README.md").read_text()


def test_a_model_remembers_its_source_until_its_weights_change(folders, tmp_path):
    base = load_base(folders / "base", max_seq_length=8)
    merged = spkit.merge(base, {"a": folders / "a", "b": load_base(folders / "b")}, "average")
    save_model(merged, tmp_path / "merged")
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert recipe["base"] == str(folders / "base")
    assert recipe["experts"] == {name: str(folders / name) for name in "ab"}
    assert_same_as_mergekit(tmp_path / "merged", tmp_path)
    assert source_of(copy_model(base)) == str(folders / "base")
    trained = copy_model(base).train()
    optimizer = torch.optim.AdamW(trained.parameters(), fused=True)
    next(trained.parameters()).sum().backward()
    optimizer.step()
    assert source_of(trained) is None
    next(base.parameters()).data.mul_(0.5)  # which torch does not count as a change
    assert source_of(base) is None


def test_every_recipe_has_the_hash_of_its_weights(vectors, tmp_path):
    rows = torch.full((1, 3), 0.3, dtype=torch.float64)
    PositionResult(vectors, rows, ["model"], torch_history(), {"granularity": "model"}).save(tmp_path / "best")
    recipe = json.loads((tmp_path / "best" / "recipe.json").read_text())
    assert recipe["sha256"] == weights_hash(SentenceTransformer(str(tmp_path / "best")))


def test_a_head_of_its_own_is_out_of_mergekits_reach(tmp_path):
    base = tiny_encoder()
    base.append(Dense(WIDTH, WIDTH))
    save_model(base, tmp_path / "base")
    save_model(noisy(base, 1), tmp_path / "a")
    vectors = TaskVectors.from_models(tmp_path / "base", {"a": tmp_path / "a"})
    with pytest.raises(InexpressibleError, match="stands outside of it"):
        position_config(vectors, torch.ones(1, 1, dtype=torch.float64))


def test_a_bundled_base_is_no_folder_for_mergekit(tmp_path):
    expert = load_base("minilm-l3")
    with torch.no_grad():
        next(expert.parameters()).add_(0.01)
    save_model(expert, tmp_path / "a")
    vectors = TaskVectors.from_models("minilm-l3", {"a": tmp_path / "a"})
    with pytest.raises(InexpressibleError, match="'minilm-l3', which is no folder"):
        position_config(vectors, torch.ones(1, 1, dtype=torch.float64))


@pytest.mark.parametrize("method", ["task_arithmetic", "mergekit:linear"])
def test_the_card_names_models_method_and_coefficients(folders, tmp_path, method):
    merged = spkit.merge(folders / "base", {name: folders / name for name in "ab"}, method, weight=0.25)
    merged.save(str(tmp_path / "plain"))  # the library's own way keeps the card
    save_model(merged, tmp_path / "merged")
    assert (tmp_path / "plain" / "README.md").read_text() == (tmp_path / "merged" / "README.md").read_text()
    card = (tmp_path / "merged" / "README.md").read_text()
    for text in (f"`{method}`", str(folders / "a"), "merge_method", "weight: 0.25", "spkit 0", "torch 2"):
        assert text in card
    assert ("| model | 0.2500 | 0.2500 |" in card) == (method == "task_arithmetic")


def test_a_model_trained_on_after_the_merge_carries_no_recipe(folders, tmp_path):
    merged = spkit.merge(folders / "base", {name: folders / name for name in "ab"}, "average")
    trained = spkit.train(merged, tiny_tasks()["faq"], steps=1, batch_size=8, progress=False)
    save_model(trained, tmp_path / "trained")
    assert not (tmp_path / "trained" / "recipe.json").exists()
    card = (tmp_path / "trained" / "README.md").read_text()
    assert "A merged text-embedding model" not in card
    assert not torch.equal(flat(trained), flat(merged))


def test_a_recipe_of_a_rule_that_reads_data_names_its_tasks(folders, tmp_path):
    tasks = tiny_tasks()
    experts = {"faq": folders / "a", "topic": folders / "b"}
    chosen = {name: tasks[name] for name in experts}
    save_model(
        spkit.merge(folders / "base", experts, "fisher", tasks=chosen, examples=16, batch_size=8), tmp_path / "merged"
    )
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert recipe["settings"]["tasks"] == ["faq", "topic"]
    assert recipe["operations"][0]["operation"] == "fisher"
    assert "after fisher" in recipe["mergekit"]


def test_a_merge_never_replaces_something_else(folders, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    merged = spkit.merge(folders / "base", {"a": folders / "a", "b": folders / "b"}, "average")
    with pytest.raises(SpkitError, match="which spkit did not write"):
        save_model(merged, tmp_path / "thesis")


@pytest.mark.parametrize("copied", [copy_model, deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_keeps_the_recipe_and_where_it_came_from(folders, tmp_path, copied):
    merged = copied(spkit.merge(folders / "base", {"a": folders / "a", "b": folders / "b"}, "average"))
    assert spkit.recipe_of(merged)["settings"] == {}
    save_model(merged, tmp_path / "copied")
    assert (tmp_path / "copied" / "recipe.json").is_file()
    assert source_of(copied(load_base(folders / "a"))) == str(folders / "a")


def test_what_is_known_of_a_model_is_no_attribute_of_it_and_not_in_its_card(folders, tmp_path):
    plain, loaded = SentenceTransformer(str(folders / "base"), device="cpu"), load_base(folders / "base", device="cpu")
    merged = spkit.merge(loaded, {"a": folders / "a"}, "average")
    assert vars(plain).keys() == vars(loaded).keys() == vars(merged).keys()
    loaded.save(str(tmp_path / "loaded"))
    assert "origin" not in (tmp_path / "loaded" / "README.md").read_text()


def test_a_recipe_holds_until_the_weights_change(folders):
    merged = spkit.merge(folders / "base", {"a": folders / "a", "b": folders / "b"}, "task_arithmetic", weight=0.3)
    recipe = spkit.recipe_of(merged)
    assert (recipe["method"], recipe["settings"]) == ("task_arithmetic", {"weight": 0.3})
    next(merged.parameters()).data.mul_(0.5)
    assert spkit.recipe_of(merged) is None
    assert spkit.recipe_of(load_base(folders / "a")) is None


def test_the_card_names_the_models_of_a_hub_and_the_licence_that_all_share(folders, tmp_path):
    for name, licence in {"a": "mit", "b": "mit", "c": "apache-2.0"}.items():
        shutil.copytree(folders / name, tmp_path / name)
        (tmp_path / name / "README.md").write_text(f"---\nlicense: {licence}\n---\n# {name}\n")

    def head(base, experts):
        recipe = {"base": base, "experts": experts, "method": "average", "base_sha256": "", "settings": {}}
        more = {"coefficients": {}, "operations": [], "mergekit": "none", "versions": {}}
        return ModelCardData(**yaml.safe_load(model_card(recipe | more).split("---")[1])).to_dict()

    local = {name: str(tmp_path / name) for name in "abc"}
    shared = head(local["a"], {"b": local["b"]})
    assert shared["license"] == "mit"
    assert "base_model" not in shared  # a hub knows nothing of our folders
    (tmp_path / "c" / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: company/start\n---\n")
    assert head(local["a"], {"c": local["c"]})["base_model"] == ["company/start"]  # what a folder was made from
    assert "license" not in head(local["a"], {"b": local["b"], "c": local["c"]})
    assert "license" not in head(local["a"], {"b": None})  # a model in memory: nobody knows
    named = head("minilm-l3", {"b": "company/model@v2"})
    assert named["base_model"] == ["sentence-transformers/all-MiniLM-L6-v2", "company/model"]
    assert named["base_model_relation"] == "merge"
