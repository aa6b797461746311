"""Paths against closed forms and numpy: directions, lengths, starts, gradients, and where they must refuse."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

import spkit
from spkit.errors import SpkitError, UndefinedPathError
from spkit.searching.hull_path import HullPath
from spkit.searching.path_names import path_names
from spkit.searching.paths import PATHS, FreePath, Path, SimplexPath, SlerpPath, path_of
from spkit.searching.raw_path import RawPath

EYE3 = torch.eye(3, dtype=torch.float64)


def float64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_vectors(seed: int, n: int = 3, width: int = 8) -> np.ndarray:
    """Vectors of norms 0.5 to 2 with a common part, so that angles are of every size below 180 degrees."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, width)) + rng.normal(size=width)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * rng.uniform(0.5, 2.0, size=(n, 1))


def gram_of(vectors: np.ndarray) -> Tensor:
    return torch.from_numpy(vectors @ vectors.T)


def slerp(t: float, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """SLERP of two vectors themselves, the textbook's formula."""
    angle = np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    return (np.sin((1 - t) * angle) * left + np.sin(t * angle) * right) / np.sin(angle)


def folded(weights: np.ndarray, vectors: np.ndarray, accumulate: str) -> np.ndarray:
    """The paper's fold on the vectors themselves."""
    merged = vectors[0]
    for k in range(1, len(vectors)):
        before = weights[:k].mean() if accumulate == "mean" else weights[:k].sum()
        merged = slerp(weights[k] / (before + weights[k]), merged, vectors[k])
    return merged


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("degrees", [1.0, 60.0, 90.0, 170.0])
def test_slerp_of_two_vectors_has_the_closed_form(t, degrees):
    angle = np.radians(degrees)
    gram = torch.tensor([[1.0, np.cos(angle)], [np.cos(angle), 1.0]], dtype=torch.float64)
    expected = float64(np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle))
    torch.testing.assert_close(SlerpPath().fold(float64(1 - t, t), gram), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("accumulate", ["mean", "sum"])
@pytest.mark.parametrize("seed", range(5))
def test_fold_is_slerp_of_the_vectors_themselves(accumulate, seed):
    vectors, weights = random_vectors(seed, n=4), np.random.default_rng(seed).uniform(0.2, 3.0, 4)
    coefficients = SlerpPath(accumulate).fold(torch.from_numpy(weights), gram_of(vectors))
    np.testing.assert_allclose(coefficients.numpy() @ vectors, folded(weights, vectors, accumulate), atol=1e-12)


@pytest.mark.parametrize(("accumulate", "expected"), [("mean", (0.5, 0.5, 0.5**0.5)), ("sum", (0.6124, 0.6124, 0.5))])
def test_equal_weights_of_three_orthonormal_vectors(accumulate, expected):
    torch.testing.assert_close(
        SlerpPath(accumulate).fold(torch.ones(3).double(), EYE3), float64(*expected), atol=5e-5, rtol=0
    )


def test_the_fold_depends_on_the_order():
    """Documented: with equal weights the last of three vectors gets more than the first two."""
    vectors = random_vectors(3)
    one = SlerpPath().fold(torch.ones(3).double(), gram_of(vectors)).numpy() @ vectors
    other = SlerpPath().fold(torch.ones(3).double(), gram_of(vectors[::-1].copy())).numpy() @ vectors[::-1]
    assert np.abs(one - other).max() > 0.01


def test_a_larger_weight_gives_its_vector_more():
    path, weights = SlerpPath(), torch.ones(4).double()
    for i in range(4):
        shares = []
        for a in (0.25, 0.5, 1.0, 2.0, 4.0):
            changed = weights.clone()
            changed[i] = a
            coefficients = path.fold(changed, torch.eye(4).double())
            shares.append(float(coefficients[i] / coefficients.sum()))
        assert shares == sorted(shares)
        assert shares[-1] > shares[0] + 0.1
    assert SlerpPath().fold(float64(3.0, 1.0), torch.eye(2).double())[0] > 0.9  # the reading we use, not its mirror


@pytest.mark.parametrize("path", [SlerpPath(), SlerpPath("sum"), SimplexPath()], ids=str)
def test_only_ratios_of_weights_matter_and_the_length_scales(path):
    gram, parameters = gram_of(random_vectors(1)), float64(0.3, -0.7, 0.2, 0.4)
    coefficients = path.coefficients(parameters, gram)
    torch.testing.assert_close(path.coefficients(parameters + float64(2.0, 2.0, 2.0, 0.0), gram), coefficients)
    longer = parameters + float64(0.0, 0.0, 0.0, np.log(3.0))
    torch.testing.assert_close(path.coefficients(longer, gram), 3 * coefficients)
    torch.testing.assert_close(path.length(longer), 3 * path.length(parameters))


def test_lengths_are_what_the_regulariser_expects():
    parameters = float64(0.3, -0.7, 0.2, np.log(2.0))
    assert float(SlerpPath().length(parameters)) == pytest.approx(2.0)
    assert float(SimplexPath().coefficients(parameters, EYE3).sum()) == pytest.approx(2.0)
    assert float(FreePath().length(float64(0.5, -0.25, 0.0))) == pytest.approx(0.75)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    wanted=st.lists(st.floats(0.02, 3.0), min_size=1, max_size=5),
    name=st.sampled_from(["slerp", "sum", "common_norm", "simplex", "free"]),
)
def test_start_inverts_coefficients(seed, wanted, name):
    path = {"sum": SlerpPath("sum"), "common_norm": SlerpPath(common_norm=True)}.get(name) or PATHS[name]
    vectors = random_vectors(seed, n=len(wanted), width=16)
    gram, c = gram_of(vectors), float64(*wanted)
    if isinstance(path, SlerpPath):
        merged = wanted[0] * vectors[0]
        for one, vector in zip(wanted[1:], vectors[1:], strict=True):
            cosine = merged @ vector / np.linalg.norm(merged) / np.linalg.norm(vector)
            assume(abs(cosine) < 0.999)  # near a straight angle no digits are left
            merged = merged + one * vector
    parameters = path.start(c, gram)
    torch.testing.assert_close(path.coefficients(parameters, gram), c, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("path", [SlerpPath(), SimplexPath()], ids=str)
def test_start_lifts_what_is_not_positive(path):
    coefficients = path.coefficients(path.start(float64(1.0, 0.0, -2.0), EYE3), EYE3)
    torch.testing.assert_close(coefficients, float64(1.0, 1e-3, 1e-3), atol=1e-9, rtol=1e-9)
    with pytest.raises(SpkitError, match="must have a positive coefficient"):
        path.start(float64(0.0, -1.0, 0.0), EYE3)


def test_free_start_keeps_negative_coefficients_and_is_a_copy():
    given_ = float64(-1.0, 0.0, 2.0)
    parameters = FreePath().start(given_, EYE3)
    assert torch.equal(FreePath().coefficients(parameters, EYE3), given_)
    parameters[0] = 5.0
    assert given_[0] == -1.0


def test_nearly_parallel_vectors_take_the_straight_line():
    for angle in (0.0, 1e-9, 1e-5):  # on both sides of the change of formula
        vectors = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
        weights = SlerpPath().fold(float64(3.0, 1.0), gram_of(vectors))
        torch.testing.assert_close(weights, float64(0.75, 0.25), atol=1e-6, rtol=0)


def test_start_works_on_identical_vectors():
    gram = torch.ones(2, 2).double()
    parameters = SlerpPath().start(float64(0.3, 0.6), gram)
    torch.testing.assert_close(SlerpPath().coefficients(parameters, gram), float64(0.3, 0.6))


def test_opposite_vectors_are_refused():
    gram = torch.tensor([[1.0, -2.0], [-2.0, 4.0]], dtype=torch.float64)
    with pytest.raises(UndefinedPathError, match="opposite directions"):
        SlerpPath().fold(float64(1.0, 1.0), gram)
    with pytest.raises(UndefinedPathError, match="opposite directions"):
        SlerpPath().start(float64(1.0, 1.0), gram)


def test_a_zero_vector_is_refused():
    gram = torch.diag(float64(1.0, 0.0))
    for call in (SlerpPath().fold, SlerpPath(common_norm=True).fold, SlerpPath().start):
        with pytest.raises(UndefinedPathError, match="not zero"):
            call(float64(1.0, 1.0), gram)


def test_norms_lean_unless_they_are_made_common():
    vectors = np.array([[10.0, 0.0], [0.0, 1.0]])
    raw = SlerpPath().fold(float64(1.0, 1.0), gram_of(vectors)).numpy() @ vectors
    assert raw[0] / raw[1] == pytest.approx(10.0)
    level = SlerpPath(common_norm=True).fold(float64(1.0, 1.0), gram_of(vectors)).numpy() @ vectors
    assert level[0] / level[1] == pytest.approx(1.0)
    assert np.linalg.norm(level) == pytest.approx(5.5)  # the mean of the norms


@pytest.mark.parametrize("path", [*PATHS.values(), SlerpPath("sum", common_norm=True)], ids=str)
def test_gradients_are_those_of_finite_differences(path):
    gram = gram_of(random_vectors(7))
    parameters = path.start(float64(0.4, 0.9, 0.2), gram).requires_grad_()
    assert torch.autograd.gradcheck(lambda phi: path.coefficients(phi, gram), parameters)
    assert torch.autograd.gradcheck(path.length, parameters)


def test_gradients_are_finite_where_vectors_are_identical():
    parameters = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    SlerpPath().coefficients(parameters, torch.ones(2, 2).double())[0].backward()
    assert parameters.grad is not None
    torch.testing.assert_close(parameters.grad, float64(0.25, -0.25, 0.5))


def test_accumulate_must_be_known(no_type_check):
    with pytest.raises(SpkitError, match="`accumulate` must be 'mean' or 'sum'"):
        SlerpPath("median")  # pyright: ignore[reportArgumentType]


class Mirror:
    """A path of one's own in ten lines: all coefficients are the same number e^φ."""

    def start(self, coefficients, gram):
        return coefficients.mean().clamp(min=1e-3).log()[None]

    def coefficients(self, parameters, gram):
        return parameters.exp().expand(len(gram))

    def length(self, parameters):
        return parameters.exp().sum()


def test_a_path_of_ones_own_is_passed_through():
    path = path_of(Mirror())
    assert isinstance(path, spkit.Path)
    torch.testing.assert_close(
        path.coefficients(path.start(float64(0.5, 0.5, 0.5), EYE3), EYE3), float64(0.5, 0.5, 0.5)
    )
    assert path_names()[: len(PATHS)] == tuple(PATHS)
    assert all(isinstance(path_of(name), Path) for name in path_names())
    assert path_of("slerp") is PATHS["slerp"]


def test_an_unknown_path_is_refused_with_the_names_there_are():
    with pytest.raises(SpkitError, match=r"`path` must be one of 'slerp', 'simplex', 'free'.*Found 'sler'"):
        path_of("sler")


def test_what_is_no_path_is_refused(no_type_check):
    with pytest.raises(SpkitError, match=r"must have the methods `start`, `coefficients` and `length`\. Found int"):
        path_of(3)  # pyright: ignore[reportArgumentType]


def test_a_class_in_place_of_a_path_is_refused(no_type_check):
    with pytest.raises(SpkitError, match="Found the class SlerpPath"):
        path_of(SlerpPath)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("path", [SlerpPath(), SimplexPath()], ids=str)
@pytest.mark.parametrize("largest", [10.0, 0.01])
def test_a_start_is_lifted_by_the_largest(path, largest):
    coefficients = path.coefficients(path.start(float64(largest, 0.0, -2.0), EYE3), EYE3)
    torch.testing.assert_close(coefficients, largest * float64(1.0, 1e-3, 1e-3), atol=1e-12, rtol=1e-9)


# The paper's own numbers


@pytest.mark.parametrize("seed", range(3))
def test_raw_numbers_reach_the_points_of_their_logarithms(seed):
    gram = gram_of(random_vectors(seed))
    weights, length = np.random.default_rng(seed).uniform(0.2, 3.0, 3), 1.3
    raw = RawPath().coefficients(float64(*weights, length), gram)
    torch.testing.assert_close(raw, SlerpPath().coefficients(float64(*np.log(weights), np.log(length)), gram))
    torch.testing.assert_close(RawPath().coefficients(RawPath().start(raw, gram), gram), raw)
    assert float(RawPath().length(RawPath().start(raw, gram))) == pytest.approx(length)


def test_at_ones_raw_numbers_and_their_logarithms_have_one_gradient():
    """So that an optimiser's first step is the same on both."""
    gram, target = gram_of(random_vectors(1)), float64(0.2, 0.9, 0.4)
    gradients = []
    for path, parameters in ((RawPath(), torch.ones(4).double()), (SlerpPath(), torch.zeros(4).double())):
        parameters.requires_grad_()
        (path.coefficients(parameters, gram) - target).square().sum().backward()
        gradients.append(parameters.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_a_raw_number_may_leave_what_is_positive():
    beyond = RawPath().coefficients(float64(1.2, -0.2, 1.0), torch.eye(2).double())
    assert float(beyond[1]) < 0
    assert float(RawPath().coefficients(float64(1.0, 1.0, -0.5), torch.eye(2).double()).sum()) < 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5))
def test_the_hull_path_takes_the_nearest_point_of_the_hull(point):
    """By scipy's solver; what lies in the hull is itself, with its whole gradient, so that a border can be left."""
    given_point, gram = float64(*point).requires_grad_(), torch.eye(len(point), dtype=torch.float64)
    found = HullPath().coefficients(given_point, gram)
    assert bool((found >= 0).all())
    assert float(found.detach().sum()) <= 1 + 1e-9
    wanted = given_point.detach().numpy()
    solved = minimize(
        lambda c: ((c - wanted) ** 2).sum(),
        np.full(len(point), 0.5 / len(point)),
        jac=lambda c: 2 * (c - wanted),
        bounds=[(0, None)] * len(point),
        constraints={"type": "ineq", "fun": lambda c: 1 - c.sum(), "jac": lambda c: -np.ones(len(c))},
        options={"ftol": 1e-12},
    )
    np.testing.assert_allclose(found.detach().numpy(), solved.x, atol=1e-5)
    again = found.detach().clone().requires_grad_()
    HullPath().coefficients(again, gram).sum().backward()
    assert torch.equal(again.grad, torch.ones_like(again))
    torch.testing.assert_close(HullPath().start(found.detach(), gram), found.detach())
    assert float(HullPath().length(given_point).detach()) == pytest.approx(float(found.detach().sum()))
