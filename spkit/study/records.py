"""Records: what a stage was given and what it made, so that nothing is done twice and nothing stale is taken."""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spkit.costs import count_costs
from spkit.environment import machine
from spkit.errors import SpkitError
from spkit.files import write_folder
from spkit.hashing import file_hash, text_hash
from spkit.saving.card import versions

_RECORD = "record.json"


@dataclass(frozen=True)
class Stage:
    """One piece of work of a study.

    Attributes:
        name: unique within the study; also the stage's folder, so it may hold slashes.
        config: all settings that decide its output, seeds included.
        inputs: name and hash of all it reads.
        code: modules whose functions it calls; what they import of spkit counts too.
        run: fills an empty folder and returns metrics for the record (`examples` for the cost table).
    """

    name: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    code: Sequence[str]
    run: Callable[[Path], Mapping[str, Any]]


@dataclass(frozen=True)
class Record:
    """What is known of a finished stage."""

    folder: Path
    content: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """Of the stage's outputs: what later stages take as their input."""
        return text_hash(json.dumps(self.content["outputs"], sort_keys=True))

    @property
    def seconds(self) -> float:
        """Wall time of the stage."""
        return float(self.content["seconds"])


def finish(stage: Stage, root: Path, say: Callable[[str], None]) -> Record:
    """Run a stage, or take its record where an equal one exists.

    Equal means: the same settings, inputs, code and versions, and all output files there at their full size.

    Args:
        stage: the work.
        root: the study's folder.
        say: called with one line about what happens.

    Returns:
        The record.

    Raises:
        SpkitError: the stage's folder holds something that no stage wrote.
    """
    folder = root / stage.name
    wanted = {
        "stage": stage.name,
        "config": json.loads(json.dumps(stage.config)),
        "inputs": dict(stage.inputs),
        "code": text_hash(_hashed_once(tuple(stage.code)), _bare_code(textwrap.dedent(inspect.getsource(stage.run)))),
        "versions": versions(),
    }
    found = _read(folder)
    if found is not None and _equal(found, wanted) and _whole(folder, found):
        say(f"  {stage.name}: done before")
        return Record(folder, found)
    if found is None and folder.exists() and not (folder / _RECORD).exists():
        raise SpkitError(
            "A study may write over its own stages only.",
            f"Found {folder}, which no stage wrote.",
            "Pass another output folder, or move that one away.",
        )
    say(f"  {stage.name} …")
    content: dict[str, Any] = {}

    def fill(unfinished: Path) -> None:
        with count_costs() as cost:
            metrics = stage.run(unfinished)
        content.update(
            wanted,
            metrics=dict(metrics),
            machine=machine(),
            seconds=round(cost.seconds, 3),
            cost={key: value for key, value in vars(cost).items() if key != "seconds"},
            outputs=_outputs(unfinished),
        )
        (unfinished / _RECORD).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    write_folder(folder, fill)
    return Record(folder, content)


def _equal(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record is of this very work. The order of inputs counts: the SLERP fold and joint training have one."""
    same_order = list(found.get("inputs", ())) == list(wanted["inputs"])
    return same_order and all(found.get(key) == value for key, value in wanted.items())


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None


def _outputs(folder: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _RECORD)
    return {
        path.relative_to(folder).as_posix(): {"sha256": file_hash(path), "bytes": path.stat().st_size} for path in paths
    }


def _whole(folder: Path, content: Mapping[str, Any]) -> bool:
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == about["bytes"]
        for name, about in content["outputs"].items()
    )


def code_hash(modules: Sequence[str]) -> str:
    """sha256 of the code of modules of spkit and all that they import of it, without comments and docstrings.

    Args:
        modules: full names, e.g. `"spkit.training.trainer"`.

    Returns:
        64 hexadecimal digits.
    """
    sources: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"A stage names the module {name!r}, which does not exist.")
        source = Path(spec.origin).read_text(encoding="utf-8")
        sources[name] = _bare_code(source)
        waiting += _imported(ast.parse(source))
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\n{sources[name]}\n".encode())
    return digest.hexdigest()


@cache
def _hashed_once(modules: tuple[str, ...]) -> str:
    """A process runs the code that it has loaded: its many stages need not read it many times."""
    return code_hash(modules)


def _bare_code(source: str) -> str:
    """The code without what does not run: comments, docstrings, layout."""
    return ast.dump(_without_docstrings(ast.parse(source)))


def _imported(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in found if name.startswith("spkit.") and _is_module(name)]


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the parent is a module, so this is a function or class in it
        return False


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree
