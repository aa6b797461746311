"""Inter-task affinity: against a step written out, against its first order, and where it has no number."""

from functools import partial

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from spkit.diagnostics.affinity import task_affinity
from spkit.errors import NotFiniteError, SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.losses import task_loss

SETTINGS = {"batches": 3, "batch_size": 8, "seed": 2, "progress": False}


def test_affinity_is_the_share_of_the_loss_that_a_step_takes_away(model, tasks) -> None:
    """A step by torch's own optimiser, and the losses of other batches before and after it."""
    table = task_affinity(model, tasks, learning_rate=1e-2, **SETTINGS).set_index(["from", "onto"])
    assert len(table) == 9
    for source in tasks:
        working = copy_model(model)
        streams = {name: TaskBatches(task, task.train, working, 8, 2) for name, task in tasks.items()}
        batches = {name: list(stream.epoch(0))[:6] for name, stream in streams.items()}

        def losses(name: str, streams=streams, batches=batches) -> np.ndarray:
            with torch.no_grad():
                return np.array([float(streams[name].loss_of(batch)) for batch in batches[name][3:]])

        before = {name: losses(name) for name in tasks}
        optimizer = torch.optim.SGD(working.parameters(), lr=1e-2)
        torch.stack([streams[source].loss_of(batch) for batch in batches[source][:3]]).mean().backward()
        optimizer.step()
        for onto in tasks:
            row, after = table.loc[(source, onto)], losses(onto)
            assert row["affinity"] == pytest.approx(1 - after.mean() / before[onto].mean(), abs=1e-6)
            # The jackknife over batches is another way to the standard error.
            shares = [1 - np.delete(after, b).mean() / np.delete(before[onto], b).mean() for b in range(3)]
            assert row["error"] == pytest.approx(np.sqrt(2 * np.var(shares)), rel=0.3)
            assert row["verdict"] == "measured"
    assert all(table.loc[(name, name), "affinity"] > 0 for name in tasks)


def test_affinity_is_proportional_to_a_small_step(model, tasks) -> None:
    one, ten = (task_affinity(model, tasks, learning_rate=rate, **SETTINGS) for rate in (1e-5, 1e-4))
    np.testing.assert_allclose(ten["affinity"], 10 * one["affinity"], rtol=0.05, atol=1e-5)


class Turned(nn.Module):
    """A task's loss, turned round and lifted above zero."""

    def __init__(self, model: SentenceTransformer, task: Task) -> None:
        super().__init__()
        self.loss = task_loss(task, model)

    def forward(self, features, labels):
        return 10 - self.loss(features, labels)


def test_a_task_and_its_opposite_harm_each_other(model, tasks) -> None:
    turned = Task(**{**vars(tasks["faq"]), "name": "turned", "loss": partial(Turned, task=tasks["faq"])})
    table = task_affinity(model, [tasks["faq"], turned], **SETTINGS).set_index(["from", "onto"])["affinity"]
    assert table["faq", "faq"] > 0 > table["faq", "turned"]
    assert table["turned", "turned"] > 0 > table["turned", "faq"]


class Constant(nn.Module):
    def __init__(self, model: SentenceTransformer, value: float) -> None:
        super().__init__()
        self.model, self.value = model, value

    def forward(self, features, labels):
        return torch.tensor(self.value)


def test_constant_losses_and_losses_of_zero_have_names(model, tasks) -> None:
    constants = [
        Task(**{**vars(tasks["topic"]), "name": name, "loss": partial(Constant, value=value)})
        for name, value in (("flat", 2.0), ("zero", 0.0))
    ]
    table = task_affinity(model, [tasks["faq"], *constants], **SETTINGS).set_index(["from", "onto"])
    words = table["verdict"].unstack()
    assert words["zero"].tolist() == ["no loss"] * 3
    assert words.loc["flat", "faq"] == words.loc["flat", "flat"] == words.loc["zero", "faq"] == "no gradient"
    assert table.loc[("flat", "faq"), "affinity"] == table.loc[("faq", "flat"), "affinity"] == 0
    assert words.loc["faq", "flat"] == "measured"
    missing = table["affinity"].isna()
    assert set(table.loc[missing, "verdict"]) == {"no loss"}
    assert "no loss" not in set(table.loc[~missing, "verdict"])


def test_model_and_random_state_are_left_as_they_were(model, tasks) -> None:
    before, state = weights_hash(model), torch.random.get_rng_state()
    one = task_affinity(model, tasks, **SETTINGS)
    again = task_affinity(model, list(tasks.values()), **SETTINGS)
    other = task_affinity(model, tasks, **(SETTINGS | {"seed": 3}))
    assert weights_hash(model) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert one.equals(again)
    assert not one.equals(other)


def test_order_of_tasks_changes_nothing_but_the_order(model, tasks) -> None:
    """Every step starts from the same weights."""
    one = task_affinity(model, tasks, learning_rate=1e-2, **SETTINGS).set_index(["from", "onto"]).sort_index()
    turned = dict(reversed(tasks.items()))
    other = task_affinity(model, turned, learning_rate=1e-2, **SETTINGS).set_index(["from", "onto"]).sort_index()
    assert one.equals(other)


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["faq"], {}, r"at least two tasks.*'faq'"),
        ([], {}, "at least two tasks.*none"),
        (["faq", "topic"], {"batches": 1}, r"`batches` must be 2 or more.*Found 1"),
        (["faq", "topic"], {"learning_rate": 0.0}, r"`learning_rate` must be positive.*Found 0"),
        (
            ["likeness", "topic"],
            {"batches": 8},
            r"different examples.*8 batches of 8 in task 'likeness', where 16 are needed",
        ),
        (
            ["likeness", "topic"],
            {"batch_size": 80},
            r"at least one full batch.*64 examples in 'likeness' at batch size 80",
        ),
        (["faq", "topic"], {"learning_rate": 1e30}, r"must be finite.*nan.*Lower `learning_rate`"),
    ],
)
def test_bad_input(model, tasks, names, settings, message) -> None:
    with pytest.raises(SpkitError, match=message):
        task_affinity(model, [tasks[name] for name in names], **(SETTINGS | settings))


def test_one_example_is_refused(model, tasks) -> None:
    row = Dataset.from_dict({"anchor": ["red"], "positive": ["blue"]})
    lonely = Task(name="lonely", kind="retrieval", train=row, dev=row, test=tasks["faq"].test)
    with pytest.raises(SpkitError, match=r"at least one full batch.*Found 1 example"):
        task_affinity(model, [tasks["faq"], lonely], **SETTINGS)


def test_a_broken_loss_is_named(model, tasks) -> None:
    broken = Task(**{**vars(tasks["topic"]), "name": "broken", "loss": partial(Constant, value=float("nan"))})
    with pytest.raises(NotFiniteError, match=r"must be finite.*'broken'"):
        task_affinity(model, [tasks["faq"], broken], **SETTINGS)
