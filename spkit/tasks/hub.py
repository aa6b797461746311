"""One split of a data set on the Hugging Face hub."""

from pathlib import Path

import datasets
from datasets import Dataset

from spkit.errors import SpkitError, reported
from spkit.hub import no_answer
from spkit.tasks.places import is_saved
from spkit.tasks.tables import read_saved


def read_hub_split(name: str, split: str, config: str | None = None, revision: str | None = None) -> Dataset:
    """Reads one split of a data set by name; the hub's client keeps it in its own cache.

    Args:
        name: "owner/name", or a folder in that form or written by `save_to_disk`.
        split: the split's name there, e.g. "train" or "validation"; slices such as "train[:1000]" work too.
        config: which configuration, where the data set has several.
        revision: branch, tag or commit; give a commit for a study that must come out the same next year.

    Returns:
        The split, with the hub's columns.

    Raises:
        SpkitError: the hub cannot be reached, or has no such data set, configuration, revision or split.
    """
    asked = f"split {split!r} of {name!r}"
    asked += "" if config is None else f", config {config!r}"
    asked += "" if revision is None else f", revision {revision!r}"
    try:
        if is_saved(Path(name)):
            return read_saved(Path(name), split)
        if said := no_answer(name, revision):
            raise ConnectionError(said)
        dataset = datasets.load_dataset(name, config, split=split, revision=revision)
    except SpkitError:
        raise
    # Whatever the client meets (no network, no such name, a wrong file) comes as one of many types from five packages;
    # each means the same here, and the cause stays attached.
    except Exception as error:
        raise SpkitError(
            "A hub data set must be readable by `datasets.load_dataset`.",
            f"Could not read {asked}: {type(error).__name__}: {reported(error)}.",
            "Check the names and the network, or save the data as JSONL and give its path.",
        ) from error
    if not isinstance(dataset, Dataset):
        raise SpkitError(
            "A hub data set must give one table per split.",
            f"Found {type(dataset).__name__} for {asked}.",
            "Name one split, for example `train`.",
        )
    return dataset
