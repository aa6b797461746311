"""The paper's Table 1: what the data looks like, an example of each data set."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import UNSEEN
from spkit.results.schema import EXAMPLES
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.examples import ExampleSettings
from spkit.study.graph import TASK
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.tasks.data_sets import data_sets
from spkit.tasks.loss_rows import loss_columns, loss_rows

_STAGE, _ROWS = "examples", "rows.json"
_TEXTS, _HIDDEN = ("query", "positive", "negative"), "(not shown)"


def _stages(run: SeedRun, settings: ExampleSettings) -> None:
    def work(folder: Path) -> Mapping[str, Any]:
        rows = example_rows(run.tasks, run.scored, settings.characters, settings.hidden)
        (folder / _ROWS).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        return {}

    needs = dict.fromkeys([*run.all_tasks, *(f"{TASK}{name}" for name in run.scored)])
    run.add(_STAGE, settings.arguments(), needs, work)


def example_rows(
    tasks: Mapping[str, Task], scored: Mapping[str, Task], characters: int, hidden: Collection[str] = ()
) -> list[dict[str, Any]]:
    """A row a data set: those that are trained on, then those that are only scored.

    Args:
        tasks: what is trained on; a pool is shown by its members.
        scored: what is scored.
        characters: where texts are cut.
        hidden: data sets whose row has the sizes alone.
    """
    rows = []
    for group, task in tasks.items():
        for name, one in data_sets({group: task}).items():
            role, pairs = "trained" if name in scored else "training", loss_rows(one, "train")
            rows.append(_row(name, one, pairs, loss_columns(one, pairs), role, group, characters))
    shown = {row["dataset"] for row in rows}
    for name, task in scored.items():
        if name not in shown:
            rows.append(_row(name, task, task.test, list(task.definition.columns), UNSEEN, "", characters))
    return [row | dict.fromkeys(_TEXTS, _HIDDEN) if row["dataset"] in hidden else row for row in rows]


def _row(
    name: str, task: Task, rows: Dataset, columns: list[str], role: str, group: str, characters: int
) -> dict[str, Any]:
    texts = [column for column in columns if column != task.target_column]
    example = _typical(task, rows, texts)
    query, positive, negative = [*(_cut(example[column], characters) for column in texts[:3]), "", "", ""][:3]
    if not positive and task.target_column is not None:  # a single text
        positive = f"({task.target_column}: {example[task.target_column]})"
    about = {"dataset": name, "examples": len(rows), "role": role, "group": group, "kind": task.kind}
    return about | {"query": query, "positive": positive, "negative": negative}


def _typical(task: Task, rows: Dataset, columns: Sequence[str]) -> dict[str, str]:
    """The example of middle length, neither a stray word nor a whole page; with a negative, where some have one."""
    known = []
    for row in rows.with_format(None):
        cells: dict[str, Any] = dict(row)  # pyright: ignore[reportArgumentType, reportCallIssue]
        cells |= {column: "".join(task.definition.texts_in(cells[column])[:1]) for column in columns if cells[column]}
        known.append(cells)
    most = max(sum(bool(cells[column]) for column in columns) for cells in known)
    whole = [cells for cells in known if sum(bool(cells[column]) for column in columns) == most]
    return sorted(whole, key=lambda cells: sum(len(cells[column] or "") for column in columns))[len(whole) // 2]


def _cut(text: str | None, characters: int) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= characters else f"{flat[: characters - 1].rstrip()}…"


def _table(records: SeedRecords, settings: ExampleSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """Of the first seed: the data is the same for all."""
    record = next(iter(records.values()))[_STAGE]
    rows = json.loads((record.folder / _ROWS).read_text(encoding="utf-8"))
    return {EXAMPLES.file: pd.DataFrame(rows, columns=list(EXAMPLES.columns))}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[EXAMPLES.file]
    trained, unseen = table[table["role"] != "unseen"], table[table["role"] == "unseen"]
    sizes = trained["examples"]
    alone = f"; only scored are {len(unseen)} more" if len(unseen) else ""
    return [
        f"Trained on are {len(trained)} data sets of {sizes.min():,} to {sizes.max():,} examples, "
        f"{sizes.sum():,} in all{alone} (examples.csv shows one of each)."
    ]


def _check(settings: ExampleSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    one_each = (name for group, task in tasks.items() for name in data_sets({group: task}))
    known = dict.fromkeys([*one_each, *(profile.names or ()), *profile.unseen])
    if unknown := [name for name in settings.hidden if name not in known]:
        raise SpkitError(
            "`hidden` must name data sets of the study.", f"Found {quoted(unknown)}.", f"It has {quoted(known)}."
        )


ANALYSIS = Analysis(ExampleSettings, _stages, _table, _words, check=_check)
