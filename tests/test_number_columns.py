"""Columns of numbers hold numbers in every public table, also where something is undetermined."""

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sentence_transformers import SentenceTransformer
from torch import nn

import spkit
from spkit.evaluation import Measurement
from spkit.models.bases import copy_model
from spkit.study.analyses.pairs import correlation
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import tiny_tasks

#: Columns that hold words, whatever the table.
WORDY = {
    "task", "role", "module", "a", "b", "from", "onto", "group", "schedule", "scale", "verdict", "reason", "metric",
    "over", "dataset",
    "pair", "statistic",
}  # fmt: skip
BATCHES = {"batches": 4, "batch_size": 8, "progress": False}


class Flat(nn.Module):
    """A loss with a graph, through which nothing comes back: no gradient, and a loss of zero."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Any, labels: Any) -> torch.Tensor:
        return 0 * self.model(features[0])["sentence_embedding"].sum()


class Noise(Flat):
    """Gradients of one size and of opposite signs in turn: larger noise than gradient."""

    sign = 1.0

    def forward(self, features: Any, labels: Any) -> torch.Tensor:
        Noise.sign = -Noise.sign
        return 1 + Noise.sign * next(iter(self.model.parameters())).sum()


def with_loss(task: Task, name: str, loss: type[nn.Module]) -> Task:
    return Task(**{**vars(task), "name": name, "loss": loss})


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """One with a gradient, one without, one of noise, and one that fills no batch."""
    known = tiny_tasks((64, 24, 24))
    small = {split: part.select(range(4)) for split, part in known["likeness"].splits.items()}
    return {
        "faq": known["faq"],
        "flat": with_loss(known["topic"], "flat", Flat),
        "noise": with_loss(known["faq"], "noise", Noise),
        "small": Task(name="small", kind="sts", **small),
    }


def assert_numbers(table: pd.DataFrame, missing: bool = True) -> None:
    """Every column but the wordy ones is numeric; where a number is missing, a verdict says so."""
    assert len(table)
    words = {column for column in table if not is_numeric_dtype(table[column])}
    assert words <= WORDY, f"words in {words - WORDY}"
    numbers = table[[column for column in table if column not in WORDY and not is_bool_dtype(table[column])]]
    numbers.mean()  # of a column of words this raises
    empty = table[numbers.isna().any(axis=1)]
    assert len(empty) > 0 if missing else len(empty) == 0
    if len(empty):
        assert not set(empty["verdict"]) & {"measured", "agree", "conflict", "a is better"}


def unmoved(base: SentenceTransformer, tasks: list[Task], **settings: Any) -> SentenceTransformer:
    return copy_model(base)


def test_imbalance(base, tasks) -> None:
    for chosen in (["faq", "flat"], ["faq", "noise"], ["faq", "small"], ["flat"], ["noise"], ["small"]):
        table = spkit.imbalance({name: tasks[name] for name in chosen}, model=base, **BATCHES)
        assert_numbers(table, missing=chosen != ["faq", "flat"])
    assert_numbers(spkit.imbalance(tasks), missing=False)


def test_norms_angles_and_lines(base, tasks) -> None:
    settings = {"batch_size": 8, "steps": 1, "training": unmoved}
    norms = spkit.norms_by_examples(base, {"faq": tasks["faq"]}, [8, 16, 24], **settings)
    assert_numbers(norms, missing=False)
    assert_numbers(spkit.fit_line(norms))
    assert_numbers(spkit.fit_line(norms[norms["examples"] < 20]))
    assert_numbers(spkit.angles_by_ratio(base, tasks["faq"], tasks["flat"], [(1, 1)], total=32, **settings))


def test_conflict(base, tasks) -> None:
    chosen = {name: tasks[name] for name in ("faq", "flat", "noise")}
    report = spkit.gradient_conflict(base, chosen, **BATCHES)
    assert_numbers(report.pairs)
    assert_numbers(report.by_module)
    for name in ("cosine", "corrected", "low", "high", "conflicting"):
        assert all(is_numeric_dtype(kind) for kind in getattr(report, name).dtypes), name
    for name in ("ceiling", "norms", "repeats"):
        assert is_numeric_dtype(getattr(report, name)), name
    one = spkit.gradient_conflict(base, {name: tasks[name] for name in ("faq", "flat")}, **BATCHES)
    assert_numbers(one.conflict_by_module)


def test_affinity(base, tasks) -> None:
    chosen = {name: tasks[name] for name in ("faq", "flat")}
    assert_numbers(spkit.task_affinity(base, chosen, batches=2, batch_size=8, progress=False))


def test_comparison() -> None:
    values = np.random.default_rng(0).random(20)
    known, whole = Measurement("t", "accuracy", 50.0, values), Measurement("mteb", "v_measure", 40.0)
    assert_numbers(spkit.compare({"a": [known, whole], "b": [known, whole]}, resamples=20))
    assert_numbers(spkit.compare({"a": [whole], "b": [whole]}, resamples=20))


def test_correlation_of_too_few_pairs() -> None:
    pairs = pd.DataFrame({"a": ["x"], "b": ["y"], "corrected": [0.1], "change": [1.0]})
    table = correlation(pairs)
    assert all(is_numeric_dtype(table[column]) for column in ("r", "low", "high", "pairs", "undetermined", "tasks"))
    assert table["r"].isna().all()


def test_positions_and_their_uncertainty(base) -> None:
    """One vector is zero in all modules but one: its coefficients there are undetermined."""
    tasks = tiny_tasks((64, 24, 24))
    chosen = {name: tasks[name] for name in ("faq", "likeness")}
    vectors = TaskVectors.from_models(base, {name: noisy(base, place, 0.05) for place, name in enumerate(chosen)})
    matrix = vectors.matrix.clone()
    for places in list(vectors.layout.modules.values())[1:]:
        for place in places:
            matrix[1, place] = 0
    vectors = vectors.reweighted(matrix, "cut")
    assert_numbers(spkit.effective_weights(vectors.at([0.5, 0.5]), vectors).table, missing=False)
    assert is_numeric_dtype(vectors.norms())
    probe = spkit.Probe.sample(chosen, size=32, seed=0)
    short = {"steps": 2, "batch_size": 8, "progress": False}
    result = spkit.self_position(vectors, probe, path="free", granularity="module", learning_rate=0.1, **short)
    assert_numbers(result.history.rename(columns=str), missing=False)
    sure = spkit.uncertainty(result, probe, progress=False)
    assert_numbers(sure.coefficients, missing=False)
    assert (sure.coefficients["reason"] != "").any()
    for table in (sure.hessian, sure.directions):
        assert all(is_numeric_dtype(kind) for kind in table.dtypes)
    assert_numbers(
        spkit.trade_off(vectors, probe, *chosen, ratios=[0.5, 2.0], learning_rate=0.1, **short).table, missing=False
    )
    table = spkit.sweep(vectors, chosen, "length", values=[0.0, 1.0], batch_size=8, progress=False)
    assert_numbers(table, missing=False)


def test_scores(base) -> None:
    tasks = tiny_tasks((64, 24, 24))
    assert_numbers(spkit.evaluate(base, {"faq": tasks["faq"]}, resamples=20), missing=False)


def test_clusters(base) -> None:
    table = spkit.cluster_tasks(base, tiny_tasks((64, 24, 24)), clusters=2, examples=4)
    assert_numbers(table, missing=False)


def test_examples_and_neighbours(base, tasks) -> None:
    table = spkit.changed_examples(base, base, {name: tasks[name] for name in ("faq", "flat", "small")})
    assert all(is_numeric_dtype(table[column]) for column in ("a", "b", "change"))
    table = spkit.nearest("red", {"one": base}, ["red apple", "river"])
    assert all(is_numeric_dtype(table[column]) for column in ("place", "similarity:one"))


def test_every_public_function_that_returns_a_table_is_looked_at_here() -> None:
    tables = {
        name
        for name in spkit.__all__
        if inspect.isfunction(call := inspect.unwrap(getattr(spkit, name)))
        and call.__annotations__.get("return") is pd.DataFrame
    }
    assert tables == {
        "angles_by_ratio", "changed_examples", "cluster_tasks", "compare", "evaluate", "fit_line", "imbalance",
        "nearest", "norms_by_examples", "sweep", "task_affinity",
    }  # fmt: skip
