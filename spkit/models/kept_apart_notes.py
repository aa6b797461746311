"""What a model's folder says of the test examples that its training kept apart; nothing heavy is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit.files import parse_json
from spkit.models.sources import BUNDLED_BASES

#: The key of a model's configuration: task to a hash of its test examples.
MARK = "_spkit_kept_apart"

#: A merge of merges of merges is followed so far.
_DEEPEST = 8


def noted(model: str | Path) -> dict[str, str] | None:
    """What a model says: its own note, or those of all models that it was merged of.

    Args:
        model: its folder, hub id, or name of a bundled base, which was trained on nobody's file.

    Returns:
        Hashes by task; None where nothing is known of the model, or of one that it was merged of.
    """
    return {} if str(model) in BUNDLED_BASES else _noted(Path(model).expanduser(), _DEEPEST)


def together(parts: list[dict[str, str] | None]) -> dict[str, str] | None:
    """The notes of several models as one; None where one has none.

    Example:
        >>> together([{"faq": "a"}, {"faq": "b", "sts": "c"}]), together([{"faq": "a"}, None])
        ({'faq': 'several', 'sts': 'c'}, None)
    """
    joined: dict[str, str] = {}
    for part in parts:
        if part is None:
            return None
        for name, value in part.items():
            joined[name] = value if joined.get(name, value) == value else "several"
    return joined


def _noted(folder: Path, deepest: int) -> dict[str, str] | None:
    own = _read(folder / "config.json").get(MARK)
    if isinstance(own, dict):
        return own
    merged = _read(folder / "recipe.json").get("experts")
    if not isinstance(merged, dict) or not merged or not deepest:
        return None
    return together([None if source is None else _noted(Path(source), deepest - 1) for source in merged.values()])


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
