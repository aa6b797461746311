"""Who is ahead of joint training by how much: over the ratio of two tasks' sizes, and over training length."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from pandas import DataFrame

from spkit.drawing.caption import seeds_text
from spkit.drawing.headline import WHERE
from spkit.drawing.matrix import Scale, draw_cells, scale_below, write_cell
from spkit.drawing.place import Place, Sheet, panels_on
from spkit.drawing.rule import Drawing, NothingToDrawError, figure
from spkit.drawing.style import WIDE
from spkit.drawing.text import ratio_text, signed
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.results.frames import distinct, records, rows
from spkit.results.labels import method_label
from spkit.results.schema import IMBALANCE_MAP

_TITLES = {MEAN: "mean of the trained tasks", UNSEEN_MEAN: "mean of the unseen tasks"}
_OPEN = "open"


def imbalance_map(table: DataFrame, ax: Place = None, *, against: str | None = None) -> list[Axes]:
    """Differences from a joint training, a column a ratio of sizes and number of epochs; open cells stay white.

    Args:
        table: a row a difference: the columns ratio (larger task over smaller), epochs, method, against, task ("mean",
            "unseen mean", others are not drawn), difference, low, high, flops, verdict ("ahead", "behind", or "open"
            where the interval holds zero), and seed where there are several.
        ax: where to draw; see `spkit.drawing.Place`.
        against: the joint training that differences are from; by default the first of the table.

    Returns:
        The panels: of the trained mean, and of the unseen one where there is any.

    Raises:
        SpkitError: there is no difference of a mean, or a column is missing.

    Example:
        >>> about = {"task": "mean", "method": "ties", "against": "joint: proportional", "flops": 1.0, "seed": 0}
        >>> table = DataFrame({"ratio": [1, 10], "epochs": 3, "difference": [-2.0, 0.4], "verdict": ["behind", "open"]})
        >>> (panel,) = imbalance_map(table.assign(low=-3.0, high=-1.0, **about), Sheet())
        >>> [text.get_text() for text in panel.texts]
        ['−2.0', '0.4']
    """
    drawn = map_drawn(table, against)
    means = [mean for mean in _TITLES if mean in set(drawn["task"])]
    methods, cells = distinct(drawn, "method"), _cells(drawn)
    reach = float(drawn["difference"].abs().max()) or 1.0
    scale = Scale(-reach, reach, "RdBu")
    panels = panels_on(ax, means, (WIDE, 0.9 + (0.55 + 0.27 * len(methods)) * len(means)), across=1, sharex=True)
    for panel, mean in zip(panels, means, strict=True):
        here = rows(drawn, drawn["task"] == mean)
        grid = here[here["verdict"] != _OPEN].pivot(index="method", columns="cell", values="difference")
        draw_cells(panel, grid.reindex(index=methods, columns=cells), scale)
        for one in records(here):
            decided = one["verdict"] != _OPEN
            text = (signed(one["difference"], 1), 7.0, "bold" if decided else "normal")
            place = methods.index(one["method"]), cells.index(one["cell"])
            write_cell(panel, *place, [text], scale.colour(one["difference"]) if decided else "white")
        panel.set_yticklabels([method_label(method) for method in methods], rotation=0)
        panel.set_xticklabels(cells, rotation=0)
        panel.set_title(_TITLES[mean])
    scale_below(panels, f"points ahead of {distinct(drawn, 'against')[0]}", scale)
    return panels


def map_drawn(table: DataFrame, against: str | None = None) -> DataFrame:
    """What the figure shows: differences of both means, averaged over seeds; decided where all seeds say the same.

    Args:
        table: as of `imbalance_map`.
        against: likewise.
    """
    table = IMBALANCE_MAP.checked(table)
    of_means = rows(table, table["task"].isin(list(_TITLES)))
    if of_means.empty:
        raise NothingToDrawError("imbalance_map.csv holds no difference of a mean.")
    chosen = against if against is not None else distinct(of_means, "against")[0]
    here = rows(of_means, of_means["against"] == chosen)
    if here.empty:
        raise NothingToDrawError(f"imbalance_map.csv holds no difference from {chosen!r}.")
    keys = ["task", "method", "against", "ratio", "epochs"]
    numbers = here.groupby(keys, sort=False)[["difference", "low", "high", "flops"]].mean()
    verdicts = here.groupby(keys, sort=False)["verdict"].agg(
        lambda said: said.iloc[0] if said.nunique() == 1 else _OPEN
    )
    drawn = numbers.assign(verdict=verdicts).reset_index()
    return drawn.assign(cell=[_cell(float(row["ratio"]), float(row["epochs"])) for row in records(drawn)])


def _cell(ratio: float, epochs: float) -> str:
    return f"{ratio_text(ratio)}\n{epochs:g} epoch{'' if epochs == 1 else 's'}"


def _cells(drawn: DataFrame) -> list[str]:
    """The columns: first over the ratios at the epochs that most of them have, then over the other epochs."""
    places = drawn[["ratio", "epochs", "cell"]].drop_duplicates()
    usual = places.groupby("epochs").size().idxmax()
    over_ratios = rows(places, places["epochs"] == usual).sort_values("ratio")
    over_epochs = rows(places, places["epochs"] != usual).sort_values(["epochs", "ratio"])
    return [*over_ratios["cell"], *over_epochs["cell"]]


@figure("imbalance_map", inputs=[IMBALANCE_MAP], order=250)
def rule(tables: Mapping[str, DataFrame]) -> Drawing:
    """The map of a study's ratios and training lengths."""
    table = tables[IMBALANCE_MAP.file]
    sheet = Sheet()
    imbalance_map(table, sheet)
    drawn = map_drawn(table)
    caption = (
        "Points, means over the seeds, by which a method is ahead of joint training with proportional sampling (blue) "
        "or behind it (red), "
        "where the larger of two tasks has so many times the examples of the smaller, both together always as many, "
        "and each training passes so often over its examples. Bold on colour: the 95 % interval over test examples "
        "leaves out zero (in every seed); white: it holds zero, and who is ahead is open. Other joint trainings, by "
        f"uniform and temperature sampling, stand in rows of their own; {seeds_text(table)}, "
        f"n = {len(drawn.drop_duplicates(['ratio', 'epochs']))} cells."
    )
    data = drawn.assign(cell=drawn["cell"].str.replace("\n", ", "))
    return Drawing(sheet, data, caption, headline=_headline(drawn))


def _headline(drawn: DataFrame) -> str:
    """In how many cells a method is ahead of joint training, and in how many behind."""
    told = []
    for mean in (mean for mean in _TITLES if mean in set(drawn["task"])):
        said = list(drawn.loc[drawn["task"] == mean, "verdict"])
        told.append(f"ahead in {said.count('ahead')}, behind in {said.count('behind')} of {len(said)} on {WHERE[mean]}")
    return f"Against {method_label(distinct(drawn, 'against')[0])} methods are {'; '.join(told)}"
