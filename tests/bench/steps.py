"""What a step of the search costs: beside the bare passes of its batches, and beside autograd through the merge."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

import spkit
from spkit.models.bases import copy_model
from spkit.searching.objective import Objective
from spkit.training.batches import TaskBatches
from tests.bench.measuring import Row, medians, noisy_experts

COUNT, BATCH = 4, 32
KINDS = ("300 characters", "single words")


@dataclass(frozen=True)
class Material:
    """What every way of making a step starts from.

    Attributes:
        vectors: four task vectors over minilm-l6.
        tasks: four retrieval tasks, each with one batch of training pairs.
        batches: that batch of each, tokenised: a step's work on it is compared, not how it is drawn.
    """

    vectors: spkit.TaskVectors
    tasks: dict[str, spkit.Task]
    batches: dict[str, dict[str, Any]]

    def streams(self, model: SentenceTransformer) -> dict[str, TaskBatches]:
        """Each task's loss, read from a model."""
        return {name: TaskBatches(task, task.train, model, BATCH, 0) for name, task in self.tasks.items()}


def texts_of(kind: str) -> list[str]:
    """Distinct texts of the bundled tasks: the first 300 characters of articles, or single words."""
    headline = spkit.load_tasks("bundled", names=["headline"])["headline"].train
    if kind == "300 characters":
        return list(dict.fromkeys(headline["positive"]))
    return sorted({word for text in headline["anchor"] for word in text.split() if word.isalpha()})


def material(kind: str) -> Material:
    """Vectors, tasks and batches for one kind of texts."""
    base = spkit.load_base("minilm-l6", max_seq_length=128)
    names = [f"task{number}" for number in range(COUNT)]
    vectors = spkit.TaskVectors.from_models(base, dict(zip(names, noisy_experts(base, COUNT).values(), strict=True)))
    texts = texts_of(kind)[: 2 * BATCH * COUNT + 8]
    pairs = [{"anchor": one, "positive": other} for one, other in zip(texts[::2], texts[1::2], strict=True)]
    rest = Dataset.from_list(pairs[COUNT * BATCH :])
    tasks = {}
    for number, name in enumerate(names):
        rows = Dataset.from_list(pairs[number * BATCH : (number + 1) * BATCH])
        tasks[name] = spkit.Task(name=name, kind="retrieval", train=rows, dev=rest, test=rest)
    made = Material(vectors, tasks, {})
    made.batches.update({name: next(iter(stream)) for name, stream in made.streams(base).items()})
    return made


def our_step(given: Material) -> Callable[[], Float[Tensor, " N"]]:
    """The search's own step; gives the gradient with respect to the coefficients."""
    probe = spkit.Probe(given.tasks, {name: task.train for name, task in given.tasks.items()}, "train", 0)
    objective = Objective(given.vectors, probe, BATCH)
    objective._next_rows = lambda: [(name, []) for name in given.tasks]  # type: ignore[method-assign]
    for name, stream in objective.batches.items():
        stream.collate = lambda rows, name=name: given.batches[name]  # type: ignore[method-assign]
    coefficients = torch.full((1, COUNT), 1 / COUNT, dtype=torch.float64)
    return lambda: objective.step(coefficients).gradient.sum(0)


def bare_passes(given: Material) -> Callable[[], None]:
    """Forward and backward of the same batches, with no merge and no coefficients."""
    model = copy_model(given.vectors.base)
    streams = given.streams(model)

    def bare() -> None:
        for name, stream in streams.items():
            (stream.loss_of(given.batches[name]) / COUNT).backward()
        model.zero_grad(set_to_none=True)

    return bare


def through_the_merge(given: Material, one_by_one: bool = False) -> Callable[[], Float[Tensor, " N"]]:
    """The same gradient by autograd, with the merge in the graph.

    Args:
        given: what to work on.
        one_by_one: a backward pass for each task, which holds the activations of one task at a time and goes through
            the merge once a task, in place of one for the sum.
    """
    vectors, base = given.vectors, dict(given.vectors.base.named_parameters())
    streams = given.streams(given.vectors.base)  # its own weights are replaced in every call

    def step() -> Float[Tensor, " N"]:
        free = torch.full((COUNT,), 1 / COUNT, requires_grad=True)
        merged = {
            f"model.{name}": base[name].detach()
            + torch.einsum("n,np->p", free, vectors.matrix[:, place]).view_as(base[name])
            for name, place in vectors.layout.slices.items()
        }
        total = torch.zeros(())
        for name, stream in streams.items():
            features = stream.features_of(given.batches[name])
            loss = torch.func.functional_call(stream.loss, merged, (features, None)) / COUNT
            if one_by_one:
                loss.backward(retain_graph=True)
                continue
            total = total + loss
        if not one_by_one:
            total.backward()
        assert free.grad is not None
        return free.grad

    return step


def steps() -> list[Row]:
    """A step of the search against the bare passes of the same batches, and against autograd through the merge."""
    rows = []
    for kind in KINDS:
        given = material(kind)
        ours, graph = our_step(given), through_the_merge(given)
        torch.testing.assert_close(ours(), graph().double(), rtol=1e-3, atol=1e-6)
        seconds, plain, through = medians(ours, bare_passes(given), graph)
        rows.append(Row(f"search step, {kind} / bare forward and backward", seconds, plain))
        rows.append(Row(f"search step, {kind} / autograd through the merge", seconds, through))
    return rows
