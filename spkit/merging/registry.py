"""The merge methods by name: what each is called, what it reads and takes, which paper it is of.

A method is one function with the decorator `method`, in a file of its own in `spkit/merging/rules/`. Whatever lists
methods reads this registry: `spkit.merge`, the command line, a study and its profiles, tables, figures and notebooks.
Naming the methods must cost no import of torch, so what a file says of its method is read off its source; the file is
imported when the method is used.
"""

import ast
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from spkit.errors import SpkitError, quoted
from spkit.merging import rules
from spkit.signatures import REQUIRED, Parameter, annotation_of, checked, nearest, parameters_of

#: Before the names of mergekit's own methods, which are passed through to it.
PASS_THROUGH = "mergekit:"

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Method:
    """A merge method.

    Attributes:
        name: what `spkit.merge` takes.
        label: what a reader sees.
        paper: where it is from.
        reads_data: whether it takes `tasks`.
        tuned: whether a study also tunes its length on the probe.
        summary: what it does, one line.
        parameters: what it takes beside the task vectors, in order.
        module: the file that defines it.
    """

    name: str
    label: str
    paper: str
    reads_data: bool
    tuned: bool
    summary: str
    parameters: tuple[Parameter, ...]
    module: str

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters by name, checked.

        Raises:
            SpkitError: an unknown one, a missing one, a wrong type or value.
        """
        if self.reads_data and "tasks" not in given:
            raise SpkitError(f"{self.name!r} reads data.", "Found no `tasks`.", "Pass `tasks`, one for each expert.")
        return checked(repr(self.name), self.parameters, given)

    def check_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`check` before there are any tasks: what a profile or a command line says."""
        return checked(repr(self.name), self.settings, given)

    @property
    def settings(self) -> tuple[Parameter, ...]:
        """The parameters that are settings, not data."""
        return tuple(parameter for parameter in self.parameters if parameter.name != "tasks")

    def default(self, parameter: str) -> Any:
        """A parameter's default; None where there is no such parameter."""
        return next((one.default for one in self.parameters if one.name == parameter), None)

    def __call__(self, vectors: Any, **given: Any) -> Any:
        """The merge as a point: vectors that span it and coefficients; see `spkit.merging.methods.point`."""
        if self.name not in _functions:
            import_module(self.module)
        return _functions[self.name](vectors, **self.check(given))


_functions: dict[str, Callable[..., Any]] = {}
_loaded: dict[str, Method] = {}


def method(
    name: str, *, label: str, paper: str, reads_data: bool = False, tuned: bool = False
) -> Callable[[_Function], _Function]:
    """Make a function a merge method.

    The function takes the task vectors, and by name what a user can set: their types, ranges and defaults are those of
    its signature. It returns a point: task vectors that span the merge, and coefficients.

    Args:
        name: what `spkit.merge` takes.
        label: what a reader sees.
        paper: where it is from; its arXiv number decides the method's place in lists.
        reads_data: whether it takes `tasks`.
        tuned: whether a study also tunes its length on the probe.

    Raises:
        SpkitError: the name belongs to another method.

    Example:
        >>> @method("sum", label="sum", paper="none")
        ... def total(vectors, *, length: float = 1.0):
        ...     "Sum of the task vectors."
        ...     return vectors, [length] * len(vectors)
        >>> find("sum").summary, [str(parameter) for parameter in find("sum").parameters]
        ('Sum of the task vectors.', ['length=1.0'])
        >>> forget("sum")
    """

    def register(function: _Function) -> _Function:
        summary, place = (function.__doc__ or "").strip().partition("\n")[0], function.__module__
        one = Method(name, label, paper, reads_data, tuned, summary, parameters_of(function), place)
        other = methods().get(name)
        if other is not None and other.module != one.module:
            raise SpkitError(
                "A merge method's name must be its own.",
                f"Found {name!r} in {place} and in {other.module}.",
                "Give one of them another name.",
            )
        _loaded[name], _functions[name] = one, function
        return function

    return register


def methods() -> dict[str, Method]:
    """The methods by name: first those that need no data, each group in the order in which their papers appeared.

    Example:
        >>> list(methods())[:4]
        ['average', 'task_arithmetic', 'ties', 'dare']
    """
    known = _written() | _loaded
    return {one.name: one for one in sorted(known.values(), key=_place)}


def find(name: str) -> Method:
    """A method by its name.

    Raises:
        SpkitError: there is none of this name, with the nearest ones.
    """
    known = methods()
    if name not in known:
        raise SpkitError(
            f"`method` must be one of {quoted(known)}, or one of mergekit's as '{PASS_THROUGH}NAME'.",
            f"Found {name!r}.",
            nearest(name, known, "Pass one of these."),
        )
    return known[name]


def forget(name: str) -> None:
    """Take back a method that was registered while the program ran."""
    _loaded.pop(name, None)
    _functions.pop(name, None)


def _place(one: Method) -> tuple[bool, bool, float, str]:
    number = re.search(r"\d{4}\.\d{5}", one.paper)
    return one.reads_data, number is None, float(number[0]) if number else 0.0, one.name


@cache
def _written() -> dict[str, Method]:
    """The methods in the files of `rules`, by their sources."""
    methods: dict[str, Method] = {}
    for file in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        spec = find_spec(file.name)
        if spec is None or spec.origin is None:
            continue
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (one := _read(node, file.name)) is not None:
                methods[one.name] = one
    return methods


def _read(function: ast.FunctionDef, module: str) -> Method | None:
    """What the decorator and the signature of a function say, where it is a method."""
    for call in function.decorator_list:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == method.__name__:
            said = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
            summary = (ast.get_docstring(function) or "").partition("\n")[0]
            return Method(
                ast.literal_eval(call.args[0]),
                said["label"],
                said["paper"],
                said.get("reads_data", False),
                said.get("tuned", False),
                summary,
                tuple(_parameters(function.args)),
                module,
            )
    return None


def _parameters(takes: ast.arguments) -> list[Parameter]:
    return [
        Parameter(
            one.arg,
            annotation_of(ast.unparse(one.annotation)) if one.annotation else Any,
            REQUIRED if default is None else ast.literal_eval(default),
        )
        for one, default in zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    ]
