"""The names of the losses, and the batches each of them needs; without torch, so that files and commands check them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spkit.errors import SpkitError, quoted
from spkit.tasks.kinds import Kind


@dataclass(frozen=True)
class Batching:
    """How a loss takes the examples of a task.

    Attributes:
        batches: how examples come into a batch (`spkit.training.samplers`): "distinct" (no text twice, as the examples
            are each other's negatives), "labels" (two examples of a label beside each other) or "any".
        smallest_batch: the fewest examples a batch can hold for the loss to mean something.
        batch_step: 2 where examples come into a batch in twos, so that its size is even; else 1.
        has_temperature: whether the loss divides similarities by a temperature.
    """

    batches: Literal["distinct", "labels", "any"]
    smallest_batch: int = 2
    batch_step: Literal[1, 2] = 1
    has_temperature: bool = True

    def takes_batch(self, size: int) -> bool:
        """Whether a batch may hold so many examples."""
        return size >= self.smallest_batch and size % self.batch_step == 0

    @property
    def smallest_sample(self) -> int:
        """The fewest examples that can stand for a task where its loss is computed: two of the smallest batches."""
        return 2 * self.smallest_batch

    @property
    def batch_sizes(self) -> str:
        """The sizes that `takes_batch`, in words."""
        return f"at least {self.smallest_batch}" + (", and even," if self.batch_step == 2 else "")


#: By the names that kinds, tasks and task files have for the losses; `spkit.training.losses` computes them.
BATCHING: dict[str, Batching] = {
    "infonce": Batching("distinct"),
    "cosent": Batching("any"),
    "contrastive": Batching("any", smallest_batch=1, has_temperature=False),
    "supcon": Batching("labels", smallest_batch=4, batch_step=2),
}


def check_loss(task: str, kind: Kind, loss: Any, temperature: Any) -> None:
    """Check the loss that a task names, with its temperature.

    Args:
        task: its name, for the error.
        kind: its kind, which says what losses it can take.
        loss: a name, a callable, or None for that of the kind.
        temperature: as given to the task.

    Raises:
        SpkitError: a loss that the kind cannot take, or a temperature that is no positive number or has no meaning.

    Example:
        >>> from spkit.tasks.kinds import kind_named
        >>> check_loss("near", kind_named("sts"), "infonce", 0.02)
    """
    if not kind.losses and (loss, temperature) != (None, None):
        raise SpkitError(
            f"A {kind.name} task is evaluated only, and has no loss.", f"Found one in task {task!r}.", "Leave it out."
        )
    if loss is not None and not callable(loss) and loss not in kind.losses:
        raise SpkitError(
            f"The loss of a {kind.name} task must be one of {quoted(kind.losses)}, or a function of a model.",
            f"Found {loss!r} in task {task!r}.",
            "Pass one of these, or leave it out.",
        )
    if temperature is None:
        return
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise SpkitError(
            "`temperature` must be a positive number.",
            f"Found {temperature!r} in task {task!r}.",
            "Pass 0.02 or 0.05, for example.",
        )
    if callable(loss) or not BATCHING[loss or kind.loss].has_temperature:
        of = "a loss of your own" if callable(loss) else f"the loss {loss or kind.loss!r}"
        raise SpkitError(
            f"`temperature` has no meaning for {of}.", f"Found {temperature} in task {task!r}.", "Leave it out."
        )


def check_thresholds(
    task: str, kind: Kind, loss: Any, scores: Sequence[int | float], positive: Any, negative: Any
) -> None:
    """Check the scores from which pairs are positives, and up to which they are hard negatives.

    Args:
        task: its name, for the error.
        kind: its kind.
        loss: as given to the task.
        scores: of its training examples; empty where there are none.
        positive: `positive_from` of the task.
        negative: `negative_to` of the task.

    Raises:
        SpkitError: thresholds for a kind without scores, none where the loss needs one, one that is no number, or a
            negative one that is not below the positive one.
    """
    given = {"positive_from": positive, "negative_to": negative}
    named = {name: value for name, value in given.items() if value is not None}
    if named and not kind.scored_pairs:
        raise SpkitError(
            f"{quoted(named)} divide pairs with scores into positives and negatives.",
            f"Found them in the {kind.name} task {task!r}.",
            "Leave them out.",
        )
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
            raise SpkitError(f"`{name}` must be a finite number.", f"Found {value!r} in task {task!r}.")
    if positive is None and (negative is not None or (kind.scored_pairs and loss == "infonce")):
        among = f"scores from {min(scores):g} to {max(scores):g}" if len(scores) else "no `positive_from`"
        raise SpkitError(
            "InfoNCE needs to know from which score on a pair is a positive.",
            f"Found {among} in task {task!r}.",
            f"Write e.g. `positive_from = {_upper(scores):g}`, and `negative_to` for hard negatives.",
        )
    if negative is not None and not negative < positive:
        raise SpkitError(
            "`negative_to` must lie below `positive_from`.",
            f"Found {negative} and {positive} in task {task!r}.",
            "Pairs between the two are left out.",
        )


def _upper(scores: Sequence[int | float]) -> float:
    """Four fifths up the range of the scores: 4 of 0 to 5."""
    low, high = (min(scores), max(scores)) if len(scores) else (0.0, 5.0)
    return low + 0.8 * (high - low)
