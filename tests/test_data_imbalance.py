"""Imbalance: shares by hand, gradient norms against all gradients held at once, projections against least squares."""

import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import BoW, StaticEmbedding
from torch import nn

from spkit.costs import count_costs
from spkit.diagnostics.effective_weights import effective_weights
from spkit.diagnostics.imbalance import imbalance
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat, noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks, tiny_tokenizer

SETTINGS = {"batches": 6, "batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """Of different lengths: 96 questions, 64 texts of topics, 16 pairs."""
    made = {}
    for name, size in (("faq", 96), ("topic", 64), ("likeness", 16)):
        made[name] = tiny_tasks((size, 24, 24))[name]
    return made


@pytest.fixture(scope="module")
def vectors(base) -> TaskVectors:
    experts = {"faq": noisy(base, 1, 0.03), "topic": noisy(base, 2, 0.01), "likeness": noisy(base, 3, 0.02)}
    return TaskVectors.from_models(base, experts)


def other_loss(task: Task, make) -> Task:
    return Task(**{**vars(task), "loss": make})


class Constant(nn.Module):
    """A loss without a graph."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()

    def forward(self, features, labels) -> torch.Tensor:
        return torch.tensor(1.0)


class Flat(nn.Module):
    """A loss with a graph, through which nothing comes back."""

    def __init__(self, model: SentenceTransformer, factor: float = 0.0) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, features, labels) -> torch.Tensor:
        return self.factor * self.model(features[0])["sentence_embedding"].sum()


def test_shares_by_hand(tasks) -> None:
    table = imbalance(tasks)
    assert table.index.name == "task"
    assert list(table.index) == ["faq", "topic", "likeness"]
    assert list(table.columns) == ["examples", "example_share", "words", "word_share", "step_share"]
    assert table["examples"].to_list() == [96, 64, 16]
    np.testing.assert_allclose(table["example_share"], [96 / 176, 64 / 176, 16 / 176])
    # A question has six words and an answer five; a text of a topic four; a pair four and five.
    assert table["words"].to_list() == [96 * (6 + 5), 64 * 4, 16 * (4 + 5)]
    np.testing.assert_allclose(table["word_share"], table["words"] / table["words"].sum())
    np.testing.assert_allclose(table["step_share"], table["example_share"])


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("uniform", [1 / 3, 1 / 3, 1 / 3]),
        (2.0, np.sqrt([96, 64, 16]) / np.sqrt([96, 64, 16]).sum()),
        ({"faq": 1.0, "topic": 1.0, "likeness": 2.0}, [0.25, 0.25, 0.5]),
    ],
)
def test_steps_follow_the_sampling(tasks, sampling, expected) -> None:
    table = imbalance(list(tasks.values()), sampling=sampling)
    np.testing.assert_allclose(table["step_share"], expected)


def test_tokens_are_those_that_a_training_reads(base, tasks) -> None:
    prompted = Task(**{**vars(tasks["faq"]), "prompts": {"anchor": "and where is "}})
    short = copy_model(base)
    short.max_seq_length = 6
    plain = imbalance([tasks["faq"]], model=base).loc["faq", "tokens"]
    assert imbalance([prompted], model=base).loc["faq", "tokens"] == plain + 3 * 96
    assert imbalance([prompted], model=short).loc["faq", "tokens"] == 96 * 2 * 6
    with count_costs() as cost, torch.no_grad():
        batches = TaskBatches(prompted, prompted.train, base, 8, 0)
        for batch in batches.epoch(0):
            batches.loss_of(batch)
    assert imbalance([prompted], model=base).loc["faq", "tokens"] == cost.tokens


def test_tokens_of_an_encoder_without_a_mask(tasks) -> None:
    static = SentenceTransformer(modules=[StaticEmbedding(tiny_tokenizer(WORDS)._tokenizer, embedding_dim=8)])
    assert imbalance([tasks["topic"]], model=static).loc["topic", "tokens"] == 64 * 4


def test_gradient_norms_are_what_all_gradients_held_at_once_give(base, tasks) -> None:
    before = weights_hash(base)
    table = imbalance({name: tasks[name] for name in ("faq", "topic")}, model=base, seed=3, **SETTINGS)
    norms = {}
    for name in ("faq", "topic"):
        working, rows = copy_model(base), []
        batches = TaskBatches(tasks[name], tasks[name].train, working, 8, 3)
        for batch, _ in zip(batches, range(6), strict=False):
            batches.loss_of(batch).backward()
            rows.append(torch.cat([p.grad.flatten().double() for p in working.parameters() if p.grad is not None]))
            working.zero_grad(set_to_none=True)
        products = torch.stack(rows) @ torch.stack(rows).T
        signal = (products.sum() - products.trace()) / (6 * 5)  # the mean over pairs of different batches
        norms[name] = float(signal.sqrt())
        assert table.loc[name, "gradient_norm"] == pytest.approx(norms[name], rel=1e-5)
    weighted = {name: table.loc[name, "step_share"] * norms[name] for name in norms}
    for name in norms:
        assert table.loc[name, "gradient_share"] == pytest.approx(weighted[name] / sum(weighted.values()), rel=1e-5)
    assert weights_hash(base) == before
    assert all(parameter.grad is None for parameter in base.parameters())


@pytest.mark.parametrize("loss", [Constant, Flat])
def test_a_task_of_zero_gradient_is_named(base, tasks, loss) -> None:
    table = imbalance([tasks["faq"], other_loss(tasks["topic"], loss)], model=base, **SETTINGS)
    assert table.loc["topic", "gradient_norm"] == 0
    assert table["verdict"].to_dict() == {"faq": "measured", "topic": "no gradient"}
    assert table["gradient_share"].to_dict() == {"faq": 1.0, "topic": 0.0}
    assert not table.isna().any(axis=None)
    alone = imbalance([other_loss(tasks["topic"], loss)], model=base, **SETTINGS)
    assert alone["verdict"].to_list() == ["no gradient"]
    assert alone["gradient_share"].isna().all()


def test_noise_above_the_gradient_is_undetermined(base, tasks) -> None:
    class Alternating(Flat):
        """Gradients of one size and of opposite signs in turn: their mean is zero, and s below it."""

        def forward(self, features, labels) -> torch.Tensor:
            self.factor = -self.factor or 1.0
            return self.factor * next(iter(self.model.parameters())).sum()

    table = imbalance([tasks["faq"], other_loss(tasks["topic"], Alternating)], model=base, **SETTINGS)
    assert table.loc["faq", "gradient_norm"] > 0
    assert np.isnan(table.loc["topic", "gradient_norm"])
    assert table["verdict"].to_list() == ["measured, share unknown", "undetermined"]
    assert table["gradient_share"].isna().all()


def test_one_example_is_named(base, tasks) -> None:
    rows = tasks["likeness"].splits
    single = Task(name="one", kind="sts", **rows | {"train": rows["train"].select([0])})
    table = imbalance([tasks["faq"], single], model=base, **SETTINGS)
    assert np.isnan(table.loc["one", "gradient_norm"])
    assert table.loc["one", "examples"] == 1
    assert table["verdict"].to_list() == ["measured, share unknown", "fewer examples than a batch"]
    assert table["gradient_share"].isna().all()
    assert list(table.columns[-3:]) == ["gradient_norm", "gradient_share", "verdict"]


def test_vectors_give_norms_and_the_place_of_gradients(base, tasks, vectors) -> None:
    table = imbalance(tasks, vectors)
    pd.testing.assert_series_equal(table["vector_norm"], vectors.norms(), check_names=False)
    np.testing.assert_allclose(table["norm_per_example"] * table["examples"], vectors.norms())
    assert table["tokens"].to_dict() == imbalance(tasks, model=base)["tokens"].to_dict()
    at_base = imbalance(tasks, vectors.select(["likeness", "topic", "faq"]), **SETTINGS)
    assert at_base["vector_norm"].to_dict() == table["vector_norm"].to_dict()
    elsewhere = imbalance(tasks, vectors, model=vectors.at([1.0, 0.0, 0.0]), **SETTINGS)
    assert at_base.loc["faq", "gradient_norm"] == imbalance(tasks, model=base, **SETTINGS).loc["faq", "gradient_norm"]
    assert at_base.loc["faq", "gradient_norm"] != elsewhere.loc["faq", "gradient_norm"]


def test_bad_input(base, tasks, vectors) -> None:
    call = inspect.unwrap(imbalance)
    with pytest.raises(SpkitError, match=r"at least one task.*Found none"):
        call([])
    with pytest.raises(SpkitError, match=r"same names.*'faq', 'topic' and vectors 'faq', 'topic', 'likeness'.*select"):
        call([tasks["faq"], tasks["topic"]], vectors)
    with pytest.raises(SpkitError, match=r"taken at a model.*Pass `model=base`"):
        call(tasks, batches=4)
    for wrong in ({"batches": 1}, {"batch_size": 2}, {"batch_size": 9}):
        with pytest.raises(SpkitError, match=r"2 `batches` or more.*at least 4, and even.*Found \d batches of \d"):
            call(tasks, model=base, **(SETTINGS | wrong))
    with pytest.raises(SpkitError, match=r"reads tokens.*starts with BoW.*words"):
        call([tasks["faq"]], model=SentenceTransformer(modules=[BoW(vocab=list(WORDS))]))
    broken = other_loss(tasks["faq"], lambda model: Flat(model, float("inf")))
    with pytest.raises(SpkitError, match=r"must be finite.*'faq'"):
        call([broken], model=base, **SETTINGS)


def test_effective_weights_are_the_least_squares_solution(base, vectors) -> None:
    """Experts of norms 3 : 1 : 2, and a joint model that has learned something of its own beside them."""
    joint = vectors.at([0.9, 0.5, -0.2])
    with torch.no_grad():
        for parameter, own in zip(joint.parameters(), noisy(base, 9, 0.01).parameters(), strict=True):
            parameter.add_(own)
        for parameter, start in zip(joint.parameters(), base.parameters(), strict=True):
            parameter.sub_(start)
    weights = effective_weights(joint, vectors)
    target = (flat(joint) - flat(base)).numpy()
    columns = vectors.matrix.double().numpy().T
    expected, *_ = np.linalg.lstsq(columns, target, rcond=None)
    np.testing.assert_allclose(weights.table["weight"], expected, rtol=1e-5)
    fitted = columns @ expected
    assert weights.explained == pytest.approx(fitted @ fitted / (target @ target), rel=1e-5)
    assert 0.5 < weights.explained < 0.99
    assert weights.norm == pytest.approx(np.linalg.norm(target), rel=1e-6)
    cosines = columns.T @ target / np.linalg.norm(columns, axis=0) / np.linalg.norm(target)
    np.testing.assert_allclose(weights.table["cosine"], cosines, rtol=1e-5)
    assert weights.rank == 3
    assert list(weights.table.index) == list(vectors.names)


def test_a_merge_has_the_weights_it_was_made_with(vectors) -> None:
    weights = effective_weights(vectors.at([0.2, 0.0, 1.5]), vectors)
    np.testing.assert_allclose(weights.table["weight"], [0.2, 0.0, 1.5], atol=1e-4)
    assert weights.explained == pytest.approx(1, abs=1e-8)
    small = vectors.reweighted(vectors.matrix * torch.tensor([[1.0], [1e-3], [1.0]]), "scaled")
    assert effective_weights(small.at([0.2, 1.0, 1.5]), small).rank == 3


def test_vectors_that_depend_on_each_other_share_the_weight(base) -> None:
    expert = noisy(base, 1)
    twins = TaskVectors.from_models(base, {"one": expert, "other": expert})
    weights = effective_weights(expert, twins)
    np.testing.assert_allclose(weights.table["weight"], [0.5, 0.5], rtol=1e-5)
    assert (weights.rank, weights.explained) == (1, pytest.approx(1))


def test_a_trained_joint_model_leans_to_the_task_it_saw_more_of(base) -> None:
    tasks = {name: task for name, task in tiny_tasks().items() if name != "topic"}
    settings = {"steps": 10, "batch_size": 8, "learning_rate": 2e-3, "progress": False}
    vectors = TaskVectors.from_models(base, {name: train(base, task, **settings) for name, task in tasks.items()})
    weights = {}
    for name in tasks:
        sampling = {other: 4.0 if other == name else 1.0 for other in tasks}
        weights[name] = effective_weights(train(base, tasks, sampling=sampling, **settings), vectors).table["weight"]
    assert weights["faq"]["faq"] > weights["likeness"]["faq"]
    assert weights["faq"]["likeness"] < weights["likeness"]["likeness"]


def test_bad_joint_models(base, vectors) -> None:
    with pytest.raises(SpkitError, match=r"must differ from the base.*the joint model"):
        effective_weights(base, vectors)
    with pytest.raises(SpkitError, match="'the joint model'"):
        effective_weights(tiny_encoder(1, WORDS, layers=1), vectors)
    empty = vectors.reweighted(vectors.matrix * torch.tensor([[1.0], [0.0], [1.0]]), "scaled")
    with pytest.raises(SpkitError, match=r"differ from the base.*'topic'.*select"):
        effective_weights(vectors.at([1.0, 1.0, 1.0]), empty)
