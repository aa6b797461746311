"""Table 4: the training sets and their sizes."""

from collections.abc import Sequence

from pandas import DataFrame

from spkit.drawing.place import Sheet
from spkit.drawing.rule import Drawing, NothingToDrawError
from spkit.figures.of_paper.base import Base
from spkit.figures.of_paper.figure import PaperFigure
from spkit.figures.of_paper.finding import Finding, Word
from spkit.figures.of_paper.grid import TextTable, draw_table
from spkit.figures.of_paper.numbers import TRAINING_SETS
from spkit.results.frames import distinct, records, rows
from spkit.results.schema import EXAMPLES

#: Sizes within this factor are alike.
_ALIKE = 3.0


def draw(bases: Sequence[Base]) -> Drawing:
    """Our training sets, and the paper's below them."""
    examples = bases[0][EXAMPLES]
    own = rows(examples, examples["role"].isin(["training", "trained"]))
    if own.empty:
        raise NothingToDrawError("examples.csv holds no data set that is trained on.")
    parts = [{"whose": "ours", "task": str(row["group"] or row["kind"]), "dataset": str(row["dataset"]),
              "examples": int(row["examples"])} for row in records(own)]  # fmt: skip
    parts.sort(key=lambda row: row["task"])
    ours = len(parts)
    for language, sets in TRAINING_SETS.items():
        parts += [{"whose": f"paper, {language}", "task": task, "dataset": name, "examples": size}
                  for name, task, size in sets]  # fmt: skip
    data = DataFrame(parts)
    firsts = [place for place in range(1, len(parts)) if parts[place]["whose"] != parts[place - 1]["whose"]]
    whole = data.groupby("whose", sort=False)["examples"].transform("sum")
    cells = [
        [row["whose"] if place in (0, *firsts) else "", row["task"], row["dataset"], f"{row['examples']:,}",
         f"{100 * row['examples'] / total:.0f} %"]
        for place, (row, total) in enumerate(zip(parts, whole, strict=True))
    ]  # fmt: skip
    table = TextTable(
        header=("whose", "task", "data set", "examples", "share"),
        rows=cells,
        widths=(1.5, 1.5, 2.0, 1.2, 0.8),
        left=3,
        ruled=firsts,
        theirs=range(ours, len(cells)),
    )
    sheet = Sheet()
    draw_table(sheet, table)
    ratios = {whose: _ratio(rows(data, data["whose"] == whose)) for whose in distinct(data, "whose")}
    headline = f"Our larger task has {ratios['ours']:.1f} times the examples of the smaller"
    theirs = [value for whose, value in ratios.items() if whose != "ours"]
    near = min(theirs) / _ALIKE <= ratios["ours"] <= max(theirs) * _ALIKE
    word: Word = "same" if near else "other"
    texts = ", ".join(f"{whose} {value:.1f}" for whose, value in ratios.items())
    finding = Finding(
        word,
        f"{data['examples'][:ours].sum():,} training examples (the paper: "
        f"{' and '.join(f'{sum(size for *_, size in sets):,}' for sets in TRAINING_SETS.values())}); the larger task "
        f"over the smaller: {texts}.",
        f"Same where the ratio of the two tasks' sizes is within a factor of {_ALIKE:g} of the paper's, else other.",
        "That table 4 is this one is our reading: the sizes stand in the paper's appendix A.",
    )
    caption = f"Training sets and their numbers of examples; grey, the paper's. n = {ours} sets of ours."
    return Drawing(sheet, data, caption, {**finding.told(), **table.told()}, headline)


def _ratio(table: DataFrame) -> float:
    """The examples of the largest task over those of the smallest."""
    sizes = table.groupby("task")["examples"].sum()
    return float(sizes.max() / sizes.min())


FIGURE = PaperFigure(
    order=130,
    title="Training sets and their sizes",
    says="Training sets of 57,110 to 802,291 examples; joint training takes them as they are.",
    draw=draw,
    needs=(EXAMPLES,),
)
