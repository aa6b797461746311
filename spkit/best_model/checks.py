"""What is wrong with what is asked for, said before anything is loaded: nothing heavy is imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spkit.errors import SpkitError
from spkit.evaluation.own_names import check_own_names
from spkit.folders import check_own_file
from spkit.merging.registry import methods
from spkit.models.kept_apart_notes import noted
from spkit.models.sources import check_model, check_new_model
from spkit.tasks.held_out import check_test_tables
from spkit.tasks.sources import check_source, task_tables

#: Who writes the report's files, in the folder's list; and their names.
BY = "spkit best"
MODEL, PAGE, DATA = "model", "report.html", "report.json"

#: Names of candidates that are no model's and no rule's.
BASE, AVERAGE, BY_SCORE, BY_GRADIENT = "base", "average of all", "search:score", "self_position:module"


def check_names(models: Any) -> None:
    """Raise where models have names that mean something else here.

    Raises:
        SpkitError: no mapping of names to models, none at all, or a name of a rule, a search or a mean.
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


def check_asked(base: str, models: Mapping[str, str], tasks: str, output: str | Path | None, budget: int) -> None:
    """All of this for a command: names, models, the task file, its tests, and the output.

    Raises:
        SpkitError: the first finding.
    """
    check_names(models)
    check_budget(budget)
    check_output(output)
    for source in (base, *models.values()):
        check_model(source)
    check_source(tasks)
    if Path(tasks).suffix.lower() == ".toml" and any(noted(source) is None for source in models.values()):
        check_test_tables(task_tables(Path(tasks).expanduser()))
