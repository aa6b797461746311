"""A figure of the paper: what the paper shows there, and how it is drawn from our tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pandas import DataFrame

from spkit.drawing.rule import Drawing, NothingToDrawError, Rule
from spkit.errors import quoted
from spkit.figures.of_paper.base import Base, base_folders, bases_of, files_of
from spkit.results.schema import Table
from spkit.study.analyses import analyses_of_tables

Draw = Callable[[Sequence[Base]], Drawing]


@dataclass(frozen=True)
class PaperFigure:
    """One figure or table of the paper.

    A file that begins with `figure_` or `table_` calls it `FIGURE`; the file's name is the figure's.

    Attributes:
        order: its place in the paper.
        title: what it shows, in a few words.
        says: what the paper's figure shows, one sentence.
        draw: draws it from the bases that have all of `needs`; what it returns tells its `Finding` in `about`.
        needs: the tables that it cannot be drawn without.
        uses: tables that it also reads where they are.
    """

    order: int
    title: str
    says: str
    draw: Draw
    needs: tuple[Table, ...] = ()
    uses: tuple[Table, ...] = ()

    def on(self, name: str, results: Path) -> Rule:
        """The rule that draws it from a study's folder.

        Args:
            name: of the figure.
            results: the folder with a folder of tables for each base, or with those of one base.
        """
        files = files_of(results, [*self.needs, *self.uses])
        if not self._drawn(results):
            return Rule(name, (), partial(_nothing, lacking=self.lacking(results)), self.order)
        return Rule(name, tuple(files), partial(_drawn, draw=self.draw, needs=self.needs), self.order)

    def lacking(self, results: Path) -> str:
        """Why it cannot be drawn, and which analysis makes what is missing; empty where it can."""
        if self._drawn(results):
            return ""
        made_by = analyses_of_tables()
        wanted = self.needs or self.uses
        names = [table.file for table in wanted if not files_of(results, [table])] or [one.file for one in wanted]
        parts = [f"{one}, which the analysis [{made_by[one]}] makes" if one in made_by else one for one in names]
        joint = " and " if self.needs else " or "
        return f"No base has {joint.join(parts)}." if names else "No base has any table."

    def _drawn(self, results: Path) -> bool:
        def there(folder: Path, tables: Sequence[Table]) -> list[bool]:
            return [(folder / table.file).is_file() for table in tables]

        folders = base_folders(results)
        return any(all(there(one, self.needs)) and (self.needs or any(there(one, self.uses))) for one in folders)


def _drawn(tables: Mapping[str, DataFrame], *, draw: Draw, needs: Sequence[Table]) -> Drawing:
    bases = [base for base in bases_of(tables) if base.has(*needs)]
    if not bases:
        raise NothingToDrawError(f"no base has rows in {quoted(table.file for table in needs)}.")
    return draw(bases)


def _nothing(tables: Mapping[str, DataFrame], *, lacking: str) -> Drawing:
    raise NothingToDrawError(lacking)
