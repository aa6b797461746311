"""CABS: disjoint supports, n of each m, the largest that are free, and a Gram matrix that is diagonal."""

import numpy as np
import pytest
import torch

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from spkit.vectors.task_vectors import TaskVectors

NAMES = ("faq", "topic", "likeness")


def pruned_by_hand(matrix: np.ndarray, places: list[slice], n: int, m: int) -> np.ndarray:
    """Entry by entry, with sorting: for each run and vector the n largest of what is free."""
    kept = np.zeros_like(matrix)
    for place in places:
        for start in range(place.start, place.stop, m):
            run = range(start, min(start + m, place.stop))
            few = n if len(run) == m else max(1, min(n * len(run) // m, len(run) // len(matrix)))
            free = set(run)
            for row, vector in enumerate(matrix):
                for column in sorted(free, key=lambda column: -abs(vector[column]))[:few]:
                    if vector[column] != 0:
                        kept[row, column] = vector[column]
                        free.discard(column)
    return kept


@pytest.mark.parametrize(("n", "m"), [(None, 256), (5, 20), (1, 3), (2, 7)])
def test_each_takes_the_largest_of_what_is_left(vectors, n, m):
    few = vectors.reweighted(vectors.matrix.clone(), "copy")
    few.matrix[:, ::5] = 0.0
    expected = pruned_by_hand(few.matrix.numpy(), list(few.layout.slices.values()), n or m // 4, m)
    np.testing.assert_array_equal(few.cabs(n, m).matrix.numpy(), expected)


def test_supports_are_disjoint_and_balanced(vectors):
    kept = vectors.cabs(4, 16).matrix
    assert int((kept != 0).sum(0).max()) == 1
    for place in vectors.layout.slices.values():
        runs = kept[:, place.start : place.start + (place.stop - place.start) // 16 * 16].unflatten(1, (-1, 16))
        assert ((runs != 0).sum(-1) == 4).all()


def test_the_gram_matrix_is_diagonal(vectors):
    gram = vectors.cabs().gram()
    assert torch.equal(gram, torch.diag(gram.diagonal()))
    assert (gram.diagonal() > 0).all()


def test_the_first_vector_loses_nothing_to_the_others(vectors):
    alone = vectors.select(["faq"]).cabs(4, 16).matrix[0]
    assert torch.equal(vectors.cabs(4, 16).matrix[0], alone)
    last = vectors.select(["topic", "likeness", "faq"]).cabs(4, 16).matrix[2]
    assert last.norm() < alone.norm()


def test_a_vector_takes_no_entry_where_it_is_zero(vectors):
    """Else it would keep it from those who come later."""
    matrix = vectors.matrix.clone()
    matrix[0] = 0.0
    after_nothing = vectors.reweighted(matrix, "first is zero").cabs(4, 16).matrix
    assert torch.equal(after_nothing[1], vectors.select(["topic"]).cabs(4, 16).matrix[0])


def test_what_is_kept_of_all_of_a_run_is_the_vector(vectors):
    assert torch.equal(vectors.select(["faq"]).cabs(16, 16).matrix, vectors.select(["faq"]).matrix)


def test_more_than_four_vectors_share_the_runs_out(vectors):
    five = TaskVectors(
        vectors.base,
        [f"v{number}" for number in range(5)],
        torch.randn(5, vectors.num_parameters, generator=torch.Generator().manual_seed(0)),
    )
    kept = five.cabs(m=16).matrix
    assert int((kept != 0).sum(0).max()) == 1
    assert torch.equal(kept, five.cabs(3, 16).matrix)


def test_how_many_columns_are_worked_on_at_a_time_changes_nothing(vectors, monkeypatch):
    expected = vectors.cabs(2, 8).matrix
    monkeypatch.setattr("spkit.vectors.bases.cabs._AT_A_TIME", 20)
    assert torch.equal(vectors.cabs(2, 8).matrix, expected)


def test_it_takes_bfloat16_and_leaves_the_vectors_alone(vectors):
    small = vectors.reweighted(vectors.matrix.bfloat16(), "rounded")
    before = small.matrix.clone()
    kept = small.cabs(4, 16).matrix
    assert kept.dtype == torch.bfloat16
    assert int((kept != 0).sum(0).max()) == 1
    assert torch.equal(small.matrix, before)


def test_the_merge_is_the_basis_at_ones(vectors):
    assert weights_hash(merge(vectors.base, vectors, "cabs")) == weights_hash(vectors.cabs().at([1.0] * 3))
    span, coefficients = point(vectors, "cabs", n=3, m=12, weight=[1.0, 2.0, 3.0], length=0.5)
    assert coefficients.tolist() == [0.5, 1.0, 1.5]
    assert span.provenance.operations == ({"operation": "cabs", "n": 3, "m": 12},)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": 6, "m": 16}, "at most `m` together. Found n = 6 and m = 16 for 'faq', .* Pass n=5 or less"),
        ({"m": 2}, r"Pass m=3 or more"),
        ({"n": 0}, "`n` must be 1 or more"),
        ({"m": 1.5}, "`m` must be a whole number"),
    ],
)
def test_bad_input(vectors, given, message):
    with pytest.raises(SpkitError, match=message):
        vectors.cabs(**given)
