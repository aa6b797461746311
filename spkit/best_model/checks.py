"""What is wrong with what is asked for, said before anything is loaded: nothing heavy is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.evaluation.own_names import check_own_names
from spkit.folders import check_own_file
from spkit.merging.registry import methods
from spkit.models.kept_apart_notes import noted
from spkit.models.sources import check_model, check_new_model
from spkit.tasks.held_out import check_test_tables
from spkit.tasks.sources import check_source, task_tables

#: Who writes the report's files, in the folder's list; and their names.
BY = "spkit best"
MODEL, PAGE, DATA, STEPS = "model", "report.html", "report.json", "steps"

#: Names of candidates that are no model's and no rule's.
BASE, AVERAGE, BY_SCORE, BY_GRADIENT = "base", "average of all", "search:score", "self_position:module"


def check_names(models: Any) -> None:
    """Raise where models have names that mean something else here.

    Raises:
        SpkitError: no mapping of names to models, none at all, a name of a rule, a search or a mean, or a folder that
            stands there twice.
    """
    if not isinstance(models, Mapping) or not models:
        raise SpkitError(
            "`models` must give each model a name.",
            f"Found {'none' if isinstance(models, Mapping) else type(models).__name__}.",
            'Pass {"faq": "runs/faq", "joint": "runs/joint"}.',
        )
    check_own_names(
        models,
        {BASE, AVERAGE, BY_SCORE, BY_GRADIENT, *methods()},
        "A model's name must be its own: not that of a merge rule, a search, a mean or the base.",
        "Call it otherwise, best like the task it was trained on.",
    )
    names: dict[Path, str] = {}
    for name, folder in _folders(models).items():
        if (first := names.setdefault(folder.resolve(), name)) != name:
            raise twice(first, name, f" in {folder}")


def _folders(models: Mapping[str, Any]) -> dict[str, Path]:
    """Those of the models that are folders here, and neither in memory nor a hub id."""
    paths = {name: Path(one).expanduser() for name, one in models.items() if isinstance(one, str | Path)}
    return {name: path for name, path in paths.items() if path.is_dir()}


def twice(first: str, second: str, where: str) -> SpkitError:
    """The error of two names for one model: its merges with itself would look like better ones."""
    return SpkitError(
        "Each model must be given once.", f"Found the same one{where} as {first!r} and {second!r}.", "Leave one out."
    )


def check_budget(budget: int) -> None:
    """Raise where a search has no evaluations."""
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 2:
        raise SpkitError("`budget` must be at least 2 evaluations.", f"Found {budget!r}.", "Pass 60, for example.")


def check_output(output: str | Path | None) -> None:
    """Raise where the report would replace what spkit did not write."""
    if output is None:
        return
    root = Path(output).expanduser()
    if root.exists() and not root.is_dir():
        raise SpkitError("The output of a report must be a folder.", f"Found the file {root}.", "Pass another path.")
    check_new_model(root / MODEL)
    for name in (PAGE, DATA):
        check_own_file(root / name, BY)


def check_apart(output: str | Path | None, models: Mapping[str, Any]) -> None:
    """Raise where the steps of a report would lie among other files, or in a given model's folder.

    Raises:
        SpkitError: a folder with anything but a former report, or one that holds or is held by a model's.
    """
    if output is None:
        return
    root = Path(output).expanduser()
    for name, folder in _folders(models).items():
        one, other = root.resolve(), folder.resolve()
        if one == other or one in other.parents or other in one.parents:
            raise SpkitError(
                "A report must lie apart from the models that it is about.",
                f"Found the output {root}, and the model {name!r} in {folder}.",
                "Pass another path for the report.",
            )
    names = sorted(one.name for one in root.iterdir() if not one.name.startswith(".")) if root.is_dir() else []
    if others := [name for name in names if name not in (MODEL, PAGE, DATA, STEPS)]:
        raise SpkitError(
            "A report must be made in a new or empty folder, or over a former one.",
            f"Found {root} with {quoted(others)}.",
            "Pass another path.",
        )


def check_given(models: Any, output: str | Path | None, budget: int) -> None:
    """The models' names, the budget and the output.

    Raises:
        SpkitError: the first finding.
    """
    check_names(models)
    check_budget(budget)
    check_output(output)
    check_apart(output, models)


def check_asked(base: str, models: Mapping[str, str], tasks: str, output: str | Path | None, budget: int) -> None:
    """The same for a command, with its models, the task file and its tests.

    Raises:
        SpkitError: the first finding.
    """
    check_given(models, output, budget)
    for source in (base, *models.values()):
        check_model(source)
    check_source(tasks)
    if Path(tasks).suffix.lower() == ".toml" and any(noted(source) is None for source in models.values()):
        check_test_tables(task_tables(Path(tasks).expanduser()))
