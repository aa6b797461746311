"""A study from the first stage to its figures."""

from collections.abc import Callable
from pathlib import Path

from spkit.drawing.files import check_drawable
from spkit.figures.build import draw_figures
from spkit.figures.listing import figure_names
from spkit.study import run
from spkit.study.profile import Profile


def run_study(
    profile: Profile,
    output: str | Path,
    say: Callable[[str], None] = print,
    *,
    workers: int = 1,
    cluster: str | None = None,
) -> Path:
    """Run a study, or what is missing of it, and draw its figures.

    Args:
        profile: what to do.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.
        workers: processes of this machine that run stages side by side; the cores are divided among them, and each has
            one GPU where there are any. A script that asks for more than 1 needs `if __name__ == "__main__":`.
        cluster: the address of a Dask scheduler, whose workers run the stages instead.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, `summary.md` and
        `figures/`.

    Raises:
        SpkitError: a task, setting or model that is not usable; what was finished before stays.
    """
    for name in figure_names():
        check_drawable(name, Path(output).expanduser() / "figures")

    def draw(root: Path) -> None:
        say("  figures …")
        draw_figures(root, root / "figures", stale_only=True, progress=True)

    return run.run_study(profile, output, say, draw, workers=workers, cluster=cluster)
