"""What a step of the search costs: beside the bare passes of its batches, and beside autograd through the merge."""

from collections.abc import Callable

import torch
from datasets import Dataset

import spkit
from spkit.losses import TaskBatches
from spkit.models import copy_model
from spkit.objective import Objective

COUNT, BATCH = 4, 32


def texts_of(kind: str) -> list[str]:
    """Distinct texts of the bundled tasks: the first 300 characters of articles, or single words."""
    headline = spkit.load_tasks("bundled", names=["headline"])["headline"].train
    if kind == "300 characters":
        return list(dict.fromkeys(headline["positive"]))
    return sorted({word for text in headline["anchor"] for word in text.split() if word.isalpha()})


def step_works(kind: str, experts_of: Callable[..., dict]) -> tuple[Callable[[], object], ...]:
    """The step, the bare forward and backward passes, and a step with the merge inside the graph."""
    base = spkit.load_base("minilm-l6", max_seq_length=128)
    names = [f"task{number}" for number in range(COUNT)]
    vectors = spkit.TaskVectors.from_models(base, dict(zip(names, experts_of(base, COUNT).values(), strict=True)))
    texts = texts_of(kind)[: 2 * BATCH * COUNT + 8]
    pairs = [{"anchor": one, "positive": other} for one, other in zip(texts[::2], texts[1::2], strict=True)]
    rows = {name: Dataset.from_list(pairs[n * BATCH : (n + 1) * BATCH]) for n, name in enumerate(names)}
    rest = Dataset.from_list(pairs[COUNT * BATCH :])
    tasks = {name: spkit.Task(name=name, kind="retrieval", train=rows[name], dev=rest, test=rest) for name in names}
    objective = Objective(vectors, spkit.Probe(tasks, rows, "train", 0), BATCH)
    model = copy_model(base)
    streams = {name: TaskBatches(tasks[name], rows[name], model, BATCH, 0) for name in names}
    batches = {name: next(iter(stream)) for name, stream in streams.items()}
    # The step also draws and tokenises its batches; what is compared is the work on them.
    objective._next_rows = lambda: [(name, []) for name in names]  # type: ignore[method-assign]
    for name, stream in objective.batches.items():
        stream.collate = lambda rows, name=name: batches[name]  # type: ignore[method-assign]
    coefficients = torch.full((1, COUNT), 0.25, dtype=torch.float64)

    def ours() -> None:
        objective.step(coefficients)

    def bare() -> None:
        for name, stream in streams.items():
            stream.loss_of(batches[name]).backward()
        model.zero_grad(set_to_none=True)

    places, theta = vectors.layout.slices, dict(base.named_parameters())

    def through_the_merge() -> None:
        free = torch.full((COUNT,), 0.25, requires_grad=True)
        merged = {
            name: theta[name].detach() + torch.einsum("n,np->p", free, vectors.matrix[:, place]).view_as(theta[name])
            for name, place in places.items()
        }
        total = torch.zeros(())
        for name, stream in streams.items():
            total = total + _loss_at(stream, batches[name], merged)
        total.backward()

    return ours, bare, through_the_merge


def _loss_at(stream: TaskBatches, batch: dict, merged: dict[str, torch.Tensor]) -> torch.Tensor:
    inside = {f"model.{name}": value for name, value in merged.items()}
    return torch.func.functional_call(stream.loss, inside, (stream.features_of(batch), None))
