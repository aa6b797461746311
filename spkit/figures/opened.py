"""What studies left, for notebooks: tables, words, figures and task vectors, from where they are."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.drawing.render import png, render, width_on_page
from spkit.drawing.rule import NothingToDrawError, chosen_rules
from spkit.drawing.style import style
from spkit.figures.listing import all_rules
from spkit.figures.of_paper.collection import paper_rules
from spkit.results.opened import USUAL, ResultFiles, named, project_folder
from spkit.study.places import vectors_folder
from spkit.study.profile_file import load_profile
from spkit.study.run import train_experts
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class Shown:
    """A figure as a notebook shows it: the picture with its caption.

    Attributes:
        name: of the figure.
        png: the picture.
        caption: what it shows, with seeds, n and intervals.
        data: what is drawn.
        source: the folder whose tables it was drawn from.
        headline: what it comes to, as it stands in the picture.
    """

    name: str
    png: bytes
    caption: str
    data: pd.DataFrame
    source: Path
    headline: str = ""

    @property
    def words(self) -> str:
        """Headline and caption, for who does not see the picture."""
        return f"{self.headline}. {self.caption}" if self.headline else self.caption

    def _repr_mimebundle_(self, **_given: Any) -> dict[str, str]:
        picture, width = base64.b64encode(self.png).decode(), width_on_page(self.png)
        # Figures are drawn black on white: on a dark page they need the white.
        first, rest = _parted(self.caption)
        html = (
            f'<figure style="margin:0"><img alt="{escape(self.words, quote=True)}" '
            f'style="background:white;max-width:100%;width:{width}px" src="data:image/png;base64,{picture}">'
            f'<figcaption style="max-width:700px">{escape(first)}<details><summary>details</summary>{escape(rest)} '
            f"From {escape(named(self.source))}.</details></figcaption></figure>"
        )
        return {"text/html": html, "image/png": picture, "text/plain": f"{self.name}: {self.words}"}


def _parted(caption: str) -> tuple[str, str]:
    """A caption's first statement, and the rest of it.

    Example:
        >>> _parted("Scores of every method (0 to 100); one seed. Bars: 95 % intervals.")
        ('Scores of every method (0 to 100).', 'One seed. Bars: 95 % intervals.')
    """
    if caption.startswith("Outcome: "):  # of a figure of the paper, which says its finding itself
        first, _, rest = caption.partition(". ")
        return f"{first}.", rest
    first, _, rest = caption.partition("; ") if "; " in caption.split(". ")[0] else caption.partition(". ")
    return f"{first.rstrip('.')}.", rest[:1].upper() + rest[1:]


class Results(ResultFiles):
    """The result files of one or several studies, their figures, and the task vectors of a run.

    A table, figure or task vector comes from the first folder that has it.
    """

    def figure(self, name: str) -> Shown:
        """A figure, drawn from the first folder that holds its tables and something to draw.

        Raises:
            SpkitError: no such figure, or none of the folders has its tables.
        """
        (rule,) = chosen_rules(all_rules(), [name])
        self.folder_of(*rule.inputs)
        empty: NothingToDrawError | None = None
        for folder in self.folders:
            if all((folder / file).is_file() for file in rule.inputs):
                try:
                    picture, drawing = render(rule, folder)
                except NothingToDrawError as error:
                    empty = empty or error
                    continue
                return Shown(name, picture, drawing.caption, drawing.data, folder, drawing.headline)
        assert empty is not None
        raise empty

    def paper_figure(self, name: str) -> Shown:
        """A figure or table of the paper, drawn from the folder that has most of what it shows.

        Of folders that have as much, replications of the paper come first (`runs/paper`, `data/results/paper`).

        Args:
            name: "figure_1" to "figure_9", "table_1" to "table_5".

        Returns:
            The picture. Its caption begins with the outcome and what was measured.

        Raises:
            NothingToDrawError: no folder has the tables; it names the analysis that makes them.
            SpkitError: the paper has no such figure.
        """
        project = project_folder()
        folders = [project / "runs" / "paper", project / "data" / "results" / "paper", *self.folders]
        rules = {folder: chosen_rules(paper_rules(folder), [name])[0] for folder in folders}
        folder, rule = max(rules.items(), key=lambda one: len(one[1].inputs))
        with style():
            drawing = rule(folder)
            told = f"Outcome: {drawing.about['outcome']}. {drawing.about['measured']}"
            caption = f"{told} {drawing.caption}"
            return Shown(name, png(drawing.figure), caption, drawing.data, folder, drawing.headline)

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
        root = project_folder() / "runs" / "demo"
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
    project = project_folder()
    return Results(*(folders or [project / name for name in USUAL]))
