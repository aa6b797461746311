"""The points of a sweep: which coefficients stand at which value, by formula or by a search."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, UndefinedPathError, quoted
from spkit.searching.choices import Over
from spkit.searching.journal import JournalFolder
from spkit.searching.over import Variant, searches
from spkit.searching.paths import SlerpPath, path_of
from spkit.searching.probe import Probe
from spkit.searching.probe_parts import part_of, probe_sizes
from spkit.searching.result import PositionResult
from spkit.vectors.task_vectors import TaskVectors

#: What each sweep visits where no values are given; for probe sizes see `probe_sizes`.
_VALUES: dict[Over, tuple[float, ...]] = {
    "direction": tuple(step / 10 for step in range(11)),
    "length": tuple(step / 5 for step in range(11)),
    "mu": (0.0, 0.003, 0.01, 0.03, 0.1),
}


@dataclass(frozen=True)
class SweepPoint:
    """A position that a sweep visits.

    Attributes:
        value: where it stands on the sweep's axis.
        rows: its coefficients, one row for the model or one for each module, float64.
        length: its λ.
        pair: the two vectors between which it lies, as "a+b"; empty where a sweep has no pairs.
        probe_seed: of the probe it was searched on; None where a sweep draws none.
        marked: whether it is the position that was handed in, beside the sweep's own.
    """

    value: float
    rows: Float[Tensor, "M N"]
    length: float
    pair: str = ""
    probe_seed: int | None = None
    marked: bool = False


def grid(over: Over, values: Sequence[int | float] | None) -> list[float]:
    """The values to visit, each a number in the range of its sweep and given once; the default ones for None."""
    chosen = [float(value) for value in (_VALUES[over] if values is None else values)]
    highest = 1.0 if over == "direction" else sys.float_info.max
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= value <= highest for value in chosen):
        raise SpkitError(
            f"`values` of a sweep over {over!r} must be different numbers, "
            f"{'from 0 to 1' if over == 'direction' else '0 or more'}.",
            f"Found {chosen}.",
            f"Leave them out, or pass {_VALUES[over][:3]}, for example.",
        )
    return chosen


def vector_pairs(vectors: TaskVectors, pairs: Sequence[Sequence[str]] | None) -> list[tuple[str, str]]:
    """The pairs to visit, each of two names of vectors and given once; every pair for None."""
    if len(vectors) < 2:
        raise SpkitError(
            "A sweep over 'direction' needs two task vectors or more.",
            f"Found {quoted(vectors.names)} alone.",
            'Pass `over="length"`, or vectors of several experts.',
        )
    if pairs is None:
        return list(combinations(vectors.names, 2))
    chosen = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or len({*pair} & {*vectors.names}) != 2:
            raise SpkitError(
                "Each of `pairs` must be two different names of task vectors.",
                f"Found {pair!r}, where there are {quoted(vectors.names)}.",
                f"Pass [{vectors.names[:2]}], for example.",
            )
        chosen.append((pair[0], pair[1]))
    if not chosen or len(set(chosen)) < len(chosen):
        raise SpkitError("`pairs` must be one or more, each once.", f"Found {chosen}.", "Leave them out for all.")
    return chosen


def direction_points(
    vectors: TaskVectors,
    pairs: Sequence[tuple[str, str]],
    values: Sequence[float],
    length: float | None,
    mark: PositionResult | None,
) -> list[SweepPoint]:
    """The arc between each two vectors at one length, and where a position stands beside each."""
    weights, own_length = (None, 1.0) if mark is None else slerp_parameters(vectors, mark.rows)
    length = own_length if length is None else float(length)
    points = []
    for pair in pairs:
        name, places = "+".join(pair), [vectors.names.index(one) for one in pair]
        gram = vectors.gram()[places][:, places]
        for value in values:
            row = torch.zeros(1, len(vectors), dtype=torch.float64)
            with _arc_between(pair):
                row[0, places] = length * SlerpPath().fold(torch.tensor([1 - value, value], dtype=torch.float64), gram)
            points.append(SweepPoint(value, row, length, name))
        if mark is not None and weights is not None and bool(weights[places].any()):
            place = float(weights[places[1]] / weights[places].sum())
            points.append(SweepPoint(place, mark.rows, own_length, name, marked=True))
    return points


def length_points(
    vectors: TaskVectors, around: Float[Tensor, "M N"] | None, values: Sequence[float], mark: PositionResult | None
) -> list[SweepPoint]:
    """A direction at several lengths: that of the given coefficients, or the fold of all vectors with equal weights."""
    if around is not None:
        direction = around / slerp_parameters(vectors, around)[1]
    else:
        with _arc_between(vectors.names):
            weights = torch.ones(len(vectors), dtype=torch.float64)
            direction = SlerpPath().fold(weights, vectors.gram())[None]
    points = [SweepPoint(value, value * direction, value) for value in values]
    if mark is not None:
        length = slerp_parameters(vectors, mark.rows)[1]
        points.append(SweepPoint(length, mark.rows, length, marked=True))
    return points


def searched_points(
    vectors: TaskVectors,
    probe: Probe,
    over: Over,
    values: Sequence[int | float] | None,
    probe_seeds: Sequence[int],
    mark: PositionResult | None,
    journals: JournalFolder,
    settings: dict[str, Any],
) -> tuple[list[SweepPoint], int]:
    """Where the search ends with each weight μ of the length, or on parts of the probe drawn with each seed.

    Returns:
        The points, and the number of examples that the searches embedded.

    Raises:
        KeyboardInterrupt: a search was interrupted: where it stands is not the position of its value.
    """
    if not probe_seeds or len(set(probe_seeds)) < len(probe_seeds):
        raise SpkitError(
            "`probe_seeds` must be one or more different numbers.", f"Found {probe_seeds}.", "Pass (0, 1, 2)."
        )
    plan: list[tuple[float, int | None, Variant]]
    if over == "mu":
        plan = [(mu, None, Variant(f"mu_{mu}", {"mu": mu})) for mu in grid(over, values)]
    else:
        sizes = probe_sizes(probe, values)
        plan = [(float(size), seed, _on_part(probe, size, seed)) for size in sizes for seed in probe_seeds]
    variants = {variant.name: variant for _, _, variant in plan}  # the whole probe is the same for all seeds
    results = dict(zip(variants, searches(vectors, probe, variants.values(), journals, **settings), strict=False))
    if any(result.settings["interrupted"] for result in results.values()):
        raise KeyboardInterrupt
    points = []
    for value, seed, variant in plan:
        result = results[variant.name]
        points.append(SweepPoint(value, result.rows, _path_length(result, settings), probe_seed=seed))
    if mark is not None:
        length, seed = _path_length(mark, settings), mark.settings["probe_seed"] if over == "probe_size" else None
        value = mark.settings["mu"] if over == "mu" else sum(mark.settings["probe"].values())
        points.append(SweepPoint(float(value), mark.rows, length, probe_seed=seed, marked=True))
    return points, sum(result.examples for result in results.values())


def _on_part(probe: Probe, size: int, seed: int) -> Variant:
    if size == len(probe):
        return Variant(f"size_{size}_all", {})
    return Variant(f"size_{size}_seed_{seed}", {"probe": part_of(probe, size, seed)})


def slerp_parameters(vectors: TaskVectors, rows: Float[Tensor, "M N"]) -> tuple[Float[Tensor, " N"], float]:
    """The a_i and the λ of a position on the paper's path, from the mean of its coefficients over the modules.

    Vectors whose coefficient is not positive have a_i = 0 and take no part in the fold.

    Args:
        vectors: the span.
        rows: the position's coefficients.

    Returns:
        The a_i, of which only ratios matter, and λ.

    Raises:
        SpkitError: no coefficient is positive, or the path is not defined between the vectors.
    """
    coefficients = rows.mean(0)
    taken = coefficients > 0
    if not bool(taken.any()):
        raise SpkitError(
            "A position must have a positive coefficient to stand on the paper's path.",
            f"Found {coefficients.tolist()} for {quoted(vectors.names)}.",
            "Pass another position, or none.",
        )
    with _arc_between([name for name, one in zip(vectors.names, taken, strict=True) if one]):
        parameters = SlerpPath().start(coefficients[taken], vectors.gram()[taken][:, taken])
    weights = torch.zeros(len(vectors), dtype=torch.float64)
    weights[taken] = parameters[:-1].exp()
    return weights, float(parameters[-1].exp())


def _path_length(result: PositionResult, settings: dict[str, Any]) -> float:
    """λ as the search counts it: what μ weighs."""
    path = path_of(settings.get("path", "slerp"))
    return float(path.length(path.start(result.rows.mean(0), result.vectors.gram())))


@contextmanager
def _arc_between(names: Sequence[str]) -> Iterator[None]:
    """Say between which vectors the path is not defined."""
    try:
        yield
    except UndefinedPathError as error:
        raise SpkitError(
            "SLERP needs task vectors that are not zero and do not point in opposite directions.",
            f"Found no arc between {quoted(names)}.",
            "Leave one of them out, with `pairs` or `vectors.select`.",
        ) from error
