"""Choosing among searches: μ on held-back examples, and the trade-off between two tasks."""

import pandas as pd
import pytest
import torch

import spkit
from spkit.errors import SpkitError
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.vectors.task_vectors import TaskVectors

QUICK = {"batch_size": 16, "progress": False, "path": "free", "optimizer": "lbfgs", "steps": 8}


@pytest.fixture(scope="module")
def vectors(trained) -> TaskVectors:
    return trained


@pytest.fixture(scope="module")
def parts(tasks) -> tuple[Probe, Probe]:
    return Probe.sample(tasks, size=144, seed=0).hold_back(1 / 3)


@pytest.fixture(scope="module")
def trade_off(vectors, parts):
    return spkit.trade_off(vectors, parts[0], "faq", "likeness", ratios=(8.0, 1.0, 0.125), **QUICK)


def texts(rows) -> list[str]:
    return sorted(str(row) for row in rows)


def test_held_back_examples_are_apart_and_together_the_probe(tasks) -> None:
    whole = Probe.sample(tasks, size=144, seed=3)
    first, second = whole.hold_back(1 / 3)
    for name in tasks:
        assert len(second.examples[name]) == 16
        assert texts([*first.examples[name], *second.examples[name]]) == texts(whole.examples[name])
    again = whole.hold_back(1 / 3)
    assert first.fingerprint() == again[0].fingerprint()
    assert first.fingerprint() != Probe.sample(tasks, size=144, seed=4).hold_back(1 / 3)[0].fingerprint()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_out_of_range_is_refused(parts, share) -> None:
    with pytest.raises(SpkitError, match="above 0 and below 1"):
        parts[0].hold_back(share)


def test_a_side_without_a_batch_is_refused(parts) -> None:
    with pytest.raises(SpkitError, match=r"enough examples for a batch on both sides[\s\S]*faq"):
        parts[0].hold_back(0.03)


def test_the_mu_with_the_lowest_loss_on_the_validation_is_kept(vectors, parts) -> None:
    probe, validation = parts
    candidates = (0.0, 0.5, 50.0)
    best = spkit.choose_mu(vectors, probe, validation, candidates, **QUICK)
    objective = Objective(vectors, validation, 16)
    losses = {}
    for mu in candidates:
        single = spkit.self_position(vectors, probe, mu=mu, validation=validation, **QUICK)
        losses[mu] = objective.scaled(objective.task_losses(single.rows))
        if mu == best.settings["mu"]:
            assert torch.equal(single.rows, best.rows)
    assert best.settings["mu_candidates"] == pytest.approx({str(mu): loss for mu, loss in losses.items()})
    assert best.settings["mu"] == min(losses, key=lambda mu: losses[mu])
    # A weight that forbids every length ends near the base, which no task likes.
    assert losses[50.0] > losses[0.0]


def stopping_at(number: int, monkeypatch) -> list[torch.Tensor]:
    """The places where searches asked for the loss and its gradient; the call of this number is interrupted."""
    plain, calls = Objective.whole, []

    def counted(self, coefficients):
        calls.append(coefficients)
        if len(calls) == number:
            raise KeyboardInterrupt
        return plain(self, coefficients)

    monkeypatch.setattr(Objective, "whole", counted)
    return calls


def test_a_choice_of_mu_that_was_stopped_goes_on(vectors, parts, tmp_path, monkeypatch) -> None:
    weights = {"faq": 1.0, "topic": 2.0, "likeness": 3.0}
    given = {"scale": "gap", "weights": weights, "start": "best_expert", "validate_every": 2, **QUICK, "steps": 5}
    calls = stopping_at(0, monkeypatch)  # none
    alone = spkit.choose_mu(vectors, *parts, (0.0, 0.5), **given)
    passes, folder = len(calls), tmp_path / "choice"
    calls = stopping_at(8, monkeypatch)
    stopped = spkit.choose_mu(vectors, *parts, (0.0, 0.5), journal=folder, **given)
    assert stopped.settings["interrupted"]
    assert sorted(file.name for file in folder.iterdir()) == ["mu_0.0.jsonl", "mu_0.5.jsonl"]
    resumed = spkit.choose_mu(vectors, *parts, (0.0, 0.5), journal=folder, **given)
    assert len(calls) - 8 == passes - 7  # what was recorded is not computed again
    assert resumed.settings == alone.settings
    assert torch.equal(resumed.rows, alone.rows)
    seconds = ["seconds"]
    assert resumed.history.drop(columns=seconds).equals(alone.history.drop(columns=seconds))
    monkeypatch.setattr(Objective, "whole", None)
    third = spkit.choose_mu(vectors, *parts, (0.5, 0.0), journal=folder, **given)  # in any order
    assert torch.equal(third.rows, alone.rows)


def test_a_sweep_that_was_stopped_goes_on(vectors, parts, trade_off, tmp_path, monkeypatch) -> None:
    given = {"first": "faq", "second": "likeness", "ratios": (8.0, 1.0, 0.125), "journal": tmp_path / "sweep", **QUICK}
    first = len(trade_off.results[0].history)
    calls = stopping_at(first + 3, monkeypatch)
    stopped = spkit.trade_off(vectors, parts[0], **given)
    assert [len(one.history) for one in stopped.results] == [first, 2]
    assert sorted(file.name for file in given["journal"].iterdir()) == ["ratio_0.125.jsonl", "ratio_1.0.jsonl"]
    resumed = spkit.trade_off(vectors, parts[0], **given)
    assert len(calls) - (first + 3) == sum(len(one.history) for one in trade_off.results) - (first + 2)
    assert resumed.table.equals(trade_off.table)
    for one, other in zip(resumed.results, trade_off.results, strict=True):
        assert torch.equal(one.rows, other.rows)
        assert one.history.drop(columns="seconds").equals(other.history.drop(columns="seconds"))
    with pytest.raises(SpkitError, match="with other start"):  # each search begins where the one before ended
        spkit.trade_off(vectors, parts[0], **{**given, "ratios": (1.0,)})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidates": ()}, "one or more different"),
        ({"candidates": (0.1, 0.1)}, "one or more different"),
        ({"mu": 0.1}, r"`mu` must be left to `candidates`[\s\S]*Found 0\.1"),
        ({"journal": __file__}, "must be a folder where several searches are made[\\s\\S]*test_over"),
        ({"candidates": (-1.0,)}, "`mu` must be 0 or more"),
    ],
)
def test_bad_choices_of_mu(vectors, parts, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        spkit.choose_mu(vectors, *parts, **given, **QUICK)


def test_more_weight_gives_a_task_a_lower_loss(trade_off) -> None:
    table = trade_off.table
    assert list(table["ratio"]) == [0.125, 1.0, 8.0]
    assert table["loss:faq"].is_monotonic_decreasing
    assert table["loss:likeness"].is_monotonic_increasing
    assert table["loss:faq"].iloc[0] > 1.02 * table["loss:faq"].iloc[-1]
    assert table["on_front"].all()


def test_a_point_is_the_search_with_these_weights_from_the_point_before(vectors, parts, trade_off) -> None:
    weights = {name: {"faq": 8**0.5, "likeness": 8**-0.5}.get(name, 1.0) for name in parts[0].tasks}
    last = spkit.self_position(vectors, parts[0], weights=weights, start=trade_off.results[1].rows, **QUICK)
    assert torch.equal(last.rows, trade_off.results[2].rows)
    objective = Objective(vectors, parts[0], 16)
    losses = objective.task_losses(last.rows)
    assert losses["faq"] == trade_off.table["loss:faq"].iloc[2]
    assert trade_off.table["coefficient:faq"].iloc[2] == pytest.approx(float(last.rows[0][vectors.names.index("faq")]))


def test_losses_of_the_table_may_be_those_of_other_examples(vectors, parts) -> None:
    table = spkit.trade_off(vectors, parts[0], "faq", "topic", ratios=[1.0], measured_on=parts[1], **QUICK).table
    plain = spkit.self_position(vectors, parts[0], **QUICK)
    assert table["loss:topic"].iloc[0] == Objective(vectors, parts[1], 16).task_losses(plain.rows)["topic"]


def test_scores_are_those_of_each_positions_model(trade_off, tasks) -> None:
    scores = trade_off.scores(tasks)
    alone = spkit.evaluate(trade_off.results[2].model(), tasks, split="dev", resamples=2)
    assert list(scores["ratio"]) == [0.125, 1.0, 8.0]
    np_alone = dict(zip(alone["task"], alone["score"], strict=True))
    assert scores.iloc[2].drop("ratio").to_dict() == pytest.approx(np_alone)
    assert isinstance(scores, pd.DataFrame)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"second": "faq"}, "two tasks of the probe"),
        ({"second": "intent"}, r"two tasks of the probe[\s\S]*'intent'"),
        ({"ratios": ()}, "different positive numbers"),
        ({"ratios": (1.0, -1.0)}, "different positive numbers"),
        ({"weights": {"faq": 1.0}}, r"`weights` must be left to `ratios`[\s\S]*Found \{'faq'"),
        ({"journal": __file__}, "must be a folder where several searches are made"),
    ],
)
def test_bad_trade_offs(vectors, parts, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        spkit.trade_off(vectors, parts[0], **({"first": "faq", "second": "topic"} | given), **QUICK)
