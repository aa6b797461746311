"""Merge rules that read data, on tasks of unequal sizes: a task with more examples counts no more."""

import pytest
import torch

from spkit.merging.methods import point
from spkit.merging.on_tasks import experts_on_tasks
from spkit.tasks import Task


@pytest.fixture(scope="module")
def uneven(tasks) -> dict[str, Task]:
    """64 questions, 16 texts of topics."""
    few = {split: part.select(range(16)) for split, part in tasks["topic"].splits.items()}
    return {"faq": tasks["faq"], "topic": Task(name="topic", kind="classification", **few)}


def test_no_example_is_read_twice(two_vectors, uneven) -> None:
    read = [len(batches) for _, _, batches in experts_on_tasks(two_vectors, uneven, 64, 8, 0)]
    assert read == [8, 2]


def test_a_task_with_more_batches_counts_no_more(two_vectors, uneven) -> None:
    """Fisher merging by its formula: the information of a task is the mean over its batches."""
    information = torch.zeros_like(two_vectors.matrix, dtype=torch.float64)
    for row, (model, stream, batches) in zip(information, experts_on_tasks(two_vectors, uneven, 64, 8, 0), strict=True):
        for batch in batches:
            model.zero_grad()
            stream.backward(batch)
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    row[two_vectors.layout.slices[name]] += parameter.grad.double().flatten() ** 2 / len(batches)
        model.zero_grad(set_to_none=True)
    total = information.sum(0)
    share = torch.where(total > 0, information / total, 0.5)
    settings = {"examples": 64, "batch_size": 8, "normalize": False}
    span, coefficients = point(two_vectors, "fisher", tasks=uneven, **settings)
    torch.testing.assert_close(span.matrix.double(), two_vectors.matrix.double() * share, rtol=1e-3, atol=1e-7)
    assert coefficients.tolist() == [1.0, 1.0]
