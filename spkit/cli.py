"""The command `spkit`: each command is a few lines around the Python function of the same name."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spkit.errors import SpkitError, quoted

app = typer.Typer(
    name="spkit",
    help="Find the best position between fine-tuned text-embedding models, and see whether it beats joint training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
BaseName = Annotated[str, typer.Option("--base", help="minilm-l3, minilm-l6, a model folder, or a hub id.")]
TaskSource = Annotated[str, typer.Option("--tasks", help="'bundled', or the path of a TOML task file.")]
TaskNames = Annotated[
    list[str] | None, typer.Option("--task", help="Name of one task; repeat for several. Default: all.")
]
Experts = Annotated[list[str], typer.Option("--expert", help="NAME=FOLDER of an expert; repeat, in order.")]
MaxLength = Annotated[int | None, typer.Option(help="Tokens at which texts are cut. Default: the model's own limit.")]


@app.command()
def demo(output: Output = Path("runs/demo"), seed: Seed = 0) -> None:
    """Run the whole study on the bundled data: ten minutes on two CPU cores, nothing is downloaded."""
    from spkit.study import load_profile, run_study

    root = run_study(load_profile("demo").with_seeds((seed,)), output, typer.echo)
    typer.echo(f"\n{(root / 'summary.md').read_text(encoding='utf-8')}")
    typer.echo(f"Tables: {root}/*.csv. Figures: {root}/figures. Merged models: {root}/seed{seed}/search/*/model.")
    typer.echo("Open the notebooks with: make lab")


@app.command()
def study(
    profile: Annotated[str, typer.Argument(help="Name of a profile (demo), or the path of a .toml file.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; default runs/PROFILE.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds separated by commas; default: the profile's.")] = None,
    publish: Annotated[
        Path | None, typer.Option(help="Also copy result files and records, without models, here.")
    ] = None,
) -> None:
    """Run a study in resumable stages: what is finished is not done again."""
    from spkit.study import load_profile, run_study
    from spkit.study.run import publish as publish_results

    chosen = load_profile(profile)
    if seeds is not None:
        chosen = chosen.with_seeds(_seeds(seeds))
    root = run_study(chosen, output or Path("runs") / chosen.name, typer.echo)
    typer.echo(f"\n{(root / 'summary.md').read_text(encoding='utf-8')}")
    if publish is not None:
        publish_results(root, publish)
        typer.echo(f"Result files and records: {publish}")


@app.command()
def train(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; give this or --epochs.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training examples.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-4,
    batch_size: Annotated[int, typer.Option(help="Examples in a batch.")] = 32,
    sampling: Annotated[
        str, typer.Option(help="Joint training: proportional, uniform, or a temperature.")
    ] = "proportional",
    order: Annotated[str, typer.Option(help="Several tasks: joint or sequential.")] = "joint",
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Train on one task (an expert) or several (jointly, or one after the other); goes on where it was stopped."""
    from spkit.models import load_base
    from spkit.recipe import save_model
    from spkit.tasks import load_tasks
    from spkit.training import train as run_training

    chosen = load_tasks(tasks, task)
    output = output.resolve()
    checkpoints = output.with_name(f"{output.name}.checkpoints")
    model = run_training(
        load_base(base, max_seq_length=max_length),
        chosen,
        steps=steps,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        sampling=float(sampling) if sampling.replace(".", "", 1).isdigit() else sampling,
        order=order,  # pyright: ignore[reportArgumentType]
        seed=seed,
        checkpoints=checkpoints,
    )
    save_model(model, output)
    shutil.rmtree(checkpoints, ignore_errors=True)
    typer.echo(f"Trained on {', '.join(chosen)}: {output}")


@app.command()
def vectors(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    max_length: MaxLength = None,
) -> None:
    """Subtract the base from each expert, print lengths and angles, and save the task vectors."""
    from spkit.models import load_base
    from spkit.vectors import TaskVectors

    found = TaskVectors.from_models(load_base(base, max_seq_length=max_length), _named(expert))
    found.save(output)
    typer.echo(found.norms().round(4).to_string())
    typer.echo(found.cosines().round(4).to_string())
    typer.echo(f"Task vectors: {output}")


@app.command()
def conflict(
    output: Output,
    base: BaseName = "minilm-l3",
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    batches: Annotated[int, typer.Option(help="Micro-batches of each task, a multiple of 4.")] = 16,
    batch_size: Annotated[int, typer.Option(help="Examples in each.")] = 32,
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Measure the cosines between the tasks' gradients at a model, corrected for the noise of mini-batches."""
    from spkit.conflict import gradient_conflict
    from spkit.models import load_base
    from spkit.tasks import load_tasks

    report = gradient_conflict(
        load_base(base, max_seq_length=max_length),
        load_tasks(tasks, task),
        batches=batches,
        batch_size=batch_size,
        seed=seed,
    )
    output.mkdir(parents=True, exist_ok=True)
    for name in ("cosine", "corrected", "low", "high"):
        _write(getattr(report, name), output / f"{name}.csv", index=True)
    _write(report.by_module, output / "by_module.csv")
    typer.echo(
        f"Corrected cosine (batches of {batch_size}; NaN is undetermined)\n{report.corrected.round(3).to_string()}"
    )
    typer.echo(f"Ceiling of the raw cosine\n{report.ceiling.round(3).to_string()}")
    typer.echo(f"Tables: {output}")


@app.command()
def merge(
    output: Output,
    expert: Experts,
    base: BaseName = "minilm-l3",
    method: Annotated[
        str,
        typer.Option(
            help="average, task_arithmetic, slerp, ties, dare, fisher, regmean, loss_weighted, or one of "
            "mergekit's, as mergekit:karcher."
        ),
    ] = "slerp",
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the method, VALUE as JSON; repeat.")
    ] = None,
    tasks: Annotated[
        str, typer.Option(help="Task file, or 'bundled': what fisher, regmean and loss_weighted read.")
    ] = "bundled",
    max_length: MaxLength = None,
) -> None:
    """Merge experts by a fixed rule into an ordinary sentence-transformers folder."""
    from spkit.merging import DATA_METHODS
    from spkit.merging import merge as run_merge
    from spkit.models import load_base
    from spkit.recipe import save_model
    from spkit.tasks import load_tasks

    given = {name: _json(value) for name, value in (_pair(text, "--parameter") for text in parameter or [])}
    if method in DATA_METHODS:
        given["tasks"] = load_tasks(tasks, list(_named(expert)))
    merged = run_merge(load_base(base, max_seq_length=max_length), _named(expert), method, **given)
    save_model(merged, output)
    typer.echo(f"Merged with {method}: {output}")


@app.command()
def position(
    output: Output,
    vectors: Annotated[Path, typer.Option(help="Folder that `spkit vectors` wrote.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    path: Annotated[str, typer.Option(help="slerp, simplex or free.")] = "slerp",
    granularity: Annotated[str, typer.Option(help="model or module.")] = "model",
    mu: Annotated[float, typer.Option(help="Weight of the length.")] = 0.01,
    optimizer: Annotated[str, typer.Option(help="sgd, adam or lbfgs.")] = "sgd",
    learning_rate: Annotated[float | None, typer.Option(help="First step size.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of the search.")] = 60,
    batch_size: Annotated[int, typer.Option(help="Examples of each task in a step.")] = 32,
    scale: Annotated[str, typer.Option(help="How losses are put on one scale: sum, gap or gradient.")] = "sum",
    pull: Annotated[float, typer.Option(help="Weight of the modules' distance from their mean.")] = 0.0,
    journal: Annotated[Path | None, typer.Option(help="File from which a stopped search goes on.")] = None,
    probe_size: Annotated[int, typer.Option(help="Examples of the probe.")] = 1024,
    seed: Seed = 0,
) -> None:
    """Search the best position between experts on a probe, and save the merged model with its recipe."""
    from spkit.positioning import self_position
    from spkit.probe import Probe
    from spkit.tasks import load_tasks
    from spkit.vectors import TaskVectors

    found = TaskVectors.load(vectors)
    probe = Probe.sample(load_tasks(tasks, task or list(found.names)), size=probe_size, seed=seed)
    result = self_position(
        found,
        probe,
        path=path,
        granularity=granularity,  # pyright: ignore[reportArgumentType]
        mu=mu,
        optimizer=optimizer,  # pyright: ignore[reportArgumentType]
        learning_rate=learning_rate,
        steps=steps,
        batch_size=batch_size,
        scale=scale,  # pyright: ignore[reportArgumentType]
        pull=pull,
        journal=journal,
        seed=seed,
    )
    result.save(output)
    typer.echo(result.coefficients.round(4).to_string())
    typer.echo(f"Merged model with recipe: {output}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A bundled base, a model folder, or a hub id.")],
    tasks: TaskSource = "bundled",
    task: TaskNames = None,
    split: Annotated[str, typer.Option(help="test or dev.")] = "test",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for scores.csv; default: print only.")
    ] = None,
    max_length: MaxLength = None,
    seed: Seed = 0,
) -> None:
    """Score a model with mteb's own metrics, with 95 % intervals over examples."""
    from spkit.evaluation import evaluate as run_evaluation
    from spkit.models import load_base
    from spkit.tasks import load_tasks

    scores = run_evaluation(
        load_base(model, max_seq_length=max_length), load_tasks(tasks, task), split=split, seed=seed
    )
    typer.echo(scores.round(2).to_string(index=False))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        _write(scores, output / "scores.csv")
        typer.echo(f"Scores: {output / 'scores.csv'}")


@app.command()
def figures(
    results: Annotated[Path, typer.Option(help="Folder with a study's result files.")] = Path("data/results/demo"),
    output: Output = Path("figures"),
    only: Annotated[list[str] | None, typer.Option(help="Name of one figure; repeat for several.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Rebuild in a temporary folder and compare.")] = False,
    list_names: Annotated[bool, typer.Option("--list", help="Print the names of all figures.")] = False,
) -> None:
    """Draw the figures of a study from its result files, or check that they are up to date."""
    from spkit.figures import check_figures, draw_figures, figure_names

    if list_names:
        typer.echo("\n".join(figure_names()))
        return
    if check:
        differences = check_figures(results, output, only)
        for line in differences:
            typer.echo(line)
        if differences:
            raise typer.Exit(1)
        typer.echo("All figures are up to date.")
        return
    for path in draw_figures(results, output, only):
        typer.echo(path)


def _write(table: Any, path: Path, index: bool = False) -> None:
    """A table as CSV: the old file stays until the new one is whole."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    table.to_csv(unfinished, index=index)
    unfinished.replace(path)


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpkitError("`--seeds` must be numbers separated by commas.", f"Found {text!r}.", "Pass 0,1,2.") from error


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise SpkitError(f"`{option}` must be NAME=VALUE.", f"Found {text!r}.", "Pass faq=runs/faq, for example.")
    return name, value


def _named(experts: list[str]) -> dict[str, Any]:
    pairs = [_pair(text, "--expert") for text in experts]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise SpkitError("Experts must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    return dict(pairs)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def main() -> None:
    """Entry point: errors of ours are one line on stderr and exit status 1."""
    try:
        app()
    except SpkitError as error:
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)  # what others said may have had line ends
        sys.exit(1)


if __name__ == "__main__":
    main()
