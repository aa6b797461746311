"""The plane of two task vectors: true distances from the Gram matrix alone, turned or not, and directions in it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spkit.searching.paths import SlerpPath
from spkit.vectors.plane import Plane


def gram_of(first: float, second: float, degrees: float) -> torch.Tensor:
    cosine = np.cos(np.radians(degrees))
    return torch.tensor([[first**2, first * second * cosine], [first * second * cosine, second**2]]).double()


norms = st.floats(0.1, 10.0)


@given(norms, norms, st.floats(5.0, 175.0))
def test_a_turned_plane_has_the_same_distances_and_stands_symmetrically(first, second, degrees):
    gram = gram_of(first, second, degrees)
    plane = Plane(gram, 0, 1, symmetric=True)
    np.testing.assert_allclose(plane.ends.T @ plane.ends, gram.numpy(), rtol=1e-9, atol=1e-9)
    angles = np.degrees(np.arctan2(plane.ends[1], plane.ends[0]))
    np.testing.assert_allclose(angles, [45 - degrees / 2, 45 + degrees / 2], atol=1e-6)


@given(norms, norms, st.floats(5.0, 175.0), st.booleans())
def test_points_and_coefficients_are_each_others_inverse(first, second, degrees, symmetric):
    plane = Plane(gram_of(first, second, degrees), 0, 1, symmetric=symmetric)
    coefficients = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 1.7], [-0.5, 0.2]])
    np.testing.assert_allclose(plane.coefficients(plane.at(coefficients)), coefficients, atol=1e-8)


@given(norms, st.floats(5.0, 175.0), st.floats(0.0, 1.0))
def test_on_slerp_of_equal_norms_the_direction_is_the_share(norm, degrees, share):
    gram = gram_of(norm, norm, degrees)
    weights = torch.tensor([1 - share, share]).double()
    coefficients = SlerpPath().fold(weights, gram).numpy()[None]
    for symmetric in (False, True):
        assert Plane(gram, 0, 1, symmetric=symmetric).direction(coefficients)[0] == pytest.approx(share, abs=1e-6)


def test_directions_lean_to_the_longer_vector_and_the_base_has_none():
    plane = Plane(gram_of(3.0, 1.0, 90.0), 0, 1)
    directions = plane.direction(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 0.0], [2.0, 2.0]]))
    np.testing.assert_allclose(directions[:3], [0.0, 1.0, np.degrees(np.arctan2(1, 3)) / 90], atol=1e-12)
    assert np.isnan(directions[3])
    assert directions[4] == pytest.approx(directions[2])
