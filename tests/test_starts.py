"""Named starts: what they are, and the best of them under every path."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spkit import Probe, TaskVectors, search, self_position
from spkit.errors import SpkitError
from spkit.merging.methods import point
from spkit.searching.choices import Start
from spkit.searching.objective import Objective
from spkit.searching.scores import ProbeScores
from spkit.searching.starts import HEAVY, LIGHT, candidates, distinct, mix_weights, positions

QUICK = {"batch_size": 8, "progress": False}


@pytest.mark.parametrize("rule", ["average", "slerp", "metagpt"])
def test_rules_are_those_of_a_merge(vectors, rule) -> None:
    torch.testing.assert_close(positions(vectors)[rule][0], point(vectors, rule)[1])
    assert list(candidates(vectors, rule, "model")) == [rule]


def test_a_span_has_rules_vectors_and_mixes_each_once(vectors) -> None:
    named = {name: rows[0].tolist() for name, rows in positions(vectors).items()}
    assert list(named) == [
        *("average", "slerp", "metagpt", "average x 1.5", "average x 2", "sum"),
        *("faq", "topic", "likeness", "0.75 faq", "0.75 topic", "0.75 likeness"),
    ]
    assert named["average x 1.5"] == [0.5, 0.5, 0.5]
    assert named["sum"] == [1.0, 1.0, 1.0]
    assert named["topic"] == [0.0, 1.0, 0.0]
    assert named["0.75 likeness"] == [0.25, 0.25, 0.75]


@given(st.lists(st.text(), unique=True, min_size=1), st.data())
def test_joint_models_share_the_heavy_part_of_a_mix_and_each_expert_has_the_light_one(names, data) -> None:
    joint = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    experts = data.draw(st.lists(st.sampled_from(names), unique=True))
    weights = mix_weights(names, joint, experts)
    assert list(weights) == names
    assert sum(weights[name] for name in joint) == pytest.approx(HEAVY)
    assert len({weights[name] for name in joint}) == 1
    assert all(weights[name] == LIGHT for name in set(experts) - set(joint))
    assert not any(weights[name] for name in set(names) - {*joint, *experts})


def test_the_mix_of_one_joint_model_has_three_quarters_of_it() -> None:
    names = ["faq", "topic", "joint", "ties"]
    expected = {"faq": 0.25, "topic": 0.25, "joint": 0.75, "ties": 0.0}
    assert mix_weights(names, ["joint"], ["faq", "topic"]) == expected


def test_one_vector_has_its_lengths(vectors) -> None:
    alone = vectors.select(["faq"])
    assert [rows.tolist() for rows in positions(alone).values()] == [[[1.0]], [[1.5]], [[2.0]], [[0.75]]]


def test_only_few_vectors_are_summed(base, experts) -> None:
    models = {f"{name}{number}": expert for number in range(2) for name, expert in experts.items()}
    many = TaskVectors.from_models(base, models)
    assert "sum" not in positions(many)
    assert positions(many)["0.75 topic1"][0].tolist() == [0.25, 0.25, 0.25, 0.25, 0.75, 0.25]


def test_equal_positions_are_one() -> None:
    one, other = torch.zeros(1, 2).double(), torch.ones(1, 2).double()
    assert list(distinct({"first": one, "same": one + 1e-9, "other": other})) == ["first", "other"]


@pytest.mark.parametrize("path", ["slerp", "simplex", "free", "raw", "hull", "depth"])
@pytest.mark.parametrize("granularity", ["model", "module"])
def test_the_best_rule_has_the_lowest_loss(trained, probe, path, granularity) -> None:
    """Measured at what the path makes of each: none of those that it contains is better."""
    result = self_position(
        trained, probe, path=path, granularity=granularity, start="best_rule", steps=1, mu=0.0, **QUICK
    )
    objective = Objective(trained, probe, 8)
    losses = {name: objective.scaled(objective.task_losses(rows)) for name, rows in positions(trained).items()}
    contained = {
        name: loss
        for name, loss in losses.items()
        if path != "hull" or (positions(trained)[name].sum() <= 1 + 1e-9)
        if path not in ("slerp", "simplex", "raw") or bool((positions(trained)[name] > 0).all())
    }
    begun = result.history.iloc[0][[f"coefficient:{name}" for name in trained.names]].tolist()
    rows = torch.tensor([begun], dtype=torch.float64)
    lowest = min(contained.values())
    near = 2e-3 if granularity == "module" else 1e-5  # modules without an answer take the whole model's
    assert objective.scaled(objective.task_losses(rows)) <= lowest * (1 + near)
    assert result.settings["start"] == "best_rule"
    assert result.settings["started_at"] in positions(trained)


def test_rules_that_a_path_refuses_are_passed_over(trained, probe) -> None:
    """SLERP is not defined between a vector and its opposite: no path of arcs, but all others go on."""
    opposite = trained.reweighted(torch.stack([trained.matrix[0], -trained.matrix[0], trained.matrix[2]]), "turned")
    named = positions(opposite)
    assert "slerp" not in named
    assert "average" in named
    free = self_position(opposite, probe, path="free", start="best_rule", steps=1, **QUICK)
    assert free.settings["started_at"] in named
    for start in ("best_rule", "average"):
        with pytest.raises(SpkitError, match="opposite directions"):
            self_position(opposite, probe, path="slerp", start=start, steps=1, **QUICK)
    with pytest.raises(SpkitError, match="opposite directions"):
        self_position(opposite, probe, path="free", start="slerp", steps=1, **QUICK)


def test_a_start_is_one_of_the_names(no_type_check, trained) -> None:
    with pytest.raises(SpkitError, match=r"'average', 'best_expert', 'slerp', 'metagpt', 'best_rule'.*'sum'"):
        candidates(trained, "sum", "model")


@pytest.mark.parametrize("by", ["loss", "score"])
@pytest.mark.parametrize("method", ["random", "cma", "gp"])
def test_a_search_returns_nothing_worse_on_held_back_examples(trained, tasks, by, method) -> None:
    """The probe is of one task, the held-back examples of another: what is won on the first is lost on the second."""
    probe = Probe.sample({"faq": tasks["faq"]}, size=16)
    other = Probe.sample({"likeness": tasks["likeness"]}, size=32)
    given = {"by": by, "start": [0.0, 0.0, 1.0], "budget": 25, "mu": 0.0, **QUICK}
    alone, watched = (search(trained, probe, method, validation=one, **given) for one in (None, other))
    source = ProbeScores(trained, other) if by == "score" else Objective(trained, other, 8)

    def cost(rows: torch.Tensor) -> float:
        return -source.mean(source.at(rows)) if by == "score" else source.scaled(source.task_losses(rows))

    at_start = cost(torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64))
    assert cost(watched.rows) <= at_start + 1e-6
    looks = watched.history["validation"].dropna()
    best = looks.min() if by == "loss" else -looks.max()
    assert cost(watched.rows) == pytest.approx(best, abs=1e-4)
    assert cost(alone.rows) > at_start
    assert watched.history[f"{by}:faq"].equals(alone.history[f"{by}:faq"])  # the way is the same


def test_names_of_starts_are_written_once() -> None:
    assert set(get_args(Start)) - {"best_expert", "best_rule"} == {"average", "slerp", "metagpt"}
