"""Folders with a list of what spkit wrote into them, and of what bytes: nothing else is ever replaced or deleted, and
what has changed since is noticed.
"""

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.files import check_room, parse_json, target, whole_file, write_text
from spkit.hashing import fast_hash, text_hash
from spkit.launcher import is_main
from spkit.locks import locked

#: The list: each file's length and hash, and which part of spkit wrote it.
LIST = ".spkit.json"
#: Seconds for which a folder is waited for that another process is just writing.
_WAIT = 60.0
_ONE_LIST = "A folder's list must be written by one process at a time."

#: Whether a file that no list names is ours all the same, by its name in the folder: what former versions wrote.
Recognised = Callable[[str], bool]


def write_folder(
    folder: str | Path,
    fill: Callable[[Path], None],
    what: str,
    *,
    recognised: Recognised | None = None,
    repair: bool = False,
) -> Path:
    """Fill a temporary folder beside the target and rename it, so that a folder is there whole or not at all.

    Args:
        folder: the target; `~` stands for the home folder.
        fill: writes all files into a folder that it is given.
        what: what is written, for the errors.
        recognised: see `check_replaceable`.
        repair: see `check_replaceable`.

    Returns:
        The folder.

    Raises:
        SpkitError: as `check_replaceable`; or another process is writing the same folder, and does not end.
    """
    folder = target(folder, what)
    if not is_main():
        return folder
    unfinished, replaced = _beside(folder, "unfinished"), _beside(folder, "replaced")
    with locked(folder, f"{what} must be written by one process at a time.", wait=_WAIT):
        # Under the lock, what lies here was left by a process that was killed.
        if replaced.is_dir() and not folder.exists():
            os.replace(replaced, folder)
        for left in (unfinished, replaced):
            shutil.rmtree(left, ignore_errors=True)
        check_replaceable(folder, what, recognised=recognised, repair=repair)
        try:
            unfinished.mkdir()
            fill(unfinished)
            list_folder(unfinished, what)
            if folder.exists():
                _hand_on_notes(folder, unfinished, what)
                os.replace(folder, replaced)
            os.replace(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)
    return folder


def check_replaceable(
    folder: str | Path, what: str, *, size: int = 0, recognised: Recognised | None = None, repair: bool = False
) -> None:
    """Raise now what `write_folder` would raise: what is replaced is gone with all its files.

    Args:
        folder: the target of a save.
        what: what is saved, for the errors.
        size: bytes that will be written at least.
        recognised: whether a file that no list names is ours all the same.
        repair: whether a file of ours may have changed since: it is made again because of that.

    Raises:
        SpkitError: the path is a file or a link, the folder holds something that spkit did not write or that was
            changed since, or it cannot be written.
    """
    folder = target(folder, what)
    if folder.is_file():
        raise SpkitError(f"{what} must be saved to a folder.", f"Found the file {folder}.", "Pass another path.")
    foreign = _foreign(folder, recognised, repair) if folder.is_dir() else []
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise SpkitError(
            f"{what} must be saved to a new or empty folder, or over what spkit wrote.",
            f"Found {folder} with {quoted(foreign[:3])}{more}, which spkit did not write, or which was changed since.",
            "Pass another folder, or move this away.",
        )
    check_room(folder.parent, size, what)


@contextmanager
def own_file(path: str | Path, by: str, *, recognised: bool = False) -> Iterator[Path]:
    """Write a file into a folder that others may use too: whole or not at all, and over a file of our own only.

    Args:
        path: the file; its folder is made where it does not exist.
        by: which part of spkit writes; another part's files are foreign.
        recognised: whether a file that no list names is ours all the same.

    Yields:
        The temporary name to write under.

    Raises:
        SpkitError: as `check_own_file`.
    """
    path = target(path)
    check_own_file(path, by, recognised=recognised)
    with whole_file(path) as unfinished:
        yield unfinished
        if not is_main():
            return
        with locked(path.with_name(LIST), _ONE_LIST, wait=_WAIT):
            listed = _files(path.parent)
            entry = _entry(unfinished.parent, unfinished.name, by)
            before = listed.get(path.name, entry)["xxh3"]  # what stands there until the file has its name
            if before != entry["xxh3"]:
                entry["before"] = [before]
            _write_list(path.parent, listed | {path.name: entry}, _used_by(path.parent))


def check_own_file(path: str | Path, by: str, *, recognised: bool = False) -> None:
    """Raise now what `own_file` would raise.

    Raises:
        SpkitError: a file is there that this part of spkit did not write, or that was changed since; or the path is a
            link or a folder, or cannot be written.
    """
    path = target(path)
    entry = _files(path.parent).get(path.name)
    ours = recognised or (entry is not None and entry["by"] == by and path.is_file() and _holds(path, entry))
    if path.exists() and not ours:
        raise SpkitError(
            "A file must be new, or one of the same kind that spkit wrote, to be written.",
            f"Found {path}, which `{by}` did not write, or which was changed since.",
            "Pass another path, or move this away.",
        )
    check_room(path.parent, 0, "A file")


def check_unchanged(folder: Path, what: str, names: Collection[str] | None = None) -> None:
    """Raise where files are not any more what spkit wrote; a folder without a list is passed over.

    Args:
        folder: any folder.
        what: what it holds, for the error.
        names: which of the files matter; None for all.

    Raises:
        SpkitError: a file is missing, or other bytes stand in it.
    """
    changed = changed_files(folder, names)
    if changed:
        raise SpkitError(
            f"{what} must hold what spkit wrote there.",
            f"Found {quoted(changed[:3])} in {folder} missing, damaged or changed since.",
            f"Make or copy it again; if you changed it yourself and mean it, remove {folder / LIST}.",
        )


def changed_files(folder: Path, names: Collection[str] | None = None) -> list[str]:
    """Files of a folder's list that are missing or hold other bytes; about 0.01 s for 100 MB that are in memory."""
    return [
        name
        for name, entry in _files(folder).items()
        if (names is None or name in names) and not _holds(folder / name, entry)
    ]


def is_listed(folder: Path) -> bool:
    """Whether a folder has a list of what spkit wrote."""
    return (folder / LIST).is_file()


def is_whole(folder: Path) -> bool:
    """Whether a folder has a list of what spkit wrote, and holds all of it with the same bytes."""
    try:
        return is_listed(folder) and not changed_files(folder)
    except SpkitError:  # the list itself is damaged
        return False


def listed_files(folder: Path) -> list[str]:
    """Names of the files that spkit wrote into a folder; none where it has no list."""
    return list(_files(folder))


def state_of(folder: Path) -> str | None:
    """A hash of the weights that a folder holds by its list, which need not be read; None where it has no list."""
    files = {name: entry for name, entry in _files(folder).items() if name.endswith((".safetensors", ".bin"))}
    return _hash(files) if is_listed(folder) else None


def list_folder(folder: Path, what: str) -> None:
    """Write the list of a folder that was filled by other means."""
    _write_list(folder, {name: _entry(folder, name, what) for name in _names(folder)})


def note_use(folder: Path, by: Path) -> None:
    """Note in a folder's list that something was made of it, which is told once the folder is replaced.

    A folder without a list, or one that cannot be written, is passed over: what was made of it knows its state. So is
    what is inside of a folder that is still unfinished.
    """
    if is_listed(folder) and not any(part.endswith(".unfinished") for part in by.parts):
        with contextlib.suppress(OSError), locked(folder / LIST, _ONE_LIST, wait=_WAIT):
            _write_list(folder, _files(folder), _used_by(folder) | {str(by.resolve()): str(folder.resolve())})


def _hand_on_notes(folder: Path, fresh: Path, what: str) -> None:
    """Note what was made of a folder in the one that replaces it, or warn that it is of other weights."""
    # The note of a copy is of the folder that it was copied from.
    made = [by for by, of in _used_by(folder).items() if of == str(folder.resolve()) and Path(by).is_dir()]
    if made and state_of(folder) == state_of(fresh):
        _write_list(fresh, _files(fresh), dict.fromkeys(made, str(folder.resolve())))
    elif made:
        warnings.warn(
            f"{what} in {folder} is replaced by another. Made of the former one, and refused from now on: "
            f"{quoted(made)}. Make them again.",
            stacklevel=4,
        )


def _used_by(folder: Path) -> dict[str, str]:
    """What was made of a folder, and the path at which that was."""
    try:
        return dict(parse_json((folder / LIST).read_text(encoding="utf-8")).get("used_by", {}))
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _holds(path: Path, entry: Mapping[str, Any]) -> bool:
    if path.is_symlink():
        return False
    if "xxh3" not in entry:  # an empty folder
        return path.is_dir()
    if not path.is_file() or ("before" not in entry and path.stat().st_size != entry["bytes"]):
        return False
    return fast_hash(path) in (entry["xxh3"], *entry.get("before", ()))


def _foreign(folder: Path, recognised: Recognised | None, repair: bool) -> list[str]:
    listed = _files(folder, damaged_is_empty=repair)
    if repair and not listed and is_listed(folder):  # nothing is known of a folder whose list is damaged
        return []

    def ours(name: str) -> bool:
        if name in listed:
            return repair or _holds(folder / name, listed[name])
        if any(other.startswith(f"{name}/") for other in listed) and not (folder / name).is_symlink():
            return True  # a folder of ours whose files are gone
        return recognised is not None and recognised(name)

    return [name for name in _names(folder) if not ours(name)]


def _names(folder: Path) -> Iterator[str]:
    """Everything below a folder that could be lost with it: files, links, and folders with nothing in them."""
    for path, folders, files in os.walk(folder):
        here = Path(path).relative_to(folder)
        links = [name for name in folders if (Path(path) / name).is_symlink()]
        for name in sorted([*files, *links]):
            if name != LIST:
                yield (here / name).as_posix()
        if not folders and not files and here != Path():
            yield here.as_posix()


def _entry(folder: Path, name: str, by: str) -> dict[str, Any]:
    path = folder / name
    return {"by": by} if path.is_dir() else {"by": by, "bytes": path.stat().st_size, "xxh3": fast_hash(path)}


def _files(folder: Path, damaged_is_empty: bool = False) -> dict[str, dict[str, Any]]:
    try:
        text = (folder / LIST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError:
        text = ""
    try:
        about = parse_json(text)
        if about["hash"] == _hash(about["files"]):
            return about["files"]
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    if damaged_is_empty:
        return {}
    raise SpkitError(
        "A folder's list of what spkit wrote must be whole.",
        f"Found {folder / LIST}, which is damaged.",
        "Make or copy the folder again.",
    )


def _write_list(folder: Path, files: Mapping[str, Mapping[str, Any]], used_by: Mapping[str, str] | None = None) -> None:
    listed = dict(sorted(files.items()))
    about = {"files": listed, "hash": _hash(listed), **({"used_by": dict(used_by)} if used_by else {})}
    write_text(folder / LIST, json.dumps(about, indent=1) + "\n")


def _hash(files: Mapping[str, Any]) -> str:
    return text_hash(json.dumps(files, sort_keys=True))


def _beside(folder: Path, state: str) -> Path:
    return folder.with_name(f".{folder.name}.{state}")
