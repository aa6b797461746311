"""Texts that stand on both sides: in what is trained on, and in what is tested.

A score on data that nobody trained on says what a model has learned to do; a text that was trained on says what it
remembers. Two texts count as one where their letters and digits agree (`spkit.tasks.splits.bare`).

What is read of a task in training, and by choices: all texts of its train and dev splits, given negatives too. What a
score reads: queries and documents, sentences or texts of test, the corpus that is searched, and of an unseen
classification also the train split, on which its classifiers are fitted.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.kinds import Kind
from spkit.tasks.splits import bare
from spkit.tasks.task import Task

#: How many texts an error shows of each pair of tasks, and how many pairs.
_EXAMPLES, _PAIRS = 2, 6


@dataclass(frozen=True)
class Leak:
    """The texts that two tasks share.

    Attributes:
        trained: name of the task that is trained on; of a pool the pool's.
        tested: name of the task that is scored.
        texts: as they stand in what is tested, in the order of the alphabet; at least one.
        beside: how many different texts are tested in all.
    """

    trained: str
    tested: str
    texts: tuple[str, ...]
    beside: int

    def __str__(self) -> str:
        some = ", ".join(shown(text) for text in self.texts[:_EXAMPLES])
        return f"{len(self.texts)} of {self.beside} texts of {self.tested!r} in {self.trained!r}, e.g. {some}"


def leaks(
    trained: Mapping[str, Task],
    tested: Mapping[str, Task],
    same: Callable[[str], str] = bare,
    read: Callable[[Task], set[str]] | None = None,
) -> list[Leak]:
    """The texts that tasks are trained on and other tasks are scored by.

    Args:
        trained: what is trained on; a pool counts with all that it holds of its members.
        tested: what is scored. A task is not compared with itself, nor with a pool that it is a member of.
        same: what two texts share that count as one.
        read: the texts of a trained task that count; None is `trained_texts`.

    Returns:
        One entry for each pair of tasks that shares texts, in the order of `trained`, then of `tested`.

    Example:
        >>> def rows(anchor, positive):
        ...     return Dataset.from_dict({"anchor": [anchor], "positive": [positive]})
        >>> chat = Task(
        ...     name="chat",
        ...     kind="retrieval",
        ...     role="training",
        ...     train=rows("How are you?", "Fine."),
        ...     dev=rows("Hello", "Hi"),
        ... )
        >>> mail = Task(name="mail", kind="retrieval", test=rows("how are you", "Well, thank you."))
        >>> print(*leaks({"chat": chat}, {"mail": mail}))
        1 of 2 texts of 'mail' in 'chat', e.g. 'how are you'
    """
    scored = {name: {same(text): text for text in scored_texts(task)} for name, task in tested.items()}
    found = []
    for name, task in trained.items():
        own = {same(text) for text in (read or trained_texts)(task)}
        for other, texts in scored.items():
            both = sorted(texts[key] for key in own & texts.keys())
            if both and other != name and other not in task.members:
                found.append(Leak(name, other, tuple(both), len(texts)))
    return found


def check_leaks(trained: Mapping[str, Task], unseen: Mapping[str, Task], allow: bool = False) -> None:
    """Raises where an unseen task is none: it is trained on, or shares texts with what is.

    Args:
        trained: what is trained on.
        unseen: what is only scored.
        allow: warn of shared texts instead.

    Raises:
        SpkitError: with the tasks, the numbers of texts and examples.

    Warns:
        UserWarning: the same, with `allow`.
    """
    members = {member for task in trained.values() for member in task.members}
    if both := [name for name in unseen if name in trained or name in members]:
        raise SpkitError(
            "An unseen task must not be trained on.",
            f"Found {quoted(both)} among what is trained on, or in a pool there.",
            "Take it out of one of the two.",
        )
    found = leaks(trained, unseen)
    if not found:
        return
    said = "; ".join(map(str, found[:_PAIRS]))
    said += f"; and {len(found) - _PAIRS} more pairs of tasks" if len(found) > _PAIRS else ""
    if allow:
        warnings.warn(
            f"Unseen tasks share texts with what is trained on: {said}. Their scores will look better than they are.",
            UserWarning,
            stacklevel=2,
        )
        return
    first = found[0]
    raise SpkitError(
        "Texts of an unseen task must not be trained on, nor chosen by.",
        f"Found {said}.",
        f'In the task file, `apart_from = ["{first.tested}"]` in the table of {first.trained!r} drops such rows from '
        "what is trained on; `allow_leak = true` in a profile goes on all the same.",
    )


def trained_texts(task: Task) -> set[str]:
    """The texts of a task that training and choices read: those of train and dev, negatives too."""
    return {text for rows in (task.train, task.splits.get("dev")) if rows for text in _texts(rows, task.definition)}


def scored_texts(task: Task) -> set[str]:
    """The texts that a score of a task reads, and no training of it."""
    fitted = task.definition.needs_train and not task.trained
    parts = [task.test, *([task.train] if fitted else [])]
    texts = {text for rows in parts for text in _texts(rows, task.definition)}
    return texts if task.corpus is None else texts | set(task.corpus.with_format(None)["text"][:])


def apart(rows: Dataset, kind: Kind, tested: set[str]) -> Dataset:
    """The rows of which no text is tested.

    Args:
        rows: examples with the kind's columns.
        kind: theirs.
        tested: texts that are tested, each as `bare` has it.
    """
    met = {row for row, texts in _cells(rows, kind) if any(bare(text) in tested for text in texts)}
    return rows.select([row for row in range(len(rows)) if row not in met]) if met else rows


def _texts(rows: Dataset, kind: Kind) -> Iterator[str]:
    return (text for _, texts in _cells(rows, kind) for text in texts)


def _cells(rows: Dataset, kind: Kind) -> Iterator[tuple[int, list[str]]]:
    """The texts of each cell, with the number of its row; a column at a time, which is forty times as fast as rows."""
    plain = rows.with_format(None)
    for column in kind.text_columns(rows.column_names):
        for row, cell in enumerate(plain[column][:]):
            yield row, kind.texts_in(cell)
