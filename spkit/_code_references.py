"""Which units of code a piece of code refers to."""

import ast
from collections.abc import Iterable
from functools import cache

from spkit._code_units import (
    WHOLE,
    Function,
    Unit,
    as_module,
    imported,
    is_ours,
    module_named,
    nodes_of,
    resolve,
    resolve_imported,
    submodules,
)

#: Functions that list the modules of a package or import one by a name that is made: who calls them uses every module.
_SCANS = {"iter_modules", "walk_packages", "import_module"}


def references(module: str, nodes: Iterable[ast.AST], typed: dict[str, Unit] | None = None) -> set[Unit]:
    """The units that code of a module refers to.

    A class that is named counts as a whole. Of a parameter that is annotated with a class of ours only the members that
    are used count: who made the object is elsewhere.

    Args:
        module: its full name.
        nodes: the code.
        typed: names whose class is known from around the code.
    """
    reader = _Reader(module, dict(typed or {}))
    nodes = list(nodes)
    for node in nodes:
        reader.read_imports(node)
    for node in nodes:
        reader.visit(node)
    return reader.units | reader.scanned(nodes)


def class_of(module: str, annotation: ast.expr | None) -> Unit | None:
    """The one class of ours that an annotation names; None for anything else, containers included."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if not isinstance(annotation, ast.Name):
        return None
    units = resolve(module, annotation.id)
    return units[0] if len(units) == 1 and any(isinstance(node, ast.ClassDef) for node in nodes_of(units[0])) else None


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, typed: dict[str, Unit]) -> None:
        self.module, self.typed = module, typed
        self.units: set[Unit] = set()
        self.local: dict[str, tuple[str, str | None]] = {}

    def read_imports(self, node: ast.AST) -> None:
        module = module_named(self.module)
        for one in ast.walk(node):
            if isinstance(one, ast.Import | ast.ImportFrom) and module is not None:
                self.local |= imported(module, one)

    def visit_Import(self, node: ast.Import) -> None:
        # `import a.b` binds `a` and is made for what `a.b` does or holds.
        self.units |= {Unit(alias.name, WHOLE) for alias in node.names if is_ours(alias.name)}

    def visit_FunctionDef(self, node: Function) -> None:
        outer = dict(self.typed)
        for one in node.decorator_list:
            self.visit(one)
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for arg in every:
            if arg is not None and arg.arg not in ("self", "cls"):
                self.typed.pop(arg.arg, None)
                if known := class_of(self.module, arg.annotation):
                    self.typed[arg.arg] = known
                elif arg.annotation is not None:
                    self.visit(arg.annotation)
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        if class_of(self.module, node.returns) is None and node.returns is not None:
            self.visit(node.returns)
        for statement in node.body:
            self.visit(statement)
        self.typed = outer

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.visit(node.func)
        for given in [*node.args, *(keyword.value for keyword in node.keywords)]:
            # What is passed on is used by the function that it is passed to.
            self._use(given) if self._class(given) else self.visit(given)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._class(node.value):
            self._use(node)
            if made := self._class(node):
                self.units.add(made)
        elif isinstance(node.value, ast.Name) and (module := as_module(self._import(node.value.id))):
            self.units |= set(resolve_imported(module, node.attr))
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if known := self.typed.get(node.id):
            self.units.add(known)
        elif node.id in self.local:
            self.units |= set(resolve_imported(*self.local[node.id]))
        else:
            self.units |= set(resolve(self.module, node.id))

    def visit_Constant(self, node: ast.Constant) -> None:
        """An annotation in quotes names its class as one without."""
        if isinstance(node.value, str) and node.value.isidentifier():
            units = resolve(self.module, node.value)
            self.units |= {unit for unit in units if any(isinstance(one, ast.ClassDef) for one in nodes_of(unit))}

    def _import(self, name: str) -> tuple[str, str | None] | None:
        module = module_named(self.module)
        return self.local.get(name) or (module.imports.get(name) if module else None)

    def _class(self, node: ast.expr) -> Unit | None:
        """The class of ours that an expression has an object of, where annotations say so."""
        if isinstance(node, ast.Name):
            return self.typed.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := self._class(node.value)):
            for unit in _member(owner, node.attr):
                for one in nodes_of(unit):
                    if isinstance(one, ast.AnnAssign):
                        return class_of(unit.module, one.annotation)
                    if isinstance(one, Function) and any("property" in ast.dump(d) for d in one.decorator_list):
                        return class_of(unit.module, one.returns)
        return None

    def _use(self, node: ast.expr) -> None:
        """Take the members that an expression goes through, as `run.profile.name`."""
        if isinstance(node, ast.Attribute):
            if owner := self._class(node.value):
                self.units |= set(_member(owner, node.attr))
            self._use(node.value)

    def scanned(self, nodes: list[ast.AST]) -> set[Unit]:
        """Every module of the packages whose modules the code lists."""
        ways = [unit for unit in self.units if unit.name != WHOLE]
        if not any(map(_scans, nodes)) and not any(map(_unit_scans, ways)):
            return set()
        packages: set[str] = set()
        constants = [one for unit in ways for one in nodes_of(unit) if isinstance(one, ast.Assign | ast.AnnAssign)]
        for one in (part for node in [*nodes, *constants] for part in ast.walk(node)):
            if isinstance(one, ast.Name) and one.id in ("__path__", "__name__", "__package__", "__file__"):
                module = module_named(self.module)
                packages.add(module.package if module else self.module)
            elif isinstance(one, ast.Name) and (named := as_module(self._import(one.id))):
                packages.add(named)
            elif isinstance(one, ast.Constant) and isinstance(one.value, str) and is_ours(one.value):
                packages.add(one.value)
        return {Unit(name, WHOLE) for package in packages for name in submodules(package)}


@cache
def _unit_scans(unit: Unit) -> bool:
    return any(map(_scans, nodes_of(unit)))


def _scans(node: ast.AST) -> bool:
    return any(
        (isinstance(one, ast.Name) and one.id in _SCANS) or (isinstance(one, ast.Attribute) and one.attr in _SCANS)
        for one in ast.walk(node)
    )


def _member(owner: Unit, name: str) -> list[Unit]:
    """A member of a class or of the classes of ours that it inherits from."""
    unit = Unit(owner.module, f"{owner.name}.{name}")
    if nodes_of(unit):
        return [unit]
    bases = (
        base
        for node in nodes_of(owner)
        if isinstance(node, ast.ClassDef)
        for base in (class_of(owner.module, one) for one in node.bases)
    )
    return next((units for base in bases if base and (units := _member(base, name))), [])
