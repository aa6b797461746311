"""Where, if anywhere, merging is ahead of joint training: over the ratio of two tasks' sizes, and over training length.

A cell of the map is one ratio and one number of epochs. In it two experts, joint trainings of both tasks by several
samplings, merges of the experts and a searched position are made on the same examples, and scored. The examples of both
tasks together are as many at every ratio, so that all cells of one length cost the same, and what differs between them
is the imbalance alone. The larger task gives up what the smaller one gains; smaller parts are contained in larger ones.
"""

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import pandas as pd

from spkit.costs import count_costs
from spkit.diagnostics.nested_subsets import subsets
from spkit.errors import SpkitError
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.merging.methods import merge
from spkit.merging.registry import find
from spkit.results.labels import method_label
from spkit.results.schema import IMBALANCE_MAP
from spkit.searching.probe import Probe
from spkit.searching.result import whole
from spkit.searching.self_position import self_position
from spkit.study.analyses._counted import forget_trainings, trained
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analyses._series import Point, points_of, scored_on, series_stage
from spkit.study.analyses._two import task_needs
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.imbalance_map import MapSettings
from spkit.study.graph import Passes
from spkit.study.methods import merge_settings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords
from spkit.tasks import Task
from spkit.training.checks import check_training
from spkit.vectors.task_vectors import TaskVectors

_LABEL, _SEARCH = "imbalance_map", "self_position"

#: What a difference says by its interval; the figure leaves open cells open.
AHEAD, BEHIND, OPEN = "ahead", "behind", "open"


def joint_name(sampling: str | float) -> str:
    """What a joint training is called in the table.

    Example:
        >>> joint_name("uniform"), joint_name(2.0)
        ('joint: uniform', 'joint: temperature 2')
    """
    return f"joint: {sampling if isinstance(sampling, str) else f'temperature {sampling:g}'}"


def _stages(run: SeedRun, settings: MapSettings) -> None:
    for ratio, epochs in settings.cells():
        _cell_stage(run, settings, ratio, epochs)


def _cell_stage(run: SeedRun, settings: MapSettings, ratio: float, epochs: float) -> None:
    name = f"{_LABEL}/{ratio:g}-{epochs:g}"
    search, probe = run.profile.search.arguments(), run.profile.probe.arguments()
    rules = {rule: merge_settings(run.profile.merges.settings, rule, run.seed) for rule in settings.methods}

    def series() -> Iterator[Point]:
        parts = _parts(run.tasks, settings, ratio, run.profile.training.batch_size, run.seed)
        for sampling in settings.samplings:
            model, flops = trained(run, name, list(parts.values()), epochs=epochs, sampling=sampling)
            yield {"method": joint_name(sampling), "flops": flops}, model
        experts, paid = {}, 0
        for task in parts.values():
            experts[task.name], flops = trained(run, name, [task], epochs=epochs)
            paid += flops
        vectors = TaskVectors.from_models(run.base, experts)
        for rule, parameters in rules.items():
            yield {"method": rule, "flops": paid}, merge(run.base, vectors, rule, **parameters)
        with count_costs() as cost:
            drawn = Probe.sample(parts, seed=run.seed, **probe)
            found = whole(self_position(vectors, drawn, seed=run.seed, **search))
        yield {"method": _SEARCH, "flops": paid + cost.flops, "examples": found.examples}, found.model()

    models = len(settings.samplings) + len(rules) + 1
    config = {"ratio": ratio, "epochs": epochs, "sizes": list(settings.sizes(ratio)), "pair": list(settings.pair)}
    config |= {"samplings": list(settings.samplings), "rules": rules, "search": search, "probe": probe}
    config |= {"training": run.profile.training.without_length()}
    work = Passes(backward=round((len(settings.samplings) + 1) * epochs * settings.total) + _searched(run))
    needs = ["base", *task_needs(settings.pair)]
    series_stage(
        run,
        name,
        config,
        needs,
        series,
        scored_on(run, settings.pair),
        models,
        work,
        afterwards=lambda: forget_trainings(run, name),
    )


def _parts(
    tasks: Mapping[str, Task], settings: MapSettings, ratio: float, batch_size: int, seed: int
) -> dict[str, Task]:
    chosen = [tasks[name] for name in settings.pair]
    return {part.name: part for part in subsets(chosen, settings.sizes(ratio), batch_size, seed)}


def _searched(run: SeedRun) -> int:
    settings = run.profile.search
    return settings.steps * settings.batch_size * 2


def _check(settings: MapSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_pairs([settings.pair], tasks, "pair")
    for ratio in dict.fromkeys(ratio for ratio, _ in settings.cells()):
        try:
            parts = _parts(tasks, settings, ratio, profile.training.batch_size, profile.seeds[0])
            check_training(list(parts.values()), None, 1.0, profile.training.batch_size, False)
            Probe.sample(parts, **profile.probe.arguments())
        except SpkitError as error:
            raise SpkitError(f"`total` and the ratio {ratio:g} must fit the tasks: {error}") from error
    for rule in settings.methods:
        if find(rule).reads_data:
            raise SpkitError(
                "`methods` must be rules that read no data.", f"Found {rule!r}.", "Leave it out; the search reads data."
            )


def _table(records: SeedRecords, settings: MapSettings, resamples: int) -> dict[str, pd.DataFrame]:
    joint = [joint_name(sampling) for sampling in settings.samplings]
    rows = []
    for (seed, of_seed), (ratio, epochs) in product(records.items(), settings.cells()):
        points = list(points_of(of_seed[f"{_LABEL}/{ratio:g}-{epochs:g}"]))
        flops = {about["method"]: about["flops"] for about, _ in points}
        samples = Samples.draw({seed: {about["method"]: measured["test"] for about, measured in points}}, resamples)
        pairs = [(method, against) for against in joint for method in flops if method not in joint]
        pairs += [(method, joint[0]) for method in joint[1:]]
        for (method, against), task in product(pairs, [*samples.tasks, *samples.means]):
            one = samples.difference(method, against, task, seed)
            row = {"ratio": ratio, "epochs": epochs, "method": method, "against": against, "task": task}
            row |= {"difference": one.value, "low": one.low, "high": one.high, "flops": flops[method]}
            rows.append(row | {"verdict": _verdict(one.low, one.high), "seed": seed})
    return {IMBALANCE_MAP.file: pd.DataFrame(rows)}


def _verdict(low: float, high: float) -> str:
    return AHEAD if low > 0 else BEHIND if high < 0 else OPEN


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[IMBALANCE_MAP.file]
    joint = [name for name in dict.fromkeys(table["against"]) if str(name).startswith("joint")]
    said = []
    for mean, where in ((MEAN, "the trained tasks"), (UNSEEN_MEAN, "the unseen ones")):
        part = table[(table["task"] == mean) & ~table["method"].isin(joint)]
        if part.empty:
            continue
        cells = part.groupby(["ratio", "epochs", "seed", "method"])["verdict"]
        ahead = cells.apply(lambda verdicts: bool((verdicts == AHEAD).all())).groupby("method", sort=False).sum()
        behind = cells.apply(lambda verdicts: bool((verdicts == BEHIND).any())).groupby("method", sort=False).sum()
        count = len(part.drop_duplicates(["ratio", "epochs", "seed"]))
        parts = [
            f"{method_label(str(method))} in {ahead[method]} (behind one of them in {behind[method]})"
            for method in ahead.index
        ]
        said.append(f"on {where} ahead of every joint training is {', '.join(parts)} of {count} cells")
    if not said:
        return []
    ratios = ", ".join(f"{ratio:g}" for ratio in np.unique(table["ratio"]))
    epochs = ", ".join(f"{epoch:g}" for epoch in np.unique(table["epochs"]))
    return [
        f"Where one task is {ratios} times the other, and over {epochs} epochs, {'; '.join(said)}. The joint trainings "
        f"are {', '.join(str(name).removeprefix('joint: ') for name in joint)}."
    ]


ANALYSIS = Analysis(MapSettings, _stages, _table, _words, check=_check, figures=("imbalance_map",))
