"""The explorer's two pictures: bars of the scores and the map, as live plotly figures and as one still picture."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from spkit.explorer.exploration import MEAN, Exploration, Quantity, Reading
from spkit.vectors.plane import Plane

#: Okabe-Ito. Each mark has a shape of its own too, so that colour is never needed to distinguish them.
COLOURS = {"you": "#D55E00", "expert": "#0072B2", "joint": "#CC79A7", "base": "#7F7F7F", "search": "#E69F00"}
#: Black around a mark separates it from a bar of any colour; on a dark page the mark's own colour is what is seen.
_OUTLINED: dict[str, Any] = {"size": 11, "line": {"width": 1.5, "color": "black"}}
#: Marks of what bars are compared with, by plotly and by matplotlib; the base's is a line across the bar and beyond it,
#: black within white, so that it is seen on the bar and on pages of either theme.
_LINE = "line-ew-open"
LIVE_MARKS: dict[str, list[dict[str, Any]]] = {
    "base": [
        {"symbol": _LINE, "color": "white", "size": 27, "line": {"width": 7}},
        {"symbol": _LINE, "color": "black", "size": 26, "line": {"width": 3}},
    ],
    "expert": [{"symbol": "diamond", "color": COLOURS["expert"], **_OUTLINED}],
    "joint": [{"symbol": "square", "color": COLOURS["joint"], **_OUTLINED}],
}
STILL_MARKS: dict[str, dict[str, Any]] = {
    "base": {"marker": "_", "color": "black", "s": 260, "linewidth": 1.6},
    "expert": {"marker": "D", "color": COLOURS["expert"], "s": 28, "edgecolor": "black", "linewidth": 0.8},
    "joint": {"marker": "s", "color": COLOURS["joint"], "s": 28, "edgecolor": "black", "linewidth": 0.8},
}
#: One colour for both of JupyterLab's themes: its contrast is 4.0 on the white page and 4.1 on the dark one, and no
#: colour has more on both.
INK, FAINT = "#7F7F7F", "rgba(127,127,127,0.25)"
TITLES = {"score": "mean score, points", "loss": "mean loss"}


def bars(exploration: Exploration) -> Any:
    """A bar a task for where you are, and marks for its expert, joint training and the base."""
    rows = [escape(row) for row in exploration.rows]  # plotly takes some tags for markup
    traces: list[Any] = [go.Bar(x=rows, y=[0.0] * len(rows), name="you", marker_color=COLOURS["you"], opacity=0.75)]
    for name, values in exploration.references.items():
        for place, marker in enumerate(LIVE_MARKS[name]):
            last = place == len(LIVE_MARKS[name]) - 1
            hover = {} if last else {"hoverinfo": "skip"}
            traces.append(
                go.Scatter(
                    x=rows,
                    y=values,
                    mode="markers",
                    name=name,
                    marker=marker,
                    showlegend=last and name != "base",
                    cliponaxis=False,  # a mark at 100 points is seen whole
                    **hover,
                )
            )
    # In the legend there is no bar behind the base's line, and the page may be dark.
    seen = {"symbol": _LINE, "color": INK, "size": 20, "line": {"width": 3}}
    traces.append(go.Scatter(x=[None], y=[None], mode="markers", name="base", marker=seen))
    figure: Any = go.Figure(traces)  # Any: plotly's traces are made at run time, no type checker sees them
    figure.update_layout(**_layout(240), yaxis_title="score, points")
    figure.update_layout(legend={"orientation": "h", "y": 1.18, "x": 0}, bargap=0.45)
    figure.update_yaxes(range=[min(0.0, *figure.data[1].y) - 2, 102], gridcolor=FAINT, zeroline=False)
    return figure


def live(figure: Any) -> Any:
    """A figure as a widget: only what is drawn before reaches a page that is opened later (voila's)."""
    return go.FigureWidget(figure)


class Map:
    """The plane through the base and two task vectors: contours, experts, marked positions, a search, and you.

    Args:
        exploration: gives the values.
        search: coefficients of the search, step after step [S, N]; None where there was none.
    """

    def __init__(self, exploration: Exploration, search: Float[np.ndarray, "S N"] | None) -> None:
        self._exploration, self._search = exploration, search
        self._others: tuple[Any, ...] | None = None
        self.plane = Plane(exploration.space.gram, 0, min(1, len(exploration.vectors) - 1))
        shades = {"colorscale": "Viridis", "ncontours": 14, "line": {"width": 0.5}, "hoverinfo": "skip"}
        self.figure: Any = go.Figure(
            [
                go.Contour(**shades, colorbar={"thickness": 10, "tickfont": {"size": 10}}),
                go.Scatter(mode="lines", hoverinfo="skip", line={"color": "white", "width": 5}),
                go.Scatter(mode="lines", name="search", line={"color": COLOURS["search"], "width": 2.5}),
                go.Scatter(mode="markers+text", name="models", **_named("circle", COLOURS["expert"])),
                go.Scatter(mode="markers", name="you", **_marks("cross", COLOURS["you"], 14)),
            ]
        )
        self.figure.update_layout(**_layout(310), showlegend=False)
        self.figure.update_xaxes(showgrid=False, zeroline=False)
        self.figure.update_yaxes(showgrid=False, zeroline=False, scaleanchor="x")

    def go_live(self) -> None:
        """Become a widget, with all that is drawn."""
        self.figure = live(self.figure)

    def choose(self, first: int, second: int) -> None:
        """Turn to the plane of other two vectors."""
        self.plane, self._others = Plane(self._exploration.space.gram, first, second), None

    def show(self, coefficients: Sequence[float], quantity: Quantity) -> None:
        """Put you where you are; draw the contours anew where another plane, or another cut, is seen."""
        plane = self.plane
        here = plane.at(np.array([coefficients]))[0]
        kept = [value for number, value in enumerate(coefficients) if number not in (plane.first, plane.second)]
        others = (plane.first, plane.second, quantity, self._exploration.num_points, *kept)
        with self.figure.batch_update():
            contour, casing, search, models, you = self.figure.data
            you.x, you.y = [here[0]], [here[1]]
            if others == self._others:
                return
            self._others = others
            x, y, positions = plane.grid(coefficients)
            contour.x, contour.y = x, y
            contour.z = self._exploration.surface(positions, quantity).reshape(len(y), len(x))
            contour.colorbar.title.text = TITLES[quantity]
            contour.reversescale = quantity == "loss"
            marks = self.marks(coefficients)
            models.marker.symbol = np.where(marks["here"], "circle", "circle-open").tolist()
            models.marker.color = np.where(marks["here"], COLOURS["expert"], "white").tolist()
            models.x, models.y, models.text = marks["x"], marks["y"], [escape(name) for name in marks["name"]]
            models.textposition = [f"{side} center" for side in marks["side"]]
            if (way := self.search_way()) is not None:
                for line in (casing, search):
                    line.x, line.y = way[:, 0], way[:, 1]
            along, towards = self.titles()
            self.figure.update_xaxes(title=escape(along))
            self.figure.update_yaxes(title=escape(towards))

    def titles(self) -> tuple[str, str]:
        """What the two axes of this plane measure."""
        names = self._exploration.vectors.names
        return f"along {names[self.plane.first]}, distance of weights", f"towards {names[self.plane.second]}"

    def marks(self, coefficients: Sequence[float]) -> pd.DataFrame:
        """Name and place of the models in this plane, and on which side of the place the name stands: top or bottom.

        `here` is whether a model lies in the cut through the position, whose values the contours show; others are seen
        from the side.
        """
        rows = []
        others = {*range(len(coefficients))} - {self.plane.first, self.plane.second}
        for name, values in self._exploration.presets.items():
            inside = all(values[number] == 0 for number in others)
            if inside or name in self._exploration.marked:
                x, y = self.plane.at(np.array([values]))[0]
                apart = max((abs(values[number] - coefficients[number]) for number in others), default=0.0)
                rows.append((name.removeprefix("expert: "), x, y, apart < 0.01))
        marks = pd.DataFrame(rows, columns=["name", "x", "y", "here"])
        return marks.assign(side=_sides(marks["x"].to_numpy(), marks["y"].to_numpy()))

    def search_way(self) -> Float[np.ndarray, "S 2"] | None:
        """The search's way in this plane."""
        return None if self._search is None else self.plane.at(self._search)


def _sides(x: np.ndarray, y: np.ndarray) -> list[str]:
    """Where names stand at their marks: below where one above would cover that of a mark before."""
    reach = max(np.ptp(x), np.ptp(y), 1e-12) if len(x) else 1.0
    sides: list[str] = []
    for here in range(len(x)):
        # A name takes about a third of the map's width and a twelfth of its height.
        close = [
            sides[there]
            for there in range(here)
            if abs(x[there] - x[here]) < reach / 3 and abs(y[there] - y[here]) < reach / 12
        ]
        sides.append("bottom" if "top" in close else "top")
    return sides


def still(exploration: Exploration, reading: Reading, map_: Map, quantity: Quantity) -> bytes:
    """Bars and map as a PNG, for readers without a kernel."""
    from matplotlib import rc_context

    from spkit.drawing.place import Sheet
    from spkit.drawing.render import png
    from spkit.drawing.style import WIDE, style

    with style(), rc_context({"text.parse_math": False}):  # a name with two dollars is no formula
        figure = Sheet(WIDE, 2.9)
        left, right = figure.subplots(1, 2)
        rows = exploration.rows
        left.bar(rows, reading.values["score"], color=COLOURS["you"], alpha=0.75, width=0.55, label="you")
        for name, values in exploration.references.items():
            given = [(row, value) for row, value in zip(rows, values, strict=True) if value is not None]
            if given:  # vectors may have names that are no task's, which then has no expert
                left.scatter(*zip(*given, strict=True), **STILL_MARKS[name], label=name, zorder=3)
        left.set_ylabel(f"score, points ({'measured' if reading.measured else 'interpolated'})")
        left.tick_params(axis="x", rotation=25)
        left.legend(fontsize=6, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        x, y, positions = map_.plane.grid(reading.coefficients)
        shown = exploration.surface(positions, quantity).reshape(len(y), len(x))
        colours = "viridis_r" if quantity == "loss" else "viridis"
        figure.colorbar(right.contourf(x, y, shown, 14, cmap=colours), ax=right, label=TITLES[quantity])
        if (way := map_.search_way()) is not None:
            right.plot(way[:, 0], way[:, 1], color=COLOURS["search"], path_effects=_around("white", 1.5))
        for mark in map_.marks(reading.coefficients).itertuples():
            filled = COLOURS["expert"] if mark.here else "none"
            right.plot(mark.x, mark.y, "o", markerfacecolor=filled, markeredgecolor="white")
            above = mark.side == "top"
            right.annotate(str(mark.name), (mark.x, mark.y), (0, 5 if above else -5), textcoords="offset points",
                           fontsize=6, ha="center", va="bottom" if above else "top", color="white",
                           path_effects=_around("black", 0.8))  # fmt: skip
        here = map_.plane.at(np.array([reading.coefficients]))[0]
        right.plot(*here, "X", color=COLOURS["you"], markersize=9, markeredgecolor="white")
        right.set_aspect("equal")
        along, towards = map_.titles()
        right.set_xlabel(along)
        right.set_ylabel(towards)
        return png(figure)


def _around(colour: str, width: float) -> list[Any]:
    """An edge around a line or a text, which is then seen on any ground."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2 * width, foreground=colour), Normal()]


def html_table(exploration: Exploration, reading: Reading) -> str:
    """The numbers of the bars as a table."""
    columns: dict[str, Mapping[Any, float | None]] = {"you": reading.values["score"].to_dict()}
    if reading.errors is not None:
        columns["±"] = reading.errors["score"].to_dict()
    for name, values in exploration.references.items():
        columns[name] = dict(zip(exploration.rows, values, strict=True))
    columns["your loss"] = reading.values["loss"].to_dict()
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = []
    for row in exploration.rows:
        cells = "".join(f"<td>{_cell(name, values[row])}</td>" for name, values in columns.items())
        style = ' style="font-weight:bold"' if row == MEAN else ""
        body.append(f'<tr{style}><th scope="row">{escape(row)}</th>{cells}</tr>')
    kind = "measured" if reading.measured else "interpolated; ± is the cross-validated error"
    few = f"on up to {max(exploration.quick.examples.values())} dev examples a task"
    return (
        f'<table class="spkit-numbers"><caption>Scores in points {few} ({kind})</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _cell(column: str, value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.3f}" if column == "your loss" else f"{value:.1f}"


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "width": 430,  # beside the sliders, with JupyterLab's file list open, on a screen 1280 wide
        "margin": {"l": 50, "r": 10, "t": 30, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12},
        "template": "none",
    }


def _marks(symbol: str, colour: str, size: int) -> dict[str, Any]:
    return {"marker": {"symbol": symbol, "color": colour, "size": size, "line": {"width": 1.5, "color": "white"}}}


def _named(symbol: str, colour: str) -> dict[str, Any]:
    # Names stand on contours of every colour: a shadow keeps white ones readable on yellow.
    shadow = ", ".join(["0 0 2px black"] * 4)
    return {**_marks(symbol, colour, 9), "textfont": {"size": 11, "color": "white", "shadow": shadow}}
