"""The second pipeline: train on one task after the other, and merge the models that stood after each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEANS
from spkit.results.labels import method_label
from spkit.results.schema import PIPELINES
from spkit.saving.recipe import save_model
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.sequential import SequentialSettings
from spkit.study.methods import SEARCHES
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.merging import merges_and_searches
from spkit.study.stages.scoring import evaluate_stage
from spkit.study.stages.training import vectors_stage
from spkit.study.tables import SeedRecords, evaluated, samples_of, scores
from spkit.tasks import Task
from spkit.training.trainer import train

_LABEL = "sequential"


def _stages(run: SeedRun, settings: SequentialSettings) -> None:
    names = list(settings.order or run.tasks)
    tasks = [run.tasks[name] for name in names]
    training = {**run.profile.training.arguments(), "order": "sequential"}

    def work(folder: Path) -> Mapping[str, Any]:
        def keep(name: str, model: SentenceTransformer) -> None:
            save_model(model, folder / "after" / name, dtype="float32")

        last = train(run.base, tasks, seed=run.seed, after_each=keep, **training)
        save_model(last, folder / "model", dtype="float32")
        return {}

    stage = f"{_LABEL}/train"
    needs = ["base", *(f"task:{name}" for name in names)]
    run.add(stage, {**training, "tasks": names}, needs, work)
    run.makers[_LABEL] = stage
    evaluate_stage(run, _LABEL)
    models = {name: run.folder(stage) / "after" / name for name in names}
    vectors_stage(run, f"{_LABEL}/vectors", models, [stage])
    merges_and_searches(run, f"{_LABEL}/vectors", _LABEL)


def _table(records: SeedRecords, settings: SequentialSettings, resamples: int) -> dict[str, pd.DataFrame]:
    first = next(iter(records.values()))
    own = [method for method in evaluated(first) if method.partition(":")[0] == _LABEL]
    separate = [method.removeprefix(f"{_LABEL}:") for method in own if method != _LABEL]
    table = scores(samples_of(records, [*separate, *own], resamples)).drop(columns="forgetting")
    of_this = table["method"].str.startswith(_LABEL)
    table.insert(0, "pipeline", of_this.map({True: _LABEL, False: "separate"}))
    # The model after the last task is what sequential training gives without any merge.
    table["method"] = table["method"].replace(_LABEL, "last").str.removeprefix(f"{_LABEL}:")
    return {PIPELINES.file: table}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[PIPELINES.file]
    return [_of_mean(table, mean) for mean in MEANS if mean in set(table["task"])]


def _of_mean(table: pd.DataFrame, mean: str) -> str:
    means = table[table["task"] == mean].groupby(["pipeline", "method"])["score"].mean()
    best = {pipeline: means[pipeline].idxmax() for pipeline in ("separate", _LABEL)}
    parts = [f"{method_label(str(best[pipeline]))} {means[pipeline].max():.1f}" for pipeline in best]
    last = means[_LABEL, "last"]
    own = "; ".join(
        f"{method_label(method)} {means['separate', method]:.1f} and {means[_LABEL, method]:.1f}" for method in SEARCHES
    )
    return (
        f"Of the two pipelines, merging models trained apart reaches {parts[0]} points on the {mean}, merging those "
        f"saved after each task of a sequential training {parts[1]}, and the last of these without a merge {last:.1f} "
        f"(best methods picked on the test scores). In the two pipelines, {own}."
    )


def _check(settings: SequentialSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    order = settings.order
    if order is not None and not set(order) <= set(tasks):
        raise SpkitError(
            "`order` must name two or more of the study's tasks.",
            f"Found {quoted(order)} for {quoted(tasks)}.",
            f"Write order = [{', '.join(repr(name) for name in tasks)}], or leave it out.",
        )


ANALYSIS = Analysis(SequentialSettings, _stages, _table, _words, check=_check, figures=("pipelines",))
