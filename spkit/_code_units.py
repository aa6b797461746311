"""Code as named units, read from the source: the functions, classes, members and constants of each module.

Nothing is imported for it, so that code with heavy or absent dependencies can be read too.
"""

import ast
import pickle
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

#: Names of units that are no definition: the whole module, and what runs whenever it is imported.
WHOLE, ON_IMPORT = "*", "import"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Unit(NamedTuple):
    """A function, class or constant of a module, a member of a class as "Class.member", or one of the names above."""

    module: str
    name: str


class Module:
    """A module's definitions, its imports of code that is ours, and what it does on import."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.is_package = name, path.name == "__init__.py"
        self.definitions: dict[str, list[ast.stmt]] = {}
        #: Members of its classes, as "Class.member".
        self.members: dict[str, list[ast.stmt]] = {}
        self.on_import: list[ast.stmt] = []
        #: Functions and classes with decorators of ours, by the names of these.
        self.decorated: dict[str, list[str]] = {}
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.imports: dict[str, tuple[str, str | None]] = {}
        for node in self.tree.body:
            self._take(node)

    def _take(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports |= imported(self, node)
            if isinstance(node, ast.Import):
                self.on_import.append(node)
        elif isinstance(node, Function | ast.ClassDef):
            self.definitions.setdefault(node.name, []).append(node)
            if decorators := [one for one in map(_first_name, node.decorator_list) if one in self]:
                self.decorated[node.name] = decorators
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                self.members.setdefault(f"{node.name}.{_called(member)}", []).append(member)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and (names := _assigned(node)):
            for name in names:
                self.definitions.setdefault(name, []).append(node)
        elif not _is_text(node) and not _for_types_only(node):
            self.on_import.append(node)

    def __contains__(self, name: str) -> bool:
        return name in self.imports or name in self.definitions

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def owner(self, name: str) -> str | None:
        """The module below a package that a table of lazily loaded names gives for a name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Constant):
                        return f"{self.name}.{value.value}"
        return None


@cache
def module_named(name: str) -> Module | None:
    """A module of Python source by its full name; None where there is none."""
    path = _path(name)
    return None if path is None else Module(name, path)


@cache
def _path(name: str) -> Path | None:
    top, *parts = name.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # of __main__ in a notebook
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    if not parts:
        return Path(spec.origin)
    if not spec.submodule_search_locations:
        return None
    place = Path(spec.submodule_search_locations[0]).joinpath(*parts)
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def submodules(package: str) -> list[str]:
    """The modules of a package and of the packages in it."""
    path = _path(package)
    if path is None or path.name != "__init__.py":
        return []
    names = []
    for file in sorted(path.parent.rglob("*.py")):
        parts = file.relative_to(path.parent).with_suffix("").parts
        names.append(".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)]))
    return [name for name in names if name != package]


def is_ours(module: str) -> bool:
    """Whether code of a module is followed: that of spkit, and of files that are no installed package."""
    top = module.partition(".")[0]
    path = _path(top)
    return top == "spkit" or (
        path is not None and top not in sys.stdlib_module_names and "site-packages" not in path.parts
    )


def imported(module: Module, node: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str | None]]:
    """Names that an import binds to code of ours: module and name in it, None for the module itself."""
    bound: dict[str, tuple[str, str | None]] = {}
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname and is_ours(alias.name):
                bound[alias.asname] = (alias.name, None)
        return bound
    base = ".".join(module.package.split(".")[: len(module.package.split(".")) + 1 - node.level]) if node.level else ""
    source = ".".join(part for part in (base, node.module) if part)
    if is_ours(source):
        bound |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    return bound


def as_module(bound: tuple[str, str | None] | None) -> str | None:
    """The module that an imported name is; None where it is something in a module."""
    if bound is None or bound[1] is None:
        return None if bound is None else bound[0]
    source, name = bound
    owner, below = module_named(source), f"{source}.{name}"
    defined = owner is not None and name in owner.definitions
    return below if not defined and _path(below) is not None else None


def nodes_of(unit: Unit) -> list[ast.stmt]:
    """The code of a unit; empty where there is none."""
    module = module_named(unit.module)
    if module is None:
        return []
    if unit.name == ON_IMPORT:
        return module.on_import
    return (module.members if "." in unit.name else module.definitions).get(unit.name, [])


def parts_of(module: str) -> list[Unit]:
    """All units of a module."""
    known = module_named(module)
    return [] if known is None else [Unit(module, name) for name in [*known.definitions, ON_IMPORT]]


def is_constant(unit: Unit) -> bool:
    """Whether a unit is a module's value, which may be a registry, and no function or class."""
    return "." not in unit.name and any(isinstance(node, ast.Assign | ast.AnnAssign) for node in nodes_of(unit))


def resolve(module: str, name: str) -> list[Unit]:
    """The units that a name means in a module; none for a name that is not ours."""
    known = module_named(module)
    if known is None:
        return []
    if name in known.definitions:
        return [Unit(module, name)]
    if name in known.imports:
        return resolve_imported(*known.imports[name])
    return []


def resolve_imported(module: str, name: str | None) -> list[Unit]:
    """The units that something imported means; the whole of its module where that does not say which."""
    if named := as_module((module, name)):
        return [Unit(named, WHOLE)]
    assert name is not None
    if units := resolve(module, name):
        return units
    known = module_named(module)
    owner = known.owner(name) if known is not None and known.is_package else None
    return resolve(owner, name) if owner and module_named(owner) else [Unit(module, WHOLE)]


def _called(node: ast.stmt) -> str:
    if isinstance(node, Function | ast.ClassDef):
        return node.name
    return next(iter(_assigned(node)), "") if isinstance(node, ast.Assign | ast.AnnAssign) else ""


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [name for target in targets for name in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return (
        [name.id for name in names if isinstance(name, ast.Name)]
        if all(isinstance(name, ast.Name) for name in names)
        else []
    )


def _first_name(decorator: ast.expr) -> str:
    while isinstance(decorator, ast.Call | ast.Attribute):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _for_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


class _Bare(ast.NodeTransformer):
    """Leaves out what does not run: texts that are no value, and annotations of functions."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _is_text(node) else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: Function) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(node)


def bare(node: ast.AST) -> str:
    """Code as a text that is the same for the same code, whatever its comments, docstrings, annotations and layout."""
    # A copy, since the code is read again; by pickle, which takes a tenth of the time of `copy.deepcopy`.
    return ast.dump(_Bare().visit(pickle.loads(pickle.dumps(node))))
