"""Half-precision bases: loaded, trained, subtracted and merged in float32, written in the checkpoint's type."""

import json
import warnings
from copy import deepcopy
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Pooling

import spkit
from spkit import SpkitError, TaskVectors, load_base, save_model, train
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.models.number_types import narrow, number_type, stored_type, widen
from spkit.training.precision import check_weights
from tests.experts import flat, noisy

HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def in_half(model: SentenceTransformer, dtype: torch.dtype) -> SentenceTransformer:
    copied = copy_model(model)
    narrow(copied, dtype)
    return copied


def written_type(folder) -> str:
    return json.loads((folder / "config.json").read_text())["dtype"]


@pytest.fixture(scope="module")
def folders(base, tmp_path_factory):
    """A base in each type, and an expert of it in each."""
    root = tmp_path_factory.mktemp("types")
    for name, model in {"base": base, "expert": noisy(base, 1)}.items():
        model.save(str(root / f"{name}-float32"))
        for short, dtype in HALF.items():
            in_half(model, dtype).save(str(root / f"{name}-{short}"))
    return root


@pytest.mark.parametrize("stored", HALF)
def test_a_checkpoint_is_loaded_in_the_type_that_is_asked_for(folders, stored):
    folder = folders / f"base-{stored}"
    exact = load_base(folder)
    assert number_type(exact) == torch.float32
    assert stored_type(exact) == HALF[stored]
    as_stored = load_base(folder, dtype="auto")
    assert number_type(as_stored) == HALF[stored]
    assert torch.equal(flat(exact), flat(as_stored))
    assert weights_hash(exact) == weights_hash(as_stored)  # the same numbers
    assert number_type(load_base(folder, dtype="float16")) == torch.float16


def test_all_modules_are_loaded_in_one_type(base, tmp_path):
    model = SentenceTransformer(modules=[deepcopy(base[0]), Pooling(32), Dense(32, 8)], device="cpu")
    model.save(str(tmp_path / "dense"))
    loaded = load_base(tmp_path / "dense", dtype="bfloat16")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
    assert loaded.encode(["red"]).shape == (1, 8)


@pytest.mark.parametrize("stored", HALF)
def test_training_is_that_of_the_float32_copy(folders, tasks, stored):
    settings = {"steps": 6, "batch_size": 8, "learning_rate": 1e-3, "progress": False}
    exact = load_base(folders / f"base-{stored}")
    right = train(exact, tasks["faq"], **settings)
    half = SentenceTransformer(str(folders / f"base-{stored}"), device="cpu", model_kwargs={"dtype": "auto"})
    got = train(half, tasks["faq"], **settings)
    assert number_type(got) == HALF[stored]
    assert number_type(half) == HALF[stored]
    rounded = in_half(right, HALF[stored])
    assert torch.equal(flat(got), flat(rounded))  # rounded once, at the end
    vectors = [TaskVectors.from_models(start, {"faq": one}) for start, one in ((exact, right), (half, got))]
    assert float(vectors[0].norms().iloc[0]) == pytest.approx(float(vectors[1].norms().iloc[0]), rel=0.02)


def test_an_expert_of_the_float32_copy_belongs_to_the_half_precision_folder(folders, tasks, tmp_path):
    expert = train(load_base(folders / "base-bfloat16"), tasks["faq"], steps=3, batch_size=8, progress=False)
    save_model(expert, tmp_path / "expert", dtype="float32")
    assert written_type(tmp_path / "expert") == "float32"
    vectors = TaskVectors.from_models(folders / "base-bfloat16", {"faq": tmp_path / "expert"})
    torch.testing.assert_close(flat(vectors.at([1.0])), flat(expert), atol=1e-7, rtol=0)


@pytest.mark.parametrize("experts", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("stored", HALF)
def test_a_merge_is_rounded_once_to_the_type_of_the_base(folders, tmp_path, stored, experts):
    given = {"a": str(folders / f"expert-{experts}"), "b": str(folders / "expert-float32")}
    merged = spkit.merge(folders / f"base-{stored}", given, "task_arithmetic", weight=[0.7, 0.4])
    start, one, other = (
        flat(load_base(folders / name)) for name in (f"base-{stored}", f"expert-{experts}", "expert-float32")
    )
    right = start + 0.7 * (one - start) + 0.4 * (other - start)
    torch.testing.assert_close(flat(merged), right, atol=1e-6, rtol=0)
    save_model(merged, tmp_path / "merged")
    assert written_type(tmp_path / "merged") == stored
    assert torch.equal(flat(load_base(tmp_path / "merged")), flat(in_half(merged, HALF[stored])))
    recipe = json.loads((tmp_path / "merged" / "recipe.json").read_text())
    assert recipe["sha256"] == weights_hash(load_base(tmp_path / "merged"))


def test_task_vectors_on_disk_keep_the_type(folders, tmp_path):
    made = TaskVectors.from_models(folders / "base-bfloat16", {"a": folders / "expert-float32"}, folder=tmp_path / "v")
    for vectors in (made, TaskVectors.load(tmp_path / "v")):
        save_model(vectors.at([0.5]), tmp_path / "merged")
        assert written_type(tmp_path / "merged") == "bfloat16"
    assert TaskVectors.load(tmp_path / "v").base_hash == weights_hash(load_base(folders / "base-bfloat16"))


def test_a_number_too_large_for_the_type_is_refused(base, tmp_path):
    large = deepcopy(base)
    with torch.no_grad():
        large[0].model.embeddings.word_embeddings.weight[3, 4] = 1e5
    with pytest.raises(SpkitError, match=r"float16. Found 1e\+05 in 0.model.embeddings.*above 6.55e\+04"):
        save_model(large, tmp_path / "large", dtype="float16")
    assert not (tmp_path / "large").exists()


def test_weights_of_no_use_are_told_at_the_end_of_training(base):
    broken, grown = deepcopy(base), deepcopy(base)
    with torch.no_grad():
        broken[0].model.pooler.dense.weight[0, 0] = float("nan")
        for parameter in grown.parameters():
            parameter.mul_(20)
    with pytest.raises(SpkitError, match=r"'faq' must have finite weights. Found NaN or infinity in '0.model.pooler"):
        check_weights(base, broken, "faq")
    with pytest.raises(SpkitError, match=r"keep the weights' size. .* diverged: lower `learning_rate`"):
        check_weights(base, grown, "faq")
    check_weights(base, noisy(base, 1), "faq")


def test_it_is_told_when_rounding_takes_much_of_what_was_learnt(folders, tasks, tmp_path):
    base = load_base(folders / "base-bfloat16")
    settings = {"steps": 2, "batch_size": 8, "progress": False}
    with pytest.warns(UserWarning, match=r"Rounded to bfloat16, .* differs from what was trained by \d+%"):
        save_model(train(base, tasks["faq"], **settings, learning_rate=1e-6), tmp_path / "little")
    with pytest.warns(UserWarning, match=r"Rounded to bfloat16"):
        train(load_base(folders / "base-bfloat16", dtype="auto"), tasks["faq"], **settings, learning_rate=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        little = train(base, tasks["faq"], **settings, learning_rate=1e-6)
        save_model(little, tmp_path / "little", dtype="float32")
        save_model(train(base, tasks["faq"], **settings, learning_rate=1e-2), tmp_path / "much")


def test_bfloat16_passes_train_float32_weights(base, tasks, tmp_path):
    settings = {"steps": 20, "batch_size": 16, "learning_rate": 3e-3, "progress": False}
    exact = flat(train(base, tasks["faq"], **settings)) - flat(base)
    model = train(base, tasks["faq"], **settings, precision="bfloat16")
    quick = flat(model) - flat(base)
    assert number_type(model) == torch.float32
    assert not torch.equal(quick, exact)
    assert float(torch.cosine_similarity(quick, exact, dim=0)) > 0.9
    given = SentenceTransformerTrainingArguments(
        str(tmp_path), max_steps=2, per_device_train_batch_size=8, bf16=True, use_cpu=True, report_to=[]
    )
    assert number_type(train(base, tasks["faq"], args=given, progress=False)) == torch.float32


@pytest.mark.usefixtures("no_type_check")
def test_other_types_of_numbers_are_refused(base, tasks, tmp_path):
    wrong: dict[str, Any] = {"dtype": "float8"}
    for call in (lambda: load_base("minilm-l3", **wrong), lambda: save_model(base, tmp_path / "model", **wrong)):
        with pytest.raises(SpkitError, match=r"`dtype` must be one of 'float32', .* 'auto'. Found 'float8'"):
            call()
    wrong = {"precision": "int8"}
    with pytest.raises(SpkitError, match=r"`precision` must be one of 'float32', 'bfloat16'. Found 'int8'"):
        train(base, tasks["faq"], steps=1, batch_size=8, progress=False, **wrong)


def test_a_model_that_was_rounded_as_a_whole_fits_its_float32_experts(base):
    exact = deepcopy(base)
    exact[0].model.register_buffer("frequencies", torch.tensor([1.0, 0.1, 0.01]), persistent=False)
    half = deepcopy(exact).to(torch.bfloat16)  # its buffers, too
    assert TaskVectors.from_models(half, {"a": noisy(exact, 1)}).names == ("a",)
    other = noisy(exact, 1)
    other[0].model.frequencies[1] = 0.2
    with pytest.raises(SpkitError, match=r"the buffer 0.model.frequencies differs"):
        TaskVectors.from_models(half, {"a": other})


def test_widening_changes_no_number(base):
    half = in_half(base, torch.bfloat16)
    again = copy_model(half)
    widen(again)
    assert number_type(again) == torch.float32
    assert torch.equal(flat(half), flat(again))
    assert again[0].model.config.dtype == torch.float32
