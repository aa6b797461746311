"""The figures of a report as SVG in a text: no file, no script, no font that has to be there."""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from spkit.best_model.data import ModelRow, ReportData, Score
from spkit.drawing.place import Sheet
from spkit.drawing.style import style
from spkit.evaluation.means import MEANS
from spkit.figures.geometry import geometry
from spkit.figures.methods import methods


class Picture(NamedTuple):
    """A figure: what it is called, what it shows in words, and its SVG."""

    title: str
    caption: str
    svg: str


def pictures(data: ReportData) -> Iterator[Picture]:
    """The figures of a report, in order."""
    yield Picture(
        "On dev: what picks the model",
        "Every candidate's score on the examples that pick, in points, with 95 % intervals over examples.",
        _methods(data, data.rows, ("dev",)),
    )
    yield Picture(
        "On test: looked at once",
        "The picked model, the given ones and the base on test, in points, with 95 % intervals over examples.",
        _methods(data, [row for row in data.rows if row.test or row.unseen], ("test", "unseen")),
    )
    if len(data.norms) > 1:
        with style():
            sheet = Sheet()
            geometry(_angles(data), sheet)
            svg = _svg(sheet, "geometry")
        yield Picture(
            "Where the given models stand",
            "Cosines of the angles between the models' changes to the base, and how long these are.",
            svg,
        )


def _methods(data: ReportData, rows: Sequence[ModelRow], parts: Sequence[str]) -> str:
    metrics = {task.name: task.metric for task in data.tasks} | dict.fromkeys(MEANS, "mean")
    scores = [
        {"method": _method(row, data), "task": task, "metric": metrics[task], **_numbers(one)}
        for row in rows
        for part in parts
        for task, one in getattr(row, part).items()
        if one.score is not None
    ]
    with style():
        sheet = Sheet()
        methods(pd.DataFrame(scores), sheet)
        return _svg(sheet, "-".join(parts))


def _method(row: ModelRow, data: ReportData) -> str:
    """A candidate by the name under which figures know its family."""
    return f"expert:{row.name}" if row.sort == "given" and row.name not in data.joint else row.name


def _numbers(one: Score) -> dict[str, float]:
    low, high = (float("nan") if end is None else end for end in (one.low, one.high))
    return {"score": float(one.score or 0.0), "low": low, "high": high}


def _angles(data: ReportData) -> pd.DataFrame:
    names = list(data.norms)
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "cosine": float("nan") if (cosine := data.cosines[a][b]) is None else cosine,
            "norm_a": data.norms[a],
            "norm_b": data.norms[b],
        }
        for number, a in enumerate(names)
        for b in names[number + 1 :]
    )


def _svg(drawing: Figure, salt: str) -> str:
    """A figure as SVG; equal figures are equal texts."""
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):  # names inside of it are made of this, not drawn at random
        drawing.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()
