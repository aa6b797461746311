"""What a model's folder says of the test examples that its training kept apart; nothing heavy is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit.files import parse_json
from spkit.models.sources import BUNDLED_BASES

#: The key of a model's configuration: task to a hash of its test examples.
MARK = "_spkit_kept_apart"


def noted(model: str | Path) -> dict[str, str] | None:
    """What a model says: its own note, or those of all models that it was merged of.

    Args:
        model: its folder, hub id, or name of a bundled base, which was trained on nobody's file.

    Returns:
        Hashes by task; None where nothing is known of the model, or of one that it was merged of.
    """
    return _noted(model, ())


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


def of_merge(
    base: Mapping[str, str] | None, experts: Mapping[str, str | None], above: tuple[Path, ...] = ()
) -> dict[str, str] | None:
    """What is known of a merge.

    Args:
        base: the note of its base; None is that of a base that nobody trained here.
        experts: where the merged models came from; None for one in memory, of which nothing is known.
        above: folders of merges that it is a part of: one that was saved over its own expert is a part of itself.
    """
    parts = [None if source is None else _noted(source, above) for source in experts.values()]
    return together([dict(base or {}), *parts])


def _noted(model: str | Path, above: tuple[Path, ...]) -> dict[str, str] | None:
    if str(model) in BUNDLED_BASES:
        return {}
    folder = Path(model).expanduser().resolve()
    own, merged = _read(folder / "config.json").get(MARK), _read(folder / "recipe.json").get("experts")
    if isinstance(merged, dict) and merged:
        return None if folder in above else of_merge(own, merged, (*above, folder))
    return own if isinstance(own, dict) else None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
