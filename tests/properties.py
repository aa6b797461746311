"""Mathematical properties as asserts: of Gram matrices, of maps of coefficients, of paths, of saved vectors."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.hashing import weights_hash
from spkit.vectors.task_vectors import TaskVectors


def assert_gram(gram: Tensor) -> None:
    """Inner products of some vectors: float64, symmetric, no eigenvalue below zero but for rounding."""
    assert gram.dtype == torch.float64
    torch.testing.assert_close(gram, gram.T, rtol=1e-12, atol=0)
    values = torch.linalg.eigvalsh(gram)
    assert float(values.min()) >= -1e-10 * max(float(values.abs().max()), 1e-300), values


def assert_linear(function: Callable[[Tensor], Tensor], left: Tensor, right: Tensor, factor: float, **close) -> None:
    """f(k·a + b) = k·f(a) + f(b)."""
    torch.testing.assert_close(function(factor * left + right), factor * function(left) + function(right), **close)


def assert_scales(function: Callable[[Tensor], Tensor], at: Tensor, factor: float = 3.0, **close) -> None:
    """f(k·x) = k·f(x)."""
    torch.testing.assert_close(function(factor * at), factor * function(at), **close)


def assert_equivariant(function: Callable[[Tensor], Tensor], at: Tensor, order: Sequence[int], **close) -> None:
    """The values of permuted entries are the values permuted."""
    torch.testing.assert_close(function(at[list(order)]), function(at)[list(order)], **close)


def assert_gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> None:
    """The gradient by autograd is the finite difference, in float64."""
    assert torch.autograd.gradcheck(function, at.detach().clone().requires_grad_())


def assert_slope(value: Callable[[Tensor], float], gradient: Tensor, at: Tensor, step: float, **close: float) -> None:
    """A gradient that was given is the central difference of the values, entry by entry.

    Args:
        value: the function's value, which may be as coarse as float32.
        gradient: at `at`, of its shape.
        at: where.
        step: half the distance of the two values.
        close: `rel` and `abs`, how near they must be.
    """
    import pytest

    for place in range(at.numel()):
        away = torch.zeros(at.numel(), dtype=at.dtype)
        away[place] = step
        away = away.view_as(at)
        difference = (value(at + away) - value(at - away)) / (2 * step)
        assert difference == pytest.approx(float(gradient.flatten()[place]), **close), place


def assert_one_hot_is_the_expert(vectors: TaskVectors, experts: Mapping[str, SentenceTransformer]) -> None:
    """Coefficient 1 for one vector and 0 for the others is its expert; all zero is the base, to the bit."""
    assert weights_hash(vectors.at([0.0] * len(vectors))) == vectors.base_hash
    for name, expert in experts.items():
        there = vectors.at({one: float(one == name) for one in vectors.names})
        for (key, merged), own in zip(there.named_parameters(), expert.parameters(), strict=True):
            torch.testing.assert_close(merged, own, atol=3e-7, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


def assert_comes_back(vectors: TaskVectors, folder: Path) -> TaskVectors:
    """What is saved is loaded as it was; gives what was loaded."""
    vectors.save(folder)
    loaded = TaskVectors.load(folder)
    assert loaded.names == vectors.names
    assert loaded.base_hash == vectors.base_hash
    assert loaded.matrix.dtype == vectors.matrix.dtype
    assert torch.equal(loaded.matrix, vectors.matrix)
    assert loaded.provenance.operations == vectors.provenance.operations
    torch.testing.assert_close(loaded.gram(), vectors.gram(), rtol=0, atol=0)
    return loaded


def assert_made_anew(make: Callable[[TaskVectors], TaskVectors], vectors: TaskVectors) -> TaskVectors:
    """Other vectors under the same names over the same base, the same ones at each call; gives them.

    The vectors they are made of, and torch's own generator, stay as they were.
    """
    before, state = vectors.matrix.clone(), torch.random.get_rng_state()
    made = make(vectors)
    assert torch.equal(vectors.matrix, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (made.names, made.base, made.matrix.dtype) == (vectors.names, vectors.base, before.dtype)
    assert torch.isfinite(made.matrix).all()
    assert torch.equal(make(vectors).matrix, made.matrix)
    assert_gram(made.gram())
    return made


def scaled(vectors: TaskVectors, factor: float) -> TaskVectors:
    """The same vectors, longer."""
    return vectors.reweighted(factor * vectors.matrix, "scaled", factor=factor)


def moved(point: tuple[TaskVectors, Tensor]) -> Tensor:
    """How far from the base a merge given as a point goes, in float64."""
    span, coefficients = point
    rows = coefficients.expand(len(span.modules), -1) if coefficients.ndim == 1 else coefficients
    parts: dict[str, Any] = dict(zip(span.modules, rows, strict=True))
    change = torch.empty(span.num_parameters, dtype=torch.float64)
    for module, places in span.layout.modules.items():
        for place in places:
            change[place] = parts[module].double() @ span.matrix[:, place].double()
    return change
