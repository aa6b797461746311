"""Which figures there are: those of the modules beside this one, of the study's analyses, and a user's own."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from spkit.drawing.rule import Rule, rules
from spkit.figures.studies_with_own import check_study

#: Folders of the package whose modules may make figures: a new figure is a `@figure(...)` in one of their files, an
#: analysis' own in the file of the analysis, and stands nowhere else.
_FOLDERS = ("figures", "study/analyses")


class _Written(NamedTuple):
    """A figure as its module's text has it."""

    order: float
    name: str
    module: str


@dataclass(frozen=True)
class Collection:
    """Figures that are drawn together, with the page that shows them.

    Attributes:
        page: its file's name.
        holds: what a folder of results holds, for an error.
        rules: the figures by name, given the folder of results.
        has_tables: whether such a folder has any.
        write_page: writes the page, given the folders of results and of figures.
        page_fits: whether the page is as it would be written.
    """

    page: str
    holds: str
    rules: Callable[[Path], Mapping[str, Rule]]
    has_tables: Callable[[Path], bool]
    write_page: Callable[[Path, Path], Path]
    page_fits: Callable[[Path, Path], bool]


def collection_of(study: str | None) -> Collection:
    """The figures of a study that has its own, or those of any study.

    Raises:
        SpkitError: as `check_study`.
    """
    check_study(study)
    module = "gallery" if study is None else f"of_{study}.collection"
    return import_module(f"spkit.figures.{module}").COLLECTION


def figure_names(study: str | None = None) -> list[str]:
    """Names of the figures that can be drawn, in the order in which they are drawn; none of ours is loaded for it.

    Args:
        study: as for `draw_figures`.

    Example:
        >>> figure_names()[:2]
        ['methods', 'two_means']
    """
    if study is not None:
        return list(collection_of(study).rules(Path()))
    ours = [one.name for one in _written()]
    return [*ours, *(name for name in rules() if name not in ours)]


def all_rules() -> dict[str, Rule]:
    """Every rule by name, in the order in which figures are listed and drawn."""
    theirs = rules()
    for module in dict.fromkeys(one.module for one in _written()):
        import_module(module)
    # A rule that a user made under the name of one of ours, loaded only now, is the one that counts.
    made = {**rules(), **theirs}
    return {name: made[name] for name in figure_names()}


@cache
def _written() -> list[_Written]:
    package = Path(__file__).parent.parent
    files = [file for folder in _FOLDERS for file in sorted((package / folder).glob("*.py"))]
    return sorted(one for file in files for one in _made_in(file, package))


def _made_in(file: Path, package: Path) -> Iterator[_Written]:
    module = ".".join(["spkit", *file.relative_to(package).with_suffix("").parts])
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        for maker in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            if isinstance(maker, ast.Call) and isinstance(maker.func, ast.Name) and maker.func.id == "figure":
                order = {one.arg: ast.literal_eval(one.value) for one in maker.keywords if one.arg == "order"}
                yield _Written(float(order.get("order", "inf")), ast.literal_eval(maker.args[0]), module)
