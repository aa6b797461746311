"""Merging by a fixed rule: our methods as points in the span of task vectors, mergekit's by pass-through."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.merging import registry
from spkit.merging.experts import check_base, in_json, named_experts
from spkit.merging.pass_through import check_pass_through, merge_with_mergekit, mergekit_methods
from spkit.merging.weights import Point
from spkit.saving.recipe import attach, position_recipe
from spkit.vectors.task_vectors import TaskVectors


def merge_methods() -> list[str]:
    """Names that `merge` takes: ours, then mergekit's behind `mergekit:` where it is installed.

    Example:
        >>> merge_methods()[:4]
        ['average', 'task_arithmetic', 'ties', 'dare']
    """
    return [*registry.methods(), *mergekit_methods()]


def method_table() -> pd.DataFrame:
    """Our methods as a table: what each does, what it takes with its defaults, and where it is from.

    Returns:
        A row a method, by the name that `merge` takes; columns `label`, `what it does`, `reads data`, `parameters`,
        `paper`.

    Example:
        >>> method_table().loc["ties", "parameters"]
        "density=0.2, weight=1.0, length=1.0, scope='vector'"
    """
    rows = {
        one.name: {
            "label": one.label,
            "what it does": one.summary,
            "reads data": one.reads_data,
            "parameters": ", ".join(str(parameter) for parameter in one.parameters),
            "paper": one.paper,
        }
        for one in registry.methods().values()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def point(vectors: TaskVectors, method: str, **parameters: Any) -> Point:
    """One of our methods as a point: the vectors that span it and its coefficients.

    Args:
        vectors: the experts' task vectors.
        method: the name of one of our methods.
        parameters: the method's own; see its function in `spkit.merging.rules`.

    Returns:
        Task vectors (sparsified where the method does so), and coefficients of shape [N], or [M, N] where the method
        gives each module its own.

    Raises:
        SpkitError: an unknown method or parameter, or a value out of range.
    """
    if method.startswith(registry.PASS_THROUGH):
        raise SpkitError(
            "Only our own methods are points in the span of task vectors.",
            f"Found {method!r}.",
            f"Pass one of {quoted(registry.methods())}, or call `spkit.merge` for a model.",
        )
    return registry.find(method)(vectors, **parameters)


def merge(
    base: SentenceTransformer | str | Path,
    experts: TaskVectors | Mapping[str, SentenceTransformer | str | Path] | Sequence[SentenceTransformer | str | Path],
    method: str = "slerp",
    *,
    check_origin: bool = True,
    **parameters: Any,
) -> SentenceTransformer:
    """Merge fine-tunes of one base into one model.

    Args:
        base: the model the experts were trained from.
        experts: models, folders or hub ids, by name or in order; or the `TaskVectors` made of them.
        method: one of `merge_methods()`.
        check_origin: whether to refuse experts that were trained from another base; see `TaskVectors.from_models`.
        parameters: of our methods what their functions in `spkit.merging.rules` name (`weight`, `length`; `tasks` for
            those that need data); of a `mergekit:` method what mergekit documents, as `weight=0.5` or one value per
            input in order, and `seed` (default 0) for those that draw at random.

    Returns:
        A new model.

    Raises:
        SpkitError: an unknown method or parameter, or experts that do not fit the base.

    Example:
        >>> import torch
        >>> from spkit import load_base
        >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> merged = merge(base, {"faq": expert}, "task_arithmetic", weight=0.5)
    """
    if method.startswith(registry.PASS_THROUGH):
        names = experts.names if isinstance(experts, TaskVectors) else list(named_experts(experts))
        check_pass_through(method, parameters, names)
        return merge_with_mergekit(base, experts, method.removeprefix(registry.PASS_THROUGH), parameters, check_origin)
    registry.find(method).check(parameters)  # before models are read
    if isinstance(experts, TaskVectors):
        check_base(base, experts)
        vectors = experts
    else:
        vectors = TaskVectors.from_models(base, named_experts(experts), check_origin=check_origin)
    span, coefficients = point(vectors, method, **parameters)
    merged = span.at(coefficients)
    attach(merged, position_recipe(span, span.coefficients(coefficients), method, in_json(parameters)))
    return merged
