"""One expert and its base: everything that needs no second vector works, and what needs one says so."""

import pytest
import torch

import spkit
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging import registry
from spkit.searching.path_names import path_names

QUICK = {"steps": 2, "batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def expert(base, tasks):
    return spkit.train(base, tasks["faq"], steps=6, batch_size=8, learning_rate=3e-3, progress=False)


@pytest.fixture(scope="module")
def one(base, expert):
    return spkit.TaskVectors.from_models(base, {"faq": expert})


@pytest.fixture(scope="module")
def probe(tasks):
    return spkit.Probe.sample(tasks, size=48)


def test_its_geometry_is_that_of_one_length(one, base, expert):
    assert one.gram().shape == (1, 1)
    assert one.cosines().loc["faq", "faq"] == pytest.approx(1)
    assert one.norms()["faq"] ** 2 == pytest.approx(float(one.gram()))
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(one.at([1.0]).parameters(), expert.parameters(), strict=True)
    )
    assert weights_hash(one.at([0.0])) == weights_hash(base)


@pytest.mark.parametrize("name", list(registry.methods()))
def test_it_is_merged_by_every_rule(one, base, tasks, name):
    read = {"tasks": {"faq": tasks["faq"]}} if registry.find(name).reads_data else {}
    merged = spkit.merge(base, one, name, **read)
    assert merged.encode(["the red apple"]).shape == (1, 32)


@pytest.mark.parametrize("name", ["average", "slerp", "metagpt"])
def test_where_nothing_is_weighed_it_is_the_expert(one, base, expert, name):
    moved = spkit.merge(base, one, name)
    ends = zip(moved.parameters(), expert.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in ends)


@pytest.mark.parametrize("granularity", ["model", "module"])
@pytest.mark.parametrize("path", path_names())
def test_it_is_searched_on_every_path(one, probe, path, granularity):
    result = spkit.self_position(one, probe, path=path, granularity=granularity, **QUICK)
    assert result.rows.shape[1] == 1
    assert len(result.history) == 2


@pytest.mark.parametrize("method", ["grid", "random", "tpe"])
def test_it_is_searched_without_gradients(one, probe, method):
    result = spkit.search(one, probe, method, budget=4, batch_size=8, progress=False)
    assert 0 <= float(result.coefficients["faq"]) <= 1.5


def test_its_length_is_swept_over_its_own_task_and_others(one, tasks):
    own = {"faq": tasks["faq"]}
    both = {**own, "topic": tasks["topic"].as_unseen()}
    table = spkit.sweep(one, own, "length", values=[0.0, 1.0], scored=both, split="test", progress=False)
    assert set(table["task"]) == {"faq", "mean", "topic", "unseen mean"}
    assert table.groupby("value")["coefficient:faq"].first().tolist() == [0.0, 1.0]


def test_a_direction_needs_a_second(one, tasks):
    with pytest.raises(SpkitError, match=r"needs two task vectors or more. Found 'faq' alone. Pass `over=\"length\"`"):
        spkit.sweep(one, tasks, "direction", progress=False)
