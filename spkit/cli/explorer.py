"""The command that opens the explorer as a page."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from spkit._extras import require
from spkit.cli.checks import usage
from spkit.cli.options import Seed, TaskSource, expanded, written_to
from spkit.cli.root import app
from spkit.cli.stops import if_stopped
from spkit.study.places import check_explorable
from spkit.tasks.sources import check_source
from spkit.vectors.folder import check_vectors


@app.command()
def explore(
    run: Annotated[Path, typer.Argument(help="Folder of a finished study.")] = Path("runs/demo"),
    vectors: Annotated[Path | None, typer.Option(help="Folder of task vectors, instead of a study.")] = None,
    tasks: TaskSource = "bundled",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the task file's data files; default: beside the task file.")
    ] = None,
    output: Annotated[
        Path | None, written_to("Folder for measured points and saved models; default: beside the vectors.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Positions measured before the page opens.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page on this machine.")] = 8866,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    html: Annotated[
        Path | None,
        typer.Option(callback=expanded, help="Write the explorer to this one file, which needs no server, and end."),
    ] = None,
    theme: Annotated[Literal["light", "dark"], typer.Option(help="Colours of the page.")] = "light",
    seed: Seed = 0,
) -> None:
    """Open the explorer as a page of its own, or write it as one file.

    It has sliders over the space between the models.
    """
    with usage():
        if html is not None:
            from spkit.explorer.standalone import check_page

            check_page(html)
        if vectors is None:
            check_explorable(run, seed)
        else:
            check_vectors(vectors)
        check_source(tasks, folder=data)
    if html is None:
        require("voila", "The explorer's page")
    from spkit.explorer import explore as open_explorer
    from spkit.explorer import explore_study
    from spkit.explorer.page import serve
    from spkit.tasks import load_tasks
    from spkit.tasks.held_out import dev_notes

    where = tasks if tasks == "bundled" else str(Path(tasks).resolve())
    common: dict[str, Any] = {"tasks": where, "points": points, "seed": seed}
    if data is not None:
        common["data"] = str(data.resolve())
    if output is not None:
        common |= {"folder": str(output.resolve() / "points"), "target": str(output.resolve() / "model")}
    if (run if vectors is None else vectors).is_dir():  # otherwise an error follows at once
        typer.echo("Measuring the points that sliders interpolate between: once, two to four minutes on two cores.")
    if_stopped("Measured points are kept: the same command begins with them.")
    if vectors is not None:
        folder = vectors.resolve()
        call = "explore"
        # Absolute paths: the page's kernel works in a folder of its own, which ends with it.
        beside = {
            "folder": str(folder.with_name(f"{folder.name}.explore")),
            "target": str(folder.with_name("explored")),
        }
        arguments = {**beside, **common, "vectors": str(folder)}
        given = {key: value for key, value in arguments.items() if key != "data"}
        chosen = load_tasks(where, folder=data)
        for note in dev_notes(chosen.values()):
            typer.echo(f"Note: {note}")
        opened = open_explorer(**{**given, "tasks": chosen})
    else:
        call, arguments = "explore_study", {**common, "run": str(run.resolve())}
        opened = explore_study(**arguments)
    if html is not None:
        written = opened.save_html(html)
        opened.close()
        typer.echo(f"Written: {written} ({written.stat().st_size / 1e6:.1f} MB). Open it in a browser, or send it.")
        return
    opened.close()  # what was measured is kept: the page begins with it
    serve(call, {**arguments, "progress": False}, port, browser, theme)
