"""Experts on their own tasks, for the rules that read data: one expert and one batch in memory at a time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.models.bases import copy_model
from spkit.searching.reader import read_plainly
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows
from spkit.tasks.named import named_tasks
from spkit.training.batches import TaskBatches
from spkit.vectors.task_vectors import TaskVectors

#: Tasks as `load_tasks` gives them, or as a list.
Tasks = Mapping[str, Task] | Sequence[Task]


def experts_on_tasks(
    vectors: TaskVectors, tasks: Tasks, examples: int, batch_size: int, seed: int
) -> Iterator[tuple[SentenceTransformer, TaskBatches, list[dict[str, Any]]]]:
    """Each expert in turn, in one working copy, with its task's loss and batches.

    Args:
        vectors: the experts' task vectors, named like their tasks.
        tasks: a task for each expert, by its name.
        examples: of each task, from its training split; no example twice.
        batch_size: examples in a batch.
        seed: of the order of examples.

    Raises:
        SpkitError: an expert without a task of its name, or a task too small for a batch.
    """
    named = named_tasks(tasks)
    missing = [name for name in vectors.names if name not in named]
    if missing:
        raise SpkitError(
            "`tasks` must hold a task for each expert, by its name.",
            f"Found none for {quoted(missing)} among {quoted(named)}.",
            "Name the experts like their tasks.",
        )
    model = copy_model(vectors.base)
    streams = {name: TaskBatches(named[name], named[name].train, model, batch_size, seed) for name in vectors.names}
    for number, stream in enumerate(streams.values()):
        read_plainly(stream)
        # A small task gives all the examples it has.
        usable = min(examples, len(loss_rows(named[vectors.names[number]], "train")))
        vectors.write(torch.eye(len(vectors), dtype=torch.float64)[number], model)
        yield model, stream, list(islice(stream, max(1, usable // stream.batch_size)))
