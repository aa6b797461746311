"""The command that opens the explorer as a page."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spkit.cli.options import Seed, TaskSource
from spkit.cli.root import app


@app.command()
def explore(
    run: Annotated[Path, typer.Argument(help="Folder of a finished study.")] = Path("runs/demo"),
    vectors: Annotated[Path | None, typer.Option(help="Folder of task vectors, instead of a study.")] = None,
    tasks: TaskSource = "bundled",
    points: Annotated[int | None, typer.Option(help="Positions measured before the page opens.")] = None,
    port: Annotated[int, typer.Option(help="Port of the page on this machine.")] = 8866,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    seed: Seed = 0,
) -> None:
    """Open the explorer as a page of its own: sliders over the space between the models."""
    from spkit.explorer import explore as open_explorer
    from spkit.explorer import explore_study
    from spkit.explorer.page import serve
    from spkit.tasks import load_tasks

    where = tasks if tasks == "bundled" else str(Path(tasks).resolve())
    common: dict[str, Any] = {"tasks": where, "points": points, "seed": seed}
    typer.echo("Measuring the points that sliders interpolate between: once, about a minute on two cores.")
    if vectors is not None:
        folder = vectors.resolve()
        call = "explore"
        # Absolute paths: the page's kernel works in a folder of its own, which ends with it.
        kept, target = folder.with_name(f"{folder.name}.explore"), folder.with_name("explored")
        arguments = {**common, "vectors": str(folder), "folder": str(kept), "target": str(target)}
        opened = open_explorer(**{**arguments, "tasks": load_tasks(where)})
    else:
        call, arguments = "explore_study", {**common, "run": str(run.resolve())}
        opened = explore_study(**arguments)
    opened.close()  # what was measured is kept: the page begins with it
    serve(call, {**arguments, "progress": False}, port, browser)
