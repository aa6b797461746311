"""Norms by examples, angles by ratio: by hand with a training of known outcome, and with the real one run small."""

import inspect
import json
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.diagnostics.data_scaling import angle_rows, angles_by_ratio, norm_row, norms_by_examples
from spkit.diagnostics.line_fit import fit_line
from spkit.diagnostics.nested_subsets import subset
from spkit.errors import SpkitError
from spkit.models.bases import copy_model
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

NUMBERS = ["slope", "low", "high", "intercept", "r_squared"]
QUICK = {"batch_size": 8, "learning_rate": 3e-3, "progress": False}


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """Of different lengths: 120, 60 and 30 training examples."""
    return {name: tiny_tasks((size, 24, 24))[name] for name, size in (("faq", 120), ("likeness", 60), ("topic", 30))}


#: Each task moves an entry of its own by a thousandth for each of its examples.
ENTRY = {"faq": 0, "likeness": 1, "topic": 2}


def by_examples(base, tasks, *, steps, batch_size, seed, calls=None) -> SentenceTransformer:
    if calls is not None:
        calls.append(
            (steps, batch_size, seed, {task.name: task.train["anchor"] for task in tasks if task.name == "faq"})
        )
    model = copy_model(base)
    with torch.no_grad():
        for task in tasks:
            next(model.parameters())[0, ENTRY[task.name]] += len(task.train) / 1000
    return model


def unmoved(base, tasks, *, steps, batch_size, seed) -> SentenceTransformer:
    return copy_model(base)


def test_subsets_are_nested_and_the_seed_draws_them(tasks) -> None:
    drawn = {size: set(subset(tasks["faq"], size).train["anchor"]) for size in (10, 40, 120)}
    assert [len(texts) for texts in drawn.values()] == [10, 40, 120]
    assert drawn[10] < drawn[40] < drawn[120] == set(tasks["faq"].train["anchor"])
    assert set(subset(tasks["faq"], 10, seed=1).train["anchor"]) != drawn[10]
    assert drawn[10] != set(tasks["faq"].train["anchor"][:10])
    small = subset(tasks["faq"], 10)
    assert (small.dev, small.test, small.name) == (tasks["faq"].dev, tasks["faq"].test, "faq")
    assert len(tasks["faq"].train) == 120


def test_a_subset_does_not_repeat_the_warnings_of_its_task() -> None:
    pairs = [{"anchor": f"question {i}", "positive": f"answer {i}"} for i in range(12)]
    with pytest.warns(UserWarning, match="in train and in test"):
        task = Task(
            name="leaky",
            kind="retrieval",
            train=Dataset.from_list(pairs),
            dev=Dataset.from_list([{"anchor": "how", "positive": "so"}]),
            test=Dataset.from_list(pairs[:3]),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert subset(task, 6).fingerprint() != task.fingerprint()


def test_norms_follow_the_examples_by_hand(base, tasks) -> None:
    groups = {"faq": tasks["faq"], "two": [tasks["faq"], tasks["likeness"]]}
    table = norms_by_examples(
        base, groups, [24, 48, 96], epochs=2.0, steps=7, batch_size=8, seed=3, training=by_examples
    )
    assert list(table.columns) == ["group", "examples", "schedule", "steps", "norm", "seed"]
    assert len(table) == 2 * 2 * 3
    assert (table["seed"] == 3).all()
    for row in table.to_dict("records"):
        parts = [row["examples"]] if row["group"] == "faq" else [row["examples"] * 2 / 3, row["examples"] / 3]
        assert row["norm"] == pytest.approx(np.linalg.norm(parts) / 1000, rel=1e-3)
        batches = sum(int(part) // 8 for part in parts)
        assert row["steps"] == (7 if row["schedule"] == "steps" else 2 * batches)


def test_what_the_training_is_given(base, tasks) -> None:
    calls: list = []
    training = partial(by_examples, calls=calls)
    row = norm_row(base, tasks["faq"], 40, epochs=0.5, batch_size=8, seed=2, training=training)
    assert row == json.loads(json.dumps(row))
    assert (row["group"], row["schedule"], row["steps"]) == ("faq", "epochs", 2)
    steps, batch_size, seed, texts = calls[0]
    assert (steps, batch_size, seed) == (2, 8, 2)
    assert texts["faq"] == subset(tasks["faq"], 40, 2).train["anchor"]
    norm_row(base, list(tasks.values()), 210, steps=1, batch_size=8, training=training)
    assert calls[1][3]["faq"] == tasks["faq"].train["anchor"]


def test_a_group_takes_no_example_back_from_a_task_as_it_grows(base, tasks) -> None:
    before: set = set()
    for examples in range(60, 210, 7):
        calls: list = []
        training = partial(by_examples, calls=calls)
        norm_row(base, list(tasks.values()), examples, steps=1, batch_size=4, training=training)
        now = set(calls[0][3]["faq"])
        assert before <= now
        assert abs(len(now) - examples * 120 / 210) < 1
        before = now


def test_lines_by_hand() -> None:
    rows = [
        {"group": "a", "examples": size, "schedule": "epochs", "norm": 0.5 + 0.01 * size + error, "seed": seed}
        for seed, sign in enumerate((1, -1))
        for size, error in ((100, 0.1 * sign), (200, -0.1 * sign), (400, 0.05 * sign))
    ]
    line = fit_line(pd.DataFrame(rows)).set_index("scale").loc["linear"]
    assert (line["group"], line["schedule"], line["n"]) == ("a", "epochs", 6)
    assert line["verdict"] == "measured"
    assert line["slope"] == pytest.approx(0.01)  # the errors of the seeds cancel
    assert line["intercept"] == pytest.approx(0.5)
    x = np.array([100, 200, 400] * 2)
    residual = 2 * (0.1**2 + 0.1**2 + 0.05**2)
    spread = 2 * np.sum((np.array([100, 200, 400]) - 700 / 3) ** 2)
    assert line["r_squared"] == pytest.approx(1 - residual / (residual + 0.01**2 * spread))
    half = 2.7764451 * np.sqrt(residual / 4 / np.sum((x - x.mean()) ** 2))  # Student's t with 4 degrees of freedom
    assert (line["low"], line["high"]) == (pytest.approx(0.01 - half), pytest.approx(0.01 + half))


def test_slope_on_the_logarithmic_scale_is_the_exponent() -> None:
    sizes = [64, 128, 256, 512]
    table = pd.DataFrame({"group": "a", "examples": sizes, "schedule": "epochs", "norm": 3 * np.sqrt(sizes), "seed": 0})
    line = fit_line(table).set_index("scale").loc["log"]
    assert line["slope"] == pytest.approx(0.5)
    assert np.exp(line["intercept"]) == pytest.approx(3)
    assert line["r_squared"] == pytest.approx(1)


def test_lines_of_each_group_and_schedule_and_of_all(base, tasks) -> None:
    settings = {"epochs": 1.0, "steps": 5, "batch_size": 8, "training": by_examples}
    groups = {name: tasks[name] for name in ("faq", "likeness")}
    table = norms_by_examples(base, groups, [16, 24, 48], **settings)
    lines = fit_line(table).set_index(["group", "schedule", "scale"])
    assert set(lines.index) == {
        (group, schedule, scale)
        for group in ("faq", "likeness", "all groups")
        for schedule in ("epochs", "steps")
        for scale in ("linear", "log")
    }
    assert lines.loc[("all groups", "epochs", "linear"), "n"] == 6
    for key in lines.index:
        assert lines.loc[key, "slope"] == pytest.approx(0.001 if key[2] == "linear" else 1, rel=1e-3)
    assert "all groups" not in set(fit_line(table[table["group"] == "faq"])["group"])


def test_what_has_no_line_is_missing_and_says_why(base, tasks) -> None:
    two = norms_by_examples(base, {"faq": tasks["faq"]}, [16, 24], steps=5, batch_size=8, training=by_examples)
    lines = fit_line(two)
    assert lines[NUMBERS].isna().all(axis=None)
    assert set(lines["verdict"]) == {"fewer than three sizes"}
    assert (lines["n"] == 2).all()
    still = norms_by_examples(base, {"faq": tasks["faq"]}, [16, 24, 48], steps=5, batch_size=8, training=unmoved)
    assert (still["norm"] == 0).all()
    lines = fit_line(still).set_index("scale")
    assert (lines.loc["linear", ["slope", "low", "high", "intercept"]] == 0).all()
    assert np.isnan(lines.loc["linear", "r_squared"])
    assert lines.loc["log", NUMBERS].isna().all()
    assert lines["verdict"].to_dict() == {"linear": "constant norm", "log": "norm of zero"}


def test_angles_follow_the_ratio_by_hand(base, tasks) -> None:
    ratios = [(3, 1), (1, 1), (1, 3)]
    a, b = tasks["faq"], tasks["likeness"]
    table = angles_by_ratio(base, a, b, ratios, total=60, epochs=1.0, batch_size=8, seed=1, training=by_examples)
    assert len(table) == 6
    for (first, second), (_, rows) in zip([(45, 15), (30, 30), (15, 45)], table.groupby(table.index // 2), strict=True):
        for (name, size, other), row in zip(
            (("faq", first, second), ("likeness", second, first)), rows.to_dict("records"), strict=True
        ):
            assert (row["a"], row["b"], row["task"], row["examples"]) == ("faq", "likeness", name, size)
            assert (row["share"], row["verdict"]) == (size / 60, "measured")
            # Single vectors are at right angles and add up to the joint one.
            assert row["angle"] == pytest.approx(np.degrees(np.arctan2(other, size)), rel=1e-3)
            assert row["cosine"] == pytest.approx(np.cos(np.radians(row["angle"])))
            assert row["norm"] == pytest.approx(size / 1000, rel=1e-3)
            assert row["joint_norm"] == pytest.approx(np.hypot(size, other) / 1000, rel=1e-3)
    both = angles_by_ratio(base, a, b, [(1, 1)], total=60, epochs=1.0, steps=3, batch_size=8, training=by_examples)
    assert both["schedule"].to_list() == ["epochs", "epochs", "steps", "steps"]


def test_a_training_that_moves_nothing_has_no_angle(base, tasks) -> None:
    rows = angle_rows(base, tasks["faq"], tasks["topic"], (16, 16), steps=2, batch_size=8, training=unmoved)
    assert [(row["verdict"], row["norm"], row["joint_norm"]) for row in rows] == [("zero vector", 0.0, 0.0)] * 2
    assert pd.DataFrame(rows)[["angle", "cosine"]].isna().all(axis=None)


def test_real_training_reaches_further_with_more_examples(base, tasks) -> None:
    """At a fixed number of epochs; and the joint vector leans to the larger of two sets."""
    table = norms_by_examples(base, {"faq": tasks["faq"]}, [16, 32, 64], epochs=1.0, **QUICK)
    assert table["steps"].to_list() == [2, 4, 8]
    assert table["norm"].is_monotonic_increasing
    rows = angle_rows(base, tasks["faq"], tasks["likeness"], (48, 16), epochs=1.0, **QUICK)
    assert rows[0]["angle"] < rows[1]["angle"]


def test_norms_and_angles_are_those_of_task_vectors(base, tasks) -> None:
    kept = {}

    def training(base, chosen, **settings):
        from spkit.training.trainer import train

        return kept.setdefault(" ".join(task.name for task in chosen), train(base, chosen, **settings))

    rows = angle_rows(base, tasks["faq"], tasks["likeness"], (16, 16), steps=2, training=training, **QUICK)
    vectors = TaskVectors.from_models(base, kept)
    for row in rows:
        assert row["cosine"] == pytest.approx(vectors.cosines().loc[row["task"], "faq likeness"], rel=1e-6)
        assert row["norm"] == pytest.approx(vectors.norms()[row["task"]], rel=1e-6)


def test_a_loss_that_never_changes_gives_a_norm_of_zero(base, tasks) -> None:
    class Flat(nn.Module):
        def __init__(self, model: SentenceTransformer) -> None:
            super().__init__()
            self.model = model

        def forward(self, features, labels) -> torch.Tensor:
            return 0 * self.model(features[0])["sentence_embedding"].sum()

    task = Task(**{**vars(tasks["faq"]), "loss": Flat})
    assert norm_row(base, task, 16, steps=2, **QUICK)["norm"] == 0


def test_bad_input(base, tasks) -> None:
    faq, likeness = tasks["faq"], tasks["likeness"]
    row, norms, angles = (inspect.unwrap(call) for call in (norm_row, norms_by_examples, angles_by_ratio))
    calls: list = []
    settings = {"batch_size": 8, "training": partial(by_examples, calls=calls)}
    for size in (0, 121):
        with pytest.raises(SpkitError, match=rf"from one to all.*size of {size} for task 'faq', which has 120"):
            inspect.unwrap(subset)(faq, size)
    with pytest.raises(SpkitError, match=r"from one to all.*Found 300, where 'faq', 'likeness' hold 180.*up to 180"):
        norms(base, {"two": [faq, likeness]}, [64, 300], steps=1, **settings)
    with pytest.raises(SpkitError, match="no task hold 0"):
        norms(base, {"none": []}, [64], steps=1, **settings)
    with pytest.raises(SpkitError, match=r"must fill a batch.*Found 5 of task 'likeness' at batch size 8"):
        norms(base, {"two": [faq, likeness]}, [64, 16], steps=1, **settings)
    with pytest.raises(SpkitError, match=r"groups of tasks, at sizes.*Found groups none and sizes \[64\]"):
        norms(base, {}, [64], steps=1, **settings)
    with pytest.raises(SpkitError, match=r"groups of tasks, at sizes.*'faq' and sizes \[\]"):
        norms(base, {"faq": faq}, [], steps=1, **settings)
    for length in ({}, {"epochs": 0.0}, {"steps": -1}, {"epochs": 1.0, "steps": 0}):
        with pytest.raises(SpkitError, match=r"positive `epochs`, `steps` or both.*Found epochs="):
            norms(base, {"faq": faq}, [64], **length, **settings)
    with pytest.raises(SpkitError, match=r"either `epochs` or `steps`.*epochs=1.0 and steps=2"):
        row(base, faq, 64, epochs=1.0, steps=2, **settings)
    with pytest.raises(SpkitError, match=r"different names.*'faq', 'faq'"):
        angles(base, faq, faq, total=64, steps=1, **settings)
    with pytest.raises(SpkitError, match=r"size of 67 for task 'likeness', which has 60"):
        angles(base, faq, likeness, total=100, steps=1, **settings)
    for ratios in ([], [(1, 0)]):
        with pytest.raises(SpkitError, match=r"pairs of positive whole numbers.*Found \["):
            angles(base, faq, likeness, ratios, total=64, steps=1, **settings)
    assert calls == []  # all of it is said before anything is trained
    with pytest.raises(SpkitError, match=r"'the trained model'"):
        row(base, faq, 64, steps=1, training=lambda base, tasks, **_: tiny_encoder(0, WORDS, layers=1))
