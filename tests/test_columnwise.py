"""Any loss, one column at a time: the gradient is autograd's, whatever the loss shares between its passes."""

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from sentence_transformers.sentence_transformer import losses as published
from torch import nn

import spkit
from spkit.explorer.quick_scores import QuickScores
from spkit.training.batches import TaskBatches, _drawn_with
from tests.tiny import WORDS, tiny_encoder

_InBatch = published.MultipleNegativesRankingLoss

#: Losses by name, each with the kind of task it is for.
LOSSES: dict[str, tuple[str, Any]] = {
    "plain": ("faq", _InBatch),
    "Matryoshka": ("faq", lambda m: published.MatryoshkaLoss(m, _InBatch(m), [32, 16, 8])),
    "Matryoshka, one length a step": (
        "faq",
        lambda m: published.MatryoshkaLoss(m, _InBatch(m), [32, 16, 8], n_dims_per_step=1),
    ),
    "AdaptiveLayer": ("faq", lambda m: published.AdaptiveLayerLoss(m, _InBatch(m))),
    "AdaptiveLayer, all layers": ("faq", lambda m: published.AdaptiveLayerLoss(m, _InBatch(m), n_layers_per_step=-1)),
    "Matryoshka2d": ("faq", lambda m: published.Matryoshka2dLoss(m, _InBatch(m), [32, 16])),
    "cached": ("faq", lambda m: published.CachedMultipleNegativesRankingLoss(m, mini_batch_size=3)),
    "cached Matryoshka": (
        "faq",
        lambda m: published.MatryoshkaLoss(
            m, published.CachedMultipleNegativesRankingLoss(m, mini_batch_size=3), [32, 16]
        ),
    ),
    "GIST": ("faq", lambda m: published.GISTEmbedLoss(m, tiny_encoder(5, WORDS))),
    "cached GIST": ("faq", lambda m: published.CachedGISTEmbedLoss(m, tiny_encoder(5, WORDS), mini_batch_size=3)),
    "a dictionary": ("faq", published.GlobalOrthogonalRegularizationLoss),
    "mini-batches": ("faq", published.MegaBatchMarginLoss),
    "cosines": ("likeness", published.CosineSimilarityLoss),
    "AnglE": ("likeness", published.AnglELoss),
    "Matryoshka of CoSENT": ("likeness", lambda m: published.MatryoshkaLoss(m, published.CoSENTLoss(m), [32, 16])),
    "triplets": ("topic", published.BatchHardTripletLoss),
    "Matryoshka of triplets": (
        "topic",
        lambda m: published.MatryoshkaLoss(m, published.BatchAllTripletLoss(m), [32, 16]),
    ),
}


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


@pytest.fixture(scope="module")
def plain():
    return tiny_encoder(0, WORDS, layers=3).eval()


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_autograds(plain, tasks, name) -> None:
    kind, make = LOSSES[name]
    task = replace(tasks[kind], loss=make)
    stream = TaskBatches(task, task.train, plain, 8, 0)
    for batch in stream.epoch(0):
        loss = stream.backward(batch, 0.5)
        found = gradients(plain)
        whole = stream.loss_of(batch)
        assert float(whole.detach()) == pytest.approx(loss, rel=1e-5)
        (0.5 * whole).backward()
        expected = gradients(plain)
        assert found.keys() == expected.keys()
        size = torch.stack([one.norm() for one in expected.values()]).norm()
        assert size > 0
        for key, gradient in expected.items():
            assert float((found[key] - gradient).norm()) < 1e-4 * float(size), key


@pytest.mark.parametrize("name", ["Matryoshka", "Matryoshka2d", "AdaptiveLayer", "cached Matryoshka", "a dictionary"])
def test_such_losses_go_through_everything(base, tasks, vectors, name) -> None:
    kind, make = LOSSES[name]
    two = {kind: replace(tasks[kind], loss=make), "topic": tasks["topic"]}
    probe = spkit.Probe.sample(two, 16)
    settings: dict[str, Any] = {"batch_size": 8, "progress": False}
    spkit.train(base, two[kind], steps=1, **settings)
    spkit.train_with_surgery(base, two, steps=1, **settings)
    assert spkit.self_position(vectors, probe, steps=2, **settings).history["loss"].notna().all()
    assert spkit.gradient_conflict(base, two, batches=4, **settings).cosine.notna().to_numpy().all()
    assert spkit.task_affinity(base, two, batches=2, **settings)["affinity"].notna().all()
    assert QuickScores(vectors, two, examples=8).at([0.3, 0.3, 0.3])[["score", "loss"]].notna().to_numpy().all()
    every = {**tasks, **two}
    for method in ("fisher", "regmean", "loss_weighted"):
        assert spkit.merge(base, vectors, method, tasks=every, examples=8, batch_size=8) is not None


def test_what_a_loss_draws_depends_on_the_batch_alone(plain, tasks) -> None:
    """A search that goes on, or looks at a position twice, meets the same layers and lengths."""
    task = replace(tasks["faq"], loss=LOSSES["AdaptiveLayer"][1])
    stream = TaskBatches(task, task.train, plain, 8, 0)
    batches = list(stream.epoch(0))
    random.seed(1)
    first = [float(stream.loss_of(batch).detach()) for batch in batches]
    random.seed(2)
    assert [float(stream.loss_of(batch).detach()) for batch in reversed(batches)] == first[::-1]
    drawn = []
    task = replace(tasks["faq"], loss=lambda m: Drawing(m, drawn))
    stream = TaskBatches(task, task.train, plain, 8, 0)
    for batch in stream.epoch(0):
        stream.loss_of(batch)
    assert len(set(drawn)) == len(drawn) > 1  # each batch another number


class Drawing(_InBatch):
    def __init__(self, model: Any, drawn: list[float]) -> None:
        super().__init__(model)
        self.drawn = drawn

    def forward(self, sentence_features: Any, labels: Any) -> torch.Tensor:
        self.drawn.append(random.random())
        return super().forward(sentence_features, labels)


def test_the_callers_random_state_is_put_back() -> None:
    before = random.getstate()
    with _drawn_with(3):
        first = random.random()
    assert random.getstate() == before
    with _drawn_with(3):
        assert random.random() == first


def test_a_losss_own_parameters_do_not_depend_on_the_callers_random_state(plain, tasks) -> None:
    class Headed(_InBatch):
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.head = nn.Linear(2, 2)

    task, weights = replace(tasks["faq"], loss=Headed), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        weights.append(TaskBatches(task, task.train, plain, 8, 0).loss.head.weight)
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*weights)
