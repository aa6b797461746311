"""The README's measured sections, written from published result files: no number in them is typed by hand."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from spkit.results import to_markdown

_PUBLISHED = Path("data/results")
#: Parts of bench.csv that compare what a user waits for.
_TIMED = ("steps", "conflict", "merges")


def results_section(published: Path) -> str:
    """The demo's summary without its heading.

    Args:
        published: the folder of all published results.

    Returns:
        Markdown that ends with a line break.
    """
    lines = (published / "demo" / "summary.md").read_text(encoding="utf-8").splitlines()
    body = "\n".join(line for line in lines if not line.startswith("# ")).strip()
    return f"`make results` made this table; its files and records are in `data/results/demo`.\n\n{body}\n"


def speed_section(published: Path) -> str:
    """Ratios of medians, and what each search needs, as tables.

    Args:
        published: the folder of all published results.

    Returns:
        Markdown that ends with a line break.
    """
    bench = pd.read_csv(published / "bench.csv")
    bench = bench[bench["part"].isin(_TIMED) & ~bench["what"].str.contains("mapped file")]
    columns = {"what": "spkit / the other", "value": "spkit, s", "other": "the other, s", "ratio": "ratio"}
    timed = bench[list(columns)].rename(columns=columns).set_index("spkit / the other")
    return (
        "`make bench` measures medians within one run; a ratio below 1 means that spkit takes less time "
        f"([bench.csv](data/results/bench.csv), {bench['made_with'].iloc[-1].partition('; python')[0]}). Autograd "
        "through the merge is the direct way, which builds the merged weights as a part of the graph; `at()` builds "
        "the model at given coefficients.\n\n"
        f"{to_markdown(timed)}\n\n"
        "Passes over the probe until the loss is within 1 % of the lowest that any search saw, a backward pass counted "
        "as two; `sgd` and `adam` draw batches, all others take the whole probe at each point; `not in 60`: not "
        "within a budget of 60 passes "
        f"([searches.csv](data/results/searches.csv), one seed):\n\n{to_markdown(_passes(published))}\n"
    )


def _passes(published: Path) -> pd.DataFrame:
    searches = pd.read_csv(published / "searches.csv")
    if "by" in searches:  # of each number of vectors, the searches of one number a vector
        searches = searches[(searches["by"] == "loss") & (searches["numbers"] == searches["vectors"])].copy()
    needed = searches["passes"].map("{:g}".format)
    within = "not in " + searches["passes_in_all"].map("{:g}".format)
    searches["cell"] = needed.where(searches["passes"].notna(), within)
    searches.loc[searches["passes_in_all"].isna(), "cell"] = "too many points"
    table = searches.pivot(index="search", columns="vectors", values="cell").loc[searches["search"].unique()]
    return table.rename(columns=lambda count: f"{count} vectors")


#: Names of the marks around the sections, and what stands between them.
SECTIONS: dict[str, Callable[[Path], str]] = {"results": results_section, "speed": speed_section}


def write_sections(readme: Path, published: Path) -> None:
    """Put each section between its two marks in the README."""
    text = readme.read_text(encoding="utf-8")
    for name, section in SECTIONS.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}{section(published)}{end}{after}"
    unfinished = readme.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(readme)


if __name__ == "__main__":
    write_sections(Path("README.md"), _PUBLISHED)
