"""The pages of docs/results and the README's example, written from data/results: no number in them is typed by hand.

`python -m tests.results_pages` writes them anew. Each folder of data/results with a summary is a study and gets a page;
studies that are gone lose theirs.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.figures.gallery import PAGE as GALLERY
from spkit.figures.of_paper.page import PAGE as PAPER_FIGURES
from spkit.results.labels import method_label
from spkit.results.schema import COMPARISONS_MEAN, SCORES, SPAN, SUMMARY, Table
from spkit.study.paper import SETTING
from tests.results_speed import speed_page

#: The study whose figures lie at the top of the folder of figures; it comes first.
_FIRST = "demo"
#: The search that its finding is about.
_SEARCH = "self_position:module"
#: The study of the paper's setting, from the smaller base.
_PAPER = "paper/minilm-l3"
#: The study of public tasks of three kinds, with the joint model among what is merged.
_SPAN = "span"
_WRITTEN = "<!-- written by `python -m tests.results_pages` -->"
_VERDICT = "- **Verdict.**"
_RAN_ON = re.compile(r"Ran on (.+?)\.(?:\s|$)")
_TITLE = re.compile(r"\A# .*\n")
_CLAIMS = re.compile(r"^## Against the paper$.*", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^\|.*(?:\n\|.*)*", re.MULTILINE)
_HEADING = re.compile(r"^(#+) (\w+)$", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")
#: A cell of a table with a number and its interval, which the site puts below it.
_SCORE = re.compile(r"(?<=\| )([-+]?[\d.]+) (\[[^]|]+\])(?= *\|)")
#: Rows of the table that `spkit best` prints which are shown whether they were tested or not.
_BEST_ROWS = 3


def studies(root: Path) -> list[str]:
    """Names of the published studies, each the path of its folder in data/results; the demo comes first."""
    results = root / "data" / "results"
    names = [summary.parent.relative_to(results).as_posix() for summary in results.rglob(SUMMARY)]
    return sorted(names, key=lambda name: (name != _FIRST, name))


def pages(root: Path) -> dict[str, str]:
    """All pages that are written whole, by their path in docs/results."""
    written = {f"{name}.md": _study_page(root, name) for name in studies(root)}
    written |= {"against-the-paper.md": _paper_page(root), "speed.md": speed_page(root / "data" / "results")}
    return {name: _TITLE.sub(rf"\g<0>\n{_WRITTEN}\n", text) for name, text in written.items()}


def sections(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Parts of pages that are written by hand: the page, the name of the part's marks, and its text."""
    yield root / "docs" / "results" / "index.md", "studies", _table_of_studies(root)
    yield root / "README.md", "finding", _finding(root)
    yield root / "README.md", "best", _example_of_best(root)


def with_section(text: str, name: str, section: str) -> str:
    """The page with a part between its two marks in the place of the former one."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"A page must have both marks of its part. Found not both of {name!r}.")
    return f"{before}{start}{section}{end}{after}"


def _study_page(root: Path, name: str) -> str:
    """Summary and figures of a study."""
    up = "../" * name.count("/")
    summary = (root / "data" / "results" / name / SUMMARY).read_text(encoding="utf-8")
    told = _SCORE.sub(r"\1 <small>\2</small>", _CLAIMS.sub("", _TITLE.sub("", summary))).strip()
    told = _TABLE.sub(_means_first, told)
    measured, _, verdict = told.partition(f"\n{_VERDICT}")  # which ends the list of sentences, and a reader wants first
    parts = [f"# Study {name}", f"{_VERDICT}{verdict}" if verdict else "", "## What was measured", measured]
    parts.append(f"What the paper claims, held against this study: [Against the paper]({up}against-the-paper.md).")
    parts.append(
        f"The tables: [{SCORES.file}](../../{up}data/results/{name}/{SCORES.file}) and the others beside it, with a "
        "record of each stage: settings, versions, seconds, machine."
    )
    folder = Path("figures") if name == _FIRST else Path("figures") / name
    if (root / folder / GALLERY).is_file():
        gallery = (root / folder / GALLERY).read_text(encoding="utf-8")
        gallery = _PICTURE.sub(rf"![\1](../../{up}{folder.as_posix()}/\2)", gallery)
        parts.append(_HEADING.sub(_in_words, gallery).strip())
    return "\n\n".join(part for part in parts if part) + "\n"


def _means_first(table: re.Match[str]) -> str:
    """The table with its means beside the methods, where a narrow screen shows them, and without padding."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group().splitlines()]
    order = sorted(range(1, len(rows[0])), key=lambda place: rows[0][place] not in (MEAN, UNSEEN_MEAN, "forgetting"))
    return "\n".join("| " + " | ".join(row[place] for place in [0, *order]) + " |" for row in rows)


def _in_words(heading: re.Match[str]) -> str:
    """A gallery's heading one level deeper, and the name of a figure in words."""
    return f"#{heading.group(1)} {heading.group(2).replace('_', ' ').capitalize()}"


def _paper_page(root: Path) -> str:
    """What the paper claims, with what each study measured."""
    tables = []
    for name in studies(root):
        file = root / "data" / "results" / name / "against_the_paper.csv"
        if not file.is_file():
            continue
        table = pd.read_csv(file)
        table.insert(0, "study", f"[{name}]({name}.md)")
        tables.append(table if "on" in table else table.assign(on="trained"))
    claims = pd.concat(tables, ignore_index=True).fillna("")
    parts = [
        "# Against the paper",
        "What Li et al., [arXiv 2410.15035](https://arxiv.org/abs/2410.15035), say, and what each study measured, on "
        "the tasks that it trained on and on tasks that nobody trained on. A difference decides where its 95 % "
        f"interval leaves out zero. {SETTING}",
    ]
    drawn = root / "figures" / "paper" / PAPER_FIGURES
    if drawn.is_file():
        parts.append(
            f"[Each figure and table of the paper](../../figures/paper/{PAPER_FIGURES}), drawn from these studies."
        )
    for claim, rows in claims.groupby("claim", sort=False):
        parts += [f"**{claim}**", _markdown(rows[["study", "on", "measured", "outcome"]])]
    return "\n\n".join(parts) + "\n"


def _table_of_studies(root: Path) -> str:
    rows = []
    for name in studies(root):
        folder = root / "data" / "results" / name
        scores = SCORES.read(folder)
        ran_on = _RAN_ON.search((folder / SUMMARY).read_text(encoding="utf-8"))
        of = {role: dict.fromkeys(scores.loc[scores["role"] == role, "task"]) for role in ("trained", "unseen")}
        rows.append(
            {
                "study": f"[{name}]({name}.md)",
                "trained on": ", ".join(task for task in of["trained"] if task != MEAN),
                "seeds": str(scores["seed"].nunique()),
                "ran on": ran_on.group(1) if ran_on else "",
                "mean: joint": _points(scores, MEAN, "joint"),
                "best other": _best_other(scores, MEAN),
                "unseen mean: joint": _points(scores, UNSEEN_MEAN, "joint"),
                "best other ": _best_other(scores, UNSEEN_MEAN),
            }
        )
    return f"{_markdown(pd.DataFrame(rows))}\n"


def _points(scores: pd.DataFrame, mean: str, method: str) -> str:
    found = scores.loc[(scores["task"] == mean) & (scores["method"] == method), "score"]
    return "" if found.empty else f"{found.mean():.1f}"


def _best_other(scores: pd.DataFrame, mean: str) -> str:
    """The best method beside joint training by a mean over seeds, which picks on the test scores."""
    others = scores[(scores["task"] == mean) & (scores["method"] != "joint")].groupby("method")["score"].mean()
    return "" if others.empty else f"{others.max():.1f} {method_label(str(others.idxmax()))}"


def _finding(root: Path) -> str:
    """What the studies say of merges against joint training: the paper's setting, other kinds of tasks, small data."""
    paper, bundled = _against(root, _PAPER, "self_position"), _against(root, _FIRST, _SEARCH)
    experts = _against(root, _SPAN, "self_position")
    mixed = _against(root, _SPAN, "span:joint mix", SPAN)
    return (
        f"In the paper's setting, on public data, the searched merge is {_both(paper, 'joint')} joint training: "
        f"points on tasks trained on, and on unseen tasks ({_seeds(root, _PAPER)}). On public tasks of three kinds it "
        f"is {_both(experts, 'joint')} it; the joint model mixed with a quarter of each expert is "
        f"{_both(mixed, 'joint')} it ({_seeds(root, _SPAN)}). On the small bundled tasks the search by module is "
        f"{_both(bundled, 'joint')} it ({_seeds(root, _FIRST)}).\n"
    )


def _against(root: Path, study: str, method: str, source: Table = COMPARISONS_MEAN) -> dict[str, pd.DataFrame]:
    """How a method of a study stands against the others, by the mean that they are compared on."""
    table = source.read(root / "data" / "results" / study)
    table = table[table["method"] == method]
    return {mean: table[table["task"] == mean].set_index("against") for mean in (MEAN, UNSEEN_MEAN)}


def _both(against: Mapping[str, pd.DataFrame], other: str) -> str:
    """Where it stands on both means, the tasks trained on first."""
    (first, place), (second, unseen) = (_placed(against[mean].loc[other]) for mean in (MEAN, UNSEEN_MEAN))
    return f"{first} and {second} {place}" if place == unseen else f"{first} {place} and {second} {unseen}"


def _placed(row: pd.Series) -> tuple[str, str]:
    """Points with their interval, and whether that is ahead of, behind or level with the other."""
    points, low, high = (float(row[name]) for name in ("difference", "low", "high"))
    if low > 0:
        return f"{points:.1f} [{low:.1f}, {high:.1f}]", "ahead of"
    if high < 0:
        return f"{-points:.1f} [{-high:.1f}, {-low:.1f}]", "behind"
    return f"{points:+.1f} [{low:+.1f}, {high:+.1f}]", "level with"


def _seeds(root: Path, study: str) -> str:
    count = SCORES.read(root / "data" / "results" / study)["seed"].nunique()
    return f"{count} seeds" if count > 1 else "one seed"


def _markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.to_numpy()]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _example_of_best(root: Path) -> str:
    """What `spkit best` printed: the first rows of its table, all that were tested, and its verdict."""
    lines = (root / "data" / "results" / "best" / "output.txt").read_text(encoding="utf-8").splitlines()
    end = lines.index("")
    shown, left_out = [lines[0]], False
    for number, line in enumerate(lines[1:end]):
        if number < _BEST_ROWS or not line.rstrip().endswith("-"):
            shown += ["..."] * left_out + [line]
            left_out = False
        else:
            left_out = True
    return "\n".join(["```text", *shown, "```", "", f"> {lines[-1]}", ""])


def write(root: Path) -> None:
    """Write all pages and parts, and remove the pages of studies that are gone."""
    folder = root / "docs" / "results"
    wanted = pages(root)
    for page in folder.rglob("*.md"):
        if _WRITTEN in page.read_text(encoding="utf-8") and page.relative_to(folder).as_posix() not in wanted:
            page.unlink()
    for name, text in wanted.items():
        _replace(folder / name, text)
    for page, name, text in sections(root):
        _replace(page, with_section(page.read_text(encoding="utf-8"), name, text))


def _replace(page: Path, text: str) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    unfinished = page.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(page)


if __name__ == "__main__":
    write(Path())
