"""The keys of a task's table in a task file: their types, and which of them go together."""

from collections.abc import Mapping
from typing import Any

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.kinds import kind_named, kinds
from spkit.tasks.names import check_names
from spkit.tasks.places import is_file
from spkit.tasks.rows import SPLITS, check_row_choice
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE

#: Keys of what a task table says of the loss, as `Task` has them.
LOSS_KEYS = ("loss", "temperature", "positive_from", "negative_to")

#: Keys of a task table and the types they may have.
KEYS: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "train": (str, list, dict),
    "dev": (str, list, dict),
    "test": (str, list, dict),
    "columns": (dict,),
    "values": (dict,),
    "prompts": (dict,),
    "limit": (int,),
    "unique": (bool,),
    "apart_from": (list,),
    "dev_share": (float,),
    "test_share": (float,),
    "role": (str,),
    "loss": (str,),
    "temperature": (int, float),
    "positive_from": (int, float),
    "negative_to": (int, float),
    "beir": (str,),
    "corpus_limit": (int,),
    "hub": (str,),
    "config": (str,),
    "revision": (str,),
}


def splits_made(table: Mapping[str, Any]) -> dict[str, float]:
    """The splits that are taken from train where they are not given, test first, with their usual shares."""
    shares = {"test": TEST_SHARE, "dev": DEV_SHARE}
    none = {"training": {"test"}, "unseen": {*shares}}.get(table.get("role", ""), set())
    return {split: share for split, share in shares.items() if split not in none and kind_named(table["kind"]).trained}


def check_table(table: Mapping[str, Any], where: str) -> None:
    """Raise what a table `[tasks.<name>]` must not be.

    Args:
        table: as TOML has it; no pool's, and no bundled task's.
        where: the task and the file, for the error.

    Raises:
        SpkitError: an unknown key, one that is missing, a value of another type, or keys that mean nothing together.
    """
    check_names(list(table), ["bundled", *KEYS], f"keys of a task table ({where})")
    kind = kinds().get(table["kind"]) if isinstance(table.get("kind"), str) else None
    scored = kind is not None and not kind.needs_train and ("test" in table or table.get("role") == "unseen")
    needed = "test" if kind is not None and (not kind.trained or scored) else "train"
    for key in ("kind", *([] if "beir" in table else [needed])):
        if key not in table:
            raise SpkitError(f"A task table must have {key!r}.", f"Found {quoted(table) or 'nothing'} in {where}.")
    for key, value in table.items():
        if not isinstance(value, KEYS[key]) or (isinstance(value, bool) and bool not in KEYS[key]):
            types = " or ".join(kind.__name__ for kind in KEYS[key])
            raise SpkitError(f"`{key}` must be of type {types}.", f"Found {shown(value)} in {where}.")
        if isinstance(value, dict) and key in SPLITS:
            check_row_choice(value, where)
        elif isinstance(value, list) and key not in SPLITS and not all(isinstance(one, str) for one in value):
            raise SpkitError(f"`{key}` must list names of tasks.", f"Found {shown(value)} in {where}.")
        elif key in SPLITS and not is_file(value):
            raise SpkitError(
                "A split is a file or a list of files.",
                f"Found {shown(value)} in {where}.",
                'Write ["a.csv", "b.csv"].',
            )
        elif isinstance(value, dict) and key == "values":
            _check_values(value, where)
        elif isinstance(value, dict) and not all(isinstance(text, str) for text in value.values()):
            raise SpkitError(f"`{key}` must map names to strings.", f"Found {shown(value)} in {where}.")
    check_names([table["kind"]], list(kinds()), f"kinds of task ({where})")
    _check_company(table, where)


def _check_values(values: Mapping[str, Any], where: str) -> None:
    for column, ours in values.items():
        plain = isinstance(ours, dict) and all(isinstance(value, str | int | float) for value in ours.values())
        if not plain:
            raise SpkitError(
                "`values` must hold a table of values for each column.",
                f"Found {shown(ours)} for {column!r} in {where}.",
                "Write values = {label = {entailment = 1, contradiction = 0}}, for example.",
            )


def _check_company(table: Mapping[str, Any], where: str) -> None:
    """Raises where keys stand in a table that mean nothing beside the others."""
    kind = kind_named(table["kind"])
    elsewhere = "beir" in table or "hub" in table
    if elsewhere and any(not isinstance(table.get(split, ""), str) for split in SPLITS):
        raise SpkitError("Beside `beir` and `hub` a split is the name it has there.", f"Found another in {where}.")
    if "beir" in table and (not kind.searches or {"hub", "columns", "limit", "unique"} & {*table}):
        raise SpkitError(
            "A collection in BEIR's layout is a retrieval task, and is read as a whole.",
            f"Found {quoted(table)} in {where}.",
            "Leave out `hub`, `columns`, `limit` and `unique`.",
        )
    if "corpus_limit" in table and "beir" not in table:
        raise SpkitError("`corpus_limit` belongs to `beir`.", f"Found it alone in {where}.", "Write `limit`.")
    if elsewhere and "values" in table:
        raise SpkitError(
            "`values` are of data files.", f"Found them beside `beir` or `hub` in {where}.", "Leave it out."
        )
    lone = [key for key in ("config", "revision") if key in table and "hub" not in table]
    made = [split for split in splits_made(table) if "train" in table and split not in table]
    lone += [key for key in ("dev_share", "test_share") if key in table and key.removesuffix("_share") not in made]
    if "apart_from" in table and ("train" not in table or table.get("role") == "unseen"):
        raise SpkitError(
            "Only what is trained on is kept apart from the tests of other tasks.",
            f"Found `apart_from` in {where}.",
            "Write it into the tables of the tasks that are trained on.",
        )
    if lone:
        raise SpkitError(
            "`config` and `revision` belong to `hub`; a share belongs to a split that is taken from train.",
            f"Found {quoted(lone)} in {where}.",
            "Leave them out.",
        )
