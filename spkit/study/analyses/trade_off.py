"""Between two tasks: the positions that a sweep over their weights in the objective finds, and what they score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.evaluation import bootstrap, interval, load_measurements, measure, save_measurements
from spkit.searching.trade_off import trade_off
from spkit.study.analyses.analysis import Analysis
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords, joined

_RATIOS = (0.125, 0.5, 1.0, 2.0, 8.0)
_STAGE = "trade_off"


def _run(run: SeedRun, settings: Mapping[str, Any]) -> None:
    first, second = settings["between"]
    ratios, steps = settings.get("ratios", _RATIOS), settings.get("steps", 20)
    search = {**run.profile.search, "steps": steps}

    def work(folder: Path) -> Mapping[str, Any]:
        found = trade_off(
            run.vectors(), run.probe, first, second, ratios=ratios, judge=run.held_back, seed=run.seed, **search
        )
        if len(found.results) < len(ratios) or found.results[-1].settings["interrupted"]:
            raise KeyboardInterrupt
        found.table.to_csv(folder / "trade_off.csv", index=False)
        for ratio, result in zip(found.table["ratio"], found.results, strict=True):
            measured = measure(result.model(), run.tasks, name=f"{_STAGE}/{ratio:g}")
            save_measurements(measured, folder / _measurements(ratio))
        return {"examples": len(ratios) * steps * search.get("batch_size", 32) * len(run.tasks)}

    config = {"between": [first, second], "ratios": list(ratios), "probe": run.profile.probe, **search}
    run.finish(_STAGE, config, ["vectors", *run.all_tasks], work)


def _results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    first, second = settings["between"]
    rows = []
    for row in joined(records, _STAGE, "trade_off.csv").to_dict("records"):
        for one in load_measurements(records[row["seed"]][_STAGE].folder / _measurements(row["ratio"])):
            low, high = interval(bootstrap(one, resamples))
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "ratio": row["ratio"],
                    "on_front": row["on_front"],
                    "task": one.task,
                    "loss": row[f"loss:{one.task}"],
                    "score": one.score,
                    "low": low,
                    "high": high,
                    "coefficient": row[f"coefficient:{one.task}"],
                    "seed": row["seed"],
                }
            )
    return {"trade_off.csv": pd.DataFrame(rows)}


def _measurements(ratio: float) -> str:
    return f"measurements-{float(ratio)!r}.npz"


def _check(settings: Mapping[str, Any], tasks: list[str]) -> None:
    between = settings.get("between", [])
    if len(between) != 2 or not set(between) <= set(tasks) or between[0] == between[1]:
        raise SpkitError(
            "[trade_off] must name two of the study's tasks in `between`.",
            f"Found {quoted(between) or 'none'} for {quoted(tasks)}.",
            f"Write between = [{', '.join(repr(name) for name in tasks[:2])}].",
        )


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables["trade_off.csv"]
    first, second = table["first"].iloc[0], table["second"].iloc[0]
    positions = table.drop_duplicates(["ratio", "seed"])
    scores = table.groupby(["task", "ratio"])["score"].mean()
    ends = [f"{task} from {scores[task].min():.1f} to {scores[task].max():.1f} points" for task in (first, second)]
    return [
        f"The trade-off between {first} and {second}: {int(positions['on_front'].sum())} of {len(positions)} searched "
        f"positions are beaten by no other of them in both held-back losses; over their weights, "
        f"{' and '.join(ends)}."
    ]


TRADE_OFF = Analysis("trade_off", frozenset({"between", "ratios", "steps"}), _run, _results, _check, _words)
