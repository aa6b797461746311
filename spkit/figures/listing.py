"""Which figures there are: those of the modules beside this one, of the study's analyses, and a user's own."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from spkit.drawing.rule import Rule, rules

#: Folders of the package whose modules may make figures: a new figure is a `@figure(...)` in one of their files, an
#: analysis' own in the file of the analysis, and stands nowhere else.
_FOLDERS = ("figures", "study/analyses")


class _Written(NamedTuple):
    """A figure as its module's text has it."""

    order: float
    name: str
    module: str


def figure_names() -> list[str]:
    """Names of the figures that can be drawn, in the order in which they are drawn; none is loaded for it.

    Example:
        >>> figure_names()[:2]
        ['methods', 'differences']
    """
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
