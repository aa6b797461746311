"""The results of a study: its tables and its summary, made of the records of its stages."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.results.schema import (
    COEFFICIENTS,
    COMPARISONS,
    COMPARISONS_MEAN,
    CONFLICT,
    CONFLICT_BY_MODULE,
    COSTS,
    GEOMETRY,
    HISTORY,
    SCORES,
    SUMMARY,
    table_of,
)
from spkit.results.summary import summary_table, to_markdown
from spkit.study import paper, tables, verdict
from spkit.study.analyses import analysis
from spkit.study.methods import SEARCHES, TUNED, merge_names, method_names
from spkit.study.profile import Profile
from spkit.study.records import Record, Stage, finish
from spkit.study.seed_run import slug


def report(
    profile: Profile,
    records: Mapping[int, Mapping[str, Record]],
    tasks: list[str],
    root: Path,
    say: Callable[[str], None],
) -> Record:
    """The last stage of a study: all tables and `summary.md`.

    Args:
        profile: of the study.
        records: of every stage of every seed.
        tasks: names of what the study trains on.
        root: its folder.
        say: called with a line about the stage.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        resamples = profile.evaluation.resamples
        more_methods = [method for name in profile.analyses for method in _methods(name, profile)]
        methods = [*method_names(tasks, profile.static), *more_methods]
        samples = tables.samples_of(records, methods, resamples)
        static = merge_names(profile.static)
        made = _headline(samples, records, static, tasks) | _analyses(profile, records, resamples)
        held_back = {
            method: float(
                np.mean([of_seed[stage].content["metrics"]["held_back_loss"] for of_seed in records.values()])
            )
            for method, stage in _SEARCH_STAGES.items()
        }
        chosen = min(held_back, key=lambda method: held_back[method])
        claims = [claim for name in profile.analyses for claim in analysis(name).claims(made)]
        made["against_the_paper.csv"] = paper.table(samples, static, profile.static, chosen, claims)
        for name, table in made.items():
            table_of(name).write(table, folder)
        more = [sentence for name in profile.analyses for sentence in analysis(name).words(made)]
        conflict, costs = made[CONFLICT.file], made[COSTS.file]
        sentences = verdict.words(samples, conflict, costs, static, list(SEARCHES), chosen, more)
        (folder / SUMMARY).write_text(_summary(profile, made, sentences, _ran_on(records)), encoding="utf-8")
        return {"chosen": chosen, "held_back_loss": held_back}

    inputs = {
        f"seed{seed}/{name}": record.hash for seed, of_seed in records.items() for name, record in of_seed.items()
    }
    analyses = {name: settings.arguments() for name, settings in profile.analyses.items()}
    config = {
        "profile": profile.name,  # the summary's title: a study that is renamed is reported anew
        "evaluation": profile.evaluation.arguments(),
        "merges": list(profile.static),
        "analyses": analyses,
    }
    return finish(Stage("report", config, inputs, work), root, say)


_SEARCH_STAGES = {method: f"search/{slug(method)}" for method in SEARCHES}


def _headline(
    samples: Samples, records: Mapping[int, Mapping[str, Record]], static: list[str], tasks: list[str]
) -> dict[str, pd.DataFrame]:
    return {
        SCORES.file: tables.scores(samples),
        COMPARISONS.file: tables.comparisons(samples, static, SEARCHES),
        COMPARISONS_MEAN.file: tables.mean_comparisons(samples, static, SEARCHES),
        COEFFICIENTS.file: tables.coefficients(records, {m: f"tune/{m}" for m in TUNED} | _SEARCH_STAGES),
        CONFLICT.file: tables.joined(records, "conflict", "conflict.csv"),
        CONFLICT_BY_MODULE.file: tables.joined(records, "conflict", "by_module.csv"),
        "conflict_summary.csv": tables.joined(records, "conflict", "summary.csv"),
        GEOMETRY.file: tables.joined(records, "vectors", "geometry.csv"),
        HISTORY.file: tables.history(records, _SEARCH_STAGES, tasks),
        COSTS.file: tables.costs(records),
    }


def _methods(name: str, profile: Profile) -> list[str]:
    """The methods that an analysis adds to the comparison."""
    return analysis(name).methods(profile.analyses[name])


def _analyses(profile: Profile, records: Mapping[int, Mapping[str, Record]], resamples: int) -> dict[str, pd.DataFrame]:
    """The tables of each analysis, from the seeds it ran on."""
    made: dict[str, pd.DataFrame] = {}
    for name, settings in profile.analyses.items():
        seeds = profile.seeds_of(name)
        made |= analysis(name).table({seed: records[seed] for seed in seeds}, settings, resamples)
    return made


def _ran_on(records: Mapping[int, Mapping[str, Record]]) -> str:
    """The devices that the stages ran on, for the seconds that the summary names; nothing where no record says so."""
    ran = [record.content for of_seed in records.values() for record in of_seed.values()]
    known = sorted({content["machine"] for content in ran if "machine" in content})
    return f" Ran on {' and '.join(known)}." if known else ""


def _summary(profile: Profile, made: Mapping[str, pd.DataFrame], sentences: list[str], ran_on: str) -> str:
    seeds = ", ".join(str(seed) for seed in profile.seeds)
    averaged = ", scores and their bounds averaged over the seeds" if len(profile.seeds) > 1 else ""
    scores = summary_table(made[SCORES.file], made[COMPARISONS_MEAN.file])
    unseen = _UNSEEN if UNSEEN_MEAN in scores else ""
    findings = "\n".join(f"- {sentence}" for sentence in sentences)
    claims = to_markdown(made["against_the_paper.csv"].set_index("claim"))
    return (
        f"# What the study `{profile.name}` found\n\n"
        f"Base `{profile.base}`, seeds {seeds}. Test scores in points (0 to 100) with 95 % bootstrap intervals over "
        f"the test examples{averaged}. Examples are resampled within each task, as if they were independent; where "
        f"they share texts, as pairs of the same few documents do, intervals are too narrow.{unseen}{ran_on}\n\n"
        f"{to_markdown(scores)}\n\n{findings}\n\n"
        f"## Against the paper\n\n"
        f"What arXiv 2410.15035 says, and what this study measured. A difference decides where its 95 % interval "
        f"leaves out zero. {paper.SETTING}\n\n{claims}\n"
    )


_UNSEEN = (
    " The mean is over the tasks that were trained on, the unseen mean over those that nobody trained on; forgetting "
    "is the unseen mean minus that of the base, below 0 where something was lost."
)
