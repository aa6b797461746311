"""Coefficients in the forms people write them in: numbers in order or by name, for the model or for each module."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted

#: One coefficient a task (in order, or by name), or that for each module by its name.
Coefficients = Sequence[float] | Mapping[str, float] | Tensor | np.ndarray | pd.Series | pd.DataFrame
ModuleCoefficients = Mapping[str, Coefficients]


def coefficient_rows(
    given: Coefficients | ModuleCoefficients, names: Sequence[str], modules: Sequence[str]
) -> Float[Tensor, "M N"]:
    """Coefficients as a float64 tensor: one row, or one row a module.

    Args:
        given: numbers in order, a mapping or Series by task, a mapping from module to these, or a DataFrame modules ×
            tasks.
        names: of the task vectors, N.
        modules: of the modules, M.

    Returns:
        Shape [1, N] for one coefficient a task, [M, N] for module-wise ones, rows in the order of `modules`.

    Raises:
        SpkitError: a number or name too many or too few, or a value that is no finite number.

    Example:
        >>> coefficient_rows({"sts": 0.7, "faq": 0.5}, ["faq", "sts"], ["embeddings"]).tolist()
        [[0.5, 0.7]]
    """
    if isinstance(given, pd.DataFrame):
        _check_names("module", [str(name) for name in given.index], modules)
        given = {str(module): row for module, row in given.iterrows()}
    if isinstance(given, Mapping) and any(_holds_several(value) for value in given.values()):
        _check_names("module", list(given), modules)
        return torch.stack([_row(given[module], names) for module in modules])  # pyright: ignore[reportArgumentType]
    if isinstance(given, Tensor | np.ndarray) and given.ndim == 2:
        if given.shape[0] not in (1, len(modules)):
            raise SpkitError(
                "Module-wise `coefficients` must have one row per module.",
                f"Found {given.shape[0]} for {len(modules)} modules ({quoted(modules)}).",
                "Pass a mapping from module to coefficients.",
            )
        return torch.stack([_row(row, names) for row in given])
    return _row(given, names)[None]  # pyright: ignore[reportArgumentType]


def _holds_several(value: Any) -> bool:
    return isinstance(value, Mapping) or np.ndim(value) > 0


def _row(given: Coefficients, names: Sequence[str]) -> Float[Tensor, " N"]:
    if isinstance(given, pd.Series):
        _check_names("task vector", [str(name) for name in given.index], names)
        given = {str(name): float(value) for name, value in given.items()}
    if isinstance(given, Mapping):
        _check_names("task vector", list(given), names)
        given = [given[name] for name in names]
    try:
        row = given if isinstance(given, Tensor) else torch.as_tensor(given, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SpkitError(
            "`coefficients` must be numbers.",
            f"Found {given!r} for {quoted(names)}.",
            f"Pass {len(names)} numbers in this order, or a mapping by name.",
        ) from error
    row = row.detach().to("cpu", torch.float64)
    if tuple(row.shape) != (len(names),):
        raise SpkitError(
            "`coefficients` must have one entry per task vector.",
            f"Found {row.numel()} for {len(names)} task vectors ({quoted(names)}).",
            f"Pass {len(names)} numbers in this order, or a mapping by name.",
        )
    if not torch.isfinite(row).all():
        raise SpkitError(
            "`coefficients` must be finite.",
            f"Found {row.tolist()} for {quoted(names)}.",
            "Pass finite numbers.",
        )
    return row


def _check_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    if len(given) != len(known) or set(given) != set(known):
        raise SpkitError(
            f"`coefficients` given by name must name each {kind} once.",
            f"Found {quoted(given)} for {quoted(known)}.",
            "Name each of them.",
        )
