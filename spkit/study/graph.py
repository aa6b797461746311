"""The graph of a study: what each stage reads, what it makes, and how much work that is, without doing any of it.

Stages are declared first and run afterwards, by an engine of `spkit.study.engine`: a stage is known by its name alone,
so that any process that declares the same study can run it, and what it leaves, a folder with its record, is all that
later stages read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted

#: What a stage may read beside the results of other stages.
BASE, TASK = "base", "task:"


@dataclass(frozen=True)
class Passes:
    """How many examples of the study's tasks a stage embeds: what its time is estimated by, before it ever ran.

    Attributes:
        forward: examples that are embedded only.
        backward: examples whose loss has a backward pass, too.
    """

    forward: int = 0
    backward: int = 0

    @property
    def work(self) -> int:
        """All of them, each counted as often as it costs a forward pass: a backward one costs about two more."""
        return self.forward + 3 * self.backward


@dataclass(frozen=True)
class Node:
    """A stage as it is declared, before the stages that it reads have run.

    Attributes:
        name: unique within its seed.
        config: all settings that decide its output, the seed included.
        needs: what it reads: `"base"`, `"task:NAME"`, or names of earlier stages. Their order counts.
        work: fills an empty folder and returns metrics. What it reads beside `needs` must stand in `config`.
        passes: how much it embeds; None where that is not known beforehand.
        afterwards: is called once the stage has its record, whoever made it: what it kept aside until then can go.
    """

    name: str
    config: Mapping[str, Any]
    needs: tuple[str, ...]
    work: Callable[[Path], Mapping[str, Any]]
    passes: Passes | None = None
    afterwards: Callable[[], object] | None = None

    @property
    def stages(self) -> list[str]:
        """The earlier stages among its needs."""
        return [need for need in self.needs if need != BASE and not need.startswith(TASK)]


def check_needs(name: str, needs: Iterable[str], known: Iterable[str]) -> None:
    """Raise where a stage reads what no earlier stage makes: so the graph has no circle, and an order.

    Raises:
        SpkitError: with the stage and what it lacks.

    Example:
        >>> check_needs("evaluate/joint", ["train/joint", "task:faq"], ["train/joint"])
    """
    before = set(known)
    if name in before:
        raise SpkitError("Each stage of a study must be declared once.", f"Found {name!r} twice.", "Rename one.")
    missing = [need for need in needs if need != BASE and not need.startswith(TASK) and need not in before]
    if missing:
        raise SpkitError(
            "A stage may read what earlier stages make.",
            f"Found {name!r}, which reads {quoted(missing)}.",
            "Declare these before it.",
        )
