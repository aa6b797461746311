"""A whole study: its stages, tables and words, and the figures drawn from them."""

from collections.abc import Callable
from pathlib import Path

from spkit.figures.build import draw_figures
from spkit.study import run
from spkit.study.profile import Profile


def run_study(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> Path:
    """Run a study, or what is missing of it.

    Args:
        profile: what to do; see `spkit.load_profile`.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, `summary.md` and
        `figures/`.

    Raises:
        SpkitError: a task, setting or model that is not usable; what was finished before stays.
    """
    return run.run_study(profile, output, say, draw_figures)
