"""Reading what studies left, for notebooks: tables, figures, words and models, from where they are."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.figures.registry import NothingToDrawError, chosen_rules
from spkit.study.places import vectors_folder
from spkit.study.profile_file import load_profile
from spkit.study.report import SUMMARY
from spkit.study.run import train_experts
from spkit.vectors.task_vectors import TaskVectors

#: Where results are looked for, in a project's folder: one's own runs before what was published.
#: Runs on bundled tasks only, which is what the notebooks load; others are opened by name.
_USUAL = ("runs/demo", "runs/tour", "data/results/demo", "data/results/tour", "data/results/paper")


@dataclass(frozen=True)
class Shown:
    """A figure as a notebook shows it: the picture with its caption.

    Attributes:
        name: of the figure.
        png: the picture.
        caption: what it shows, with seeds, n and intervals.
        data: what is drawn.
        source: the folder whose tables it was drawn from.
    """

    name: str
    png: bytes
    caption: str
    data: pd.DataFrame
    source: Path

    def _repr_mimebundle_(self, **_given: Any) -> dict[str, str]:
        picture = base64.b64encode(self.png).decode()
        # Figures are drawn black on white: on a dark page they need the white.
        html = (
            f'<figure style="margin:0"><img alt="{escape(self.caption, quote=True)}" '
            f'style="background:white;max-width:100%;width:700px" src="data:image/png;base64,{picture}">'
            f'<figcaption style="max-width:700px">{escape(self.caption)} <i>From {escape(str(self.source))}.</i>'
            "</figcaption></figure>"
        )
        return {"text/html": html, "image/png": picture, "text/plain": f"{self.name}: {self.caption}"}


class Results:
    """The result files of one or several studies; a table comes from the first folder that has it.

    Args:
        folders: of studies, or of published results; those that are not there are passed over.

    Raises:
        SpkitError: none of them is there.
    """

    def __init__(self, *folders: str | Path) -> None:
        self.folders = [Path(folder) for folder in folders if Path(folder).is_dir()]
        if not self.folders:
            raise SpkitError(
                "Results must be in a folder.",
                f"Found none of {quoted([str(folder) for folder in folders])}.",
                "Run `make demo` first, or `spkit study tour`.",
            )

    def __repr__(self) -> str:
        return f"Results({', '.join(str(folder) for folder in self.folders)})"

    def tables(self) -> list[str]:
        """Names of all tables, without `.csv`."""
        return sorted({path.stem for folder in self.folders for path in folder.glob("*.csv")})

    def folder_of(self, *files: str) -> Path:
        """The first folder that holds all of these files.

        Raises:
            SpkitError: none does.
        """
        for folder in self.folders:
            if all((folder / file).is_file() for file in files):
                return folder
        raise SpkitError(
            "What is shown must come from a study that was run.",
            f"Found no {quoted(files)} in {quoted([str(folder) for folder in self.folders])}.",
            "Run `spkit study tour` in a terminal, in the project's folder (about an hour on two cores): it makes "
            "every table once.",
        )

    def __getitem__(self, table: str) -> pd.DataFrame:
        """A table by its name, without `.csv`."""
        return pd.read_csv(self.folder_of(f"{table}.csv") / f"{table}.csv")

    def figure(self, name: str) -> Shown:
        """A figure, drawn from the first folder that holds its tables and something to draw.

        Raises:
            SpkitError: no such figure, or none of the folders has its tables.
        """
        from spkit.figures.render import render

        (rule,) = chosen_rules([name])
        self.folder_of(*rule.inputs)
        empty: NothingToDrawError | None = None
        for folder in self.folders:
            if all((folder / file).is_file() for file in rule.inputs):
                try:
                    png, data, caption = render(rule, folder)
                except NothingToDrawError as error:
                    empty = empty or error
                    continue
                return Shown(name, png, caption, data, folder)
        assert empty is not None
        raise empty

    def words(self) -> str:
        """What the study found, as sentences in Markdown; the verdict last."""
        path = self.folder_of(SUMMARY) / SUMMARY
        lines = path.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if line.startswith("- "))

    def run(self, seed: int = 0) -> Path:
        """The first folder with a seed's task vectors; where no run left any, the demo's experts are trained first.

        Args:
            seed: of the study.

        Returns:
            The run's folder. Training, if it comes to that, says how long it takes, and leaves its stages in
            `runs/demo`, where `make demo` finds them.
        """
        for folder in self.folders:
            if vectors_folder(folder, seed).is_dir():
                return folder
        root = _project() / "runs" / "demo"
        print(
            "No run has left task vectors: the demo's four experts are trained now, about three minutes on two cores."
        )
        train_experts(load_profile("demo").with_seeds((seed,)), root)
        self.folders.append(root)
        return root

    def vectors(self, seed: int = 0) -> TaskVectors:
        """The task vectors of a seed, memory-mapped; see `run` for where they come from."""
        return TaskVectors.load(vectors_folder(self.run(seed), seed))


def open_results(*folders: str | Path) -> Results:
    """The results that are at hand: one's own runs before what comes with the project.

    Args:
        folders: where to look, in order; none is `runs/` and `data/results/` of the project that this notebook or
            program runs in.

    Returns:
        `Results`: `results["scores"]` is a table, `results.figure("methods")` a figure, `results.words()` the verdict.

    Raises:
        SpkitError: no folder is there.
    """
    project = _project()
    return Results(*(folders or [project / name for name in _USUAL]))


def _project() -> Path:
    """The nearest folder above that has results, or the working folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_dir() for name in _USUAL):
            return folder
    return here
