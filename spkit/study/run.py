"""Running a study: all stages of all seeds, then its report."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spkit.errors import SpkitError
from spkit.files import check_room
from spkit.folders import check_own_file, check_replaceable, own_file, write_folder
from spkit.hashing import file_hash
from spkit.locks import locked
from spkit.results.schema import SUMMARY, TABLES
from spkit.study.declared import Study, declare, declare_experts
from spkit.study.engine import run_stages
from spkit.study.methods import SEARCHES, TUNED
from spkit.study.profile import Profile
from spkit.study.report import report
from spkit.study.workers import check_engine
from spkit.vectors.task_vectors import TaskVectors


def run_study(
    profile: Profile,
    output: str | Path,
    say: Callable[[str], None] = print,
    after: Callable[[Path], object] | None = None,
    *,
    workers: int = 1,
    cluster: str | None = None,
) -> Path:
    """Run a study, or what is missing of it; `spkit.run_study` draws its figures, too.

    Each seed is run by one process at a time; processes with different seeds may share the folder, whose result files
    are then those of the one that ended last.

    Args:
        profile: what to do.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.
        after: called with the folder once the result files are there, before another process may replace them.
        workers: processes of this machine that run stages side by side; 1 runs them in this process, one by one.
        cluster: the address of a Dask scheduler, whose workers run the stages instead.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, and `summary.md`.

    Raises:
        InUseError: another process runs one of the seeds in this folder.
        SpkitError: a task, setting or model that is not usable, or a file in the folder that would be replaced and that
            no study wrote; what was finished before stays.
    """
    check_engine(workers, cluster)
    root = _check_root(output)
    study = declare(profile, root, say)
    _check_room(study)
    with _seeds_locked(root, profile.seeds):
        run_stages(study, workers, cluster)
        with locked(root / "results", "Results must be written by one process at a time.", wait=_WAIT, say=say):
            former = _of_former_report(root)
            made = report(profile, study.records(), list(study.tasks), root, say)
            for path in sorted(made.folder.iterdir()):
                if path.suffix in (".csv", ".md"):
                    with own_file(root / path.name, _STUDY, recognised=path.name in former) as unfinished:
                        shutil.copyfile(path, unfinished)
            if after is not None:
                after(root)
    return root


#: Who writes a study's result files, in the folder's list; and how long another process is waited for that does.
_STUDY = "spkit study"
_WAIT = 3600.0


def _check_root(output: str | Path) -> Path:
    """The folder of a study, in which nothing stands where its result files will be but those of a study."""
    root = Path(output).expanduser()
    if root.exists() and not root.is_dir():
        raise SpkitError("The output of a study must be a folder.", f"Found the file {root}.", "Pass another path.")
    former = _of_former_report(root)
    for name in (*TABLES, SUMMARY, "against_the_paper.csv", "conflict_summary.csv"):
        check_own_file(root / name, _STUDY, recognised=name in former)
    return root


def _of_former_report(root: Path) -> set[str]:
    """Result files that are those of the study's last report, as former versions left them, without a list."""
    try:
        outputs = json.loads((root / "report" / "record.json").read_text(encoding="utf-8"))["outputs"]
        listed = {name: about["sha256"] for name, about in outputs.items() if "/" not in name}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name, sha in listed.items() if (root / name).is_file() and file_hash(root / name) == sha}


@contextmanager
def _seeds_locked(root: Path, seeds: Sequence[int]) -> Iterator[None]:
    """Keep other processes from the stages of these seeds: they would replace what this one is going to read."""
    with ExitStack() as held:
        for seed in sorted(set(seeds)):
            held.enter_context(locked(root / f"seed{seed}", "A seed of a study must be run by one process at a time."))
        yield


def _check_room(study: Study) -> None:
    """Raise now where the models that are still to be saved cannot fit on the disk."""
    profile, root = study.profile, study.root
    base = next(iter(study.runs.values())).base
    model = sum(value.numel() * value.element_size() for value in base.state_dict().values())
    # Experts, their vectors with the base, joint training, merges and searches; checkpoints are three models at a time.
    models = 2 * len(study.tasks) + 2 + len(profile.static) + len(TUNED) + len(SEARCHES)
    there = sum(path.stat().st_size for path in root.rglob("*.safetensors")) if root.is_dir() else 0
    check_room(root, max(0, models * model * len(profile.seeds) - there), "A study")


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
    root, seed = Path(output).expanduser(), profile.seeds[0]
    study = declare_experts(profile, root, say)
    with _seeds_locked(root, [seed]):
        run_stages(study)
        return study.runs[seed].vectors()


def publish(root: Path, folder: Path) -> None:
    """Copy a study's result files and records, without its models, to where results are kept.

    Args:
        root: a finished study's folder.
        folder: where to, for example `data/results/demo`.

    Raises:
        SpkitError: the folder holds something that spkit did not write, or that was changed since.
    """
    folder = Path(folder).expanduser()
    published = _of_publication(folder)
    check_replaceable(folder, "Published results", recognised=published)
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

    write_folder(folder, fill, "Published results", recognised=published)


def _of_publication(folder: Path) -> Callable[[str], bool]:
    """Whether a file is one of an earlier publication, by the records that lie beside it: its list may not be kept."""
    try:
        records = json.loads((folder / "records.json").read_text(encoding="utf-8"))
        outputs = {name: about["sha256"] for name, about in records["report"]["outputs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return lambda name: False
    return lambda name: name == "records.json" or (name in outputs and file_hash(folder / name) == outputs[name])
