"""Model Breadcrumbs: against mergekit, against a full sort, and as a basis."""

import pytest
import torch
from mergekit.merge_methods import merge_tensors

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from tests.experts import flat


@pytest.mark.parametrize(("density", "gamma"), [(0.1, 0.01), (0.5, 0.2), (0.5, 0.0), (0.9, 0.1)])
def test_it_is_that_of_mergekit(vectors, density, gamma):
    """On the task vectors themselves, as float64: no rounding of base plus vector decides which entry is larger."""
    got = vectors.breadcrumbs(density, gamma).matrix.double().sum(0)
    parameters = {"weight": 1.0, "density": density, "gamma": gamma}
    for place in vectors.layout.slices.values():
        if int(density * (place.stop - place.start)) < 1:
            continue
        rows = [row[place].double() for row in vectors.matrix]
        zero = torch.zeros_like(rows[0])
        expected = merge_tensors([zero, *rows], "breadcrumbs", parameters=parameters, base_index=0)
        torch.testing.assert_close(got[place], expected, atol=1e-7, rtol=0)


def test_what_stays_is_the_middle_of_a_full_sort(vectors):
    density, gamma = 0.3, 0.1
    masked = vectors.breadcrumbs(density, gamma).matrix
    for place in vectors.layout.slices.values():
        size = place.stop - place.start
        largest, stays = int(gamma * size), int(density * size)
        for before, after in zip(vectors.matrix, masked, strict=True):
            order = before[place].abs().argsort()
            middle = order[size - largest - stays : size - largest]
            expected = torch.zeros(size)
            expected[middle] = before[place][middle]
            assert torch.equal(after[place], expected)


def test_without_outliers_it_is_trim_by_tensor(vectors):
    assert torch.equal(vectors.breadcrumbs(0.2, 0.0).matrix, vectors.trim(0.2, scope="tensor").matrix)
    assert torch.equal(vectors.breadcrumbs(1.0, 0.0).matrix, vectors.matrix)


def test_scaling_a_vector_changes_no_mask(vectors):
    twice = vectors.reweighted(2 * vectors.matrix, "twice")
    assert torch.equal(twice.breadcrumbs(0.2).matrix, 2 * vectors.breadcrumbs(0.2).matrix)


def test_it_takes_bfloat16_and_leaves_the_vectors_alone(vectors):
    small = vectors.reweighted(vectors.matrix.bfloat16(), "rounded")
    before = small.matrix.clone()
    masked = small.breadcrumbs(0.5, 0.1).matrix
    assert masked.dtype == torch.bfloat16
    assert 0.35 < float((masked != 0).float().mean()) < 0.7  # many magnitudes are equal, and all of these stay
    assert torch.equal(small.matrix, before)


def test_the_merge_is_the_basis_at_its_weights(vectors):
    merged = merge(vectors.base, vectors, "breadcrumbs", density=0.3, weight=0.7)
    assert weights_hash(vectors.breadcrumbs(0.3).at([0.7] * 3)) == weights_hash(merged)
    span, coefficients = point(vectors, "breadcrumbs")
    assert coefficients.tolist() == [0.4] * 3
    assert span.provenance.operations == ({"operation": "breadcrumbs", "density": 0.1, "gamma": 0.01},)
    ones = merge(vectors.base, vectors, "breadcrumbs", weight=1.0)
    assert torch.equal(flat(ones), flat(vectors.breadcrumbs().at([1.0] * 3)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"density": 0.0}, "`density` must be above 0 and at most 1"),
        ({"gamma": 1.0}, "`gamma` must be 0 or more and below 1"),
        ({"density": 0.8, "gamma": 0.3}, "must be at most 1 together.*Found 0.8 and 0.3"),
        ({"gama": 0.3}, "parameters of `breadcrumbs` must be among 'density', 'gamma'.*Did you mean 'gamma'"),
    ],
)
def test_bad_input(vectors, given, message):
    with pytest.raises(SpkitError, match=message):
        vectors.breadcrumbs(**given)


def test_a_basis_takes_its_parameters_once(vectors):
    with pytest.raises(SpkitError, match=r"`breadcrumbs` takes each of its parameters once.*density=0\.1, gamma=0\.01"):
        vectors.breadcrumbs(0.3, density=0.2)
    with pytest.raises(SpkitError, match="once"):
        vectors.breadcrumbs(0.3, 0.1, 0.2)
