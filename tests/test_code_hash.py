"""The hash of the code that a function reaches: what changes it, and what does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spkit.code_hash import code_hash
from spkit.errors import SpkitError

PACKAGE = {
    "__init__.py": "",
    "helpers.py": (
        "def used(x):\n    return deeper(x)\n\ndef deeper(x):\n    return x + 1\n\ndef unused(x):\n    return x\n"
    ),
    "late.py": "VALUE = 3\n",
    "registry.py": "KNOWN = {}\n\ndef register(f):\n    KNOWN[f.__name__] = f\n    return f\n",
    "scanned/__init__.py": (
        "from pkgutil import iter_modules\n\ndef every():\n    return list(iter_modules(__path__))\n"
    ),
    "scanned/one.py": "from pack.registry import register\n\n@register\ndef one():\n    return 1\n",
    "context.py": (
        "from dataclasses import dataclass\n\n@dataclass\nclass Context:\n    size: int = 1\n\n"
        "    def read(self):\n        return self._inside()\n\n    def _inside(self):\n        return self.size\n\n"
        "    def other(self):\n        return 0\n"
    ),
    "stages.py": (
        "from functools import partial\nfrom pkgutil import iter_modules\n"
        "from pack.context import Context\nfrom pack.helpers import used\nfrom pack.registry import KNOWN, register\n"
        "from pack.scanned import every\n\n"
        "def helper(x):\n    '''Words.'''\n    return used(x)  # a comment\n\n"
        "def other(x):\n    return x\n\n"
        "def held(x):\n    return x * 2\n\n"
        "def stage(context: Context):\n"
        "    size = 8\n\n    def work(folder):\n        from pack.late import VALUE\n\n"
        "        return helper(size) + context.read() + VALUE\n\n    return work\n\n"
        "def holding(call):\n    def work(folder):\n        return call()\n\n    return work\n\n"
        "def with_held():\n    return holding(partial(held, 1))\n\n"
        "@register\ndef drawing():\n    return 'a picture'\n\n"
        "def reading():\n    return KNOWN\n\n"
        "PLACES = ('pack.scanned',)\n\ndef listing():\n    return [iter_modules(one) for one in PLACES]\n\n"
        "def scanning():\n    return every(), KNOWN\n"
    ),
}


def hashed(folder: Path, root: str, changes: dict[str, tuple[str, str]] | None = None) -> str:
    """The hash of a root in a package of its own, with one text of a file replaced by another."""
    place = folder / f"v{len(list(folder.iterdir()))}"
    for name, text in PACKAGE.items():
        path = place / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        old, new = (changes or {}).get(name, ("", ""))
        assert old in text
        path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
    program = f"import pack.stages as stages\nfrom spkit.code_hash import code_hash\nprint(code_hash({root}))\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


WORK, HELD, SCAN = "stages.stage(None)", "stages.with_held()", "stages.scanning"


@pytest.mark.parametrize(
    ("root", "file", "old", "new"),
    [
        (WORK, "stages.py", "return used(x)", "return used(x) + 1"),
        (WORK, "stages.py", "size = 8", "size = 9"),
        (WORK, "helpers.py", "x + 1", "x + 2"),
        (WORK, "late.py", "3", "4"),
        (WORK, "context.py", "return self.size", "return -self.size"),
        (HELD, "stages.py", "x * 2", "x * 3"),
        (SCAN, "scanned/one.py", "return 1", "return 2"),
        ("stages.listing", "scanned/one.py", "return 1", "return 2"),
        ("stages.reading", "stages.py", "a picture", "another"),
        (SCAN, "registry.py", "KNOWN[f.__name__] = f", "KNOWN[f] = f"),
        ("'pack.helpers'", "helpers.py", "    return x\n", "    return -x\n"),
        ("stages.Context", "context.py", "return 0", "return 1"),
    ],
)
def test_what_is_reached_changes_the_hash(tmp_path, root, file, old, new) -> None:
    assert hashed(tmp_path, root) != hashed(tmp_path, root, {file: (old, new)})


@pytest.mark.parametrize(
    ("root", "file", "old", "new"),
    [
        (WORK, "stages.py", "  # a comment", "  # another"),
        (WORK, "stages.py", "'''Words.'''", "'''Other words.'''"),
        (WORK, "stages.py", "def helper(x):", "\n\ndef helper(\n    x: object,\n) -> int:"),
        (WORK, "stages.py", "    return x\n\n", "    return -x\n\n"),  # another function of the module
        (WORK, "helpers.py", "def unused(x):\n    return x", "def unused(x):\n    return -x"),
        (WORK, "context.py", "return 0", "return 1"),  # a member that the work does not use
        (HELD, "stages.py", "size = 8", "size = 9"),
        (WORK, "scanned/one.py", "return 1", "return 2"),
        (WORK, "stages.py", "a picture", "another"),  # registered, where the work does not look
    ],
)
def test_what_is_not_reached_does_not_change_it(tmp_path, root, file, old, new) -> None:
    assert hashed(tmp_path, root) == hashed(tmp_path, root, {file: (old, new)})


def test_a_function_of_a_notebook_counts_with_what_it_names_of_spkit(tmp_path) -> None:
    def of(body: str) -> str:
        program = (
            "import linecache\nfrom spkit.code_hash import code_hash\nfrom spkit.errors import quoted\n"
            f"source = {body!r}\nlinecache.cache['<cell>'] = (len(source), None, source.splitlines(True), '<cell>')\n"
            "exec(compile(source, '<cell>', 'exec'))\nprint(code_hash(draw))\n"
        )
        return subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    plain = of("def draw(x):\n    return x\n")
    assert of("def draw(x):\n    '''Words.'''\n    return x  # more\n") == plain
    assert of("def draw(x):\n    return -x\n") != plain
    assert of("def draw(x):\n    return quoted(x)\n") != plain


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(SpkitError, match=r"Found no module 'spkit\.no_such'"):
        code_hash("spkit.no_such")
    namespace: dict = {}
    exec("def f():\n    return 1\n", {"__name__": "__main__"}, namespace)
    with pytest.raises(SpkitError, match="must have a source"):
        code_hash(namespace["f"])


def test_every_process_gives_one_hash(tmp_path) -> None:
    """Sets of texts stand in another order in each process; a study that went on would run again what it has."""
    names = [f"value_{number}" for number in range(12)]
    lines = [*(f"    {name} = {number}" for number, name in enumerate(names)), "    def work():"]
    source = ["def make():", *lines, f"        return {' + '.join(names)}", "    return work"]
    (tmp_path / "own.py").write_text("\n".join(source) + "\n", encoding="utf-8")
    program = "import own; from spkit.code_hash import code_hash; print(code_hash(own.make()))"
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert len(hashes) == 1
