"""Resampling against merging, on one pair of tasks: quality over cost for every way to balance them."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from spkit._extras import require
from spkit.diagnostics.data_shares import data_shares
from spkit.errors import SpkitError
from spkit.evaluation.means import MEANS
from spkit.results.labels import way_label
from spkit.results.schema import RESAMPLING
from spkit.saving.recipe import save_model
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analyses._two import pair_probing
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.resampling import ResamplingSettings, Surgery
from spkit.study.paper import AGAINST, OPEN, Claim, outcome_of
from spkit.study.profile import Profile
from spkit.study.records import Record
from spkit.study.seed_run import SeedRun
from spkit.study.stages.merging import save_search
from spkit.study.stages.scoring import evaluate_stage
from spkit.study.stages.training import train_stage
from spkit.study.tables import SeedRecords, paid, samples_of, scores
from spkit.tasks import Task
from spkit.training.checks import check_batch
from spkit.training.resampling import resample
from spkit.training.surgery import train_with_surgery

_LABEL = "resampling"


def _stages(run: SeedRun, settings: ResamplingSettings) -> None:
    pair = list(settings.pair)
    tasks = {name: run.tasks[name] for name in pair}
    training, usual = run.profile.training.without_length(), run.profile.training
    whole = sum(len(task.train) for task in tasks.values())
    # As many examples as the two experts together, so that the joint trainings start level with them.
    as_experts = 2 * usual.steps if usual.steps else round((usual.epochs or 1) * whole / usual.batch_size)
    steps = settings.steps or as_experts
    made: list[str] = []

    def trained(method: str, parts: list[Any], chosen: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        run.makers[method] = stage = f"{_LABEL}/{method.partition(':')[2].replace(':', '-')}"
        train_stage(run, stage, parts, {**training, **chosen}, config)
        made.append(method)

    for scheme, ratio in product(settings.schemes, settings.ratios):
        resampled = list(resample(tasks, ratio, scheme, run.seed).values())
        # A longer data set is seen as often as a shorter one: it costs more.
        own = max(1, round(steps * sum(len(task.train) for task in resampled) / whole))
        config = {"scheme": scheme, "ratio": list(ratio)}
        trained(
            f"{_LABEL}:{scheme} {ratio[0]}-{ratio[1]}", resampled, {"steps": own, "sampling": "proportional"}, config
        )
    for sampling in settings.samplings:
        trained(
            f"{_LABEL}:{_sampling_name(sampling)}", list(tasks.values()), {"steps": steps, "sampling": sampling}, {}
        )
    if settings.mixing:
        mixed = {"steps": max(1, steps // 2), "sampling": "uniform", "mixing": "step"}
        trained(f"{_LABEL}:mixed batches", list(tasks.values()), mixed, {})
    for method in settings.surgery:
        made.append(_surgery(run, pair, method, max(1, steps // 2), training))
    made.append(_search(run, pair))
    for method in made:
        evaluate_stage(run, method, pair)


def _sampling_name(sampling: str | float) -> str:
    return sampling if isinstance(sampling, str) else f"temperature {sampling:g}"


def _surgery(run: SeedRun, pair: list[str], method: Surgery, steps: int, training: Mapping[str, Any]) -> str:
    def work(folder: Path) -> Mapping[str, Any]:
        tasks = [run.tasks[name] for name in pair]
        model = train_with_surgery(run.base, tasks, steps=steps, method=method, seed=run.seed, **training)
        save_model(model, folder / "model", dtype="float32")
        return {}

    name = f"{_LABEL}:surgery {method}"
    run.makers[name] = stage = f"{_LABEL}/surgery {method}"
    needs = ["base", *(f"task:{one}" for one in pair)]
    run.add(stage, {**training, "steps": steps, "method": method}, needs, work)
    return name


def _search(run: SeedRun, pair: list[str]) -> str:
    """Self Positioning between the pair's experts, with the study's settings on a probe of the pair."""
    settings, probing = run.profile.search.arguments(), pair_probing(run.profile, pair, len(run.tasks))

    def work(folder: Path) -> Mapping[str, Any]:
        probe = Probe.sample({name: run.tasks[name] for name in pair}, seed=run.seed, **probing)
        result = self_position(run.vectors().select(pair), probe, seed=run.seed, **settings)
        save_search(result, folder)
        return {"examples": result.examples}

    name = f"{_LABEL}:self_position"
    run.makers[name] = stage = f"{_LABEL}/self_position"
    needs = ["vectors", *(f"task:{one}" for one in pair)]
    run.add(stage, {"probe": probing, **settings}, needs, work)
    return name


def _table(records: SeedRecords, settings: ResamplingSettings, resamples: int) -> dict[str, pd.DataFrame]:
    """Scores of each method beside all that it cost: of Self Positioning the experts' trainings, too.

    `ahead` is the score minus that of Self Positioning, with its paired interval; `share` the first task's share of the
    data at a ratio, or what the searched coefficients stand for.
    """
    first = next(iter(records.values()))
    methods = [f"{_LABEL}:{name.partition('/')[2]}" for name in first if name.startswith(f"{_LABEL}/")]
    samples = samples_of(records, methods, resamples)
    rows = []
    for row in scores(samples).to_dict("records"):
        of_seed = records[row["seed"]]
        own = row["method"].removeprefix(f"{_LABEL}:")
        paired = {}
        if ":" not in row["metric"]:  # not of the parts of a task
            ahead = samples.difference(row["method"], f"{_LABEL}:self_position", row["task"], row["seed"])
            paired = {"ahead": ahead.value, "ahead_low": ahead.low, "ahead_high": ahead.high}
        stages = [f"{_LABEL}/{own}"]
        if own == "self_position":
            stages += [f"train/{name}" for name in settings.pair]
        costs = [paid(of_seed[stage]) for stage in stages]
        cost = {
            **{key: sum(one[key] for one in costs) for key in ("examples", "tokens", "flops", "seconds")},
            "search_flops": costs[0]["flops"] if own == "self_position" else 0,
        }
        rows.append(
            {**row, "method": own, "group": _group(own), "share": _share(own, settings, of_seed), **cost, **paired}
        )
    return {RESAMPLING.file: pd.DataFrame(rows).drop(columns="forgetting")}


def _group(method: str) -> str:
    """What a method is one of: total, max, sampling, mixed, surgery or self_position."""
    word = method.partition(" ")[0]
    return word if word in ("total", "max", "mixed", "surgery", "self_position") else "sampling"


def _share(method: str, settings: ResamplingSettings, records: Mapping[str, Record]) -> float:
    """The first task's share of the data at a ratio, or that the searched coefficients stand for; NaN of others."""
    if method == "self_position":
        table = pd.read_csv(records[f"{_LABEL}/self_position"].folder / "coefficients.csv")
        found = table.groupby("task")["coefficient"].mean()
        return data_shares(found)[settings.pair[0]] if (found > 0).any() else float("nan")
    if _group(method) not in ("total", "max"):
        return float("nan")
    first, second = map(int, method.partition(" ")[2].split("-"))
    return first / (first + second)


_AHEAD = "{ahead:+.1f} [{ahead_low:+.1f}, {ahead_high:+.1f}]"


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[RESAMPLING.file]
    return [_of_mean(table[table["task"] == mean], mean) for mean in MEANS if mean in set(table["task"])]


def _of_mean(table: pd.DataFrame, mean: str) -> str:
    means = table.groupby("method")[["score", "flops", "search_flops", "ahead", "ahead_low", "ahead_high"]].mean()
    numbers: dict[str, dict[str, float]] = means.to_dict("index")  # pyright: ignore[reportAssignmentType]
    searched = numbers.pop("self_position")
    best = max(numbers, key=lambda method: numbers[method]["score"])
    plain = next((method for method in ("uniform", "proportional") if method in numbers), None)
    ratios = [row["flops"] for method, row in numbers.items() if method.startswith(("total ", "max "))]
    ahead = _AHEAD.format(**numbers[best])
    without = ""
    if plain is not None:
        times, points = numbers[plain]["flops"] / searched["flops"], _AHEAD.format(**numbers[plain])
        without = (
            f" One training with {plain} sampling costs {times:.1f} times as much; its score minus that of Self "
            f"Positioning is {points} points."
        )
    return (
        f"On one pair of tasks, the best of {len(numbers)} ways to mix them in a joint training "
        f"({way_label(best, [])}, picked on the test scores) reaches {numbers[best]['score']:.1f} points on the {mean} "
        f"and Self Positioning {searched['score']:.1f}: a difference of {ahead}. Trying all {len(ratios)} ratios costs "
        f"{sum(ratios) / searched['flops']:.1f} times the FLOPs of both experts and the search, of which the search "
        f"takes {100 * searched['search_flops'] / searched['flops']:.0f} %.{without}{_as_advice(table)}"
    )


def _as_advice(table: pd.DataFrame) -> str:
    """Whether ratios near to what the searched coefficients stand for score higher; nothing for fewer than three."""
    if "share" not in table:  # of a study before it was kept
        return ""
    means = table.groupby("method")[["share", "score"]].mean().dropna()
    if "self_position" not in means.index:
        return ""
    advised, parts = float(means["share"]["self_position"]), []
    for scheme in ("total", "max"):
        own = means[means.index.str.startswith(f"{scheme} ")]
        if len(own) >= 3:
            rank = (-(own["share"] - advised).abs()).corr(own["score"], method="spearman")
            parts.append(f"{rank:+.2f} over {len(own)} ratios ({way_label(f'{scheme} 1-1', []).partition(', ')[2]})")
    if not parts:
        return ""
    return (
        f" As advice for data the searched coefficients stand for {100 * advised:.0f} % of the first task; the rank "
        f"correlation of a ratio's nearness to that with its score is {' and '.join(parts)}."
    )


def _claims(tables: Mapping[str, pd.DataFrame]) -> list[Claim]:
    table = tables[RESAMPLING.file]
    ratios = table[table["group"].isin(["total", "max", "self_position"])]
    means = [(ratios[ratios["task"] == mean], role) for mean, role in MEANS.items()]
    return [_claim(of_mean, role) for of_mean, role in means if of_mean["method"].nunique() > 1]


def _claim(mean: pd.DataFrame, role: str) -> Claim:
    by_method = mean.groupby("method")[["score", "flops", "ahead", "ahead_low", "ahead_high"]].mean()
    others = by_method.drop("self_position")
    best = str(others["score"].idxmax())
    ahead, ahead_low, ahead_high = (float(others[column][best]) for column in ("ahead", "ahead_low", "ahead_high"))
    share = float(by_method["flops"]["self_position"]) / float(others["flops"].sum())
    single = float(by_method["flops"]["self_position"]) / float(others["flops"][best])
    measured = (
        f"Self Positioning minus the best ratio ({way_label(best, [])}, picked on the test scores): {-ahead:+.1f} ["
        f"{-ahead_high:+.1f}, {-ahead_low:+.1f}] points; with its experts it costs {100 * share:.0f} % of the FLOPs "
        f"of trying all ratios, and {single:.1f} times those of the best one alone."
    )
    outcome = outcome_of(-ahead_high, -ahead_low)
    outcome = outcome if share < 1 or outcome == AGAINST else OPEN
    return Claim("Self Positioning is ahead of resampling, at a lower cost.", measured, outcome, role)


def _check(settings: ResamplingSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_pairs([settings.pair], tasks, "pair")
    if profile.given.experts:
        raise SpkitError(
            "What experts cost must be known: it is compared with what each way to mix their data costs.",
            "Found experts that are given.",
            "Leave the table out, or let the study train them.",
        )
    pair = {name: tasks[name] for name in settings.pair}
    if not ((settings.ratios and settings.schemes) or settings.samplings or settings.mixing or settings.surgery):
        raise SpkitError(
            "There must be a way to mix the pair: `ratios` with `schemes`, `samplings`, `mixing` or `surgery`.",
            "Found none.",
            "Leave one of them at its default.",
        )
    if settings.surgery:
        require("torchjd", "Gradient surgery")
    for scheme, ratio in product(settings.schemes, settings.ratios):
        try:
            for task in resample(pair, ratio, scheme, profile.seeds[0]).values():
                check_batch(task, profile.training.batch_size)
        except SpkitError as error:
            raise SpkitError(f"`ratios` must leave each task a batch: {error}") from error
    Probe.sample(pair, **pair_probing(profile, settings.pair, len(tasks)))


ANALYSIS = Analysis(
    ResamplingSettings, _stages, _table, _words, _claims, _check, figures=("resampling", "resampling_scores")
)
