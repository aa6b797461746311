"""Smaller probes out of one, with the tasks in the ratio of the whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from spkit.errors import SpkitError, quoted
from spkit.hashing import spread_seed
from spkit.searching.probe import Probe
from spkit.training.parts import drawn_order
from spkit.training.shares import turns

#: Sizes where none are given.
_USUAL = (64, 128, 256, 512, 1024)


def probe_sizes(probe: Probe, values: Sequence[int | float] | None) -> list[int]:
    """The sizes of parts, up to that of the probe and large enough for each task.

    Args:
        probe: the whole.
        values: the sizes, each once; None takes those of 64, 128, 256, 512 and 1024 that fit, and the whole.

    Raises:
        SpkitError: no size, one given twice, larger than the probe, or too small for a batch of each task.
    """
    if values is None:
        fitting = [size for size in _USUAL if size < len(probe) and not _lacking(probe, size)]
        return [*fitting, len(probe)] if len(probe) <= max(_USUAL) else fitting
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
                f"Found {_counts(probe, size)} in a part of {size}, too few for {quoted(few)}.",
                "Pass larger `values`.",
            )
    return [int(size) for size in sizes]


def part_of(probe: Probe, size: int, seed: int) -> Probe:
    """A part of the probe, drawn at random; with the same seed a smaller one is contained in a larger one."""
    examples = {}
    for name, count in _counts(probe, size).items():
        generator = torch.Generator().manual_seed(spread_seed(seed, name))
        order = drawn_order(probe.tasks[name], probe.examples[name], generator)
        examples[name] = probe.examples[name].select(sorted(order[:count].tolist()))
    return replace(probe, examples=examples, seed=seed)


def _counts(probe: Probe, size: int) -> dict[str, int]:
    """Examples of each task in a part, in the ratio of the whole; they sum to the size."""
    numbers = Counter(turns([len(rows) / len(probe) for rows in probe.examples.values()], size))
    return {name: numbers[place] for place, name in enumerate(probe.examples)}


def _lacking(probe: Probe, size: int) -> list[str]:
    """Tasks that have too few examples for a batch in a part of this size."""
    counts = _counts(probe, size)
    return [name for name, count in counts.items() if count < probe.tasks[name].batching.smallest_sample]
