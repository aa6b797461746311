"""The checkpoints in a trainer's output folder, without loading any: torch takes seconds to import."""

from pathlib import Path

from spkit.errors import SpkitError, quoted

_PREFIX = "checkpoint-"


def checkpoints_of(folder: str | Path, last: int | None = None) -> dict[str, Path]:
    """The checkpoints of a training, or of several whose folders lie side by side, in the order of their steps.

    Args:
        folder: a trainer's `output_dir`, with folders such as `checkpoint-500`; or a folder of such folders.
        last: at most so many of each training, the latest; None is all.

    Returns:
        Name to folder: "checkpoint-500" for one training, "run/checkpoint-500" for each of several, these by name.

    Raises:
        SpkitError: no folder, none with checkpoints, or `last` below 1.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for step in (500, 1000, 50):
        ...     (root / f"checkpoint-{step}").mkdir()
        >>> list(checkpoints_of(root)), list(checkpoints_of(root, last=1))
        (['checkpoint-50', 'checkpoint-500', 'checkpoint-1000'], ['checkpoint-1000'])
    """
    root = Path(folder).expanduser()
    if last is not None and last < 1:
        raise SpkitError("`last` must be 1 or more.", f"Found {last}.", "Leave it out for all checkpoints.")
    if not root.is_dir():
        found = f"Found the file {root}." if root.exists() else f"Found no {root}."
        raise SpkitError("A training's output must be a folder.", found, "Pass the trainer's `output_dir`.")
    own = in_order(root)
    if own:
        return {path.name: path for path in own[-(last or len(own)) :]}
    runs = [(run, in_order(run)) for run in sorted(root.iterdir()) if run.is_dir()]
    found = {f"{run.name}/{path.name}": path for run, paths in runs for path in paths[-(last or len(paths)) :]}
    if not found:
        there = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
        more = f" and {len(there) - 6} more" if len(there) > 6 else ""
        raise SpkitError(
            "A trainer's output folder must hold folders such as checkpoint-500, or such folders one level below.",
            f"Found {quoted(there[:6]) or 'nothing'}{more} in {root}.",
            "Pass the trainer's `output_dir`, and let it save (`save_strategy`).",
        )
    return found


def in_order(folder: Path) -> list[Path]:
    """The checkpoints that lie in a folder itself, by their steps; 1000 comes after 500."""
    steps = {path: path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*") if path.is_dir()}
    return sorted((path for path, step in steps.items() if step.isdigit()), key=lambda path: int(steps[path]))
