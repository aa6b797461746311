"""What the two commands that search have in common: the probe, the journal, and what is said of the result."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spkit.cli.answer import Answer
from spkit.cli.options import MOST, expanded, say_replaced, within
from spkit.cli.stops import if_stopped
from spkit.hashing import text_hash

if TYPE_CHECKING:
    from spkit.searching.probe import Probe
    from spkit.searching.result import PositionResult
    from spkit.vectors.task_vectors import TaskVectors

#: Section of the help.
SEARCH = "Settings of the search"

VectorsFolder = Annotated[Path, typer.Option("--vectors", help="Folder of `spkit vectors`.")]
ProbeSize = Annotated[int, typer.Option("--probe-size", min=1, max=MOST, help="Examples of the probe.")]
HeldBackShare = Annotated[
    float | None,
    typer.Option(
        "--held-back",
        callback=within(above=0, below=1),
        rich_help_panel=SEARCH,
        help="Share of the probe on which the best position is picked.",
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        callback=expanded,
        rich_help_panel=SEARCH,
        help="File from which a stopped search goes on. Default: beside the output.",
    ),
]


def run_search(
    search: "Callable[[TaskVectors, Probe, Probe | None, Path], PositionResult]",
    output: Path,
    vectors: Path,
    tasks: str,
    task: list[str] | None,
    split: Literal["train", "dev"],
    probe_size: int,
    held_back: float | None,
    journal: Path | None,
    seed: int,
    settings: dict[str, Any],
    as_json: bool,
    said: "Callable[[PositionResult], str]",
) -> None:
    """Run a search on a probe that is drawn for it, save what it returns, and say what was found.

    Args:
        search: gets vectors, probe, held-back examples and the journal's file.
        output: where the model goes.
        vectors: folder of task vectors.
        tasks: where the tasks are from.
        task: names of some; None takes those of the vectors.
        split: what the probe is drawn from.
        probe_size: examples in all.
        held_back: share of these that picks.
        journal: the file that keeps measurements; None is one beside the output, until the search is finished.
        seed: of the probe.
        settings: of the search: one of others has another journal.
        as_json: what the command's answer is.
        said: one sentence about the result.
    """
    import pandas as pd

    from spkit.searching.probe import Probe
    from spkit.tasks import load_tasks
    from spkit.vectors.task_vectors import TaskVectors

    say_replaced(output)
    answer, span = Answer(as_json), TaskVectors.load(vectors)
    probe = Probe.sample(load_tasks(tasks, task or list(span.names)), size=probe_size, split=split, seed=seed)
    shares = ", ".join(f"{name} {size}" for name, size in probe.sizes.items())
    fewer = f" ({probe_size} were asked for; there are no more)" if len(probe) < probe_size else ""
    part = {"train": "training", "dev": "dev"}[split]
    answer.say(f"Probe: {shares} examples of the {part} splits{fewer}.")
    asked = json.dumps([str(vectors.absolute()), tasks, task, probe_size, held_back, seed, settings], default=str)
    own = output.with_name(f"{output.name}.{text_hash(asked)[:8]}.journal")
    kept, validation = journal or own, None
    if held_back is not None:
        probe, validation = probe.hold_back(held_back)
    if_stopped(f"The steps it has made are kept in {kept}: the same command goes on from them.")
    result = search(span, probe, validation, kept)
    if result.settings["interrupted"]:  # where it stands is no result
        raise KeyboardInterrupt
    result.save(output)
    if journal is None:
        own.unlink(missing_ok=True)
    if settings["start"] in ("best_rule", "best_expert"):
        answer.say(f"Started at: {result.settings['started_at']}")
    found = result.coefficients
    by_task = found.to_frame("coefficient").rename_axis("task") if isinstance(found, pd.Series) else found
    answer.table("coefficients", by_task, "Coefficients", index=True)
    answer.wrote("Merged model with recipe", output)
    of_file = "" if tasks == "bundled" else f" --tasks {tasks}"
    answer.end(said(result), f"spkit compare {output} OTHER_MODEL{of_file}")
