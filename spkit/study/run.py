"""Running a study: all stages of all seeds, then its report."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.files import check_replaceable, copy_file, write_folder
from spkit.results.schema import SCORES, SUMMARY
from spkit.study.analyses import analysis
from spkit.study.checks import check_study
from spkit.study.profile import Profile
from spkit.study.profile_file import check_places
from spkit.study.records import Record
from spkit.study.report import report
from spkit.study.seed_run import SeedRun, check_names, prepare
from spkit.study.settings import refuse
from spkit.study.stages import expert_stages, headline_stages
from spkit.tasks import Task, load_tasks
from spkit.vectors.task_vectors import TaskVectors


def run_study(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> Path:
    """Run a study, or what is missing of it; `spkit.run_study` draws its figures, too.

    Args:
        profile: what to do.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, and `summary.md`.

    Raises:
        SpkitError: a task, setting or model that is not usable; what was finished before stays.
    """
    root = Path(output)
    if root.exists() and not root.is_dir():
        raise SpkitError("The output of a study must be a folder.", f"Found the file {root}.", "Pass another path.")
    tasks, base, base_hash, fingerprints = _opened(profile)
    records: dict[int, Mapping[str, Record]] = {}
    for seed in profile.seeds:
        say(f"Seed {seed}")
        run = SeedRun(profile, tasks, base, base_hash, dict(fingerprints), seed, root, say)
        headline_stages(run)
        for name, settings in profile.analyses.items():
            if seed in profile.seeds_of(name):
                analysis(name).stages(run, settings)
        records[seed] = run.records
    made = report(profile, records, list(tasks), root, say)
    for path in sorted(made.folder.iterdir()):
        if path.suffix in (".csv", ".md"):
            copy_file(path, root / path.name)
    return root


def train_experts(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> TaskVectors:
    """The first stages of a study alone: its experts and their task vectors, for its first seed.

    Args:
        profile: of the study.
        output: its folder, where the study goes on from these stages.
        say: called with one line about each stage.

    Returns:
        The task vectors, memory-mapped.
    """
    tasks, base, base_hash, fingerprints = _opened(profile)
    run = SeedRun(profile, tasks, base, base_hash, dict(fingerprints), profile.seeds[0], Path(output), say)
    expert_stages(run)
    return run.vectors()


def _opened(profile: Profile) -> tuple[dict[str, Task], SentenceTransformer, str, dict[str, str]]:
    """What a study reads: its tasks and base, all that can be known to be wrong with them said."""
    refuse(check_places(profile), profile.file)
    try:
        tasks = _load(profile)
        check_names(tasks)
    except SpkitError as error:
        raise SpkitError(f"`tasks`: {error}", f"(In {profile.file}.)") from error
    check_study(profile, tasks)
    try:
        return tasks, *prepare(profile, tasks)
    except SpkitError as error:
        raise SpkitError(f"`base`: {error}", f"(In {profile.file}.)") from error


def _load(profile: Profile) -> dict[str, Task]:
    given = profile.tasks
    if isinstance(given, str):
        tasks = load_tasks(given, profile.names, folder=profile.data)
    else:
        tasks = load_tasks("bundled", given)
    if len(tasks) < 2:
        raise SpkitError("A study needs at least two tasks.", f"Found {list(tasks)}.", "Name two or more.")
    return tasks


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
