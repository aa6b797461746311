"""Between two tasks: the positions that a sweep over their weights in the objective finds, and what they score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spkit.errors import SpkitError, quoted
from spkit.study.analyses.analysis import Analysis
from spkit.study.seed_run import SeedRun
from spkit.study.tables import SeedRecords, joined
from spkit.trading import trade_off

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
        scores = found.scores(dict(run.tasks), split="test").drop(columns="ratio").add_prefix("score:")
        pd.concat([found.table, scores], axis=1).to_csv(folder / "trade_off.csv", index=False)
        return {"examples": len(ratios) * steps * search.get("batch_size", 32) * len(run.tasks)}

    config = {"between": [first, second], "ratios": list(ratios), "probe": run.profile.probe, **search}
    run.finish(_STAGE, config, ["vectors", *run.all_tasks], ["spkit.trading", "spkit.evaluation"], work)


def _results(records: SeedRecords, settings: Mapping[str, Any], resamples: int) -> dict[str, pd.DataFrame]:
    first, second = settings["between"]
    wide = joined(records, _STAGE, "trade_off.csv")
    names = [column.removeprefix("score:") for column in wide.columns if column.startswith("score:")]
    parts = [
        pd.DataFrame(
            {
                "first": first,
                "second": second,
                "ratio": wide["ratio"],
                "on_front": wide["on_front"],
                "task": name,
                "loss": wide[f"loss:{name}"],
                "score": wide[f"score:{name}"],
                "coefficient": wide[f"coefficient:{name}"],
                "seed": wide["seed"],
            }
        )
        for name in names
    ]
    return {"trade_off.csv": pd.concat(parts, ignore_index=True)}


def _check(settings: Mapping[str, Any], tasks: list[str]) -> None:
    between = settings.get("between", [])
    if len(between) != 2 or not set(between) <= set(tasks) or between[0] == between[1]:
        raise SpkitError(
            "[trade_off] must name two of the study's tasks in `between`.",
            f"Found {quoted(between) or 'none'} for {quoted(tasks)}.",
            f"Write between = [{', '.join(repr(name) for name in tasks[:2])}].",
        )


TRADE_OFF = Analysis("trade_off", frozenset({"between", "ratios", "steps"}), _run, _results, _check)
