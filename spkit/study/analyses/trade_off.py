"""Between two tasks: the positions that a sweep over their weights in the objective finds, and what they score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from spkit.evaluation import bootstrap, interval, load_measurements, measure, save_measurements
from spkit.results.schema import TRADE_OFF
from spkit.searching.over import trade_off
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analysis import Analysis
from spkit.study.profile import AnalysisSettings, Profile
from spkit.study.seed_run import SeedRun
from spkit.study.settings import Different, Number, Whole
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task

_STAGE = "trade_off"


class TradeOffSettings(AnalysisSettings):
    """The two tasks, the ratios of their weights in the objective, and the steps of the search at each ratio."""

    between: tuple[str, str] = Field(examples=['between = ["headline", "similarity"]'])
    ratios: Annotated[tuple[Annotated[Number, Field(gt=0)], ...], Different] = Field(
        (0.125, 0.5, 1.0, 2.0, 8.0), min_length=1
    )
    steps: Whole = Field(20, ge=1)


def _stages(run: SeedRun, settings: TradeOffSettings) -> None:
    first, second = settings.between
    ratios, steps = settings.ratios, settings.steps
    search = {**run.profile.search.arguments(), "steps": steps}

    def work(folder: Path) -> Mapping[str, Any]:
        searches = trade_off(
            run.vectors(), run.probe, first, second, ratios=ratios, measured_on=run.held_back, seed=run.seed, **search
        )
        if len(searches.results) < len(ratios) or searches.results[-1].settings["interrupted"]:
            raise KeyboardInterrupt
        searches.table.to_csv(folder / "trade_off.csv", index=False)
        for ratio, result in zip(searches.table["ratio"], searches.results, strict=True):
            measured = measure(result.model(), run.tasks, name=f"{_STAGE}/{ratio:g}")
            save_measurements(measured, folder / _measurements(ratio))
        return {"examples": searches.examples}

    config = {"between": [first, second], "ratios": list(ratios), "probe": run.profile.probe.arguments(), **search}
    run.add(_STAGE, config, ["vectors", *run.all_tasks], work)


def _table(records: SeedRecords, settings: TradeOffSettings, resamples: int) -> dict[str, pd.DataFrame]:
    first, second = settings.between
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
    return {TRADE_OFF.file: pd.DataFrame(rows)}


def _measurements(ratio: float) -> str:
    return f"measurements-{float(ratio)!r}.npz"


def _check(settings: TradeOffSettings, profile: Profile, tasks: Mapping[str, Task]) -> None:
    check_pairs([settings.between], tasks, "between")


def _words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables[TRADE_OFF.file]
    first, second = table["first"].iloc[0], table["second"].iloc[0]
    positions = table.drop_duplicates(["ratio", "seed"])
    scores = table.groupby(["task", "ratio"])["score"].mean()
    ends = [f"{task} from {scores[task].min():.1f} to {scores[task].max():.1f} points" for task in (first, second)]
    return [
        f"The trade-off between {first} and {second}: {int(positions['on_front'].sum())} of {len(positions)} searched "
        f"positions are beaten by no other of them in both held-back losses; over their weights, "
        f"{' and '.join(ends)}."
    ]


ANALYSIS = Analysis(TradeOffSettings, _stages, _table, _words, check=_check, figures=("trade_off",))
