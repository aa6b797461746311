"""Running a study: all stages of all seeds, then its tables, figures and verdict."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spkit.errors import SpkitError, quoted
from spkit.figures import draw_figures, summary_table, to_markdown
from spkit.storage import check_replaceable, write_folder
from spkit.study import tables, verdict
from spkit.study.checks import check_study
from spkit.study.methods import SEARCHES, STATIC, TUNED, method_names
from spkit.study.profile import Profile
from spkit.study.records import Record, Stage, finish
from spkit.study.stages import SeedRun, prepare
from spkit.tasks import Task, load_tasks

#: What a study shows to others; the rest of its folder are models and records.
RESULTS = (
    "scores.csv",
    "comparisons.csv",
    "coefficients.csv",
    "conflict.csv",
    "geometry.csv",
    "history.csv",
    "costs.csv",
    "summary.md",
)


def run_study(profile: Profile, output: str | Path, say: Callable[[str], None] = print) -> Path:
    """Run a study, or what is missing of it.

    Args:
        profile: what to do.
        output: the study's folder; a study that was stopped goes on there, a finished one costs nothing.
        say: called with one line about each stage.

    Returns:
        The folder, which now holds `scores.csv`, `coefficients.csv` and the other result files, `summary.md` and
        `figures/`.

    Raises:
        SpkitError: a task, setting or model that is not usable; what was finished before stays.
    """
    root = Path(output)
    if root.exists() and not root.is_dir():
        raise SpkitError("The output of a study must be a folder.", f"Found the file {root}.", "Pass another path.")
    tasks = _load(profile)
    check_study(profile, tasks)
    base, base_hash, fingerprints = prepare(profile, tasks)
    records: dict[int, Mapping[str, Record]] = {}
    for seed in profile.seeds:
        say(f"Seed {seed}")
        records[seed] = SeedRun(profile, tasks, base, base_hash, fingerprints, seed, root, say).run()
    report = _report(profile, records, list(tasks), root, say)
    for name in RESULTS:
        _replace(report.folder / name, root / name)
    (root / "figures").mkdir(exist_ok=True)
    for path in sorted((report.folder / "figures").iterdir()):
        _replace(path, root / "figures" / path.name)
    return root


def _load(profile: Profile) -> dict[str, Task]:
    given = profile.tasks
    tasks = load_tasks(given) if isinstance(given, str) else load_tasks("bundled", given)
    if len(tasks) < 2:
        raise SpkitError("A study needs at least two tasks.", f"Found {list(tasks)}.", "Name two or more.")
    # Names become folders, and "joint" and "mean" have a meaning of their own in the tables.
    bad = [name for name in tasks if name in ("joint", tables.MEAN) or not re.fullmatch(r"\w[\w .-]*", name)]
    if bad:
        raise SpkitError(
            "A study's task must be named in letters, digits, spaces, '.', '_' and '-', other than joint and mean.",
            f"Found {quoted(bad)}.",
            "Rename the task.",
        )
    return tasks


def _report(
    profile: Profile,
    records: Mapping[int, Mapping[str, Record]],
    tasks: list[str],
    root: Path,
    say: Callable[[str], None],
) -> Record:
    methods = method_names(tasks)
    static = [method for method in methods if method in STATIC or method in TUNED]

    def work(folder: Path) -> Mapping[str, Any]:
        samples = tables.Samples.draw(records, methods, profile.evaluation.get("resamples", 1000))
        stages = {method: f"search/{method.replace(':', '-')}" for method in SEARCHES}
        conflict = tables.joined(records, "conflict", "conflict.csv")
        cost = tables.costs(records)
        scores = tables.scores(samples)
        for name, table in {
            "scores.csv": scores,
            "comparisons.csv": tables.comparisons(samples, static, SEARCHES),
            "coefficients.csv": tables.coefficients(records, {m: f"tune/{m}" for m in TUNED} | stages),
            "conflict.csv": conflict,
            "geometry.csv": tables.joined(records, "vectors", "geometry.csv"),
            "history.csv": tables.history(records, stages, tasks),
            "costs.csv": cost,
        }.items():
            tables.write_csv(table, folder / name)
        held_back = {
            method: float(
                np.mean([of_seed[stage].content["metrics"]["held_back_loss"] for of_seed in records.values()])
            )
            for method, stage in stages.items()
        }
        chosen = min(held_back, key=lambda method: held_back[method])
        sentences = verdict.words(samples, conflict, cost, static, list(SEARCHES), chosen)
        (folder / "summary.md").write_text(_summary(profile, scores, sentences), encoding="utf-8")
        draw_figures(folder, folder / "figures")
        return {"chosen": chosen, "held_back_loss": held_back}

    inputs = {
        f"seed{seed}/{name}": record.hash for seed, of_seed in records.items() for name, record in of_seed.items()
    }
    code = ["spkit.study.run", *_figure_modules()]
    return finish(Stage("report", {"evaluation": profile.evaluation}, inputs, code, work), root, say)


def _figure_modules() -> list[str]:
    from importlib.resources import files

    names = [path.name.removesuffix(".py") for path in files("spkit.figures").iterdir() if path.name.endswith(".py")]
    return [f"spkit.figures.{name}" for name in sorted(names) if name != "__init__"]


def _summary(profile: Profile, scores: Any, sentences: list[str]) -> str:
    seeds = ", ".join(str(seed) for seed in profile.seeds)
    table = to_markdown(summary_table(scores))
    findings = "\n".join(f"- {sentence}" for sentence in sentences)
    return (
        f"# What the study `{profile.name}` found\n\n"
        f"Base `{profile.base}`, seeds {seeds}. Test scores in points (0 to 100) with 95 % bootstrap intervals over "
        f"the test examples{_over_seeds(profile)}. Examples are resampled within each task, as if they were "
        f"independent; where they share texts, as pairs of the same few documents do, intervals are too narrow.\n\n"
        f"{table}\n\n{findings}\n"
    )


def _over_seeds(profile: Profile) -> str:
    return ", scores and their bounds averaged over the seeds" if len(profile.seeds) > 1 else ""


def _replace(source: Path, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.copyfile(source, unfinished)
    os.replace(unfinished, target)


def publish(root: Path, folder: Path) -> None:
    """Copy a study's result files and records, without its models, to where results are kept.

    Args:
        root: a finished study's folder.
        folder: where to, for example `data/results/demo`.

    Raises:
        SpkitError: the folder exists and holds something else.
    """
    check_replaceable(folder, RESULTS[0], "Published results")

    def fill(unfinished: Path) -> None:
        for name in RESULTS:
            shutil.copyfile(root / name, unfinished / name)
        records = {
            stage: json.loads((root / stage / "record.json").read_text(encoding="utf-8"))
            for stage in (
                "report",
                *json.loads((root / "report" / "record.json").read_text(encoding="utf-8"))["inputs"],
            )
        }
        (unfinished / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")

    write_folder(folder, fill)
