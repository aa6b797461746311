"""The numbers of the explorer's bars as tables."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from spkit.explorer.exploration import Exploration, Reading


def html_table(exploration: Exploration, reading: Reading) -> str:
    """The numbers of the bars as a table."""
    columns: dict[str, Mapping[Any, float | None]] = {"you": reading.values["score"].to_dict()}
    if reading.errors is not None:
        columns["±"] = reading.errors["score"].to_dict()
    for name, values in exploration.references.items():
        columns[name] = dict(zip(exploration.rows, values, strict=True))
    columns["your loss"] = reading.values["loss"].to_dict()
    cells = {name: {row: _cell(name, values[row]) for row in exploration.rows} for name, values in columns.items()}
    kind = "measured" if reading.measured else "interpolated; ± is the cross-validated error"
    few = f"on up to {max(exploration.quick.examples.values())} dev examples a task"
    return _table(f"Scores in points {few} ({kind})", exploration.rows, cells)


def unseen_table(exploration: Exploration, reading: Reading) -> str:
    """The numbers of the unseen tasks' bars as a table, with the distance to the base."""
    rows, references = exploration.unseen_rows, exploration.unseen_references
    experts = [values for name, values in references.items() if name.startswith("expert: ")]
    known = [np.nan] * len(rows) if reading.unseen is None else reading.unseen["score"].tolist()
    columns: dict[str, Sequence[str]] = {
        "you": [_cell("you", value) for value in known],
        "you − base": [
            "–" if pd.isna(value) else f"{value - base:+.1f}"
            for value, base in zip(known, references["base"], strict=True)
        ],
        "base": [_cell("base", value) for value in references["base"]],
        "experts": [f"{min(values):.1f} to {max(values):.1f}" for values in zip(*experts, strict=True)],
    }
    for name, values in references.items():
        if name != "base" and not name.startswith("expert: "):
            columns[name] = [_cell(name, value) for value in values]
    assert exploration.unseen is not None
    few = f"on up to {max(exploration.unseen.examples.values())} test examples a task"
    cells = {name: dict(zip(rows, values, strict=True)) for name, values in columns.items()}
    return _table(f"Scores in points {few}; looking only", rows, cells)


def _table(caption: str, rows: Sequence[str], cells: Mapping[str, Mapping[str, str]]) -> str:
    """A table of numbers that are texts already; the row of the mean, the last, is bold."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in cells)
    body = []
    for row in rows:
        numbers = "".join(f"<td>{values[row]}</td>" for values in cells.values())
        style = ' style="font-weight:bold"' if row == rows[-1] else ""
        body.append(f'<tr{style}><th scope="row">{escape(row)}</th>{numbers}</tr>')
    return (
        f'<table class="spkit-numbers"><caption>{caption}</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _cell(column: str, value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.3f}" if column == "your loss" else f"{value:.1f}"
