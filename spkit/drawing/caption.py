"""What captions say of every figure: the seeds, how their mean is drawn, what stands for which method."""

from collections.abc import Iterable

from pandas import DataFrame

from spkit.results.frames import distinct, seeds_of, several_seeds
from spkit.results.labels import family

#: How a caption calls the families of methods, with their colours.
_FAMILY_NAMES = {
    "base": "black, the base",
    "expert": "light blue, experts",
    "joint": "red, joint training",
    "merge": "orange, merges by a fixed rule",
    "tuned": "green, those whose length is tuned on the probe",
    "searched": "dark blue, Self Positioning",
    "span": "purple, merges of joint models and experts",
}


def seeds_text(table: DataFrame) -> str:
    """The seeds as they stand in a caption.

    Example:
        >>> seeds_text(DataFrame({"seed": [1, 0, 1]})), seeds_text(DataFrame({"seed": [3]}))
        ('2 seeds (0, 1)', 'one seed (3)')
    """
    seeds = seeds_of(table)
    listed = ", ".join(map(str, seeds))
    return f"one seed ({listed})" if len(seeds) == 1 else f"{len(seeds)} seeds ({listed})"


def seeds_shown(table: DataFrame, mean: str = "large marks") -> str:
    """How a figure shows the mean over seeds beside each seed; nothing where there is one seed.

    Example:
        >>> seeds_shown(DataFrame({"seed": [0, 1]})), seeds_shown(DataFrame({"seed": [0]}))
        (' Large marks: mean over seeds; small dots: each seed.', '')
    """
    return f" {mean.capitalize()}: mean over seeds; small dots: each seed." if several_seeds(table) else ""


def listed(table: DataFrame, column: str) -> str:
    """The numbers of a column, each once, in order.

    Example:
        >>> listed(DataFrame({"steps": [64, 32, 64]}), "steps")
        '32, 64'
    """
    return ", ".join(f"{value:g}" for value in sorted(distinct(table, column)))


def families_text(methods: Iterable[str]) -> str:
    """What the colours of these methods stand for.

    Example:
        >>> families_text(["base", "ties", "ties_tuned"])
        'black, the base; orange, merges by a fixed rule; green, those whose length is tuned on the probe'
    """
    present = {family(method) for method in methods}
    return "; ".join(text for kind, text in _FAMILY_NAMES.items() if kind in present)


def conditions(table: DataFrame) -> str:
    """What gradients were measured on; with in-batch negatives a gradient is that of the loss at this batch size.

    Args:
        table: rows with `batches` and `batch_size`.
    """
    return f"{listed(table, 'batches')} batches of {listed(table, 'batch_size')} examples a task"
