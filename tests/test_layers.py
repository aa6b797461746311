"""The order of the folders: each imports only what stands above it in the list, and no import is a circle."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Folders and modules of spkit from the ground up, as the map in CONTRIBUTING.md lists them. What stands in one line
#: may import each other.
LAYERS = [
    re.findall(r"`(\w+)`", cell)
    for cell in re.findall(
        r"^\| (`.*?) \|",
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The map of the code")[2],
        flags=re.MULTILINE,
    )
]
RANK = {name: number for number, line in enumerate(LAYERS) for name in line}


def _modules() -> dict[str, Path]:
    """Every module of spkit by its name with dots."""
    modules = {}
    for path in sorted((ROOT / "spkit").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


MODULES = _modules()


def imports(module: str, source: str, modules: set[str]) -> Iterator[tuple[str, bool]]:
    """What a module imports of spkit, and whether at its own import; `if TYPE_CHECKING` is for type checkers alone."""
    package = module if MODULES.get(module, Path()).name == "__init__.py" else module.rpartition(".")[0]

    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                for other in child.orelse:
                    yield from walk(other, lazy)
                continue
            for name in names(child):
                if name in modules:
                    yield name, lazy
            yield from walk(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    def names(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield inner if (inner := f"{origin}.{alias.name}") in modules else origin
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("import_module", "import_")):
            (first, *_) = node.args
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value

    yield from walk(ast.parse(source), False)


#: Module -> modules that it imports -> whether inside of functions only.
ARROWS: dict[str, dict[str, bool]] = {}
for _name, _path in MODULES.items():
    _imported: dict[str, bool] = {}
    for _other, _lazy in imports(_name, _path.read_text(encoding="utf-8"), set(MODULES)):
        _imported[_other] = _imported.get(_other, True) and _lazy
    ARROWS[_name] = _imported


def layer_of(module: str) -> str:
    """The folder or module below spkit; empty for spkit itself, which only names what the others own."""
    return module.split(".")[1] if "." in module else ""


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Circles among modules at import time, one for each arrow that closes one."""
    closed: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            closed.append([*way[way.index(module) :], module])
        elif module not in done:
            for other in sorted(arrows[module]):
                visit(other, [*way, module])
            done.add(module)

    for module in sorted(arrows):
        visit(module, [])
    return closed


def test_the_list_is_read() -> None:
    assert [line[0] for line in LAYERS][1:4] == ["tasks", "models", "evaluation"]
    assert "errors" in LAYERS[0]
    assert LAYERS[-1] == ["cli"]
    assert len(RANK) == sum(len(line) for line in LAYERS)


def test_every_folder_and_module_has_its_place_in_the_list() -> None:
    assert {layer_of(module) for module in MODULES} - {""} <= set(RANK)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_above_its_folder(module) -> None:
    own = layer_of(module)
    upwards = [
        f"{module} -> {other}{' (inside of a function)' if lazy else ''}"
        for other, lazy in ARROWS[module].items()
        if own and layer_of(other) and RANK[layer_of(other)] > RANK[own]
    ]
    assert upwards == []


def test_no_import_is_a_circle() -> None:
    at_once = {name: {other for other, lazy in others.items() if not lazy} for name, others in ARROWS.items()}
    assert circles(at_once) == []


@pytest.mark.parametrize("module", [name for name in MODULES if layer_of(name)])
def test_inside_of_spkit_nothing_is_asked_of_its_public_names(module) -> None:
    # `from spkit import train` would be an arrow from anywhere to anywhere, seen by none of the tests above.
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert "spkit" not in [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "spkit":
            others = {alias.name for alias in node.names if f"spkit.{alias.name}" not in MODULES}
            assert others <= {"__version__"}


def test_spkit_itself_imports_what_costs_nothing() -> None:
    assert set(ARROWS["spkit"]) == {"spkit._lazy"}


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import spkit.study.run", {("spkit.study.run", False)}),
        ("from spkit.study import run", {("spkit.study.run", False)}),
        ("from spkit.study import run_study", {("spkit.study", False)}),
        ("from .task_vectors import TaskVectors", {("spkit.vectors.task_vectors", False)}),
        ("from ..study import run", {("spkit.study.run", False)}),
        ("def f():\n    from spkit.study import run", {("spkit.study.run", True)}),
        ("f = lambda: import_module('spkit.study.run')", {("spkit.study.run", True)}),
        ("class A:\n    import spkit.costs", {("spkit.costs", False)}),
        ("if TYPE_CHECKING:\n    import spkit.costs", set()),
        ("import torch", set()),
    ],
)
def test_imports_are_seen_in_every_form(source, imported) -> None:
    assert set(imports("spkit.vectors.matrix", source, set(MODULES))) == imported


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def counts() -> tuple[int, int, int]:
    """Modules, arrows between modules, arrows between folders; the ground counts as one folder."""
    between = [(one, other) for one, reached in ARROWS.items() for other in reached]
    ranks = {
        (RANK[layer_of(one)], RANK[layer_of(other)]) for one, other in between if layer_of(one) and layer_of(other)
    }
    return len(MODULES), len(between), len({(one, other) for one, other in ranks if one != other})


if __name__ == "__main__":
    print("modules {}, arrows between modules {}, arrows between folders {}".format(*counts()))
