"""What the two commands that search have in common: the probe, the journal, and what is said of the result."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from spkit.cli.answer import Answer
from spkit.cli.options import MOST, expanded, say_replaced, within
from spkit.cli.stops import if_stopped
from spkit.hashing import text_hash
from spkit.searching.choices import Scale, scale_of

if TYPE_CHECKING:
    from spkit.searching.result import PositionResult

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


def of_scale(about: str) -> Any:
    """The option `--scale`, with what it does and, where it does not always count, when."""
    choices = ", ".join(get_args(Scale))
    return typer.Option(
        "--scale", parser=scale_of, metavar="<scale>", rich_help_panel=SEARCH, help=f"{about}: {choices}."
    )


@dataclass(frozen=True)
class Asked:
    """What is asked of a search, beside its own settings.

    Attributes:
        output: where the model goes.
        vectors: folder of task vectors.
        tasks: where the tasks are from.
        task: names of some; None takes those of the vectors.
        probe_size: examples of the probe.
        held_back: share of these that picks.
        journal: the file that keeps measurements; None is one beside the output, until the search is finished.
        seed: of the probe.
        as_json: what the answer is.
    """

    output: Path
    vectors: Path
    tasks: str
    task: list[str] | None
    probe_size: int
    held_back: float | None
    journal: Path | None
    seed: int
    as_json: bool


def run_search(
    asked: Asked,
    search: "Callable[..., PositionResult]",
    settings: dict[str, Any],
    said: "Callable[[PositionResult], str]",
    split: Literal["train", "dev"] = "train",
) -> None:
    """Run a search on a probe that is drawn for it, save what it returns, and say what was found.

    Args:
        asked: by the command's options.
        search: gets vectors, probe, `validation`, `journal`, and the settings.
        settings: of the search: one of others has another journal.
        said: one sentence about the result.
        split: what the probe is drawn from.
    """
    import pandas as pd

    from spkit.searching.probe import Probe
    from spkit.searching.result import whole
    from spkit.tasks import load_tasks
    from spkit.vectors.task_vectors import TaskVectors

    say_replaced(asked.output)
    answer, vectors = Answer(asked.as_json), TaskVectors.load(asked.vectors)
    tasks = load_tasks(asked.tasks, asked.task or list(vectors.names))
    probe = Probe.sample(tasks, size=asked.probe_size, split=split, seed=asked.seed)
    shares = ", ".join(f"{name} {size}" for name, size in probe.sizes.items())
    fewer = f" ({asked.probe_size} were asked for; there are no more)" if len(probe) < asked.probe_size else ""
    part = {"train": "training", "dev": "dev"}[split]
    answer.say(f"Probe: {shares} examples of the {part} splits{fewer}.")
    validation = None
    if asked.held_back is not None:
        probe, validation = probe.hold_back(asked.held_back)
    decides = {**vars(asked), "output": None, "journal": None, "vectors": asked.vectors.absolute(), **settings}
    own = asked.output.with_name(f"{asked.output.name}.{text_hash(json.dumps(decides, default=str))[:8]}.journal")
    kept = asked.journal or own
    if_stopped(f"The steps it has made are kept in {kept}: the same command goes on from them.")
    result = whole(search(vectors, probe, validation=validation, journal=kept, **settings))
    result.save(asked.output)
    if asked.journal is None:
        own.unlink(missing_ok=True)
    if settings["start"] in ("best_rule", "best_expert"):
        answer.say(f"Started at: {result.settings['started_at']}")
    found = result.coefficients
    by_task = found.to_frame("coefficient").rename_axis("task") if isinstance(found, pd.Series) else found
    answer.table("coefficients", by_task, "Coefficients", index=True)
    answer.wrote("Merged model with recipe", asked.output)
    of_file = "" if asked.tasks == "bundled" else f" --tasks {asked.tasks}"
    answer.end(said(result), f"spkit compare {asked.output} OTHER_MODEL{of_file}")
