"""Where a search may start: the positions of a span that have a name, and the best of them on a probe."""

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, UndefinedPathError, quoted
from spkit.searching.choices import Start
from spkit.searching.paths import SlerpPath
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: Up to so many vectors they are also added as they are: the sum of many is far from all of them.
_FEW = 4

#: What a mix weighs heavily has the first share together; each other vector has the second.
HEAVY, LIGHT = 0.75, 0.25


def squared_norm_shares(vectors: TaskVectors) -> Float[Tensor, " N"]:
    """Each vector's share of the squared norms, the coefficients of MetaGPT (arXiv 2406.11385).

    Raises:
        UndefinedPathError: all vectors are zero.
    """
    squares = vectors.gram().diagonal()
    if not bool(squares.sum() > 0):
        raise UndefinedPathError(
            "'metagpt' needs a task vector that is not zero.",
            f"Found none among {quoted(vectors.names)}.",
            "Pass experts that differ from the base.",
        )
    return squares / squares.sum()


def _average(length: float) -> Callable[[TaskVectors], Tensor]:
    return lambda vectors: torch.full((len(vectors),), length / len(vectors), dtype=torch.float64)


#: Positions that follow from the vectors alone, by name.
_RULES: dict[str, Callable[[TaskVectors], Tensor]] = {
    "average": _average(1.0),
    "slerp": lambda vectors: SlerpPath().fold(torch.ones(len(vectors), dtype=torch.float64), vectors.gram()),
    "metagpt": squared_norm_shares,
    "average x 1.5": _average(1.5),
    "average x 2": _average(2.0),
    "sum": lambda vectors: torch.ones(len(vectors), dtype=torch.float64),
}


def mix_weights(names: Sequence[str], heavy: Sequence[str], light: Sequence[str]) -> dict[str, float]:
    """The weights of a mix: `HEAVY` shared equally by some vectors, `LIGHT` of each of others.

    Starts of searches, candidates of `spkit.best` and methods of studies are such mixes.

    Args:
        names: of all vectors, in order.
        heavy: the joint models, or one vector.
        light: the experts, or all vectors; those in `heavy`, too, stay heavy.

    Returns:
        A weight for each name; zero for vectors that are neither.

    Example:
        >>> mix_weights(["faq", "sts", "joint", "joint 0.5"], heavy=["joint"], light=["faq", "sts"])
        {'faq': 0.25, 'sts': 0.25, 'joint': 0.75, 'joint 0.5': 0.0}
    """
    return {name: HEAVY / len(heavy) if name in heavy else LIGHT * (name in light) for name in names}


def positions(vectors: TaskVectors) -> dict[str, Float[Tensor, "1 N"]]:
    """The named positions of a span, each once: rules, single vectors, and mixes that weigh one vector heavily.

    The mix of a joint model with a quarter of each expert is one of these.

    Args:
        vectors: the span.

    Returns:
        Coefficients by name. A rule that is not defined here (SLERP, where a vector is zero) is no position.

    Example:
        >>> from spkit import load_base
        >>> base, expert, joint = (load_base("minilm-l3") for _ in range(3))
        >>> with torch.no_grad():
        ...     for number, model in enumerate((expert, joint)):
        ...         _ = next(model.parameters())[number].add_(0.1)
        >>> vectors = TaskVectors.from_models(base, {"faq": expert, "joint": joint})
        >>> for name, coefficients in positions(vectors).items():
        ...     print(name, [round(value, 2) for value in coefficients.flatten().tolist()])
        average [0.5, 0.5]
        slerp [0.71, 0.71]
        average x 1.5 [0.75, 0.75]
        average x 2 [1.0, 1.0]
        faq [1.0, 0.0]
        joint [0.0, 1.0]
        0.75 faq [0.75, 0.25]
        0.75 joint [0.25, 0.75]
    """
    count = len(vectors)
    found: dict[str, Tensor] = {}
    for name, rule in _RULES.items():
        if name == "sum" and count > _FEW:
            continue
        try:
            found[name] = rule(vectors)
        except UndefinedPathError:
            continue
    one_hot = torch.eye(count, dtype=torch.float64)
    found |= dict(zip(vectors.names, one_hot, strict=True))
    for name in vectors.names:
        weights = mix_weights(vectors.names, [name], vectors.names)
        found[f"{HEAVY} {name}"] = torch.tensor([*weights.values()], dtype=torch.float64)
    return distinct({name: row[None] for name, row in found.items()})


def most_positions(count: int) -> int:
    """How many named positions a span of so many vectors has at most; what `"best_rule"` measures."""
    return len(_RULES) + 2 * count


def distinct(given: Mapping[str, Float[Tensor, "_ N"]]) -> dict[str, Float[Tensor, "_ N"]]:
    """Positions without those that stand under another name before."""
    kept: dict[str, Tensor] = {}
    for name, rows in given.items():
        if not any(rows.shape == one.shape and torch.allclose(rows, one, atol=1e-6) for one in kept.values()):
            kept[name] = rows
    return kept


def candidates(
    vectors: TaskVectors, start: str | Coefficients | ModuleCoefficients, granularity: str
) -> dict[str, Float[Tensor, "R N"]]:
    """The positions that a search may start at, by name: one, or those among which the best on the probe is taken.

    Args:
        vectors: the span.
        start: a name, or coefficients.
        granularity: of the search.

    Raises:
        SpkitError: an unknown name, a rule that is not defined here, or coefficients by module for a search of one
            coefficient a vector.
    """
    if not isinstance(start, str):
        return {"given": _given(vectors, start, granularity)}
    if start == "best_rule":
        return dict(positions(vectors))
    if start == "best_expert":
        return dict(zip(vectors.names, torch.eye(len(vectors), dtype=torch.float64)[:, None], strict=True))
    if start not in get_args(Start):
        raise SpkitError(
            f"`start` must be one of {quoted(get_args(Start))}, or coefficients.",
            f"Found {start!r}.",
            "Pass one of these.",
        )
    return {start: _RULES[start](vectors)[None]}


def _given(vectors: TaskVectors, start: Coefficients | ModuleCoefficients, granularity: str) -> Float[Tensor, "R N"]:
    rows = vectors.coefficients(start)
    if len(rows) > 1 and granularity != "module":
        raise SpkitError(
            "A start by module needs a search by module.",
            f"Found coefficients for {len(rows)} modules.",
            'Pass granularity="module", or one coefficient for each task vector.',
        )
    return rows
