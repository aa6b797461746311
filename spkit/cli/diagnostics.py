"""Commands that measure conflict, imbalance, and what matters for a merge."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import check_models, check_tasks, usage
from spkit.cli.help import MEASURED, MEASURES
from spkit.cli.loading import loads_a_base, loads_models
from spkit.cli.options import (
    MOST,
    BaseName,
    MaxLength,
    Output,
    SamplingRule,
    Seed,
    TaskNames,
    TaskSource,
    check_outputs,
    in_blocks,
    loaded_base,
    sampling_of,
    within,
    write,
)
from spkit.cli.root import app
from spkit.cli.stops import if_stopped
from spkit.errors import SpkitError
from spkit.searching.choices import Over
from spkit.searching.position_folder import check_position
from spkit.signatures import LARGEST_SEED

#: Section of the options that belong to some sweeps.
_SOME = "Of some sweeps"

#: Tables of a conflict report: matrices tasks × tasks, and lists.
_MATRICES = ("cosine", "corrected", "low", "high", "verdict")
_LISTS = ("pairs", "by_module", "conflict_by_module")


@app.command(rich_help_panel=MEASURES)
@loads_a_base
def conflict(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    batches: Annotated[
        int, typer.Option(max=MOST, callback=in_blocks, help="Micro-batches of each task, a multiple of 4.")
    ] = 16,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="Examples in each.")] = 32,
    dropout: Annotated[
        bool, typer.Option("--dropout", rich_help_panel=MEASURED, help="Use dropout, as training does.")
    ] = False,
    max_length: MaxLength = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure the conflict between the tasks' gradients.

    It is their cosine at a model, corrected for the noise of mini-batches.
    """
    with usage():
        check_models([], base)
        check_tasks(tasks, task)
        check_outputs(output, "conflict", *(f"{name}.csv" for name in (*_MATRICES, *_LISTS)))
    from spkit.diagnostics.conflict import gradient_conflict
    from spkit.tasks import load_tasks

    report = gradient_conflict(
        loaded_base(base, max_length),
        load_tasks(tasks, task),
        batches=batches,
        batch_size=batch_size,
        seed=seed,
        dropout=dropout,
    )
    for name in _MATRICES:
        write(getattr(report, name), output / f"{name}.csv", "conflict", index=True)
    for name in _LISTS:
        write(getattr(report, name), output / f"{name}.csv", "conflict")
    answer = Answer(as_json)
    answer.table(
        "ceiling",
        report.ceiling.rename("ceiling").rename_axis("task").to_frame(),
        "Ceiling of the raw cosine",
        index=True,
    )
    answer.table("by_module", report.conflict_by_module, "Directional and magnitude conflict (raw cosines)")
    shown = report.pairs[["a", "b", "corrected", "low", "high", "conflicting", "verdict"]]
    conditions = f"{batches} batches of {batch_size}, dropout {'on' if dropout else 'off'}"
    answer.table("pairs", shown, f"Corrected cosine ({conditions})")
    answer.wrote("Tables", output)
    counts = shown[shown["a"] != shown["b"]]["verdict"].value_counts()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    answer.end(f"Pairs of tasks: {said}.", "spkit train --task NAME --steps 80 -o runs/NAME, once for each task")


@app.command(rich_help_panel=MEASURES)
@loads_a_base
def imbalance(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    vectors: Annotated[Path | None, typer.Option(help="Folder of `spkit vectors`: adds the vectors' norms.")] = None,
    sampling: SamplingRule = "proportional",
    joint: Annotated[Path | None, typer.Option(help="A joint model: adds what each vector weighs in it.")] = None,
    batches: Annotated[
        int | None,
        typer.Option(min=2, max=MOST, rich_help_panel=MEASURED, help="Micro-batches of each task, for gradient norms."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, rich_help_panel=MEASURED, help="Examples in each.")] = 32,
    max_length: MaxLength = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how unequal the tasks are.

    Their shares of examples, tokens, steps and gradient, and the lengths of their task vectors.
    """
    with usage():
        shares = sampling_of(sampling)
        if joint is not None and vectors is None:
            raise SpkitError("A joint model is compared with task vectors.", "Found none.", "Pass --vectors too.")
        check_models([], base, *([] if joint is None else [joint]))
        check_tasks(tasks, task, vectors)
        check_outputs(output, "imbalance", "imbalance.csv", *([] if joint is None else ["effective_weights.csv"]))
    from spkit.diagnostics.effective_weights import effective_weights
    from spkit.diagnostics.imbalance import imbalance as measure
    from spkit.tasks import load_tasks
    from spkit.vectors.task_vectors import TaskVectors

    task_vectors = None if vectors is None else TaskVectors.load(vectors)
    table = measure(
        load_tasks(tasks, task if task or task_vectors is None else list(task_vectors.names)),
        task_vectors,
        model=loaded_base(base, max_length) if task_vectors is None else None,
        sampling=shares,
        batches=batches,
        batch_size=batch_size,
        seed=seed,
    )
    write(table, output / "imbalance.csv", "imbalance", index=True)
    answer = Answer(as_json)
    answer.table("imbalance", table, index=True)
    answer.wrote("Table", output / "imbalance.csv")
    steps = table["step_share"]
    said = (
        f"{steps.idxmax()} has {steps.max():.0%} of the steps of a joint training, {steps.idxmin()} {steps.min():.0%}."
    )
    if joint is not None and task_vectors is not None:
        weights = effective_weights(joint, task_vectors)
        explained = weights.table.assign(explained=weights.explained)
        write(explained, output / "effective_weights.csv", "imbalance", index=True)
        answer.table("effective_weights", weights.table, "Weights of the vectors in the joint model", index=True)
        answer.wrote("Weights", output / "effective_weights.csv")
        said += f" The vectors explain {weights.explained:.0%} of the joint model's own."
    own = "" if tasks == "bundled" else f" --tasks {tasks}"
    answer.end(said, f"spkit conflict{own} -o runs/conflict")


@app.command(rich_help_panel=MEASURES)
@loads_models
def sweep(
    output: Output,
    vectors: Annotated[Path, typer.Option(help="Folder of `spkit vectors`.")],
    over: Annotated[Over, typer.Option(help="What changes.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    value: Annotated[
        list[float] | None,
        typer.Option(callback=within(least=0), help="A point of the sweep; repeat. Default: a grid."),
    ] = None,
    between: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=_SOME, help="Two vectors, faq+sts (direction); repeat. Default: all."),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(
            callback=within(above=0), rich_help_panel=_SOME, help="λ of the directions. Default: that of --mark, or 1."
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(min=1, max=MOST, rich_help_panel=_SOME, help="Steps of each search (mu, probe_size).")
    ] = 60,
    mark: Annotated[
        Path | None, typer.Option(rich_help_panel=_SOME, help="Folder of `spkit position`: its rows are `marked`.")
    ] = None,
    split: Annotated[Literal["dev", "test"], typer.Option(help="Which examples.")] = "dev",
    probe_size: Annotated[
        int, typer.Option(min=1, max=MOST, rich_help_panel=_SOME, help="Examples of the probe (mu, probe_size).")
    ] = 1024,
    probe_seed: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            max=LARGEST_SEED,
            rich_help_panel=_SOME,
            help="A draw of each part of the probe (probe_size); repeat.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Score merges while one thing changes.

    That is the direction, the length, mu or the size of the probe. A stopped sweep goes on.
    """
    with usage():
        check_tasks(tasks, task, vectors)
        check_outputs(output, "sweep", f"{over}.csv")
        if mark is not None:
            check_position(mark)
    from spkit.searching.probe import Probe
    from spkit.searching.result import load_position
    from spkit.searching.sweep import sweep as run_sweep
    from spkit.tasks import load_tasks
    from spkit.vectors.task_vectors import TaskVectors

    if_stopped(f"Measured points are kept in {output / 'journal'}: the same command goes on from them.")
    loaded = TaskVectors.load(vectors)
    position = None if mark is None else load_position(mark, loaded)
    chosen = load_tasks(tasks, task or list(loaded.names))
    probe = Probe.sample(chosen, size=probe_size, seed=seed) if over in ("mu", "probe_size") else None
    settings: dict[str, Any] = {} if probe is None else {"steps": steps}
    values = [int(one) for one in value] if value and over == "probe_size" else value
    table = run_sweep(
        loaded,
        chosen,
        over,
        values=values or None,
        mark=position,
        probe=probe,
        probe_seeds=probe_seed or None,
        pairs=[one.split("+") for one in between] if between else None,
        length=length,
        **settings,
        split=split,
        scored=chosen,
        journal=output / "journal",
        seed=seed,
    )
    write(table, output / f"{over}.csv", "sweep")
    unsaid = ["over", "role", "metric", "low", "high", *(["marked"] if position is None else [])]
    unsaid += [] if over == "direction" else ["pair"]
    short = {name: name.removeprefix("coefficient:") for name in table.columns if name not in unsaid}
    shown = {name: name if ours in table.columns else ours for name, ours in short.items()}
    answer = Answer(as_json)
    answer.table("sweep", table, columns=shown)
    answer.wrote("Table", output / f"{over}.csv")
    swept = table[(table["task"] == "mean") & ~table["marked"].astype(bool)].dropna(subset=["score"])
    means = swept.sort_values("score", ascending=False).to_dict("records")
    said = ""
    if means:
        where = f"{over} {means[0]['value']:g}" + (f" of {means[0]['pair']}" if means[0]["pair"] else "")
        said = (
            f"The best mean on {split} is {means[0]['score']:.1f} at {where}; the lowest is {means[-1]['score']:.1f}."
        )
    answer.end(said, f"spkit position --vectors {vectors} -o runs/position")
