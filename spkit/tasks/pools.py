"""Pools: several data sets trained on as one task, with one loss, each batch from one of them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from datasets import Dataset

from spkit.errors import SpkitError, quoted
from spkit.tasks.kinds import GROUP, kinds
from spkit.tasks.leaks import leaks
from spkit.tasks.loss_rows import DATASET, loss_columns, pairs_of
from spkit.tasks.named import named_tasks
from spkit.tasks.task import Task

#: The kind of a pool, whose rows are queries, positives and negatives.
_KIND = next(kind for kind in kinds().values() if kind.searches)
_QUERY, _POSITIVE = _KIND.texts


def pool_tasks(
    name: str, tasks: Mapping[str, Task] | Sequence[Task], *, temperature: int | float | None = None
) -> Task:
    """One task that is trained on out of several data sets, as the paper has its two tasks, each of several data sets.

    Its rows are the InfoNCE pairs of all members (`spkit.tasks.loss_rows` says what these are for each kind), with a
    column `dataset`. A batch holds examples of one data set, each in proportion to its size; a probe likewise. A pool
    is trained on and never scored: its members are.

    Args:
        name: of the pool.
        tasks: its members, as `load_tasks` gives them or as a list; of any kind that can be trained on with InfoNCE.
        temperature: of the loss; by default that of InfoNCE.

    Returns:
        A retrieval task of the role "training"; `members` has the names of the data sets.

    Raises:
        SpkitError: no member, two of one name, a member that is a pool or unseen, whose kind or examples make no pairs,
            or members with different prompts.

    Warns:
        UserWarning: examples to choose on, or texts of a member's test, are trained on in another member; with their
            number. The former are left out.

    References:
        Li et al., arXiv 2410.15035, section 3 (the tasks STS and retrieval).

    Example:
        >>> from spkit import load_tasks
        >>> pool = pool_tasks("both", load_tasks("bundled", names=["chat", "headline"]), temperature=0.02)
        >>> pool.members, pool.kind, sorted(set(pool.train["dataset"]))
        (('chat', 'headline'), 'retrieval', ['chat', 'headline'])
    """
    members = list(named_tasks(tasks).values())
    names = [task.name for task in members]
    if not members or len(set(names)) < len(tasks):
        raise SpkitError(
            "A pool must have members of different names.",
            f"Found {quoted(names) or 'none'} for {name!r}.",
            "Pass one task or more.",
        )
    for task in members:
        _check_member(name, task)
    prompts = _one_prompt(name, members)
    ready = [task.with_loss("infonce", temperature) for task in members]
    train = [_rows(task, "train") for task in ready]
    dev = _unread([_rows(task, "dev") for task in ready], train, name)
    _warn_of_tests(name, dict(zip(names, members, strict=True)))
    splits: dict[str, Any] = {"train": _joined(train), "dev": _joined(dev) if dev else None}
    return Task(
        name=name,
        kind=_KIND.name,
        role="training",
        prompts=prompts,
        loss="infonce",
        temperature=temperature,
        members=tuple(names),
        notes=tuple(f"{task.name}: {note}" for task in members for note in task.notes),
        **splits,
    )


def _check_member(name: str, task: Task) -> None:
    if task.members:
        raise SpkitError(
            "A pool holds tasks, and no other pool.", f"Found {task.name!r} in {name!r}.", "Name its members here, too."
        )
    if not task.trained:
        raise SpkitError(
            "The members of a pool are trained on.",
            f"Found {task.name!r} in {name!r}, which is only scored.",
            "Leave it out.",
        )


def _one_prompt(name: str, members: Sequence[Task]) -> dict[str, str] | None:
    """The prompts of queries and of documents, which all members share."""
    found: dict[tuple[str, str] | None, str] = {}
    for task in members:
        query, document = task.definition.texts[0], task.definition.texts[-1]
        own = None if task.prompts is None else (task.prompts.get(query, ""), task.prompts.get(document, ""))
        found.setdefault(own, task.name)
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        said = [f"{owner!r} has {'none' if given is None else f'{given[0]!r} and {given[1]!r}'}"
                for given, owner in ((one, first), (other, second))]  # fmt: skip
        raise SpkitError(
            "The data sets of a pool are one task, whose queries have one prompt and whose documents have one.",
            f"Found others in {name!r}: {', '.join(said)}.",
            "Give all members the same `prompts`, or none.",
        )
    only = next(iter(found))
    return None if only is None else {_QUERY: only[0], _POSITIVE: only[1]}


def _rows(task: Task, split: Literal["train", "dev"]) -> dict[str, list[Any]]:
    """The pairs of a member under the pool's names; no column where its dev part makes none."""
    rows = getattr(task, split)
    try:
        pairs = pairs_of(task, rows, split)
    except SpkitError:
        if split == "train":
            raise
        return {}  # as an empty part: what is chosen on are the others' pairs
    texts = [column for column in loss_columns(task, pairs) if column != GROUP]
    ours = [_QUERY, _POSITIVE, *(f"negative{number or ''}" for number in range(len(texts) - 2))]
    plain = pairs.with_format(None)
    columns = {own: plain[theirs][:] for own, theirs in zip(ours, texts, strict=True)}
    if GROUP in pairs.column_names:
        columns[GROUP] = [f"{task.name}: {label}" for label in plain[GROUP][:]]
    return columns | {DATASET: [task.name] * len(pairs)}


def _joined(parts: Sequence[Mapping[str, list[Any]]]) -> Dataset:
    """One data set of several, with None where one has no such column."""
    found = dict.fromkeys(column for part in parts for column in part)
    order = sorted(found, key=lambda column: column in (GROUP, DATASET))
    sizes = [len(part[DATASET]) for part in parts]
    return Dataset.from_dict(
        {
            column: [cell for part, size in zip(parts, sizes, strict=True) for cell in part.get(column, [None] * size)]
            for column in order
        }
    )


def _unread(
    dev: Sequence[Mapping[str, list[Any]]], train: Sequence[Mapping[str, list[Any]]], name: str
) -> list[Mapping[str, list[Any]]]:
    """The parts to choose on without the rows whose texts another member trains on."""
    left, gone = [], 0
    for number, part in enumerate(dev):
        if not part:
            continue
        others = {text for other, rows in enumerate(train) if other != number for text in _texts(rows)}
        kept = [row for row, pair in enumerate(zip(part[_QUERY], part[_POSITIVE], strict=True))
                if others.isdisjoint(pair)]  # fmt: skip
        gone += len(part[DATASET]) - len(kept)
        if kept:
            left.append({column: [cells[row] for row in kept] for column, cells in part.items()})
    if gone:
        warnings.warn(
            f"Pool {name!r}: {gone} dev examples have texts that another member trains on, and are left out of dev.",
            UserWarning,
            stacklevel=3,
        )
    return left


def _texts(rows: Mapping[str, list[Any]]) -> Iterator[str]:
    yield from rows[_QUERY]
    yield from rows[_POSITIVE]


def _warn_of_tests(name: str, members: Mapping[str, Task]) -> None:
    if found := leaks(members, members, same=str, read=lambda task: task.texts("train")):
        warnings.warn(
            f"Pool {name!r}: texts that one member trains on are tested in another: {'; '.join(map(str, found))}. "
            "Scores on test will look better than they are; drop these from one of the two.",
            UserWarning,
            stacklevel=3,
        )
