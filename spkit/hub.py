"""The hub, asked once and shortly: its clients ask for each file six times, and wait longer before each."""

import os
from pathlib import Path
from typing import Literal

#: A hub that does not answer in so many seconds will not.
_SECONDS = 10


def hub_error(name: str, revision: str | None = None, kind: Literal["model", "dataset"] = "model") -> Exception | None:
    """What goes wrong where the hub is asked for a model or data set; None where it has it."""
    from huggingface_hub import HfApi

    try:
        HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=_SECONDS)
    except Exception as error:  # the hub's client, its transport and its checks of names raise many kinds
        return error
    return None


def said_by(error: Exception) -> str:
    """What the hub or its client says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]).rstrip(".") or type(error).__name__


def no_answer(name: str, revision: str | None = None) -> str | None:
    """Why a data set cannot be had: it lies in no cache here, and the hub does not answer.

    Args:
        name: "owner/name".
        revision: of it.

    Returns:
        What went wrong; None where there is a copy, or where the hub answers, be it that it has none: whoever loads
        the data set is told so at once, as by a client that was set offline.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if constants.HF_HUB_OFFLINE or os.path.isdir(name) or _has_copy(name):
        return None
    error = hub_error(name, revision, "dataset")
    return None if error is None or isinstance(error, HfHubHTTPError | HFValidationError) else said_by(error)


def _has_copy(name: str) -> bool:
    """Whether the cache of the hub or that of `datasets` holds something of a data set."""
    from datasets import config
    from huggingface_hub import constants

    places = (
        (constants.HF_HUB_CACHE, f"datasets--{name.replace('/', '--')}"),
        (
            config.HF_DATASETS_CACHE,
            name.replace("/", "___"),
        ),
    )
    return any(Path(folder, place).exists() for folder, place in places)
