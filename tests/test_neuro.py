"""NeuroMerging: the split by neuron, each part's election, and its limits."""

import pytest
import torch
from torch import nn

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from spkit.vectors.bases.neuro import along_of
from spkit.vectors.basis import basis_names
from spkit.vectors.sparsify import elect
from spkit.vectors.task_vectors import TaskVectors

CLOSE = {"atol": 1e-6, "rtol": 1e-5}


def linear_places(vectors: TaskVectors) -> list[tuple[slice, torch.Tensor]]:
    """Place of each linear layer's weight, and the base's weight."""
    modules = vectors.base.named_modules()
    return [
        (vectors.layout.slices[f"{name}.weight"], module.weight.detach())
        for name, module in modules
        if isinstance(module, nn.Linear)
    ]


def test_the_parts_are_along_and_across_and_sum_to_the_change():
    generator = torch.Generator().manual_seed(0)
    changes, weight = torch.randn(3, 5, 7, generator=generator), torch.randn(5, 7, generator=generator)
    along = along_of(changes, weight)
    across = changes - along
    assert (across * weight).sum(-1).abs().max() < 1e-5
    torch.testing.assert_close((along.square() + across.square()).sum(), changes.square().sum(), **CLOSE)
    torch.testing.assert_close(along_of(along, weight), along, **CLOSE)
    assert along_of(weight[None], weight).allclose(weight[None])


def test_a_neuron_without_weights_has_nothing_along_them():
    assert torch.equal(along_of(torch.ones(2, 3, 4), torch.zeros(3, 4)), torch.zeros(2, 3, 4))


@pytest.mark.parametrize(("along", "across"), [(0.0, 1.0), (0.5, 2.0), (1.0, 1.0), (-0.5, 1.5)])
def test_it_is_its_formula_neuron_by_neuron(vectors, along, across):
    got = vectors.neuro(0.85, along, across).matrix
    trimmed = vectors.trim(0.85).matrix
    inside = torch.zeros(vectors.num_parameters, dtype=torch.bool)
    for place, weight in linear_places(vectors):
        inside[place] = True
        for row, neuron in enumerate(weight):
            here = slice(place.start + row * len(neuron), place.start + (row + 1) * len(neuron))
            unit = neuron / neuron.norm()
            part = torch.outer(trimmed[:, here] @ unit, unit)
            expected = across * elect(trimmed[:, here] - part) + along * elect(part)
            torch.testing.assert_close(got[:, here], expected, **CLOSE)
    torch.testing.assert_close(got[:, ~inside], across * elect(trimmed)[:, ~inside], **CLOSE)
    assert inside.any()
    assert (~inside).any()


def test_at_ones_it_is_the_elected_mean_of_the_part_across(vectors):
    basis = vectors.neuro(1.0, 0.0, 1.0)
    total = basis.matrix.sum(0)
    for place, weight in linear_places(vectors):
        across = vectors.matrix[:, place].unflatten(1, weight.shape)
        across = (across - along_of(across, weight)).flatten(1)
        agree = across.sign() == across.sum(0).sign()
        mean = (across * agree).sum(0) / agree.sum(0).clamp(min=1)
        torch.testing.assert_close(total[place], mean, **CLOSE)


def test_the_factor_across_makes_good_what_the_masking_took(vectors):
    kept = vectors.trim(0.85).matrix.abs().sum(1) / vectors.matrix.abs().sum(1)
    expected = vectors.neuro(0.85, 0.0, 1.0).matrix / float(kept.min())
    torch.testing.assert_close(vectors.neuro().matrix, expected, **CLOSE)
    assert torch.equal(vectors.neuro(1.0).matrix, vectors.neuro(1.0, 0.0, 1.0).matrix)


def test_one_vector_with_both_parts_is_itself(vectors):
    one = vectors.select(["topic"])
    torch.testing.assert_close(one.neuro(1.0, 1.0, 1.0).matrix, one.matrix, **CLOSE)


def test_a_change_of_loudness_only_is_left_out(vectors):
    """Experts that only scale the base's linear layers have nothing across them."""
    louder = torch.zeros_like(vectors.matrix)
    for place, weight in linear_places(vectors):
        louder[:, place] = torch.outer(torch.tensor([0.1, 0.2, 0.3]), weight.flatten())
    basis = vectors.reweighted(louder, "louder")
    assert basis.neuro(1.0, 0.0, 1.0).matrix.abs().max() < 1e-6
    torch.testing.assert_close(basis.neuro(1.0, 1.0, 1.0).matrix, elect(louder), **CLOSE)


def test_how_much_is_worked_on_at_a_time_changes_nothing(vectors, monkeypatch):
    expected = vectors.neuro().matrix
    monkeypatch.setattr("spkit.vectors.matrix.BLOCK_BYTES", 1000)
    torch.testing.assert_close(vectors.neuro().matrix, expected, **CLOSE)


def test_it_takes_bfloat16_and_leaves_the_vectors_alone(vectors):
    small = vectors.reweighted(vectors.matrix.bfloat16(), "rounded")
    before = small.matrix.clone()
    matrix = small.neuro().matrix
    assert matrix.dtype == torch.bfloat16
    torch.testing.assert_close(
        matrix.float(), vectors.reweighted(before.float(), "x").neuro().matrix, atol=1e-3, rtol=1e-2
    )
    assert torch.equal(small.matrix, before)


def test_the_merge_is_the_basis_at_ones(vectors):
    assert weights_hash(merge(vectors.base, vectors, "neuro")) == weights_hash(vectors.neuro().at([1.0] * 3))
    span, coefficients = point(vectors, "neuro", along=0.3, across=1, weight=[1.0, 2.0, 3.0], length=0.5)
    assert coefficients.tolist() == [0.5, 1.0, 1.5]
    assert span.provenance.operations == ({"operation": "neuro", "density": 0.85, "along": 0.3, "across": 1.0},)
    assert "neuro" in basis_names()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"density": 0.0}, "`density` must be above 0"),
        ({"across": 0.0}, "`across` must be above 0"),
        ({"along": float("inf")}, "`along` must be finite"),
    ],
)
def test_bad_input(vectors, given, message):
    with pytest.raises(SpkitError, match=message):
        vectors.neuro(**given)
