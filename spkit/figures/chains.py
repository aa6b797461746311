"""Rules over their grids: one mean against another, a connected chain of points for each rule, around a joint model."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from spkit.drawing.method_look import method_look
from spkit.drawing.place import Place, panel_on
from spkit.drawing.rule import NothingToDrawError
from spkit.drawing.style import NARROW
from spkit.results.frames import distinct, rows
from spkit.results.labels import method_label, ordered_methods
from spkit.results.table_columns import with_columns

_SIZE = (NARROW, 2.6)


def chains(
    table: DataFrame,
    ax: Place = None,
    *,
    joint: tuple[float, float] | None = None,
    axes_labels: tuple[str, str] = ("STS mean, points", "retrieval mean, points"),
) -> Axes:
    """Every rule at every value of its setting: one score against another, the points of a rule joined in their order.

    Args:
        table: a row a setting: the columns method, value (of the setting; points are joined in its order), x, y.
        ax: where to draw; see `spkit.drawing.Place`.
        joint: x and y of a model to compare with, as a red square.
        axes_labels: what the two axes are.

    Returns:
        The panel.

    Raises:
        SpkitError: there is no row, or a column is missing.

    References:
        Li et al., arXiv 2410.15035, figure 3.

    Example:
        >>> from spkit.drawing import Sheet
        >>> table = DataFrame({"method": "ties", "value": [1.2, 0.8, 1.0], "x": [70, 74, 73], "y": [50, 47, 49]})
        >>> axes = chains(table, Sheet(), joint=(72.0, 48.0))
        >>> [float(x) for x in axes.lines[0].get_xdata()]
        [74.0, 73.0, 70.0]
    """
    table = with_columns(table, ["method", "value", "x", "y"], "`table`").dropna(subset=["x", "y"])
    if table.empty:
        raise NothingToDrawError("There is no setting of a rule with both scores.")
    panel = panel_on(ax, _SIZE)
    for method in ordered_methods(distinct(table, "method")):
        chain = rows(table, table["method"] == method).sort_values("value", kind="stable")
        how = method_look(method)
        panel.plot(
            chain["x"].astype(float),
            chain["y"].astype(float),
            color=how.colour,
            linestyle=how.dashes,
            marker=how.marker,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linewidth=1.1,
            label=method_label(method),
            zorder=3,
        )
    if joint is not None:
        how = method_look("joint")
        faint = {"color": how.colour, "linewidth": 0.6, "alpha": 0.5, "zorder": 1}
        panel.axvline(joint[0], **faint)
        panel.axhline(joint[1], **faint)
        panel.plot(
            *joint,
            how.marker,
            color=how.colour,
            markersize=6.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            linestyle="none",
            label=method_label("joint"),
            zorder=4,
        )
    panel.margins(0.09)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    panel.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
    return panel
