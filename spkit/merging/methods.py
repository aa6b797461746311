"""Merging by a fixed rule: our methods as points in the span of task vectors, mergekit's by pass-through."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from spkit._extras import installed, require
from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.merging.data_rules import fisher, loss_weighted, regmean
from spkit.merging.rules import Point, average, dare, slerp, task_arithmetic, ties
from spkit.models.bases import check_fits, cut_like, load_model, source_of
from spkit.saving.recipe import attach, pass_through_recipe, position_recipe
from spkit.tasks.named import named_tasks
from spkit.vectors.provenance import Provenance
from spkit.vectors.task_vectors import TaskVectors

_PASS_THROUGH = "mergekit:"


#: Our methods that read data: they take `tasks`.
DATA_METHODS: dict[str, Callable[..., Point]] = {
    "fisher": fisher,
    "regmean": regmean,
    "loss_weighted": loss_weighted,
}

_METHODS: dict[str, Callable[..., Point]] = {
    "average": average,
    "task_arithmetic": task_arithmetic,
    "slerp": slerp,
    "ties": ties,
    "dare": dare,
    **DATA_METHODS,
}


def merge_methods() -> list[str]:
    """Names that `merge` takes: ours, then mergekit's behind `mergekit:` where it is installed.

    Example:
        >>> merge_methods()[:8]
        ['average', 'task_arithmetic', 'slerp', 'ties', 'dare', 'fisher', 'regmean', 'loss_weighted']
    """
    return [*_METHODS, *(f"{_PASS_THROUGH}{name}" for name in _mergekit_methods())]


def point(vectors: TaskVectors, method: str, **parameters: Any) -> Point:
    """One of our methods as a point: the vectors that span it and its coefficients.

    Args:
        vectors: the experts' task vectors.
        method: the name of one of our methods.
        parameters: the method's own; see its function in `spkit.merging.rules` or `spkit.merging.data_rules`.

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
    if method in DATA_METHODS and "tasks" not in parameters:
        raise SpkitError(f"{method!r} reads data.", "Found no `tasks`.", "Pass `tasks`, one for each expert.")
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
        parameters: of our methods what their functions in `rules` and `data_rules` of `spkit.merging` name (`weight`,
            `length`; `tasks` for those that need data); of a `mergekit:` method what mergekit documents, as
            `weight=0.5` or one value per input in order, and `seed` (default 0) for those that draw at random.

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
    merged = span.at(coefficients)
    attach(merged, position_recipe(span, coefficients[None], method, _in_json(parameters)))
    return merged


def _merge_with_mergekit(
    base: SentenceTransformer | str | Path, experts: Any, method: str, parameters: Mapping[str, Any]
) -> SentenceTransformer:
    from mergekit.merge_methods import BasePolicy
    from mergekit.merge_methods import get as method_of

    theta = load_model(base)
    if isinstance(experts, TaskVectors):
        _check_base(theta, experts)
        provenance = experts.provenance
        models = [experts.at({name: float(name == one) for name in experts.names}) for one in experts.names]
    else:
        provenance = Provenance(source_of(base), {n: source_of(one) for n, one in _named(experts).items()})
        named = {name: load_model(model) for name, model in _named(experts).items()}
        for name, model in named.items():
            check_fits(theta, model, name, weights_hash(theta))
        models = list(named.values())
        if not isinstance(base, SentenceTransformer):
            cut_like(theta, [model.max_seq_length for model in models])
    takes_base = method_of(method).spec.contract.base != BasePolicy.IGNORED
    if method == "slerp":
        takes_base = False  # mergekit's SLERP goes from its first input to its second, which are the experts
    if takes_base and len(models) == 1:
        models = [theta, *models]  # it asks for two inputs, of which the base may be one
    given = dict(parameters)
    try:
        with torch.random.fork_rng(devices=[]):  # mergekit draws from torch's global generator
            torch.manual_seed(given.pop("seed", 0))
            merged = SentenceTransformer.merge(
                models, method, base_model=theta if takes_base else None, parameters=given
            )
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise SpkitError(
            f"mergekit's method {method!r} must accept the models and parameters.",
            f"It answered: {(str(error) or type(error).__name__).splitlines()[0].rstrip('.')}.",
            "See mergekit's documentation of the method.",
        ) from error
    if merged.max_seq_length != theta.max_seq_length:  # mergekit's is that of its first input
        merged.max_seq_length = theta.max_seq_length
    base_hash = experts.base_hash if isinstance(experts, TaskVectors) else weights_hash(theta)
    name = f"{_PASS_THROUGH}{method}"
    attach(merged, pass_through_recipe(name, _in_json(parameters), provenance, base_hash, takes_base))
    return merged


def _in_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a recipe can hold them: tasks by name, tensors and arrays as lists."""
    plain: dict[str, Any] = {}
    for name, value in parameters.items():
        if name == "tasks":
            plain[name] = list(named_tasks(value))
        else:
            plain[name] = value.tolist() if hasattr(value, "tolist") else value
    return plain


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


def _mergekit_methods() -> list[str]:
    if not installed("mergekit"):
        return []
    from mergekit.merge_methods import registered_methods

    return sorted(method.spec.name for method in registered_methods())


def _check_method(method: str) -> None:
    if method in _METHODS:
        return
    if method.startswith(_PASS_THROUGH):
        require("mergekit", f"The method {method!r}")
    known = merge_methods()
    if method not in known:
        from difflib import get_close_matches

        close = get_close_matches(method, known, n=2)
        raise SpkitError(
            f"`method` must be one of {quoted(known)}.",
            f"Found {method!r}.",
            f"Did you mean {quoted(close)}?" if close else "Pass one of these.",
        )
