"""Table 1: an example of each data set."""

import textwrap
from collections.abc import Sequence

from pandas import DataFrame

from spkit.drawing.place import Sheet
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding
from spkit.figures.of_paper.grid import TextTable, draw_table
from spkit.results.frames import distinct, records, rows
from spkit.results.schema import EXAMPLES

#: Letters of a text that are shown.
_SHOWN = 110
_COLUMNS = ["dataset", "examples", "role", "group", "kind", "query", "positive", "negative"]
_ROLES = {"training": "trained on", "trained": "trained on and scored", "unseen": "only scored"}


def draw(bases: Sequence[Base]) -> Drawing:
    """A row a data set, those that are trained on first; of the first base, as data do not depend on it."""
    data = bases[0][EXAMPLES][_COLUMNS].fillna("")
    if data.empty:
        raise NothingToDrawError("examples.csv holds no data set.")
    places = {"training": 0, "trained": 0, "unseen": 1}
    lines = sorted(records(data), key=lambda row: (places.get(row["role"], 2), row["group"]))
    data = DataFrame(lines, columns=_COLUMNS)
    cells = [_cells(row) for row in records(data)]
    table = TextTable(
        header=("data set", "task", "query", "positive", "negative"),
        rows=cells,
        widths=(1.5, 1.2, 2.6, 3.1, 1.6),
        left=5,
        wrap={0: 17, 1: 14, 2: 32, 3: 38, 4: 19},
        ruled=range(len(cells)),
    )
    sheet = Sheet()
    draw_table(sheet, table)
    trained, unseen = rows(data, data["role"] != "unseen"), rows(data, data["role"] == "unseen")
    headline = f"{len(trained)} data sets are trained on, {len(unseen)} are only scored"
    finding = Finding(
        "open",
        f"{len(trained)} data sets are trained on ({_counted(trained)}), {len(unseen)} are only scored.",
        "Nothing to compare: the data sets are others than the paper's.",
        "Other data sets, all English: the paper's are larger (table 4) and half of them Chinese.",
    )
    caption = (
        f"An example of each data set, with its task and its number of examples; texts are cut after {_SHOWN} letters. "
        f"n = {len(data)} data sets."
    )
    return Drawing(sheet, data, caption, {**finding.told(), **table.told()}, headline)


def _cells(row: dict[str, object]) -> list[str]:
    task = str(row["group"] or row["kind"])
    about = f"{row['dataset']} ({float(str(row['examples'])):,.0f} examples)"
    texts = [_cut(str(row[name])) for name in ("query", "positive", "negative")]
    return [about, f"{task}: {_ROLES.get(str(row['role']), row['role'])}", *texts]


def _cut(text: str) -> str:
    return textwrap.shorten(text, _SHOWN, placeholder=" …")


def _counted(table: DataFrame) -> str:
    names = distinct(table, "group")
    parts = [
        f"{name or 'no task'}: {rows(table, table['group'] == name)['examples'].sum():,.0f} examples" for name in names
    ]
    return ", ".join(parts)


FIGURE = PaperFigure(
    order=30,
    title="An example of each data set",
    says="Query, positive and, where there is one, hard negative of each training set.",
    draw=draw,
    needs=(EXAMPLES,),
)
