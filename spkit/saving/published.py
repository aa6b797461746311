"""What is known of a model's publication: its id on the hub, and its licence, where its files are on this machine."""

import re
from pathlib import Path
from typing import Any

import yaml

from spkit.models.sources import BUNDLED_BASES, split_revision

_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")

#: Of the model that the bundled bases are layers of.
_BUNDLED_ID, _BUNDLED_LICENCE = "sentence-transformers/all-MiniLM-L6-v2", "apache-2.0"


def hub_ids_of(source: str) -> list[str]:
    """The ids that a hub knows a model by: its own, or those that the card of a folder says it was made from.

    Example:
        >>> hub_ids_of("minilm-l3"), hub_ids_of("/tmp/runs/faq")
        (['sentence-transformers/all-MiniLM-L6-v2'], [])
    """
    if source in BUNDLED_BASES:
        return [_BUNDLED_ID]
    name, _ = split_revision(source)
    if _is_hub_id(name):
        return [name]
    named = _about(source).get("base_model")
    return [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str) and _is_hub_id(one)]


def licence_of(source: str) -> str | None:
    """The licence that a model's card names, where the card is on this machine; nothing is fetched."""
    if source in BUNDLED_BASES:
        return _BUNDLED_LICENCE
    named = _about(source).get("license")
    return named if isinstance(named, str) else None


def _is_hub_id(name: str) -> bool:
    return _HUB_ID.fullmatch(name) is not None and not Path(name).exists()


def _about(source: str) -> dict[str, Any]:
    """What a model's card tells hubs; nothing where there is no card."""
    match = re.match(r"---\n(.*?)\n---", _card(source) or "", flags=re.DOTALL)
    try:
        about = yaml.safe_load(match.group(1)) if match else None
    except yaml.YAMLError:
        return {}
    return about if isinstance(about, dict) else {}


def _card(source: str) -> str | None:
    path = Path(source) / "README.md"
    if not path.is_file():
        from huggingface_hub import try_to_load_from_cache

        name, revision = split_revision(source)
        try:
            cached = try_to_load_from_cache(name, "README.md", revision=revision)
        except ValueError:  # no id
            return None
        if not isinstance(cached, str):
            return None
        path = Path(cached)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
