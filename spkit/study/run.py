"""Running a study: all stages of all seeds, then its report."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from spkit.files import check_replaceable, copy_file, write_folder
from spkit.results.schema import SCORES, SUMMARY
from spkit.study.declared import declare, declare_experts
from spkit.study.engine import run_stages
from spkit.study.profile import Profile
from spkit.study.report import report
from spkit.study.workers import check_engine
from spkit.vectors.task_vectors import TaskVectors


def run_study(
    profile: Profile,
    output: str | Path,
    say: Callable[[str], None] = print,
    *,
    workers: int = 1,
    cluster: str | None = None,
) -> Path:
    """Run a study, or what is missing of it; `spkit.run_study` draws its figures, too.

    Args:
        profile: what to do.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.
        workers: processes of this machine that run stages side by side; 1 runs them in this process, one by one.
        cluster: the address of a Dask scheduler, whose workers run the stages instead.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, and `summary.md`.

    Raises:
        SpkitError: a task, setting or model that is not usable; what was finished before stays.
    """
    check_engine(workers, cluster)
    study = declare(profile, output, say)
    run_stages(study, workers, cluster)
    made = report(profile, study.records(), list(study.tasks), study.root, say)
    for path in sorted(made.folder.iterdir()):
        if path.suffix in (".csv", ".md"):
            copy_file(path, study.root / path.name)
    return study.root


def train_experts(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> TaskVectors:
    """The first stages of a study alone: its experts and their task vectors, for its first seed.

    Args:
        profile: of the study.
        output: its folder, where the study goes on from these stages.
        say: called with one line about each stage.

    Returns:
        The task vectors, memory-mapped.
    """
    check_engine(1, None)
    study = declare_experts(profile, output, say)
    run_stages(study)
    return study.runs[profile.seeds[0]].vectors()


def publish(root: Path, folder: Path) -> None:
    """Copy a study's result files and records, without its models, to where results are kept.

    Args:
        root: a finished study's folder.
        folder: where to, for example `data/results/demo`.

    Raises:
        SpkitError: the folder exists and holds something else.
    """
    check_replaceable(folder, SCORES.file, "Published results")
    reported = json.loads((root / "report" / "record.json").read_text(encoding="utf-8"))

    def fill(unfinished: Path) -> None:
        for name in reported["outputs"]:
            if name.endswith(".csv") and "/" not in name:
                shutil.copyfile(root / name, unfinished / name)
        shutil.copyfile(root / SUMMARY, unfinished / SUMMARY)
        records = {
            stage: json.loads((root / stage / "record.json").read_text(encoding="utf-8"))
            for stage in ("report", *reported["inputs"])
        }
        (unfinished / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")

    write_folder(folder, fill)
