"""A figure as files that come out the same, byte for byte, and how they differ from those that are there."""

import json
from pathlib import Path

from spkit.drawing.provenance import provenance
from spkit.drawing.rule import NothingToDrawError, Rule
from spkit.drawing.style import style
from spkit.errors import quoted
from spkit.folders import changed_files, check_own_file, own_file
from spkit.results.schema import read_results

#: What a figure is written as. The provenance comes last: it speaks for the other three.
SUFFIXES = (".pdf", ".png", ".csv", ".json")
#: Dates and program names would make two drawings of the same data differ.
#: Who draws, in the list of a folder.
_BY = "spkit figures"
_UNDATED: dict[str, dict[str, None]] = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}


class NoTableError(NothingToDrawError):
    """The study has not made a figure's tables at all."""


def write_figure(rule: Rule, results: Path, output: Path) -> list[Path]:
    """Draw one figure, and write it as PDF, PNG, the data drawn (CSV) and its provenance (JSON).

    Args:
        rule: of the figure.
        results: folder of a finished study.
        output: folder for the files.

    Returns:
        The four files, each written whole or not at all.

    Raises:
        NothingToDrawError: the tables lack the rows that the figure is made of.
        NoTableError: the tables are not there.
    """
    if absent := [name for name in rule.inputs if not (results / name).is_file()]:
        raise NoTableError(f"{results} holds no {quoted(absent)}.")
    tables = read_results(results, rule.inputs)
    files = {suffix: output / f"{rule.name}{suffix}" for suffix in SUFFIXES}
    ours = _is_drawn(rule.name, output)
    check_drawable(rule.name, output)
    with style():
        drawing = rule.drawing(tables)
        for suffix, metadata in _UNDATED.items():
            with own_file(files[suffix], _BY, recognised=ours) as unfinished:
                drawing.figure.savefig(unfinished, format=suffix.removeprefix("."), metadata=metadata)
    told = {"figure": rule.name, "headline": drawing.headline, "caption": drawing.caption, **drawing.about}
    texts = {
        ".csv": drawing.data.to_csv(index=False, lineterminator="\n"),
        ".json": json.dumps(told | provenance(rule, results, tables), indent=2, ensure_ascii=False) + "\n",
    }
    for suffix, text in texts.items():
        with own_file(files[suffix], _BY, recognised=ours) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="\n")
    return list(files.values())


def check_drawable(name: str, output: Path) -> None:
    """Raise before anything is computed where a figure's files would replace what no figure of ours is."""
    ours = _is_drawn(name, output)
    for suffix in SUFFIXES:
        check_own_file(output / f"{name}{suffix}", _BY, recognised=ours)


def _is_drawn(name: str, output: Path) -> bool:
    """Whether files of a figure are ours by the provenance that lies beside them: where it is published, no list is."""
    try:
        return json.loads((output / f"{name}.json").read_text(encoding="utf-8"))["figure"] == name
    except (OSError, ValueError, KeyError, TypeError):
        return False


def is_fresh(rule: Rule, results: Path, output: Path) -> bool:
    """Whether a figure's files are there, and were made of what it would be made of now."""
    files = [output / f"{rule.name}{suffix}" for suffix in SUFFIXES]
    if not all(file.is_file() for file in files) or not all((results / name).is_file() for name in rule.inputs):
        return False
    if changed_files(output, [file.name for file in files]):
        return False
    try:
        made_of = json.loads(files[-1].read_text(encoding="utf-8"))
    except ValueError:
        return False
    wanted = provenance(rule, results, read_results(results, rule.inputs))
    return all(made_of.get(key) == value for key, value in wanted.items())


def differences(name: str, fresh: Path, output: Path) -> list[str]:
    """How the files of a figure differ from those drawn anew, a phrase each; of the provenance which entries do."""
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
