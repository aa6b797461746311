"""What has to be installed: ten packages for the core, the rest as extras, and a word on what is missing."""

import ast
import json
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from spkit import __version__
from spkit._extras import EXTRAS, MissingPackageError, require
from spkit.errors import SpkitError

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = ("demo", "search", "study", "mergekit", "adapters", "cluster", "lab")


def brought(lines: Iterable[str]) -> set[str]:
    """Names of all distributions that pip installs for requirements, those of the requirements' own included."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        one = waiting.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        seen.add(key)
        if one.name == "spkit":
            deeper = [line for extra in one.extras for line in PROJECT["optional-dependencies"][extra]]
        else:
            deeper = requires(one.name) or []
        for line in deeper:
            further = Requirement(line)
            chosen = [{"extra": extra} for extra in ("", *one.extras)]
            if further.marker is None or any(further.marker.evaluate(extra) for extra in chosen):
                waiting.append(further)
    return {name for name, _ in seen}


CORE = brought(PROJECT["dependencies"])

#: The distributions behind each package that can be imported here.
OWNERS = {package: {canonicalize_name(name) for name in names} for package, names in packages_distributions().items()}


def test_the_core_needs_ten_packages_at_most() -> None:
    assert len(PROJECT["dependencies"]) <= 10


def test_every_requirement_says_why_its_floor_stands_there() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        for line in group:
            if "[" not in line or line.startswith("sentence"):
                (written,) = [one for one in text.splitlines() if f'"{line}"' in one][:1]
                assert "# " in written, line


def test_all_takes_every_extra_that_is_not_for_its_makers_only() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {*RUNTIME, "all", "docs", "test", "dev"}
    assert Requirement(extras["all"][0]).extras == set(RUNTIME)
    assert "spkit[all]" in extras["test"]


@pytest.mark.parametrize("package", EXTRAS)
def test_the_extra_that_an_error_names_brings_the_package(package) -> None:
    (owner,) = OWNERS[package]
    extra = PROJECT["optional-dependencies"][EXTRAS[package]]
    assert owner in brought(extra)
    assert owner not in CORE


def imported(path: Path) -> set[str]:
    """Packages that a module imports, at its top or inside of a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "spkit").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_module_imports_comes_with_the_core_or_with_a_known_extra(path) -> None:
    for package in imported(path) - {"spkit"} - sys.stdlib_module_names - set(EXTRAS):
        assert OWNERS.get(package, set()) & CORE, package


def test_a_missing_package_is_named_with_its_extra() -> None:
    error = MissingPackageError("optuna", "The search 'tpe'")
    assert isinstance(error, SpkitError)
    assert str(error) == (
        "The search 'tpe' needs the package optuna. Found none installed. "
        'Install it with `pip install "spkit[search]"`.'
    )


def test_a_package_counts_as_installed_without_being_imported(monkeypatch) -> None:
    monkeypatch.setitem(EXTRAS, "no_such_package", "lab")
    with pytest.raises(MissingPackageError, match="no_such_package"):
        require("no_such_package", "A test")


@pytest.fixture(scope="module")
def core_only(tmp_path_factory) -> dict:
    """What `tests/core_only.py` reports from an environment that holds the core's packages and no others."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    (target,) = home.glob("lib/python*/site-packages")
    for name in CORE:
        parts = {file.parts[0] for file in distribution(name).files or []} - {"..", "__pycache__"}
        for part in parts:
            (target / part).symlink_to(str(distribution(name).locate_file(part)))
    about = target / f"spkit-{__version__}.dist-info"  # the version alone; the code comes from here
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: spkit\nVersion: {__version__}\n", encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    # Its modules are those of this environment, seen from another path: they are not to be compiled for it again.
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [str(home / "bin" / "python"), "-m", "tests.core_only"]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_core_trains_merges_searches_and_scores_without_the_extras(core_only) -> None:
    assert core_only["scored"] == ["faq", "likeness", "topic"]
    assert core_only["coefficients"] == 3
    assert "ties" in core_only["methods"]
    assert not [name for name in core_only["methods"] if name.startswith("mergekit:")]
    assert not set(core_only["imported"]) & set(EXTRAS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "extra"),
    [
        ("bundled data", "demo"),
        ("bundled base", "demo"),
        ("tpe", "search"),
        ("cma", "search"),
        ("surgery", "study"),
        ("study", "study"),
        ("figures", "study"),
        ("mergekit", "mergekit"),
        ("adapter", "adapters"),
        ("explorer", "lab"),
        ("page", "lab"),
    ],
)
def test_asking_for_what_is_missing_says_which_extra_to_install(core_only, asked, extra) -> None:
    assert f'Install it with `pip install "spkit[{extra}]"`.' in core_only["errors"][asked]
