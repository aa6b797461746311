"""Between two tasks: the positions that a sweep over their weights in the objective finds, and what they score."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from spkit.evaluation import load_measurements, save_measurements
from spkit.evaluation.paired import Samples
from spkit.evaluation.score_rows import score_rows
from spkit.results.frames import main_scores
from spkit.results.schema import TRADE_OFF
from spkit.searching.over import trade_off
from spkit.study.analyses._pairs import check_pairs
from spkit.study.analysis import Analysis
from spkit.study.analysis_settings.trade_off import TradeOffSettings
from spkit.study.profile import Profile
from spkit.study.seed_run import SeedRun
from spkit.study.stages.scoring import measured_by, pools_of
from spkit.study.tables import SeedRecords, joined
from spkit.tasks import Task

_SEARCH, _SCORES = "trade_off/search", "trade_off/scores"


def _stages(run: SeedRun, settings: TradeOffSettings) -> None:
    """The searches in one stage, the scores of their positions in another: what is scored decides no search."""
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
        positions = {
            _named(ratio): result.rows.tolist() for ratio, result in zip(ratios, searches.results, strict=True)
        }
        (folder / "positions.json").write_text(json.dumps(positions), encoding="utf-8")
        return {"examples": searches.examples}

    config = {"between": [first, second], "ratios": list(ratios), "probe": run.profile.probe.arguments(), **search}
    run.add(_SEARCH, config, ["vectors", *run.all_tasks], work)

    def score(folder: Path) -> Mapping[str, Any]:
        vectors = run.vectors()
        positions = json.loads((run.folder(_SEARCH) / "positions.json").read_text(encoding="utf-8"))
        for ratio, rows in positions.items():
            model = vectors.at(torch.tensor(rows, dtype=torch.float64))
            save_measurements(measured_by(run, model, run.scored, f"{_SCORES}/{ratio}"), folder / f"{ratio}.npz")
        return {}

    run.add(_SCORES, pools_of(run, run.scored), ["vectors", _SEARCH, *(f"task:{name}" for name in run.scored)], score)


def _table(records: SeedRecords, settings: TradeOffSettings, resamples: int) -> dict[str, pd.DataFrame]:
    first, second = settings.between
    searched = joined(records, _SEARCH, "trade_off.csv").to_dict("records")
    measured = {
        seed: {
            _named(ratio): load_measurements(of_seed[_SCORES].folder / f"{_named(ratio)}.npz")
            for ratio in settings.ratios
        }
        for seed, of_seed in records.items()
    }
    samples = Samples.draw(measured, resamples)
    rows = []
    for row in searched:
        about = {"first": first, "second": second, "ratio": row["ratio"], "on_front": row["on_front"]}
        for scored in score_rows(samples, _named(row["ratio"]), row["seed"]):
            group = scored["group"]
            own = {"loss": row.get(f"loss:{group}"), "coefficient": row.get(f"coefficient:{group}")}
            rows.append({**about, **scored, **own, "seed": row["seed"]})
    whole = main_scores(pd.DataFrame(rows))  # a task's parts have neither a loss nor a coefficient of their own
    return {TRADE_OFF.file: whole.drop(columns=["n", "seconds", "metric"])}


def _named(ratio: float) -> str:
    """A ratio as the name of its position."""
    return repr(float(ratio))


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
