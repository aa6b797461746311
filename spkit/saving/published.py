"""What is known of a model's publication: its id on the hub, and its licence, where its files are on this machine."""

import re
from pathlib import Path

import yaml

from spkit.models.sources import BUNDLED_BASES, split_revision

_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")

#: Of the model that the bundled bases are layers of.
_BUNDLED_ID, _BUNDLED_LICENCE = "sentence-transformers/all-MiniLM-L6-v2", "apache-2.0"


def hub_id_of(source: str) -> str | None:
    """The id that a hub knows a model by; None for a folder, for which a hub has no name.

    Example:
        >>> hub_id_of("minilm-l3"), hub_id_of("/tmp/runs/faq")
        ('sentence-transformers/all-MiniLM-L6-v2', None)
    """
    if source in BUNDLED_BASES:
        return _BUNDLED_ID
    name, _ = split_revision(source)
    return name if _HUB_ID.fullmatch(name) and not Path(name).exists() else None


def licence_of(source: str) -> str | None:
    """The licence that a model's card names, where the card is on this machine; nothing is fetched."""
    if source in BUNDLED_BASES:
        return _BUNDLED_LICENCE
    card = _card(source)
    match = re.match(r"---\n(.*?)\n---", card or "", flags=re.DOTALL)
    try:
        about = yaml.safe_load(match.group(1)) if match else None
    except yaml.YAMLError:
        return None
    named = about.get("license") if isinstance(about, dict) else None
    return named if isinstance(named, str) else None


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
