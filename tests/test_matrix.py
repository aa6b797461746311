"""Entries of the matrix of task vectors: where a parameter lies, and how many entries of a small one stay."""

from copy import deepcopy

import pytest
import torch

from spkit.errors import SpkitError
from spkit.vectors.sparsify import drop, trim
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat


def test_parameters_that_do_not_lie_in_one_piece_are_written(base, vectors) -> None:
    turned = deepcopy(base)
    for parameter in turned.parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.data.T.contiguous().T
    own = TaskVectors(turned, vectors.names, vectors.matrix)
    merged = own.at([0.3, 0.2, -0.1])
    assert any(not parameter.is_contiguous() for parameter in merged.parameters())
    torch.testing.assert_close(flat(merged), flat(vectors.at([0.3, 0.2, -0.1])), atol=1e-7, rtol=0)


def test_a_transposed_gradient_is_refused(base, vectors) -> None:
    name, weight = next(
        (name, one) for name, one in base.named_parameters() if one.ndim == 2 and one.shape[0] != one.shape[1]
    )
    with pytest.raises(SpkitError, match="Each gradient must have its parameter's shape"):
        vectors.project({name: torch.zeros_like(weight).T})


@pytest.mark.parametrize(("size", "density", "stays"), [(5, 0.35, 1), (8, 0.49, 3), (8, 0.5, 4), (3, 0.1, 1)])
def test_the_share_is_rounded_down_to_one_entry_at_least(size, density, stays) -> None:
    values = torch.arange(1.0, size + 1)[None]
    assert int((trim(values, density, [slice(0, size)]) != 0).sum()) == stays


def test_of_a_small_tensor_one_entry_stays(vectors) -> None:
    for gamma in (0.0, 0.5):
        kept = vectors.breadcrumbs(0.001, gamma).matrix
        for place in vectors.layout.slices.values():
            expected = max(1, int(0.001 * (place.stop - place.start)))
            assert (kept[:, place] != 0).sum(1).tolist() == [expected] * 3


def test_each_vector_loses_entries_of_its_own() -> None:
    kept = drop(torch.ones(2, 10_000), 0.5, seed=0) != 0
    both = float((kept[0] & kept[1]).float().mean())
    assert both == pytest.approx(0.25, abs=0.02)  # as for two coins; 0.5 were they the same


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_entry_that_is_not_finite_is_refused_with_its_place(base, vectors, value) -> None:
    matrix = vectors.matrix.clone()
    name, place = list(vectors.layout.slices.items())[3]
    matrix[1, place.start] = value
    with pytest.raises(SpkitError, match=rf"not in 'topic', parameters '{name}'"):
        TaskVectors(base, vectors.names, matrix)


def test_vectors_of_one_name_are_refused(base, vectors) -> None:
    with pytest.raises(SpkitError, match=r"must have names that differ\. Found 'faq', 'faq'"):
        TaskVectors(base, ["faq", "faq"], vectors.matrix[:2])
