"""Drawing the figures of a study into files, and checking that those that are there are up to date."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm.auto import tqdm

from spkit.drawing.files import SUFFIXES, NoTableError, differences, is_fresh, write_figure
from spkit.drawing.rule import NothingToDrawError, Rule, chosen_rules
from spkit.errors import SpkitError, quoted
from spkit.figures.listing import Collection, collection_of
from spkit.study.analyses import analyses_of_figures


def draw_figures(
    results: Path | str,
    output: Path | str,
    only: Sequence[str] | None = None,
    *,
    stale_only: bool = False,
    study: str | None = None,
    progress: bool = False,
) -> list[Path]:
    """Draw figures from a study's files, each as PDF, PNG, the data drawn (CSV) and its provenance (JSON).

    A figure whose data a study did not produce is left out, and said so on stderr. A page, `figures.md`, shows all that
    lie in the folder, with their captions.

    Args:
        results: folder of a finished study.
        output: folder for the figures; made where it does not exist.
        only: names of figures (see `figure_names`); default all.
        stale_only: whether a figure that was made of the same tables, code and style stays as it is.
        study: "paper" for the figures and tables of arXiv 2410.15035, one to one, and their page `paper.md`; `results`
            then holds a folder of tables for each base, or the tables of one. Default: our own figures.
        progress: whether to show a progress bar.

    Returns:
        The files written, four for each figure; the page is not among them.

    Raises:
        SpkitError: a name in `only` is not a figure's, or a figure named in `only` lacks its data.
    """
    collection, output = collection_of(study), Path(output)
    results = _folder(results, collection)
    written: list[Path] = []
    lacks: dict[str, NothingToDrawError] = {}
    rules = chosen_rules(collection.rules(results), only)
    for rule in tqdm(rules, desc="figures", unit="figure", leave=False, disable=not progress):
        try:
            if not (stale_only and is_fresh(rule, results, output)):
                written += write_figure(rule, results, output)
        except NothingToDrawError as lack:
            _refuse(rule, lack, only)
            lacks[rule.name] = lack
    _say_left_out(lacks)
    collection.write_page(results, output)
    return written


def check_figures(
    results: Path | str, output: Path | str, only: Sequence[str] | None = None, *, study: str | None = None
) -> list[str]:
    """Draw the figures anew in a temporary folder and compare every byte with the files in `output`, and their page.

    Args:
        results: folder of a finished study.
        output: folder that holds the figures.
        only: names of figures; default all.
        study: as for `draw_figures`.

    Returns:
        A sentence for each figure that differs, its name first and the reason after it; empty where all are as drawn.

    Raises:
        SpkitError: as `draw_figures`.
    """
    collection, output = collection_of(study), Path(output)
    results = _folder(results, collection)
    differing = []
    lacks: dict[str, NothingToDrawError] = {}
    for rule in chosen_rules(collection.rules(results), only):
        with tempfile.TemporaryDirectory() as folder:
            try:
                write_figure(rule, results, Path(folder))
                reasons = differences(rule.name, Path(folder), output)
            except NothingToDrawError as lack:
                _refuse(rule, lack, only)
                lacks[rule.name] = lack
                stale = [f"{rule.name}{suffix}" for suffix in SUFFIXES if (output / f"{rule.name}{suffix}").exists()]
                reasons = [f"{lack} Yet there is {quoted(stale)}"] if stale else []
        if reasons:
            differing.append(f"{rule.name}: {'; '.join(reasons)}")
    _say_left_out(lacks)
    if only is None and not collection.page_fits(results, output):
        differing.append(f"{collection.page}: it does not show the figures that lie beside it, with their captions")
    return differing


def _folder(results: Path | str, collection: Collection) -> Path:
    folder = Path(results)
    if not folder.is_dir():
        raise SpkitError(
            "`results` must be the folder of a finished study.",
            f"Found no folder {str(folder)!r}.",
            "Run `spkit study` first.",
        )
    if not collection.has_tables(folder):
        raise SpkitError(
            "`results` must be the folder of a finished study.",
            f"Found no table in {str(folder)!r}.",
            f"Pass the folder that holds {collection.holds}.",
        )
    return folder


def _refuse(rule: Rule, lack: NothingToDrawError, only: Sequence[str] | None) -> None:
    """A figure that was asked for by name must not be left out."""
    if only is not None:
        raise SpkitError(
            f"The figure {rule.name!r} must have data to draw.",
            str(lack),
            f"{_way_to_it(rule.name)}, or leave the figure out.",
        )


def _say_left_out(lacks: Mapping[str, NothingToDrawError]) -> None:
    """Say on stderr what is left out; in one line where a study made no table, with the tables its profile lacks."""
    absent = [name for name, lack in lacks.items() if isinstance(lack, NoTableError)]
    for name, lack in lacks.items():
        if name not in absent:
            print(f"The figure {name!r} is left out: {lack}", file=sys.stderr)
    if absent:
        print(
            f"Figures whose tables this study did not make: {quoted(absent)}.{_profile_tables(absent)}", file=sys.stderr
        )


def _profile_tables(figures: Sequence[str]) -> str:
    """Which table of a profile adds which of these figures."""
    by_table: dict[str, list[str]] = {}
    for name in figures:
        if table := analyses_of_figures().get(name):
            by_table.setdefault(table, []).append(name)
    listed = "; ".join(f"[{table}] for {quoted(names)}" for table, names in by_table.items())
    return f" Tables of a profile that add them: {listed}." if listed else ""


def _way_to_it(figure: str) -> str:
    table = analyses_of_figures().get(figure)
    return f"Run a study whose profile has the table [{table}]" if table else "Run the study's stage that makes it"
