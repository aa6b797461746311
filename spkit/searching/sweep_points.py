"""The points of a sweep: which coefficients stand at which value, by formula or by a search."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.searching.paths import SlerpPath, path_of
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.searching.self_position import self_position
from spkit.training.losses import SMALLEST_BATCH, spread_seed
from spkit.training.sampling import turns
from spkit.vectors.task_vectors import TaskVectors

Over = Literal["direction", "length", "mu", "probe_size"]

#: What each sweep visits where no values are given; probe sizes are cut to what there is.
_VALUES: dict[Over, tuple[float, ...]] = {
    "direction": tuple(step / 10 for step in range(11)),
    "length": tuple(step / 5 for step in range(11)),
    "mu": (0.0, 0.003, 0.01, 0.03, 0.1),
    "probe_size": (64, 128, 256, 512, 1024),
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


def probe_sizes(probe: Probe, values: Sequence[int | float] | None) -> list[int]:
    """The sizes to visit, up to that of the probe and large enough for each task; the default ones for None."""
    if values is None:
        fitting = [int(size) for size in _VALUES["probe_size"] if size < len(probe) and not _lacking(probe, int(size))]
        return [*fitting, len(probe)] if len(probe) <= max(_VALUES["probe_size"]) else fitting
    sizes = list(values)
    if not sizes or len(set(sizes)) < len(sizes) or not all(size in range(1, len(probe) + 1) for size in sizes):
        raise SpkitError(
            "`values` of a sweep over 'probe_size' must be different whole numbers, up to the size of the probe.",
            f"Found {sizes} for a probe of {len(probe)} examples.",
            "Pass smaller ones, or a larger `probe`.",
        )
    for size in map(int, sizes):
        if few := _lacking(probe, size):
            raise SpkitError(
                "Each task must have enough examples for a batch in every part of the probe.",
                f"Found {_part_counts(probe, size)} in a part of {size}, too few for {quoted(few)}.",
                "Pass larger `values`.",
            )
    return [int(size) for size in sizes]


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
    found: PositionResult | None,
) -> list[SweepPoint]:
    """The arc between each two vectors at one length, and where a position stands beside each."""
    weights, own_length = (None, 1.0) if found is None else slerp_parameters(vectors, found.rows)
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
        if found is not None and weights is not None and bool(weights[places].any()):
            place = float(weights[places[1]] / weights[places].sum())
            points.append(SweepPoint(place, found.rows, own_length, name, marked=True))
    return points


def length_points(
    vectors: TaskVectors, around: Float[Tensor, "M N"] | None, values: Sequence[float], found: PositionResult | None
) -> list[SweepPoint]:
    """A direction at several lengths: that of the given coefficients, or the fold of all vectors with equal weights."""
    if around is not None:
        direction = around / slerp_parameters(vectors, around)[1]
    else:
        with _arc_between(vectors.names):
            weights = torch.ones(len(vectors), dtype=torch.float64)
            direction = SlerpPath().fold(weights, vectors.gram())[None]
    points = [SweepPoint(value, value * direction, value) for value in values]
    if found is not None:
        length = slerp_parameters(vectors, found.rows)[1]
        points.append(SweepPoint(length, found.rows, length, marked=True))
    return points


def mu_points(
    vectors: TaskVectors,
    probe: Probe,
    values: Sequence[float],
    found: PositionResult | None,
    journal: Path | None,
    settings: dict[str, Any],
) -> list[SweepPoint]:
    """Where the search ends with each weight μ of the length."""
    points = []
    for mu in values:
        result = _searched(vectors, probe, journal, f"mu_{mu}", {**settings, "mu": mu})
        points.append(SweepPoint(mu, result.rows, _path_length(result, settings)))
    if found is not None:
        points.append(SweepPoint(float(found.settings["mu"]), found.rows, _path_length(found, settings), marked=True))
    return points


def size_points(
    vectors: TaskVectors,
    probe: Probe,
    values: Sequence[int],
    seeds: Sequence[int],
    found: PositionResult | None,
    journal: Path | None,
    settings: dict[str, Any],
) -> list[SweepPoint]:
    """Where the search ends on parts of the probe; the whole probe is searched on once, whatever the seeds."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise SpkitError("`probe_seeds` must be one or more different numbers.", f"Found {seeds}.", "Pass (0, 1, 2).")
    points = []
    for size in values:
        results = {}
        for seed in seeds:
            draw = None if size == len(probe) else seed
            if draw not in results:
                part, name = (probe, "all") if draw is None else (_part(probe, size, draw), f"{size}_seed_{draw}")
                results[draw] = _searched(vectors, part, journal, f"size_{name}", settings)
            result = results[draw]
            points.append(SweepPoint(float(size), result.rows, _path_length(result, settings), probe_seed=seed))
    if found is not None:
        size, seed = float(sum(found.settings["probe"].values())), found.settings["probe_seed"]
        points.append(SweepPoint(size, found.rows, _path_length(found, settings), probe_seed=seed, marked=True))
    return points


def _part_counts(probe: Probe, size: int) -> dict[str, int]:
    """Examples of each task in a part of a probe, in the ratio of the whole; they sum to the size."""
    numbers = Counter(turns([len(rows) / len(probe) for rows in probe.examples.values()], size))
    return {name: numbers[place] for place, name in enumerate(probe.examples)}


def _lacking(probe: Probe, size: int) -> list[str]:
    """Tasks that have too few examples for a batch in a part of this size."""
    counts = _part_counts(probe, size)
    return [name for name, count in counts.items() if count < 2 * SMALLEST_BATCH[probe.tasks[name].kind]]


def _part(probe: Probe, size: int, seed: int) -> Probe:
    """A part of the probe, drawn at random; with the same seed a smaller one is contained in a larger one."""
    examples = {}
    for name, count in _part_counts(probe, size).items():
        generator = torch.Generator().manual_seed(spread_seed(seed, name))
        order = torch.randperm(len(probe.examples[name]), generator=generator)
        examples[name] = probe.examples[name].select(sorted(order[:count].tolist()))
    return Probe(probe.tasks, examples, probe.split, seed)


def _searched(
    vectors: TaskVectors, probe: Probe, journal: Path | None, name: str, settings: dict[str, Any]
) -> PositionResult:
    file = None if journal is None else journal / f"{name}.jsonl"
    result = self_position(vectors, probe, journal=file, **settings)
    if result.settings["interrupted"]:  # where it stands is not the position of this value
        raise KeyboardInterrupt
    return result


def slerp_parameters(vectors: TaskVectors, rows: Float[Tensor, "M N"]) -> tuple[Float[Tensor, " N"], float]:
    """The a_i and the λ of a position on the paper's path, from the mean of its coefficients over the modules.

    Vectors whose coefficient is not positive have a_i = 0 and take no part in the fold.

    Args:
        vectors: the span.
        rows: the position's coefficients.

    Returns:
        The a_i, of which only ratios matter, and λ.

    Raises:
        SpkitError: no coefficient is positive, or the path has no answer between the vectors.
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
    """Say between which vectors the path has no answer."""
    try:
        yield
    except SpkitError as error:
        raise SpkitError(
            "SLERP needs task vectors that are not zero and do not point in opposite directions.",
            f"Found no arc between {quoted(names)}.",
            "Leave one of them out, with `pairs` or `vectors.select`.",
        ) from error
