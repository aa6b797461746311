"""The bases of a study: a folder of tables each, which stand where the paper has languages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pandas import DataFrame

from spkit.results.frames import distinct
from spkit.results.schema import GEOMETRY, TABLES, Table


@dataclass(frozen=True)
class Base:
    """What was measured from one base.

    Attributes:
        name: of the base: its folder's.
        tables: by their files' names.
    """

    name: str
    tables: Mapping[str, DataFrame]

    def has(self, *tables: Table) -> bool:
        """Whether all of these are there, with rows."""
        return all(table.file in self.tables and len(self.tables[table.file]) for table in tables)

    def __getitem__(self, table: Table) -> DataFrame:
        """A table; without rows where there is none."""
        return self.tables.get(table.file, DataFrame(columns=list(table.columns)))


def base_folders(results: Path) -> list[Path]:
    """The folders of tables: those of bases, or the folder itself where the tables of one base lie in it.

    Example:
        >>> base_folders(Path("nowhere"))
        []
    """
    inside = sorted(results.iterdir()) if results.is_dir() else []
    return [folder for folder in ([results] if _tables_in(results) else inside) if _tables_in(folder)]


def files_of(results: Path, tables: Iterable[Table]) -> list[str]:
    """Names of these tables' files in a study's folder, as `read_results` takes them."""
    folders = [folder.relative_to(results) for folder in base_folders(results)]
    files = [(folder / table.file).as_posix() for folder in folders for table in tables]
    return [file for file in files if (results / file).is_file()]


def bases_of(tables: Mapping[str, DataFrame]) -> list[Base]:
    """Tables by their paths, sorted into bases.

    Example:
        >>> [base.name for base in bases_of({"minilm-l3/scores.csv": DataFrame(), "scores.csv": DataFrame()})]
        ['minilm-l3', 'the base']
    """
    named: dict[str, dict[str, DataFrame]] = {}
    for path, table in tables.items():
        folder = PurePosixPath(path).parent.name
        named.setdefault(folder or "the base", {})[PurePosixPath(path).name] = table
    return [Base(name, of_base) for name, of_base in named.items()]


def pipelines_of(table: DataFrame) -> list[str]:
    """The pipelines in a table, the separate one first."""
    return sorted(distinct(table, "pipeline"), key=lambda name: (name != "separate", name))


def ends_of(bases: Sequence[Base]) -> tuple[str, str]:
    """Names of the two vectors, in their order: a direction is 0 at the first and 1 at the second.

    Example:
        >>> ends_of([Base("minilm-l3", {"geometry.csv": DataFrame({"a": ["sts", "sts"], "b": ["sts", "faq"]})})])
        ('sts', 'faq')
    """
    for base in bases:
        names = list(dict.fromkeys([*base[GEOMETRY]["a"], *base[GEOMETRY]["b"]]))
        if len(names) > 1:
            return str(names[0]), str(names[1])
    return "first vector", "second vector"


def _tables_in(folder: Path) -> list[str]:
    return [name for name in TABLES if (folder / name).is_file()]
