"""The paper's Table 3: an expert a cluster of data sets that the base embeds alike, and what merging these gives."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.diagnostics.clusters import check_clusters, cluster_tasks
from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.merging.methods import merge
from spkit.merging.registry import find
from spkit.results.labels import method_label
from spkit.results.schema import CLUSTER_SCORES, CLUSTERS
from spkit.searching.result import whole
from spkit.searching.self_position import self_position
from spkit.study.analyses._counted import forget_trainings, trained
from spkit.study.analyses._series import Point, Scored, of_stage, series_rows, series_stage
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.clusters import ClusterSettings
from spkit.study.graph import Passes
from spkit.study.methods import merge_settings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.training import joint_settings
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task
from spkit.tasks.data_sets import data_sets
from spkit.tasks.loss_rows import loss_rows
from spkit.tasks.pools import pool_tasks
from spkit.vectors.task_vectors import TaskVectors

_LABEL, _SEARCH = "clusters", "self_position"


def _stages(run: SeedRun, settings: ClusterSettings) -> None:
    for count in settings.clusters:
        _sets_stage(run, count, settings.examples)
        _scores_stage(run, count, settings.methods)


def _sets_stage(run: SeedRun, count: int, examples: int) -> None:
    """Which data sets are in which cluster."""

    def work(folder: Path) -> Mapping[str, Any]:
        found = cluster_tasks(run.base, run.tasks, count, examples, run.seed)
        found.assign(clusters=count).to_csv(folder / CLUSTERS.file, index=False)
        return {}

    passes = Passes(forward=2 * examples * len(data_sets(run.tasks)))
    run.add(_sets(count), {"clusters": count, "examples": examples}, ["base", *run.all_tasks], work, passes)


def _scores_stage(run: SeedRun, count: int, rules: Sequence[str]) -> None:
    """Experts of the clusters, merged and searched, beside the base and joint training."""
    name = f"{_LABEL}/{count}/scores"
    parameters = {rule: merge_settings(run.profile.merges.settings, rule, run.seed) for rule in rules}
    search = run.profile.search.arguments()

    def series() -> Iterator[Point]:
        for method in ("base", "joint"):
            yield {"method": method}, run.model(method)
        experts = {}
        for cluster, tasks in _clusters(run, count).items():
            settings = joint_settings(run, len(tasks))
            experts[f"cluster {cluster}"], _ = trained(run, name, tasks, **settings)
            yield {"method": f"expert:cluster {cluster}"}, experts[f"cluster {cluster}"]
        vectors = TaskVectors.from_models(run.base, experts)
        for rule in rules:
            read: dict[str, Any] = {"tasks": _pools(_clusters(run, count))} if find(rule).reads_data else {}
            yield {"method": rule}, merge(run.base, vectors, rule, **parameters[rule], **read)
        found = whole(self_position(vectors, run.probe, seed=run.seed, **search))
        yield {"method": _SEARCH, "examples": found.examples}, found.model()

    config = {"training": run.profile.training.arguments(), "joint": run.profile.joint.arguments()}
    config |= {"methods": parameters, "search": search, "probe": run.profile.probe.arguments()}
    needs = ["base", run.maker("joint"), _sets(count), *run.all_tasks]
    steps = search["steps"] * search["batch_size"] * len(run.tasks)
    points = 3 + count + len(rules)
    series_stage(
        run,
        name,
        config,
        needs,
        series,
        Scored(run.scored, {}),
        points,
        Passes(backward=steps + _trained(run)),
        afterwards=lambda: forget_trainings(run, name),
    )


def _sets(count: int) -> str:
    return f"{_LABEL}/{count}/sets"


def _clusters(run: SeedRun, count: int) -> dict[int, list[Task]]:
    """The data sets of each cluster, as the stage before has them."""
    sets, found = data_sets(run.tasks), pd.read_csv(run.folder(_sets(count)) / CLUSTERS.file)
    return {
        int(cluster): [sets[name] for name in part["dataset"]]  # pyright: ignore[reportArgumentType]
        for cluster, part in found.groupby("cluster")
    }


def _pools(clusters: Mapping[int, Sequence[Task]]) -> dict[str, Task]:
    """Each cluster as one task, for the rules that read the data of a vector."""
    return {
        f"cluster {number}": pool_tasks(f"cluster {number}", tasks, temperature=tasks[0].temperature)
        for number, tasks in clusters.items()
    }


def _trained(run: SeedRun) -> int:
    """Examples of the trainings of all clusters together."""
    settings, sets = run.profile.training, data_sets(run.tasks)
    if settings.steps is not None:
        return settings.steps * settings.batch_size * len(sets)
    return round((settings.epochs or 0) * sum(len(loss_rows(task, "train")) for task in sets.values()))


def _check(settings: ClusterSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    for count in settings.clusters:
        check_clusters(count, list(data_sets(tasks)))
    if isinstance(profile.joint.sampling, Mapping):
        raise SpkitError(
            "Clusters are trained by a sampling that names no tasks.",
            f"Found {dict(profile.joint.sampling)} in [joint].",
            'Write sampling = "proportional" there, or leave [clusters] out.',
        )
    reading = [rule for rule in settings.methods if find(rule).reads_data]
    if reading and any(task.loss != "infonce" for task in data_sets(tasks).values()):
        raise SpkitError(
            "Rules that read data need data sets that can be pooled, with InfoNCE as the loss of all.",
            f"Found {quoted(reading)} in `methods`.",
            'Leave them out, or write loss = {name = "infonce"} in the profile.',
        )


def _table(records: SeedRecords, settings: ClusterSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """Clusters are those of the first seed; each seed is scored in its own."""
    first = next(iter(records))
    sets = pd.concat(
        [joined({first: records[first]}, _sets(count), CLUSTERS.file) for count in settings.clusters], ignore_index=True
    ).drop(columns="seed")
    rows = [
        {"clusters": count, **row}
        for count in settings.clusters
        for row in series_rows(of_stage(records, f"{_LABEL}/{count}/scores"), resamples)
    ]
    scores = pd.DataFrame(rows)[list(CLUSTER_SCORES.columns)]
    return {CLUSTERS.file: sets, CLUSTER_SCORES.file: scores}


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    sets, table = tables[CLUSTERS.file], tables[CLUSTER_SCORES.file]
    said = []
    for count, part in table.groupby("clusters"):
        groups = sets[sets["clusters"] == count].groupby("cluster")["dataset"].apply(", ".join)
        numbers = []
        for mean, where in ((MEAN, "trained"), (UNSEEN_MEAN, "unseen")):
            scores = part[part["task"] == mean].groupby("method", sort=False)["score"].mean()
            if scores.empty:
                continue
            own = [str(method) for method in scores.index if not str(method).startswith(("expert:", "base"))]
            listed = ", ".join(f"{method_label(method)} {scores[method]:.1f}" for method in own)
            numbers.append(f"{where} mean {listed}")
        said.append(f"With an expert a cluster in {count} clusters ({'; '.join(groups)}): {'; '.join(numbers)} points.")
    return said


ANALYSIS = Analysis(ClusterSettings, _stages, _table, _words, check=_check)
