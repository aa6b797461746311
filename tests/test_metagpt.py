"""MetaGPT: its formula, what it minimises, and how it scales."""

import pytest
import torch
from scipy.optimize import minimize

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.merging.methods import merge, point
from spkit.vectors.task_vectors import TaskVectors


def at_right_angles(vectors: TaskVectors, norms: tuple[float, ...]) -> TaskVectors:
    """The same, with vectors along three axes, of these lengths."""
    matrix = torch.zeros_like(vectors.matrix)
    for row, (place, norm) in enumerate(zip((3, 1000, 2000), norms, strict=True)):
        matrix[row, place] = norm
    return vectors.reweighted(matrix, "axes")


def test_coefficients_are_the_shares_of_the_squared_lengths(vectors):
    span, coefficients = point(vectors, "metagpt")
    squares = vectors.matrix.double().square().sum(1)
    torch.testing.assert_close(coefficients, squares / squares.sum())
    assert span is vectors
    assert weights_hash(merge(vectors.base, vectors, "metagpt")) == weights_hash(vectors.at(coefficients))
    torch.testing.assert_close(point(vectors, "metagpt", length=1.5)[1], 1.5 * coefficients)
    assert coefficients.dtype == torch.float64


def test_by_hand(vectors):
    assert point(at_right_angles(vectors, (1.0, 2.0, 2.0)), "metagpt")[1].tolist() == pytest.approx(
        [1 / 9, 4 / 9, 4 / 9]
    )
    assert point(at_right_angles(vectors, (3.0, 0.0, 4.0)), "metagpt")[1].tolist() == pytest.approx([0.36, 0.0, 0.64])


def test_they_minimise_the_papers_bound_on_the_losses(vectors):
    """Σ_t ‖V_t‖² · ‖θ0 + V·c − θ_t‖², each task's distance weighted by its own squared length, at right angles."""
    turned = at_right_angles(vectors, (1.0, 1.5, 0.7))
    gram = turned.gram().numpy()

    def bound(c):
        away = [c - one for one in torch.eye(3).double().numpy()]
        return sum(gram[t, t] * float(d @ gram @ d) for t, d in enumerate(away))

    best = minimize(bound, [0.3, 0.3, 0.3], tol=1e-10).x
    assert point(turned, "metagpt")[1].tolist() == pytest.approx(best.tolist(), abs=1e-4)


def test_a_common_scale_and_the_order_change_nothing(vectors):
    coefficients = point(vectors, "metagpt")[1]
    torch.testing.assert_close(point(vectors.reweighted(3 * vectors.matrix, "thrice"), "metagpt")[1], coefficients)
    turned = vectors.select(["likeness", "faq", "topic"])
    torch.testing.assert_close(point(turned, "metagpt")[1], coefficients[[2, 0, 1]])


def test_vectors_of_one_length_are_averaged(vectors):
    coefficients = point(at_right_angles(vectors, (2.0, 2.0, 2.0)), "metagpt")[1]
    torch.testing.assert_close(coefficients, torch.full((3,), 1 / 3, dtype=torch.float64))


def test_vectors_that_are_all_zero_are_refused(vectors):
    with pytest.raises(SpkitError, match=r"needs a task vector that is not zero\. Found none among 'faq'"):
        point(vectors.reweighted(0 * vectors.matrix, "none"), "metagpt")
    with pytest.raises(SpkitError, match=r"must be among 'length'\. Found 'weight'"):
        point(vectors, "metagpt", weight=1.0)
