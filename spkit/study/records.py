"""Records: what a stage was given and what it made, so that no work is done twice and no stale result is used."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spkit.code_hash import code_hash
from spkit.costs import count_costs
from spkit.environment import machine
from spkit.files import parse_json
from spkit.folders import LIST, is_listed, is_whole, write_folder
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
        work: fills an empty folder and returns metrics for the record (`examples`, where it counts them itself). All
            code of spkit that it reaches decides the stage's output, and is hashed.
    """

    name: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    work: Callable[[Path], Mapping[str, Any]]


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

    Equal means: the same settings, inputs, code and versions, and all output files there with the bytes that the stage
    wrote. A stage whose record or files are damaged is done again.

    Args:
        stage: the work.
        root: the study's folder.
        say: called with one line about what happens.

    Returns:
        The record.

    Raises:
        SpkitError: the stage's folder holds something that no stage wrote.
    """
    folder, wanted = root / stage.name, _wanted(stage)
    before = taken(stage, root)
    if before is not None:
        say(f"  {stage.name}: done before")
        return before
    if is_listed(folder) and not is_whole(folder):
        say(f"  {stage.name}: files are missing or damaged, and are made again")
    content: dict[str, Any] = {}

    def fill(unfinished: Path) -> None:
        say(f"  {stage.name} …")
        with count_costs() as cost:
            metrics = stage.work(unfinished)
        content.update(
            wanted,
            metrics=dict(metrics),
            machine=machine(),
            seconds=round(cost.seconds, 3),
            cost={key: value for key, value in asdict(cost).items() if key != "seconds"},
            outputs=_outputs(unfinished),
        )
        (unfinished / _RECORD).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    # Former versions left no list, and a record beside what they wrote.
    former = (folder / _RECORD).is_file() and not is_listed(folder)
    write_folder(folder, fill, "A stage of a study", recognised=lambda _: former, repair=True)
    return Record(folder, content)


def taken(stage: Stage, root: Path) -> Record | None:
    """The record of a stage, where an equal one exists; nothing is run.

    Args:
        stage: the work.
        root: the study's folder.
    """
    folder = root / stage.name
    before = _read(folder) if is_whole(folder) else None
    return Record(folder, before) if before is not None and _equal(before, _wanted(stage)) else None


def record_in(folder: Path) -> Record | None:
    """The record that lies in a folder, whatever it is of; None without one."""
    content = _read(folder)
    return None if content is None else Record(folder, content)


def _wanted(stage: Stage) -> dict[str, Any]:
    """What an equal record says of a stage."""
    return {
        "stage": stage.name,
        "config": json.loads(json.dumps(stage.config)),
        "inputs": dict(stage.inputs),
        "code": code_hash(stage.work, count_costs),  # what it cost is part of its record, too
        "versions": versions(),
    }


def _equal(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record is of this very work. The order of inputs counts: the SLERP fold and joint training have one."""
    same_order = list(before.get("inputs", ())) == list(wanted["inputs"])
    return same_order and all(before.get(key) == value for key, value in wanted.items())


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        return parse_json((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _outputs(folder: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (_RECORD, LIST))
    return {
        path.relative_to(folder).as_posix(): {"sha256": file_hash(path), "bytes": path.stat().st_size} for path in paths
    }
