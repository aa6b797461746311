"""One hash of all code that a function reaches, without comments: what results were made with.

Records of stages and provenance of figures name their code by it: a helper that changes makes stale what it helped to
make, and a comment that changes makes nothing stale.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from spkit._code_references import class_of, references
from spkit._code_units import (
    ON_IMPORT,
    WHOLE,
    Unit,
    bare,
    is_constant,
    is_ours,
    module_named,
    nodes_of,
    parts_of,
    resolve,
)
from spkit.errors import SpkitError


def code_hash(*roots: Callable[..., Any] | str, without: Sequence[str] = ()) -> str:
    """sha256 of all code of spkit that functions and modules reach, without comments, docstrings and layout.

    Reached is what the code names, and what that names in turn: helpers of its own module, what it imports (inside
    functions, too), members of classes, every module of a package whose modules it lists with `pkgutil`, functions that
    a decorator of ours registers on import, and the functions that a function inside a function holds. Of installed
    packages nothing is read: their versions stand beside the hash wherever one is kept. Files beside a notebook or a
    program of one's own are read as spkit's are.

    Args:
        roots: functions, classes, `functools.partial` objects, or full names of modules, each of which counts as a
            whole. A function without a file, as in a notebook, counts with what it names of spkit.
        without: packages of which nothing is read, since what is taken of them is kept beside the hash in another way.

    Returns:
        64 hexadecimal digits. What was read once in a process is not read again: it runs the code that it has loaded.

    Raises:
        SpkitError: there is no such module, or a function has no source.

    Example:
        >>> code_hash("spkit.errors") == code_hash(SpkitError)
        False
    """
    texts: set[str] = set()
    units: set[Unit] = set()
    for root in roots:
        for piece in _pieces(root, set()):
            if isinstance(piece, Unit):
                units.add(piece)
            else:
                texts.add(piece[0])
                units |= piece[1]
    digest = hashlib.sha256()
    for text in sorted(texts):
        digest.update(_counted(text))
    for unit in _closure(frozenset(units), tuple(without)):
        digest.update(_named_text(unit))
    return digest.hexdigest()


def _counted(text: str) -> bytes:
    """A text with its length before it, so that no two lists of texts are the same bytes."""
    return f"{len(text)}\n{text}\n".encode("utf-8", "surrogatepass")


@cache
def _closure(units: frozenset[Unit], without: tuple[str, ...]) -> tuple[Unit, ...]:
    """All that units reach, in one order. Many stages begin with the same units."""
    reached: set[Unit] = set()
    waiting = list(units)
    while waiting:
        unit = waiting.pop()
        if any(unit.module == package or unit.module.startswith(f"{package}.") for package in without):
            pass
        elif unit not in reached:
            reached.add(unit)
            waiting += _next(unit)
        if not waiting:
            # Who reaches a registry finds what the modules that are loaded have put into it, without its name.
            modules = {one.module for one in reached}
            waiting += [one for module in modules for one, into in _registered(module) if into & reached]
            waiting = [one for one in waiting if one not in reached]
    return tuple(sorted(unit for unit in reached if unit.name != WHOLE))


@cache
def _registered(module: str) -> list[tuple[Unit, frozenset[Unit]]]:
    """What decorators of ours decorate in a module, each with the values that its decorators may put it into."""
    known = module_named(module)
    decorated = {} if known is None else known.decorated
    into = {name: {unit for one in names for unit in resolve(module, one)} for name, names in decorated.items()}
    return [
        (Unit(module, name), frozenset(one for unit in units for one in _next(unit) if is_constant(one)))
        for name, units in into.items()
    ]


@cache
def _next(unit: Unit) -> frozenset[Unit]:
    if unit.name == WHOLE:
        return frozenset(parts_of(unit.module))
    owner, _, member = unit.name.partition(".")
    typed = {"self": Unit(unit.module, owner), "cls": Unit(unit.module, owner)} if member else {}
    # Importing a module imports the packages above it.
    parts = unit.module.split(".")
    above = {Unit(".".join(parts[: n + 1]), ON_IMPORT) for n in range(len(parts))}
    nodes: list[ast.AST] = []
    for node in nodes_of(unit):
        if member and isinstance(node, ast.AnnAssign) and class_of(unit.module, node.annotation) is not None:
            # Of a field that holds an object of ours, too, only what is used of it counts.
            nodes += [] if node.value is None else [node.value]
        else:
            nodes.append(node)
    return frozenset(references(unit.module, nodes, typed) | above)


@cache
def _named_text(unit: Unit) -> bytes:
    return _counted(f"{unit.module}:{unit.name}\n" + "\n".join(bare(node) for node in nodes_of(unit)))


def _pieces(root: Any, seen: set[int]) -> Iterator[Unit | tuple[str, frozenset[Unit]]]:
    """What a root stands for: units, or a text and the units that it refers to."""
    if id(root) in seen:
        return
    seen.add(id(root))
    if isinstance(root, str):
        if module_named(root) is None:
            raise SpkitError("Code that is hashed must be there.", f"Found no module {root!r}.", "Correct its name.")
        yield Unit(root, WHOLE)
        return
    if isinstance(root, partial):
        for one in (root.func, *root.args, *root.keywords.values()):
            if callable(one):
                yield from _pieces(one, seen)
        return
    target = inspect.unwrap(root.__func__ if isinstance(root, MethodType) else root)
    if not isinstance(target, FunctionType | type):
        target = type(target)
    if not is_ours(target.__module__) or module_named(target.__module__) is None:
        if target.__module__ == "__main__" or not _has_module(target):
            yield _alone(target)
        return
    if isinstance(target, FunctionType) and "<" in target.__qualname__:
        yield _inner(target)
        for cell in target.__closure__ or ():
            held = _held(cell)
            if isinstance(held, FunctionType | MethodType | partial):
                yield from _pieces(held, seen)
        return
    unit = Unit(target.__module__, target.__qualname__)
    yield unit if nodes_of(unit) else Unit(target.__module__, WHOLE)


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _has_module(target: Any) -> bool:
    """Whether an object comes from an importable module, of whose package the version speaks."""
    return module_named(target.__module__) is not None or not hasattr(target, "__code__")


def _alone(function: Any) -> tuple[str, frozenset[Unit]]:
    """A function without a module's file: its own text, and what it names of spkit."""
    try:
        text = bare(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError) as error:
        raise SpkitError(
            "A function whose code is hashed must have a source.",
            f"Found none of {getattr(function, '__qualname__', function)!r}.",
            "Define it in a file or in a notebook's cell.",
        ) from error
    named = [function.__globals__.get(name) for name in _names(function.__code__)]
    units = {
        Unit(one.__module__, one.__qualname__)
        for one in named
        if isinstance(one, FunctionType | type) and one.__module__ != "__main__" and is_ours(one.__module__)
    }
    return text, frozenset(units)


def _names(code: CodeType) -> set[str]:
    inside = [one for one in code.co_consts if isinstance(one, CodeType)]
    return {*code.co_names, *(name for one in inside for name in _names(one))}


def _inner(function: FunctionType) -> tuple[str, frozenset[Unit]]:
    """A function inside a function: its code, and the statements around it that make the values it uses."""
    module = function.__module__
    head, *path = function.__qualname__.split(".<locals>.")
    around = nodes_of(Unit(module, head))
    own = [node for outer in around for node in _named_path(outer, path)]
    if not own:  # a lambda
        return "", frozenset(references(module, around)) if around else frozenset(parts_of(module))
    made_by, arguments = _bindings(around, own)
    nodes: list[ast.AST] = list(own)
    seen: set[str] = set()
    typed: dict[str, Unit] = {}
    units: set[Unit] = set()
    for node in nodes:  # grows while it is walked
        # Sorted: a set stands in another order in each process, and the hash would, too.
        for name in sorted({one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - seen):
            seen.add(name)
            nodes += made_by.get(name, [])
            annotation = arguments.get(name)
            if known := class_of(module, annotation):
                typed[name] = known
            elif annotation is not None:
                units |= references(module, [annotation])
    for outer in around:  # imports inside the function around it are names of the inner one, too
        nodes += [one for one in ast.walk(outer) if isinstance(one, ast.Import | ast.ImportFrom)]
    if "." in head:
        typed["self"] = Unit(module, head.rpartition(".")[0])
    units |= references(module, nodes, typed) | {Unit(module, ON_IMPORT)}
    return "\n".join(bare(node) for node in nodes), frozenset(units)


def _named_path(node: ast.AST, path: list[str]) -> list[ast.AST]:
    if not path:
        return [node]
    inside = [one for one in ast.walk(node) if isinstance(one, ast.FunctionDef | ast.ClassDef) and one is not node]
    return [last for one in inside if one.name == path[0] for last in _named_path(one, path[1:])]


def _bindings(around: list[ast.stmt], own: list[ast.AST]) -> tuple[dict[str, list[ast.AST]], dict[str, ast.expr]]:
    """By name: the code around a function that gives it its value, and the annotations of parameters."""
    made_by: dict[str, list[ast.AST]] = {}
    arguments: dict[str, ast.expr] = {}

    def bind(target: ast.AST, *code: ast.AST) -> None:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                made_by.setdefault(name.id, []).extend(code)

    waiting: list[ast.AST] = list(around)
    while waiting:
        node = waiting.pop(0)
        if node in own:
            continue
        waiting += list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Assign):
            for target in node.targets:
                bind(target, node)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            bind(node.target, node)
        elif isinstance(node, ast.For):
            bind(node.target, node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            bind(node.optional_vars, node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node not in around:
            made_by.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            arguments[node.arg] = node.annotation
    return made_by, arguments
