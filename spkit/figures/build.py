"""Drawing figures into files that come out the same, byte for byte, and checking that they still do."""

import hashlib
import inspect
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pandas import DataFrame

from spkit import __version__
from spkit.errors import SpkitError, quoted
from spkit.figures.gallery import PAGE, page_fits, write_gallery
from spkit.figures.registry import Draw, NothingToDrawError, Rule, chosen_rules
from spkit.results.frames import read_results, seeds_of

#: What a figure is written as. The provenance comes last: it speaks for the other three.
SUFFIXES = (".pdf", ".png", ".csv", ".json")

#: Files that shape every figure, beside the module that draws it.
_SHARED_CODE = ("figures/heatmap.py", "results/frames.py", "figures/spkit.mplstyle", "figures/style.py")


def draw_figures(results: Path | str, output: Path | str, only: Sequence[str] | None = None) -> list[Path]:
    """Draw figures from a study's files, each as PDF, PNG, the data drawn (CSV) and its provenance (JSON).

    A figure whose data a study did not produce is left out, and said so on stderr. A page, `figures.md`, shows all that
    lie in the folder, with their captions.

    Args:
        results: folder of a finished study.
        output: folder for the figures; made where it does not exist.
        only: names of figures (see `figure_names`); default all.

    Returns:
        The files written, four for each figure; the page is not among them.

    Raises:
        SpkitError: a name in `only` is not a figure's, or a figure named in `only` lacks its data.
    """
    results, output = _folder(results), Path(output)
    chosen = chosen_rules(only)
    output.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    lacks: dict[str, NothingToDrawError] = {}
    for rule in chosen:
        try:
            written += _write(rule, results, output)
        except NothingToDrawError as lack:
            _refuse(rule, lack, only)
            lacks[rule.name] = lack
    _tell(lacks)
    write_gallery(output)
    return written


def check_figures(results: Path | str, output: Path | str, only: Sequence[str] | None = None) -> list[str]:
    """Draw the figures anew in a temporary folder and compare every byte with the files in `output`, and their page.

    Args:
        results: folder of a finished study.
        output: folder that holds the figures.
        only: names of figures; default all.

    Returns:
        A sentence for each figure that differs, its name first and the reason after it; empty where all are as drawn.

    Raises:
        SpkitError: as `draw_figures`.
    """
    results, output = _folder(results), Path(output)
    differing = []
    lacks: dict[str, NothingToDrawError] = {}
    for rule in chosen_rules(only):
        with tempfile.TemporaryDirectory() as folder:
            try:
                _write(rule, results, Path(folder))
                reasons = _differences(rule.name, Path(folder), output)
            except NothingToDrawError as lack:
                _refuse(rule, lack, only)
                lacks[rule.name] = lack
                stale = [f"{rule.name}{suffix}" for suffix in SUFFIXES if (output / f"{rule.name}{suffix}").exists()]
                reasons = [f"{lack} Yet there is {quoted(stale)}"] if stale else []
        if reasons:
            differing.append(f"{rule.name}: {'; '.join(reasons)}")
    _tell(lacks)
    if only is None and not page_fits(output):
        differing.append(f"{PAGE}: it does not show the figures that lie beside it, with their captions")
    return differing


def _folder(results: Path | str) -> Path:
    folder = Path(results)
    if not folder.is_dir():
        raise SpkitError(
            "`results` must be the folder of a finished study.",
            f"Found no folder {str(folder)!r}.",
            "Run `spkit study` first.",
        )
    return folder


class _NoTableError(NothingToDrawError):
    """The study has not made a figure's tables at all."""


def _refuse(rule: Rule, lack: NothingToDrawError, only: Sequence[str] | None) -> None:
    """A figure that was asked for by name must not be left out."""
    if only is not None:
        raise SpkitError(
            f"The figure {rule.name!r} must have data to draw.",
            str(lack),
            "Run the study's stage that makes it, or leave it out.",
        )


def _tell(lacks: Mapping[str, NothingToDrawError]) -> None:
    """Say on stderr what is left out: in one line where a study made no table, which most do not for most figures."""
    absent = [name for name, lack in lacks.items() if isinstance(lack, _NoTableError)]
    for name, lack in lacks.items():
        if name not in absent:
            print(f"The figure {name!r} is left out: {lack}", file=sys.stderr)
    if absent:
        print(f"Figures of analyses that this study did not make: {quoted(absent)}.", file=sys.stderr)


def _write(rule: Rule, results: Path, output: Path) -> list[Path]:
    """Draw one figure into temporary files, then rename them: a reader never sees half a figure."""
    from spkit.figures.style import style

    if absent := [name for name in rule.inputs if not (results / name).is_file()]:
        raise _NoTableError(f"{results} holds no {quoted(absent)}.")
    tables = read_results(results, rule.inputs)
    with tempfile.TemporaryDirectory(dir=output, prefix=f".{rule.name}-") as folder:
        stem = Path(folder) / rule.name
        with style():
            drawing, drawn, caption = rule.draw(tables)
            # Dates and program names would make two drawings of the same data differ.
            drawing.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
            drawing.savefig(stem.with_suffix(".png"), metadata={"Software": None})
        drawn.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
        provenance = _provenance(rule, results, tables, caption)
        text = json.dumps(provenance, indent=2, ensure_ascii=False)
        stem.with_suffix(".json").write_text(f"{text}\n", encoding="utf-8", newline="\n")
        for suffix in SUFFIXES:
            os.replace(stem.with_suffix(suffix), output / f"{rule.name}{suffix}")
    return [output / f"{rule.name}{suffix}" for suffix in SUFFIXES]


def _provenance(rule: Rule, results: Path, tables: dict[str, DataFrame], caption: str) -> dict[str, Any]:
    here = Path(__file__).parent.parent
    return {
        "figure": rule.name,
        "caption": caption,
        "inputs": {name: _hash((results / name).read_bytes()) for name in rule.inputs},
        "code": {
            **_source(rule.draw),
            **{Path(name).name: _hash((here / name).read_bytes()) for name in _SHARED_CODE},
        },
        "seeds": sorted({seed for table in tables.values() for seed in seeds_of(table)}),
        "versions": {"spkit": __version__, **{name: _version(name) for name in ("matplotlib", "seaborn", "pandas")}},
    }


def _source(draw: Draw) -> dict[str, str]:
    """Name and hash of the module that draws, and of those of ours that it draws with.

    Of a function that was typed into a notebook there is no module: it is hashed alone.
    """
    function = inspect.unwrap(draw)
    file = Path(inspect.getsourcefile(function) or "")
    if not file.is_file():
        return {function.__qualname__: _hash(inspect.getsource(function).encode())}
    code = file.read_bytes()
    ours = re.findall(rb"^from spkit\.figures\.(\w+) import", code, flags=re.MULTILINE)
    with_these = [Path(__file__).with_name(f"{name.decode()}.py") for name in ours if name != b"registry"]
    return {file.name: _hash(code), **{path.name: _hash(path.read_bytes()) for path in with_these if path.is_file()}}


def _differences(name: str, fresh: Path, output: Path) -> list[str]:
    reasons = []
    for suffix in SUFFIXES:
        file = f"{name}{suffix}"
        if not (output / file).is_file():
            reasons.append(f"{file} is missing")
        elif (output / file).read_bytes() != (fresh / file).read_bytes():
            detail = _changed(output / file, fresh / file) if suffix == ".json" else ""
            reasons.append(f"{file} differs{detail}")
    return reasons


def _changed(old: Path, new: Path) -> str:
    """Which entries of two provenance files differ, e.g. " in inputs scores.csv, versions matplotlib"."""
    try:
        before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (old, new))
    except ValueError:
        return ""
    if not isinstance(before, dict):
        return ""
    entries = []
    for key in sorted(before.keys() | after.keys()):
        left, right = before.get(key), after.get(key)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            entries += [
                f"{key} {part}" for part in sorted(left.keys() | right.keys()) if left.get(part) != right.get(part)
            ]
        else:
            entries.append(key)
    return f" in {', '.join(entries)}" if entries else ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
