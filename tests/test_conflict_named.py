"""Where there is no number, the conflict report has a name for it; what cannot be measured is an error."""

import inspect
from functools import partial
from itertools import islice

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.diagnostics.conflict import ConflictReport, gradient_conflict
from spkit.errors import NotFiniteError, SpkitError
from spkit.models.bases import copy_model
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.losses import task_loss

SETTINGS = {"batches": 8, "batch_size": 6, "progress": False}


@pytest.fixture(scope="module")
def report(model, tasks) -> ConflictReport:
    return gradient_conflict(model, tasks, seed=4, **SETTINGS)


class Constant(nn.Module):
    """A loss of one value; with a graph behind it that leads nowhere, or without one."""

    def __init__(self, model: SentenceTransformer, graph: bool) -> None:
        super().__init__()
        self.model, self.graph = model, graph

    def forward(self, features, labels):
        if not self.graph:
            return torch.tensor(2.0)
        return 2 + 0 * self.model(features[0])["sentence_embedding"].sum()


@pytest.mark.parametrize("graph", [True, False])
def test_a_constant_loss_is_called_no_gradient(model, tasks, graph) -> None:
    constant = Task(**{**vars(tasks["faq"]), "name": "constant", "loss": partial(Constant, graph=graph)})
    report = gradient_conflict(model, [*tasks.values(), constant], **SETTINGS)
    plain = gradient_conflict(model, tasks, **SETTINGS)
    assert set(report.verdict["constant"]) == set(report.verdict.loc["constant"]) == {"no gradient"}
    assert "no gradient" not in set(report.verdict.loc[list(tasks), list(tasks)].to_numpy().flat)
    assert report.norms["constant"] == 0
    assert (report.directional, report.alignment, report.magnitude) == pytest.approx(
        (plain.directional, plain.alignment, plain.magnitude)
    )
    words_where_numbers_are_missing(report)
    two = gradient_conflict(model, [tasks["topic"], constant], **SETTINGS)
    assert (two.directional, two.alignment, two.magnitude) == (1, 1, 0)
    words_where_numbers_are_missing(two)


class Sometimes(nn.Module):
    """Every third batch has no loss to speak of, and no graph."""

    def __init__(self, model: SentenceTransformer, task: Task) -> None:
        super().__init__()
        self.loss, self.calls = task_loss(task, model), 0

    def forward(self, features, labels):
        self.calls += 1
        return self.loss(features, labels) if self.calls % 3 else torch.zeros(())


def test_a_batch_without_gradient_counts_as_zero(model, tasks) -> None:
    given = Task(**{**vars(tasks["faq"]), "loss": partial(Sometimes, task=tasks["faq"])})
    report = gradient_conflict(model, [given, tasks["topic"]], **SETTINGS)
    working = copy_model(model)
    batches = TaskBatches(tasks["faq"], tasks["faq"].train, working, 6, 0)
    for number, batch in enumerate(islice(batches, 8), 1):
        if number % 3:
            (batches.loss_of(batch) / 8).backward()
    norm = torch.cat([p.grad.flatten() for p in working.parameters() if p.grad is not None]).norm()
    assert report.norms["faq"] == pytest.approx(float(norm), rel=1e-4)


def words_where_numbers_are_missing(report: ConflictReport) -> None:
    missing = {"no gradient", "undetermined"}
    for rows in (report.pairs, report.by_module):
        incomplete = rows.isna().any(axis=1)
        assert set(rows.loc[incomplete, "verdict"]) <= missing
        assert (rows["conflicting"].isna() == (rows["verdict"] == "no gradient")).all()
        assert not rows[["norm_a", "norm_b"]].isna().any(axis=None)
        assert set(rows.loc[rows["low"].isna(), "verdict"]) <= missing
        assert not set(rows.loc[rows["low"].notna(), "verdict"]) & missing
    table = report.conflict_by_module
    assert set(table.loc[table.isna().any(axis=1), "verdict"]) <= {"no gradient"}


def test_modules_without_gradient_say_so(report) -> None:
    words = report.by_module.groupby("module")["verdict"].agg(set)
    assert words["pooler"] == {"no gradient"}
    assert not any("no gradient" in verdict for verdict in words.drop("pooler"))
    words_where_numbers_are_missing(report)


def test_frozen_parameters_are_a_module_without_gradient(model, tasks) -> None:
    frozen = copy_model(model)
    frozen[0].model.embeddings.requires_grad_(False)
    report = gradient_conflict(frozen, tasks, **SETTINGS)
    words = report.by_module.groupby("module")["verdict"].agg(set)
    assert words["embeddings"] == words["pooler"] == {"no gradient"}


def test_examples_that_come_up_again_are_named(model, tasks, report) -> None:
    assert report.repeats.tolist() == [1, 1, 1]
    small = Task(**{**vars(tasks["likeness"]), "name": "small", "train": tasks["likeness"].train.select(range(24))})
    with pytest.warns(UserWarning, match=r"96 examples.*'faq' \(each 1\.5 times\), 'small' \(each 4\.0 times\)"):
        repeated = gradient_conflict(model, [tasks["faq"], small], batches=8, batch_size=12, progress=False)
    assert repeated.repeats["small"] == 4
    assert repeated.repeats["faq"] == pytest.approx(96 / 64, rel=0.05)  # an example may have been left over


class Broken(nn.Module):
    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, features, labels):
        return self.model(features[0])["sentence_embedding"].sum() * float("nan")


def test_gradients_that_are_not_finite_are_an_error(model, tasks) -> None:
    broken = Task(**{**vars(tasks["faq"]), "name": "broken", "loss": Broken})
    with pytest.raises(NotFiniteError, match=r"must be finite.*in module 'embeddings', for 'broken'"):
        gradient_conflict(model, [tasks["topic"], broken], **SETTINGS)


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["faq"], {}, r"at least two tasks.*'faq'"),
        ([], {}, "at least two tasks.*none"),
        (["faq", "topic"], {"batches": 6}, "multiple of 4.*Found 6"),
        (["faq", "topic"], {"batches": 0}, "multiple of 4"),
        (["faq", "topic"], {"batch_size": 66}, r"one full batch.*Found 64 examples in 'faq' at batch size 66"),
        (["faq", "topic"], {"batch_size": 40}, r"two full batches.*Found 64 examples in 'faq' at batch size 40"),
        (["faq", "topic"], {"batch_size": 1}, r"must be at least 2 for a retrieval task"),
    ],
)
def test_bad_input(model, tasks, names, settings, message) -> None:
    with pytest.raises(SpkitError, match=message):
        inspect.unwrap(gradient_conflict)(model, [tasks[name] for name in names], **(SETTINGS | settings))


@pytest.mark.parametrize(
    ("kind", "columns", "batch_size", "message"),
    [
        ("retrieval", {"anchor": ["red"], "positive": ["blue"]}, 6, "one full batch"),
        ("pair", {"sentence1": ["red"], "sentence2": ["blue"], "label": [1]}, 1, "two full batches"),
    ],
)
def test_a_task_of_one_example_is_refused(model, kind, columns, batch_size, message) -> None:
    row, test = (
        Dataset.from_dict(columns),
        Dataset.from_dict({key: [1] if key == "label" else [key] for key in columns}),
    )
    task = Task(name="lonely", kind=kind, train=row, dev=row, test=test)
    other = Task(**{**vars(task), "name": "other"})
    with pytest.raises(SpkitError, match=f"{message}.*Found 1 example.*'lonely'"):
        gradient_conflict(model, [task, other], batches=4, batch_size=batch_size, progress=False)
