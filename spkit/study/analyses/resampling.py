"""Resampling against merging, on one pair of tasks: quality over cost for every way to balance them."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.results.labels import way_label
from spkit.saving.recipe import save_model
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.study.analyses.analysis import Analysis
from spkit.study.seed_run import SeedRun
from spkit.study.stages import evaluate_stage, save_search, train_stage
from spkit.study.tables import MEAN, SeedRecords, paid, samples_of, scores
from spkit.training.resampling import resample
from spkit.training.sampling import shares
from spkit.training.surgery import train_with_surgery

_LABEL = "resampling"
_RATIOS = ((3, 1), (3, 2), (3, 3), (2, 3), (1, 3))
_SCHEMES = ("total", "max")
_SAMPLINGS = ("proportional", "uniform", 2.0)
_SURGERY: tuple[Literal["upgrad", "pcgrad"], ...] = ("upgrad", "pcgrad")


def _run(run: SeedRun, settings: Mapping[str, Any]) -> None:
    pair = list(settings["pair"])
    tasks = {name: run.tasks[name] for name in pair}
    training = {key: value for key, value in run.profile.training.items() if key not in ("steps", "epochs")}
    size = training.get("batch_size", 32)
    whole = sum(len(task.train) for task in tasks.values())
    # As many examples as the two experts together, so that the joint trainings start level with them.
    steps = settings.get("steps", 2 * run.profile.training.get("steps", 0)) or round(
        run.profile.training.get("epochs", 1) * whole / size
    )
    made: list[str] = []

    def trained(method: str, parts: list[Any], chosen: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        run.makers[method] = stage = f"{_LABEL}/{method.partition(':')[2].replace(':', '-')}"
        train_stage(run, stage, parts, {**training, **chosen}, config)
        made.append(method)

    for scheme, ratio in product(settings.get("schemes", _SCHEMES), settings.get("ratios", _RATIOS)):
        resampled = list(resample(tasks, ratio, scheme, run.seed).values())
        # A longer data set is seen as often as a shorter one: it costs more.
        own = max(1, round(steps * sum(len(task.train) for task in resampled) / whole))
        config = {"scheme": scheme, "ratio": list(ratio)}
        trained(
            f"{_LABEL}:{scheme} {ratio[0]}-{ratio[1]}", resampled, {"steps": own, "sampling": "proportional"}, config
        )
    for sampling in settings.get("samplings", _SAMPLINGS):
        trained(
            f"{_LABEL}:{_sampling_name(sampling)}", list(tasks.values()), {"steps": steps, "sampling": sampling}, {}
        )
    if settings.get("mixing", True):
        mixed = {"steps": max(1, steps // 2), "sampling": "uniform", "mixing": "step"}
        trained(f"{_LABEL}:mixed batches", list(tasks.values()), mixed, {})
    for method in settings.get("surgery", _SURGERY):
        made.append(_surgery(run, pair, method, max(1, steps // 2), training))
    made.append(_search(run, pair))
    for method in made:
        evaluate_stage(run, method, pair)


def _sampling_name(sampling: str | float) -> str:
    return sampling if isinstance(sampling, str) else f"temperature {sampling:g}"


def _surgery(
    run: SeedRun, pair: list[str], method: Literal["upgrad", "pcgrad"], steps: int, training: Mapping[str, Any]
) -> str:
    def work(folder: Path) -> Mapping[str, Any]:
        tasks = [run.tasks[name] for name in pair]
        model = train_with_surgery(run.base, tasks, steps=steps, method=method, seed=run.seed, **training)
        save_model(model, folder / "model")
        return {"examples": steps * training.get("batch_size", 32) * len(pair)}

    name = f"{_LABEL}:surgery {method}"
    run.makers[name] = stage = f"{_LABEL}/surgery {method}"
    needs = ["base", *(f"task:{one}" for one in pair)]
    run.finish(stage, {**training, "steps": steps, "method": method}, needs, work)
    return name


def _search(run: SeedRun, pair: list[str]) -> str:
    """Self Positioning between the pair's experts, with the study's settings on a probe of the pair."""
    settings = dict(run.profile.search)
    probing = {**run.profile.probe, "size": run.profile.probe.get("size", 1024) * len(pair) // len(run.tasks)}

    def work(folder: Path) -> Mapping[str, Any]:
        probe = Probe.sample({name: run.tasks[name] for name in pair}, seed=run.seed, **probing)
        save_search(self_position(run.vectors().select(pair), probe, seed=run.seed, **settings), folder)
        return {"examples": settings.get("steps", 60) * settings.get("batch_size", 32) * len(pair)}

    name = f"{_LABEL}:self_position"
    run.makers[name] = stage = f"{_LABEL}/self_position"
    needs = ["vectors", *(f"task:{one}" for one in pair)]
    run.finish(stage, {"probe": probing, **settings}, needs, work)
    return name


def _results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    """Scores of each method beside all that it cost: of Self Positioning the experts' trainings, too.

    `ahead` is the score minus that of Self Positioning, with its paired interval.
    """
    first = next(iter(records.values()))
    methods = [f"{_LABEL}:{name.partition('/')[2]}" for name in first if name.startswith(f"{_LABEL}/")]
    samples = samples_of(records, methods, resamples)
    rows = []
    for row in scores(samples).to_dict("records"):
        of_seed = records[row["seed"]]
        own = row["method"].removeprefix(f"{_LABEL}:")
        paired = {}
        if row["task"] in (MEAN, *samples.tasks):  # not of the parts of a task
            ahead = samples.difference(row["method"], f"{_LABEL}:self_position", row["task"], row["seed"])
            paired = {"ahead": ahead.value, "ahead_low": ahead.low, "ahead_high": ahead.high}
        stages = [f"{_LABEL}/{own}"]
        if own == "self_position":
            stages += [f"train/{name}" for name in settings["pair"]]
        costs = [paid(of_seed[stage]) for stage in stages]
        cost = {
            "examples": sum(of_seed[stage].content["metrics"]["examples"] for stage in stages),
            **{key: sum(one[key] for one in costs) for key in ("tokens", "flops", "seconds")},
            "search_flops": costs[0]["flops"] if own == "self_position" else 0,
        }
        rows.append({**row, "method": own, "group": _group(own), **cost, **paired})
    return {"resampling.csv": pd.DataFrame(rows)}


def _group(method: str) -> str:
    """What a method is one of: total, max, sampling, mixed, surgery or self_position."""
    word = method.partition(" ")[0]
    return word if word in ("total", "max", "mixed", "surgery", "self_position") else "sampling"


_AHEAD = "{ahead:+.1f} [{ahead_low:+.1f}, {ahead_high:+.1f}]"


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables["resampling.csv"].query("task == 'mean'")
    means = table.groupby("method")[["score", "flops", "search_flops", "ahead", "ahead_low", "ahead_high"]].mean()
    numbers: dict[str, dict[str, float]] = means.to_dict("index")  # pyright: ignore[reportAssignmentType]
    found = numbers.pop("self_position")
    best = max(numbers, key=lambda method: numbers[method]["score"])
    plain = next((method for method in ("uniform", "proportional") if method in numbers), None)
    ratios = [row["flops"] for method, row in numbers.items() if method.startswith(("total ", "max "))]
    ahead = _AHEAD.format(**numbers[best])
    without = ""
    if plain is not None:
        times, points = numbers[plain]["flops"] / found["flops"], _AHEAD.format(**numbers[plain])
        without = (
            f" One training with {plain} sampling costs {times:.1f} times as much; its score minus that of Self "
            f"Positioning is {points} points."
        )
    return [
        f"On one pair of tasks, the best of {len(numbers)} ways to mix them in a joint training "
        f"({way_label(best, [])}, picked on the test scores) reaches {numbers[best]['score']:.1f} points and Self "
        f"Positioning {found['score']:.1f}: a difference of {ahead}. Trying all {len(ratios)} ratios costs "
        f"{sum(ratios) / found['flops']:.1f} times the FLOPs of both experts and the search, of which the search takes "
        f"{100 * found['search_flops'] / found['flops']:.0f} %.{without}"
    ]


def _check(settings: Mapping[str, Any], tasks: list[str]) -> None:
    pair = settings.get("pair", [])
    if len(pair) != 2 or not set(pair) <= set(tasks) or pair[0] == pair[1]:
        raise SpkitError(
            "[resampling] must name two of the study's tasks as `pair`.",
            f"Found {quoted(pair) or 'none'} for {quoted(tasks)}.",
            f"Write pair = [{', '.join(repr(name) for name in tasks[:2])}].",
        )
    samplings = settings.get("samplings", _SAMPLINGS)
    wrong = [one for one in samplings if not isinstance(one, str | int | float)]
    if wrong:
        raise SpkitError(
            "`samplings` of [resampling] must be names or temperatures.",
            f"Found {wrong}.",
            "Shares of the two tasks are what `ratios` are for.",
        )
    for sampling in samplings:
        shares(dict.fromkeys(pair, 1), sampling)


RESAMPLING = Analysis(
    _LABEL,
    frozenset({"pair", "ratios", "schemes", "samplings", "mixing", "surgery", "steps"}),
    _run,
    _results,
    check=_check,
    words=_words,
)
