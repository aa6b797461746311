"""Every family of models through everything: training, vectors, merges, searches, conflict, explorer, scores, files.

Each cell passes; what a method refuses, it refuses for every family, and says why.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import spkit
from spkit.explorer.quick_scores import QuickScores
from spkit.hashing import weights_hash
from spkit.merging import registry
from spkit.tasks import Task
from tests.experts import flat, noisy
from tests.families import FAMILIES
from tests.tiny import tiny_tasks

#: What mergekit's methods need to be told, and what its rules about the number of models refuse.
_TOLD: dict[str, dict[str, Any]] = {
    "mergekit:slerp": {"t": 0.5},
    "mergekit:linear": {"weight": 0.5},
    "mergekit:nuslerp": {"weight": 0.5},
}
_REFUSED = {"mergekit:arcee_fusion": "exactly 2", "mergekit:nearswap": "exactly 2", "mergekit:passthrough": "exactly 1"}


@dataclass(frozen=True)
class Family:
    """A base of a family with two experts, and what is made of them once."""

    base: SentenceTransformer
    experts: dict[str, SentenceTransformer]
    vectors: spkit.TaskVectors
    tasks: dict[str, Task]
    probe: spkit.Probe


@pytest.fixture(scope="module")
def two_tasks() -> dict[str, Task]:
    """A search, and a comparison of texts of one sort."""
    every = tiny_tasks()
    return {name: every[name] for name in ("faq", "likeness")}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, two_tasks) -> Family:
    base = FAMILIES[request.param](0)
    experts = {name: noisy(base, seed) for seed, name in enumerate(two_tasks, start=1)}
    probe = spkit.Probe.sample(two_tasks, size=16)
    return Family(base, experts, spkit.TaskVectors.from_models(base, experts), two_tasks, probe)


def test_it_is_trained_and_its_experts_belong_to_it(family) -> None:
    before = weights_hash(family.base)
    expert = spkit.train(family.base, family.tasks, steps=2, batch_size=8, learning_rate=1e-3, progress=False)
    assert weights_hash(family.base) == before
    vectors = spkit.TaskVectors.from_models(family.base, {"both": expert})
    assert 0 < float(vectors.norms().iloc[0]) < 1
    assert np.isfinite(expert.encode(["red apple"])).all()


def test_vectors_lead_to_the_experts(family) -> None:
    for name, expert in family.experts.items():
        one = {other: float(other == name) for other in family.experts}
        assert torch.allclose(flat(family.vectors.at(one)), flat(expert), atol=1e-6)


@pytest.mark.parametrize("method", list(registry.methods()))
def test_each_method_merges(family, method) -> None:
    data = {"tasks": family.tasks, "examples": 8, "batch_size": 8} if registry.find(method).reads_data else {}
    merged = spkit.merge(family.base, family.vectors, method, **data)
    assert torch.isfinite(flat(merged)).all()
    if method == "average":
        assert torch.allclose(flat(merged), sum(map(flat, family.experts.values())) / 2, atol=1e-6)


def test_searches_by_model_and_by_module(family) -> None:
    for granularity, rows in (("model", 1), ("module", len(family.vectors.modules))):
        result = spkit.self_position(
            family.vectors, family.probe, steps=2, batch_size=8, granularity=granularity, progress=False
        )
        assert result.rows.shape == (rows, 2)
        assert np.isfinite(result.history["loss"]).all()


def test_the_gradient_of_a_search_is_that_of_its_losses(family) -> None:
    """Central differences of the objective; also where rows of a token table are relied on from the second step on."""
    from spkit.searching.objective import Objective

    objective = Objective(family.vectors, family.probe, 8)
    here = torch.tensor([[0.4, 0.3]], dtype=torch.float64)
    objective.step(here)
    found = objective.whole(here).gradient.sum(0)
    step = 5e-3
    for number in range(2):
        change = torch.zeros(1, 2, dtype=torch.float64)
        change[0, number] = step
        values = [objective.scaled(objective.task_losses(here + sign * change)) for sign in (1, -1)]
        expected = (values[0] - values[1]) / (2 * step)
        assert float(found[number]) == pytest.approx(expected, rel=0.02, abs=2e-3)


def test_conflict_explorer_and_scores(family) -> None:
    report = spkit.gradient_conflict(family.base, family.tasks, batches=4, batch_size=8, progress=False)
    assert np.isfinite(report.norms).all()
    assert (report.norms > 0).all()
    measured = QuickScores(family.vectors, family.tasks, examples=12).at([0.5, 0.5])
    assert np.isfinite(measured[["score", "loss"]].to_numpy()).all()
    scores = spkit.evaluate(family.vectors.at([0.5, 0.5]), family.tasks, resamples=20)["score"]
    assert np.isfinite(scores).all()


def test_it_is_saved_and_loaded(family, tmp_path) -> None:
    merged = spkit.merge(family.base, family.vectors, "average")
    spkit.save_model(merged, tmp_path / "merged")
    loaded, texts = spkit.load_base(tmp_path / "merged"), ["red apple in the garden", "where is the violin"]
    for method in ("encode", "encode_query", "encode_document"):
        before, after = (getattr(model, method)(texts) for model in (merged, loaded))
        np.testing.assert_allclose(before, after, atol=1e-5)
    family.vectors.save(tmp_path / "vectors")
    again = spkit.TaskVectors.load(tmp_path / "vectors")
    assert torch.allclose(flat(again.at([0.5, 0.5])), flat(merged), atol=1e-6)
    assert spkit.TaskVectors.from_models(tmp_path / "merged", {"one": noisy(loaded, 3)}).names == ("one",)


@pytest.mark.parametrize("name", ["mpnet", "modernbert", "distilbert", "t5", "router"])
def test_mergekits_methods_take_experts_in_memory(name, two_tasks) -> None:
    """Trained ones too: a training notes ids of tokens in the configuration of some."""
    base = FAMILIES[name](0)
    experts = {task.name: spkit.train(base, task, steps=1, batch_size=8, progress=False) for task in two_tasks.values()}
    for method in spkit.merge_methods():
        if method.startswith(registry.PASS_THROUGH) and method not in _REFUSED:
            assert torch.isfinite(flat(spkit.merge(base, experts, method, **_TOLD.get(method, {})))).all(), method
    for method, why in _REFUSED.items():
        with pytest.raises(spkit.SpkitError, match=why):
            spkit.merge(base, experts, method)
    linear = spkit.merge(base, experts, "mergekit:linear", weight=0.5)
    assert torch.allclose(flat(linear), flat(spkit.merge(base, experts, "average")), atol=1e-6)
