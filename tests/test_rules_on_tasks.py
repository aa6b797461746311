"""Merge rules that read data, on tasks of unequal sizes: a task with more examples counts no more."""

import pytest
import torch
from torch import nn

from spkit.merging.methods import point
from spkit.merging.on_tasks import experts_on_tasks
from spkit.merging.rules.regmean import _summed_into
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


def test_padding_is_no_input(base) -> None:
    """RegMean sees the same tokens of a short text, whether it stands beside a long one or alone."""
    texts = ["red", "where is the red apple and where is the river"]

    def grams(groups: list[list[str]]) -> dict[str, torch.Tensor]:
        layers = {name: part.in_features for name, part in base.named_modules() if isinstance(part, nn.Linear)}
        sums = {name: torch.zeros(size, size, dtype=torch.float64) for name, size in layers.items()}
        with torch.no_grad(), _summed_into(sums, base) as counts:
            for group in groups:
                base(base.preprocess(group))
        return {name: sums[name] / count for name, count in counts.items() if count}

    together, apart = grams([texts]), grams([[text] for text in texts])
    assert together.keys() == apart.keys()
    for layer, gram in together.items():
        torch.testing.assert_close(gram, apart[layer], rtol=1e-4, atol=1e-6)
