"""The loss on the plane of two task vectors, with base, experts, rules, a search, and the lowest point."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from pandas import DataFrame

from spkit.drawing.contours import fill, measured_places
from spkit.drawing.curve import Look
from spkit.drawing.method_look import method_look
from spkit.drawing.place import Place, panel_on
from spkit.drawing.style import FAMILY_COLOURS, NARROW
from spkit.drawing.text import plain
from spkit.results.frames import distinct, records, rows
from spkit.results.labels import method_label
from spkit.results.table_columns import with_columns

_SIZE = (NARROW + 0.5, 3.1)
#: Of the groups of points that are no method.
_LOOKS: Mapping[str, tuple[str, Look]] = {
    "base": ("base", Look("#222222", "X", "none")),
    "expert": ("experts", Look(FAMILY_COLOURS["expert"], "s", "none")),
    "self_position": ("Self Positioning", Look(FAMILY_COLOURS["searched"], "P", "none")),
}
#: The lowest place has a star of its own.
_LOWEST = "lowest"
_LEVELS = 14


def plane(
    table: DataFrame,
    ax: Place = None,
    *,
    points: DataFrame | None = None,
    value: str = "loss",
    label: str = "loss",
) -> Axes:
    """A loss on the plane of two task vectors, as contours, with a star and its number at the lowest place measured.

    Args:
        table: a row a place of a grid: the columns x and y, of equal scale, and the loss there. Where the base is at
            0 and both vectors stand symmetrically about the diagonal, angles and lengths are true.
        ax: where to draw; see `spkit.drawing.Place`.
        points: places to mark: the columns x, y, group ("base", "expert", "average", "slerp", "self_position", or one
            of your own), point (a name; that of an expert is written beside it). Points of a rule are joined as they
            come.
        value: the column of the loss.
        label: what it is, beside the colour bar.

    Returns:
        The panel.

    Raises:
        SpkitError: a column is missing, or the places do not span a plane.

    References:
        Li et al., arXiv 2410.15035, figure 5.

    Example:
        >>> from spkit.drawing import Sheet
        >>> table = DataFrame({"x": [0.0, 1.0, 0.0, 1.0], "y": [0.0, 0.0, 1.0, 1.0], "loss": [2.0, 1.5, 1.6, 1.1]})
        >>> axes = plane(table, Sheet(), points=DataFrame({"x": [0.0], "y": [0.0], "group": "base", "point": "base"}))
        >>> [text.get_text() for text in axes.texts]
        ['1.100']
    """
    places, losses = measured_places(table, value)
    panel = panel_on(ax, _SIZE)
    fill(panel, places, losses, levels=_LEVELS, colours="viridis_r", label=label, pad=0.02, shrink=0.85)
    panel.tricontour(places[:, 0], places[:, 1], losses, levels=_LEVELS, colors="white", linewidths=0.3, alpha=0.6)
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    reach = (max(left, bottom), min(right, top))
    panel.plot(reach, reach, color="white", linestyle=":", linewidth=0.9, zorder=2)
    if points is not None:
        _points(panel, with_columns(points, ["x", "y", "group", "point"], "`points`"))
    x, y = places[losses.argmin()]
    _star(panel, float(x), float(y), float(losses.min()), to_the_left=bool(x > left + 0.8 * (right - left)))
    panel.set(xlim=(left, right), ylim=(bottom, top), xlabel="x", ylabel="y")
    panel.set_aspect("equal")
    return panel


def lowest(table: DataFrame, value: str = "loss") -> dict[str, float]:
    """The place with the lowest loss: x, y and the loss."""
    row = records(table.sort_values(value, kind="stable"))[0]
    return {name: float(row[name]) for name in ("x", "y", value)}


def _points(panel: Axes, points: DataFrame) -> None:
    edge = [withStroke(linewidth=1.8, foreground="black")]
    for group in distinct(points, "group"):
        if group == _LOWEST:
            continue
        here = rows(points, points["group"] == group)
        name, how = _LOOKS.get(str(group), (method_label(str(group)), method_look(str(group))))
        panel.plot(
            here["x"],
            here["y"],
            color=how.colour,
            linestyle=how.dashes,
            linewidth=1.0,
            marker=how.marker,
            markersize=7 if group == "self_position" else 5,
            markeredgecolor="white",
            markeredgewidth=0.7,
            label=name,
            zorder=4,
        )
        for row in records(here) if group == "expert" else []:
            text = plain(str(row["point"]).removeprefix("expert:"))
            above = row["y"] > row["x"]
            panel.annotate(
                text,
                (row["x"], row["y"]),
                (0, 7 if above else -7),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=7,
                color="white",
                path_effects=edge,
                zorder=6,
            )


def _star(panel: Axes, x: float, y: float, loss: float, to_the_left: bool) -> None:
    panel.plot(
        x,
        y,
        "*",
        color="white",
        markersize=12,
        markeredgecolor="black",
        markeredgewidth=0.7,
        linestyle="none",
        label="lowest loss",
        zorder=5,
    )
    panel.annotate(
        f"{loss:.3f}",
        (x, y),
        (-8 if to_the_left else 8, 3),
        textcoords="offset points",
        ha="right" if to_the_left else "left",
        fontsize=7.5,
        color="white",
        path_effects=[withStroke(linewidth=1.8, foreground="black")],
        zorder=6,
    )
