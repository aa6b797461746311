"""Result files of finished studies, from where they are: a table by its name, and what was found in words."""

from pathlib import Path

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.results.schema import SUMMARY, table_of

#: Where results are looked for, in a project's folder: one's own runs before what was published.
#: Runs on bundled tasks only, which is what the notebooks load; others are opened by name.
USUAL = ("runs/demo", "runs/tour", "data/results/demo", "data/results/tour", "data/results/kinds")


class ResultFiles:
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
        return f"Results({', '.join(named(folder) for folder in self.folders)})"

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
        file = f"{table}.csv"
        return table_of(file).read(self.folder_of(file))

    def words(self, about: str = "") -> str:
        """What a study found, as sentences in Markdown; the verdict last.

        Args:
            about: what the sentences must hold, in upper or lower case; they then come from the first folder that has
                such. Without it all sentences of the first folder that has any.

        Raises:
            SpkitError: no study says anything about it.
        """
        for folder in self.folders:
            path = folder / SUMMARY
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            told = [line for line in lines if line.startswith("- ") and about.lower() in line.lower()]
            if told:
                return "\n".join(told)
        raise SpkitError(
            "What is told must come from a study that was run.",
            f"Found no sentence about {about!r} in {quoted([named(folder) for folder in self.folders])}.",
            "Run `spkit study tour`, which makes every analysis once, or ask about something else.",
        )


def named(folder: Path) -> str:
    """A folder as a notebook names it: from the project on, or without the folders above it."""
    try:
        return folder.resolve().relative_to(project_folder().resolve()).as_posix()
    except ValueError:
        return folder.name


def project_folder() -> Path:
    """The nearest folder above that has results, or the working folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_dir() for name in USUAL):
            return folder
    return here
