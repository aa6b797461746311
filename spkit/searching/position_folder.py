"""The folder of a searched position, checked without reading it: torch takes seconds to import."""

from pathlib import Path

from spkit.errors import SpkitError

RECIPE = "recipe.json"
HISTORY = "history.csv"


def check_position(folder: Path) -> None:
    """Raise where a folder holds no searched position."""
    for name in (RECIPE, HISTORY):
        if not (folder / name).is_file():
            raise SpkitError(
                f"A searched position is a model's folder with `{RECIPE}` and `{HISTORY}`.",
                f"Found no {name} in {folder}.",
                "Name a folder that `spkit position` or `PositionResult.save` wrote.",
            )
