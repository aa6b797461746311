"""Merging by a fixed rule: our methods as points in the span of task vectors, mergekit's by pass-through."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.models import check_fits, load_model
from spkit.paths import SlerpPath
from spkit.vectors import TaskVectors

#: One number for all, or one per expert by name or in order.
Weight = float | Mapping[str, float] | Sequence[float]

#: A merge as a point: the vectors that span it, and the coefficients in that span.
Point = tuple[TaskVectors, Float[Tensor, " N"]]

_PASS_THROUGH = "mergekit:"


def average(vectors: TaskVectors, *, weight: Weight = 1.0, length: float = 1.0) -> Point:
    """Weighted mean of the experts: c = λ · w / Σw.

    Args:
        vectors: the experts' task vectors.
        weight: w, positive.
        length: λ.

    References:
        Wortsman et al., "Model soups", arXiv 2203.05482.
    """
    weights = _weights(vectors, weight)
    return vectors, length * weights / weights.sum()


def task_arithmetic(vectors: TaskVectors, *, weight: Weight = 0.4, length: float = 1.0) -> Point:
    """Sum of the task vectors with a weight each: c = λ · w.

    Args:
        vectors: the experts' task vectors.
        weight: w; 0.4 is the value recommended where nothing can be tuned.
        length: λ.

    References:
        Ilharco et al., arXiv 2212.04089; the default is the one that Yadav et al., arXiv 2306.01708, use without
        validation data.
    """
    return vectors, length * _weights(vectors, weight)


def slerp(
    vectors: TaskVectors,
    *,
    weight: Weight = 1.0,
    length: float = 1.0,
    accumulate: Literal["mean", "sum"] = "mean",
    common_norm: bool = False,
) -> Point:
    """SLERP folded over the task vectors, as in the paper; see `spkit.SlerpPath`.

    Args:
        vectors: the experts' task vectors; their order matters.
        weight: the a_i, positive; only their ratios matter.
        length: λ.
        accumulate: see `spkit.SlerpPath`.
        common_norm: see `spkit.SlerpPath`.

    References:
        arXiv 2410.15035, "Direction" and "Length".
    """
    gram, weights = vectors.gram(), _weights(vectors, weight)
    assert isinstance(gram, Tensor)
    if not bool((weights > 0).all()):
        raise SpkitError(
            "`weight` must be positive for 'slerp': a weight of 0 still counts in the mean of those before.",
            f"Found {weights.tolist()} for {quoted(vectors.names)}.",
            "Leave the expert out.",
        )
    return vectors, length * SlerpPath(accumulate, common_norm).fold(weights, gram)


def ties(
    vectors: TaskVectors,
    *,
    density: float = 0.2,
    weight: Weight = 1.0,
    length: float = 1.0,
    scope: Literal["tensor", "vector"] = "vector",
) -> Point:
    """TIES: trim each task vector, elect a sign for each entry, average those that agree.

    The election is held at equal weights; `weight` then scales each vector's part of the result.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries of each vector that stays; 0.2 in its paper.
        weight: w of each vector after the election.
        length: λ; 1 in its paper where nothing can be tuned.
        scope: the share holds over the whole vector, as in its paper, or in every tensor, as in mergekit and PEFT.

    References:
        Yadav et al., "TIES-Merging", arXiv 2306.01708, algorithm 1.
    """
    return vectors.trim(density, scope).elect(), length * _weights(vectors, weight)


def dare(
    vectors: TaskVectors, *, density: float = 0.5, weight: Weight = 0.4, length: float = 1.0, seed: int = 0
) -> Point:
    """DARE: drop entries at random, rescale the rest by 1/density, then task arithmetic.

    Args:
        vectors: the experts' task vectors.
        density: share of the entries that stays.
        weight: w of each vector.
        length: λ.
        seed: decides which entries stay.

    References:
        Yu et al., "Language Models are Super Mario", arXiv 2311.03099, eq. 2 and 3.
    """
    if not 0 < density <= 1:
        raise SpkitError("`density` must be above 0 and at most 1.", f"Found {density}.", "Pass 0.5, for example.")
    return vectors.drop(1 - density, seed), length * _weights(vectors, weight)


_METHODS: dict[str, Callable[..., Point]] = {
    "average": average,
    "task_arithmetic": task_arithmetic,
    "slerp": slerp,
    "ties": ties,
    "dare": dare,
}


def merge_methods() -> list[str]:
    """Names that `merge` takes: ours, then mergekit's behind `mergekit:`.

    Example:
        >>> merge_methods()[:5]
        ['average', 'task_arithmetic', 'slerp', 'ties', 'dare']
    """
    return [*_METHODS, *(f"{_PASS_THROUGH}{name}" for name in _mergekit_methods())]


def point(vectors: TaskVectors, method: str, **parameters: Any) -> Point:
    """One of our methods as a point: the vectors that span it and its coefficients.

    Args:
        vectors: the experts' task vectors.
        method: the name of one of our methods.
        parameters: the method's own; see its function in `spkit.merging`.

    Returns:
        Task vectors (sparsified where the method does so) and coefficients of shape [N].

    Raises:
        SpkitError: an unknown method or parameter, or a value out of range.
    """
    _check_method(method)
    if method not in _METHODS:
        raise SpkitError(
            "Only our own methods are points in the span of task vectors.",
            f"Found {method!r}.",
            f"Pass one of {quoted(_METHODS)}, or call `spkit.merge` for a model.",
        )
    known = [name for name in inspect.signature(_METHODS[method]).parameters if name != "vectors"]
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise SpkitError(
            f"The parameters of {method!r} must be among {quoted(known)}.",
            f"Found {quoted(unknown)}.",
            "Leave them out, or pass one of these.",
        )
    return _METHODS[method](vectors, **parameters)


def merge(
    base: SentenceTransformer | str | Path,
    experts: TaskVectors | Mapping[str, SentenceTransformer | str | Path] | Sequence[SentenceTransformer | str | Path],
    method: str = "slerp",
    **parameters: Any,
) -> SentenceTransformer:
    """Merge fine-tunes of one base into one model.

    Args:
        base: the model the experts were trained from.
        experts: models, folders or hub ids, by name or in order; or the `TaskVectors` made of them.
        method: one of `merge_methods()`.
        parameters: of our methods `weight`, `length` and what their functions in `spkit.merging` name; of a `mergekit:`
            method what mergekit documents, as `weight=0.5` or one value per input in order, and `seed` (default 0) for
            those that draw at random.

    Returns:
        A new model.

    Raises:
        SpkitError: an unknown method or parameter, or experts that do not fit the base.

    Example:
        >>> from spkit import load_base
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> merged = merge(base, {"faq": expert}, "task_arithmetic", weight=0.5)
    """
    _check_method(method)
    if method.startswith(_PASS_THROUGH):
        return _merge_with_mergekit(base, experts, method.removeprefix(_PASS_THROUGH), parameters)
    if isinstance(experts, TaskVectors):
        _check_base(base, experts)
        vectors = experts
    else:
        vectors = TaskVectors.from_models(base, _named(experts))
    span, coefficients = point(vectors, method, **parameters)
    return span.at(coefficients)


def _merge_with_mergekit(
    base: SentenceTransformer | str | Path, experts: Any, method: str, parameters: Mapping[str, Any]
) -> SentenceTransformer:
    from mergekit.merge_methods import BasePolicy
    from mergekit.merge_methods import get as method_of

    theta = load_model(base)
    if isinstance(experts, TaskVectors):
        _check_base(theta, experts)
        models = [experts.at({name: float(name == one) for name in experts.names}) for one in experts.names]
    else:
        named = {name: load_model(model) for name, model in _named(experts).items()}
        for name, model in named.items():
            check_fits(theta, model, name, weights_hash(theta))
        models = list(named.values())
    takes_base = method_of(method).spec.contract.base != BasePolicy.IGNORED
    if method == "slerp":
        takes_base = False  # mergekit's SLERP goes from its first input to its second, which are the experts
    if takes_base and len(models) == 1:
        models = [theta, *models]  # it asks for two inputs, of which the base may be one
    given = dict(parameters)
    try:
        with torch.random.fork_rng(devices=[]):  # mergekit draws from torch's global generator
            torch.manual_seed(given.pop("seed", 0))
            return SentenceTransformer.merge(models, method, base_model=theta if takes_base else None, parameters=given)
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise SpkitError(
            f"mergekit's method {method!r} must accept the models and parameters.",
            f"It answered: {(str(error) or type(error).__name__).splitlines()[0].rstrip('.')}.",
            "See mergekit's documentation of the method.",
        ) from error


def _check_base(base: SentenceTransformer | str | Path, vectors: TaskVectors) -> None:
    if base is not vectors.base and weights_hash(load_model(base)) != vectors.base_hash:
        raise SpkitError(
            "`base` must be the base of the task vectors.",
            f"Found another than that of {quoted(vectors.names)}.",
            "Pass `vectors.base`.",
        )


def _named(experts: Any) -> dict[str, SentenceTransformer | str | Path]:
    if isinstance(experts, Mapping):
        return dict(experts)
    if isinstance(experts, str | Path | SentenceTransformer):
        raise SpkitError(
            "`experts` must be several models, by name or in order.", f"Found {type(experts).__name__}.", "Pass a list."
        )
    return {f"expert{number}": model for number, model in enumerate(experts, start=1)}


def _weights(vectors: TaskVectors, weight: Weight) -> Float[Tensor, " N"]:
    given = [float(weight)] * len(vectors) if isinstance(weight, int | float) else weight
    rows = vectors.coefficients(given)
    if len(rows) > 1:
        raise SpkitError(
            "`weight` must be a number for all, or one per expert.",
            f"Found weights for {len(rows)} modules.",
            "For module-wise coefficients call `vectors.at`.",
        )
    weights = rows[0]
    if not bool((weights >= 0).all()) or not bool(weights.sum() > 0):
        raise SpkitError(
            "`weight` must be 0 or more, and above 0 for at least one expert.",
            f"Found {weights.tolist()} for {quoted(vectors.names)}.",
            "For negative coefficients call `vectors.at`.",
        )
    return weights


def _mergekit_methods() -> list[str]:
    from mergekit.merge_methods import registered_methods

    return sorted(method.spec.name for method in registered_methods())


def _check_method(method: str) -> None:
    if method in _METHODS:
        return
    known = merge_methods()
    if method not in known:
        from difflib import get_close_matches

        close = get_close_matches(method, known, n=2)
        raise SpkitError(
            f"`method` must be one of {quoted(known)}.",
            f"Found {method!r}.",
            f"Did you mean {quoted(close)}?" if close else "Pass one of these.",
        )
