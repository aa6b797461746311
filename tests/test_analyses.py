"""The analyses of a study: all of them once, with a handful of steps, and what their tables must hold."""

import itertools
import json
import shutil
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from spkit import _code_units
from spkit.errors import SpkitError
from spkit.evaluation import load_measurements, save_measurements
from spkit.study import analyses, load_profile, run_study
from spkit.study.analyses import analysis, analysis_names, settings_of
from spkit.study.analyses.pairs import _drawn, correlation
from spkit.study.checks import check_study
from spkit.study.chosen import chosen_tasks
from spkit.study.methods import SEARCHES, TUNED
from spkit.study.places import profile_names
from spkit.study.records import Record
from tests.tiny_study import NAMES, PROFILE, STATIC, UNSEEN

MERGES = [*STATIC, *TUNED, *SEARCHES]


def read(root, name):
    return pd.read_csv(root / name)


def test_every_analysis_runs_on_its_seeds(tiny_run):
    for name in analysis_names():
        assert load_profile(tiny_run.parent / "all.toml").analyses[name], name
    for path in tiny_run.glob("*.csv"):
        assert set(pd.read_csv(path).get("seed", pd.Series([3]))) == {3}, path.name


def test_an_analysis_runs_on_the_first_seed_or_on_every_one(tiny_home):
    profile = load_profile(tiny_home / "all.toml").with_seeds((5, 6))
    assert profile.seeds_of("sequential") == (5, 6)
    assert profile.seeds_of("pairs") == (5,)


def test_a_second_run_does_nothing(tiny_home, tiny_run):
    said = []
    run_study(load_profile(tiny_home / "all.toml"), tiny_run, said.append)
    assert all(line.startswith("Seed") or "done before" in line or "left out" in line for line in said)


def test_both_pipelines_are_merged_by_every_method(tiny_run):
    table, scores = read(tiny_run, "pipelines.csv"), read(tiny_run, "scores.csv")
    separate = table[table["pipeline"] == "separate"].drop(columns="pipeline").reset_index(drop=True)
    assert set(separate["method"]) == set(MERGES)
    expected = scores[scores["method"].isin(MERGES)].drop(columns="forgetting")
    pd.testing.assert_frame_equal(
        separate.sort_values(list(separate.columns)).reset_index(drop=True),
        expected.sort_values(list(expected.columns)).reset_index(drop=True),
        check_exact=False,
    )
    assert set(table.loc[table["pipeline"] == "sequential", "method"]) == {*MERGES, "last"}


def test_pairs_are_differences_of_what_was_measured(tiny_run):
    table = read(tiny_run, "pairs.csv")
    assert set(zip(table["a"], table["b"], strict=True)) == set(itertools.combinations(NAMES, 2))

    def score(stage, task):
        measurements = load_measurements(tiny_run / "seed3" / "pairs" / stage / "measurements.npz")
        return next(one.score for one in measurements if one.task == task)

    for row in table.to_dict("records"):
        a, b = row["a"], row["b"]
        assert row["change_a"] == pytest.approx(score(f"{a}+{b}", a) - score(a, a), abs=1e-4)
        assert row["change_b"] == pytest.approx(score(f"{a}+{b}", b) - score(b, b), abs=1e-4)
        assert row["change"] == pytest.approx((row["change_a"] + row["change_b"]) / 2, abs=1e-4)
        assert row["change_low"] <= row["change_high"]
    fit = read(tiny_run, "pairs_fit.csv")
    assert set(fit["statistic"]) == {"pearson", "spearman"}
    assert (fit["pairs"] + fit["undetermined"] == 6).all()


def test_conflict_is_measured_along_the_training(tiny_run):
    table = read(tiny_run, "conflict_along_training.csv")
    assert sorted(table["step"].unique()) == [0, 4, 8]
    assert len(table) == 3 * 6
    assert {"module", "step"} <= set(read(tiny_run, "conflict_along_training_by_module.csv").columns)


def test_affinity_is_measured_in_both_directions(tiny_run):
    table = read(tiny_run, "affinity.csv")
    assert set(zip(table["from"], table["onto"], strict=True)) == set(itertools.product(NAMES, NAMES))
    assert table["affinity"].notna().all()


def test_imbalance_has_each_task_and_the_joint_models_weights(tiny_run):
    table = read(tiny_run, "imbalance.csv")
    assert table["task"].tolist() == NAMES
    for share in ("example_share", "token_share", "step_share"):
        assert table[share].sum() == pytest.approx(1)
    weights = read(tiny_run, "effective_weights.csv")
    assert weights["task"].tolist() == NAMES
    assert weights["explained"].between(0, 1).all()


def test_norms_and_angles_have_each_size_and_say_what_they_leave_out(tiny_home, tiny_run):
    norms = read(tiny_run, "norms.csv")
    counts = norms.groupby(["group", "schedule"])["examples"].apply(list)
    assert counts["faq", "epochs"] == [16, 32]  # 64 are more than it has
    assert counts["all tasks", "steps"] == [64]
    assert (norms["norm"] > 0).all()
    said = []
    run_study(load_profile(tiny_home / "all.toml"), tiny_run, said.append)
    assert any("norms of faq at 64 examples: left out, possible are 16 to 48" in line for line in said)
    angles = read(tiny_run, "angles.csv")
    assert len(angles) == 2 * 2
    assert set(angles["share"]) == {0.25, 0.5, 0.75}


def test_resampling_counts_all_that_each_way_costs(tiny_run):
    table = read(tiny_run, "resampling.csv")
    assert set(table["method"]) == {
        "total 3-1", "total 1-2", "max 3-1", "max 1-2", "proportional", "temperature 2", "mixed batches",
        "surgery upgrad", "self_position",
    }  # fmt: skip
    assert set(table["task"]) == {"faq", "likeness", "mean", *UNSEEN, "unseen mean"}
    one = table.drop_duplicates("method").set_index("method")
    assert (one[["examples", "tokens", "flops", "seconds"]] > 0).all(axis=None)
    assert one.loc["total 3-1", "examples"] == one.loc["total 1-2", "examples"] == one.loc["proportional", "examples"]
    assert one.loc["max 1-2", "examples"] > one.loc["proportional", "examples"]
    costs = read(tiny_run, "costs.csv").query("seed == 3").set_index("stage")["flops"]
    paid = costs[["train/faq", "train/likeness", "resampling/self_position"]].sum()
    assert one.loc["self_position", "flops"] == pytest.approx(paid, rel=1e-6)
    assert one.loc["total 3-1", "share"] == 0.75
    assert 0 < one.loc["self_position", "share"] < 1
    assert one["share"].isna().sum() == 4
    assert one.loc["self_position", "search_flops"] == pytest.approx(costs["resampling/self_position"], rel=1e-6)


def test_sweeps_mark_the_found_position(tiny_run):
    table = read(tiny_run, "sweeps.csv")
    assert set(table["over"]) == {"direction", "length", "mu", "probe_size"}
    assert set(table.loc[table["over"] == "direction", "pair"]) == {"faq+topic"}
    for kind, part in table.groupby("over"):
        assert part["marked"].any(), kind
    draws = table[(table["over"] == "probe_size") & ~table["marked"]].groupby("value")["probe_seed"].apply(set)
    assert set(map(frozenset, draws)) == {frozenset({0, 1})}
    scores = read(tiny_run, "scores.csv").query("seed == 3 and method == 'self_position'").set_index("task")["score"]
    at = table[(table["over"] == "length") & table["marked"]].set_index("task")["score"]
    for task in NAMES:
        assert at[task] == pytest.approx(scores[task], abs=1e-4)


def test_other_vectors_in_the_same_folder_are_swept_anew(tiny_home, tiny_run, tmp_path):
    changed = tiny_home / "longer.toml"
    changed.write_text(PROFILE.replace("training = {steps = 2", "training = {steps = 3"), encoding="utf-8")
    shutil.copytree(tiny_run, tmp_path / "reused")
    run_study(load_profile(changed).with_analyses(("sweeps",)), tmp_path / "reused", lambda line: None)
    reused, before = read(tmp_path / "reused", "sweeps.csv"), read(tiny_run, "sweeps.csv")
    point = ["over", "pair", "value", "probe_seed", "marked", "task", "metric"]
    pd.testing.assert_frame_equal(reused[~reused["marked"]][point], before[~before["marked"]][point])
    assert not reused["score"].equals(before["score"])


def test_the_trade_off_scores_each_ratio(tiny_run):
    table = read(tiny_run, "trade_off.csv")
    assert set(table["ratio"]) == {0.5, 2.0}
    assert set(table["task"]) == {*NAMES, "mean", *UNSEEN, "unseen mean"}
    assert table["on_front"].any()
    assert ((table["low"] <= table["score"]) & (table["score"] <= table["high"])).all()
    assert (table["low"] < table["high"]).any()


def test_parts_of_a_task_are_no_rows_of_the_trade_off(tiny_run, tmp_path):
    shutil.copytree(tiny_run / "seed3" / "trade_off", tmp_path / "trade_off")
    stages = ("trade_off/search", "trade_off/scores")
    for path in (tmp_path / "trade_off" / "scores").glob("*.npz"):
        parted = [
            replace(one, subset=np.array(["a", "b"] * one.examples)[: one.examples]) if one.task == "likeness" else one
            for one in load_measurements(path)
        ]
        assert any(one.parts() for one in parted)
        save_measurements(parted, path)
    profile = load_profile(tiny_run.parent / "all.toml")
    records = {3: {name: Record(tmp_path / name, {}) for name in stages}}
    tables = analysis("trade_off").table(records, profile.analyses["trade_off"], profile.evaluation.resamples)
    (table,) = tables.values()
    assert not table.duplicated(["task", "ratio", "seed"]).any()
    assert set(table["task"]) == set(read(tiny_run, "trade_off.csv")["task"])


def test_the_summary_speaks_of_every_analysis_before_the_verdict(tiny_run):
    text = (tiny_run / "summary.md").read_text(encoding="utf-8")
    parts = (
        "Of the two pipelines", "Along joint training", "Does the cosine of gradients", "A step on one task",
        "The joint model holds",
        "Norm of a task vector", "Joint training on two tasks", "On one pair of tasks", "the length λ",
        "the weight μ of the length", "By the size of the probe",
        "With joint, joint 0.5, joint proportional, ties in the span", "The controls of this", "**Verdict.**",
        "What would change the first:",
    )  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_every_stage_says_what_it_cost(tiny_run):
    for path in (tiny_run / "seed3").rglob("record.json"):
        cost = json.loads(path.read_text())["cost"]
        assert set(cost) == {"examples", "texts", "tokens", "padded_tokens", "flops", "notes"}
        trains = "/train/" in path.as_posix() or "/norms/" in path.as_posix()
        assert cost["flops"] > 0 or not trains, path


# The correlation over pairs


def pairs_of(names, value, noise=0.0):
    generator = np.random.default_rng(0)
    rows = []
    for a, b in itertools.combinations(names, 2):
        corrected = generator.uniform(-1, 1)
        rows.append({"a": a, "b": b, "corrected": corrected, "change": value(corrected) + noise * generator.normal()})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("width", "words"), [(0.5, "goes from +0.50 at the base to +0.10 at the end"), (2.5, "noise hides")]
)
def test_along_training_a_trend_is_named_only_where_something_is_known(width, words):
    rows = [
        {
            "a": "faq",
            "b": "topic",
            "seed": 0,
            "step": step,
            "corrected": value,
            "low": value - half,
            "high": value + half,
            "verdict": "agree",
        }
        for step, value, half in ((0, 0.5, 0.1), (90, 0.1, width / 2))
    ]
    (sentence,) = analysis("along_training").words({"conflict_along_training.csv": pd.DataFrame(rows)})
    assert words in sentence


@pytest.mark.parametrize(("slope", "sign"), [(2.0, 1), (-2.0, -1)])
def test_a_line_is_found_whatever_its_slope(slope, sign):
    table = correlation(pairs_of("abcdef", lambda x: slope * x + 1, noise=0.1)).set_index("statistic")
    for statistic in ("pearson", "spearman"):
        row = table.loc[statistic]
        assert row["verdict"] == ""
        assert sign * row["r"] > 0.9
        assert sign * row["low"] > 0
        assert sign * row["high"] > 0


def test_no_relation_has_an_interval_around_zero():
    row = correlation(pairs_of("abcdefgh", lambda x: 0.0, noise=1.0)).iloc[0]
    assert row["low"] < 0 < row["high"]


def test_the_interval_knows_that_pairs_share_tasks():
    """One task that is bad with all others makes a correlation of pairs that rests on this one task."""
    names = "abcdefgh"
    rows = [
        {"a": a, "b": b, "corrected": -1.0 * (a == "a") + 0.01 * n, "change": -5.0 * (a == "a") + 0.01 * (n % 3)}
        for n, (a, b) in enumerate(itertools.combinations(names, 2))
    ]
    row = correlation(pd.DataFrame(rows)).iloc[0]
    assert row["r"] > 0.9
    assert row["low"] < 0


def test_too_few_pairs_have_a_reason_and_no_number():
    table = pairs_of("abc", lambda x: x)
    assert (correlation(table)["verdict"] == "too few pairs, or no spread among them").all()
    constant = pairs_of("abcdef", lambda x: 1.0)
    assert (correlation(constant)["verdict"] != "").all()
    table = pairs_of("abcdef", lambda x: x)
    table.loc[:2, "corrected"] = np.nan
    assert (correlation(table)["undetermined"] == 3).all()


def test_a_limit_takes_every_task_about_as_often():
    names = [f"task{number}" for number in range(10)]
    chosen = _drawn(names, 18, 0)
    count = Counter(name for pair in chosen for name in pair)
    assert len(set(chosen)) == 18
    assert set(count) == set(names)
    assert max(count.values()) - min(count.values()) <= 1
    assert chosen != _drawn(names, 18, 1)
    assert _drawn(names, None, 0) == list(itertools.combinations(names, 2))


# Profiles


@pytest.mark.parametrize("name", profile_names())
def test_the_profiles_that_come_with_spkit_can_be_read(name):
    profile = load_profile(name)
    if isinstance(profile.tasks, tuple):  # the tasks of a file need a folder of data
        check_study(profile, *chosen_tasks(profile))


def test_every_analysis_is_in_a_profile():
    assert {"demo", "tour", "kinds", "paper", "imbalance", "span"} == set(profile_names())
    assert {name for profile in profile_names() for name in load_profile(profile).analyses} == set(analysis_names())
    on_real_data = {**load_profile("kinds").analyses, **load_profile("span").analyses}
    assert load_profile("tour").analyses.keys() == on_real_data.keys()


@pytest.mark.parametrize("name", ["kinds", "paper", "imbalance", "span"])
def test_tasks_of_real_data_need_their_folder(name, tmp_path):
    with pytest.raises(SpkitError, match=r"stsb-train\.jsonl\.gz"):
        chosen_tasks(load_profile(name).with_data(str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pairs", {"tasks": ["a", "b", "c", "c"], "steps": 2}, "Found 'c' twice"),
        ("pairs", {"tasks": ["faq", "topic", "likeness", "no"], "steps": 2}, "Names must be among.*Found 'no'"),
        ("pairs", {"tasks": NAMES, "steps": 2, "batches": 5}, "multiple of 4"),
        ("pairs", {"tasks": NAMES, "steps": 2, "batch_size": 32}, "two full batches.*Found 48 examples in 'faq'"),
        ("along_training", {"every": 2, "batches": 5}, "multiple of 4"),
        ("along_training", {"every": 2, "batch_size": 25}, "even|two full batches"),
        ("affinity", {"batches": 4, "batch_size": 8}, "Found 6 batches of 8 in task 'faq', where 8 are needed"),
        ("imbalance", {"batch_size": 64}, "at least one full batch"),
        ("norms", {"sizes": [8, 1000], "steps": 1}, "faq can have 16 to 48 examples"),
        ("trade_off", {"between": ["faq", "faq"]}, "must name two different tasks of the study"),
        ("trade_off", {"between": ["faq", "no"]}, "must name two different tasks of the study"),
        ("resampling", {"pair": ["faq", "faq"]}, "must name two different tasks of the study"),
        ("resampling", {"pair": ["faq", "topic"], "samplings": ["fair"]}, "fair"),
        ("resampling", {"pair": ["faq", "topic"], "ratios": [[40, 1]]}, "must leave each task a batch"),
        ("angles", {"pairs": [["faq", "no"]], "total": 8, "steps": 1}, "`pairs` must name two different tasks"),
        ("angles", {"pairs": [["faq", "topic"]], "total": 20, "steps": 1}, "`total` and `ratios` must fit"),
        ("sequential", {"order": ["faq", "faq"]}, "Found 'faq' twice"),
        ("sequential", {"order": ["faq", "no"]}, "two or more of the study's tasks"),
        ("span", {"joint": False}, "must hold more than the experts"),
        ("span", {"rules": ["dare"]}, "must be static merges that the study makes.*Found 'dare'"),
        ("span", {"mixtures": ["fair"]}, "fair"),
        ("span", {"checkpoints": 10}, "checkpoints"),
        ("span", {"budget": 16}, "larger than the number of positions.*Found 16 for up to 16"),
        ("sweeps", {}, "values for one or more of 'direction', 'length', 'mu', 'probe_size'"),
        ("sweeps", {"length": [1.0], "probe_seeds": [0, 1]}, "belongs to the sweep over 'probe_size'"),
        ("sweeps", {"direction": [1.0], "pairs": [["faq", "no"]]}, "must name two different tasks of the study"),
        ("sweeps", {"probe_size": [65]}, "up to the size of the probe"),
        ("objectives", {"positions": 28}, "`positions` must be 29 or more: 26 have names"),
        ("objectives", {"batches": [3]}, "`batch_size` must be at least 4"),
        ("objectives", {"sizes": [8]}, "enough (probe )?examples for a batch"),
    ],
)
def test_settings_that_would_fail_hours_later_are_refused(tiny_home, name, settings, message):
    profile = load_profile(tiny_home / "all.toml")
    with pytest.raises(ValueError, match=f"(?s){message}"):  # SpkitError, or pydantic's for one setting alone
        analysis(name).check(analysis(name).settings(**settings), profile, chosen_tasks(profile)[0])


@pytest.mark.parametrize(
    ("name", "given"), [("norms", {"sizes": [8]}), ("angles", {"pairs": [["faq", "topic"]], "total": 8})]
)
def test_a_series_of_trainings_has_a_length(name, given):
    with pytest.raises(ValidationError, match="`epochs` or `steps`"):
        analysis(name).settings(**given)


# An analysis is one file

OWN = """
from spkit.study.analysis import Analysis
from spkit.study.paper import Claim
from spkit.study.profile import AnalysisSettings
from spkit.study.settings import Whole
from spkit.study.tables import joined


class Given(AnalysisSettings):
    number: Whole = 3


def stages(run, settings):
    def work(folder):
        (folder / "own.csv").write_text(f"number\\n{helped(settings.number)}\\n")
        return {"examples": 0}

    run.add("own", settings.arguments(), ["base"], work)


def helped(number):
    return 2 * number


def table(records, settings, resamples):
    return {"own.csv": joined(records, "own", "own.csv")}


def words(tables):
    return [f"The number is {tables['own.csv']['number'].iloc[0]}."]


def claims(tables):
    return [Claim("There is a number.", "There is.", "as in the paper")]


ANALYSIS = Analysis(Given, stages, table, words, claims, figures=("numbers",))
"""


def test_a_new_file_is_a_new_analysis(tiny_home, tiny_run, tmp_path, monkeypatch):
    """Profile, command line, tables, summary and the paper's claims know it, and nothing else was touched."""
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.setattr(analyses, "__path__", [*analyses.__path__, str(tmp_path)])
    monkeypatch.setattr(_code_units, "_path", partial(own_file, tmp_path / "own.py", _code_units._path))
    try:
        assert "own" in analysis_names()
        assert analyses.analyses_of_figures()["numbers"] == "own"
        (tiny_home / "own.toml").write_text(f"{PROFILE}[own]\nnumber = 4\n", encoding="utf-8")
        profile = load_profile(tiny_home / "own.toml")
        shutil.copytree(tiny_run, tmp_path / "run")
        said = []
        run_study(profile.with_analyses(("own",)), tmp_path / "run", said.append)
        assert "  seed3/own …" in said
        assert read(tmp_path / "run", "own.csv")["number"].tolist() == [8]
        assert "- The number is 8." in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
        assert "There is a number." in set(read(tmp_path / "run", "against_the_paper.csv")["claim"])
        (tiny_home / "own.toml").write_text(f"{PROFILE}[own]\nnumbr = 4\n", encoding="utf-8")
        with pytest.raises(SpkitError, match=r"Found `own\.numbr`\. Did you mean 'number'"):
            load_profile(tiny_home / "own.toml")
    finally:
        sys.modules.pop("spkit.study.analyses.own", None)
        analysis.cache_clear()
        _code_units.module_named.cache_clear()


def own_file(file, path_of, name):
    return file if name == "spkit.study.analyses.own" else path_of(name)


def test_the_settings_of_an_analysis_are_those_that_its_file_of_settings_has() -> None:
    assert {name: analysis(name).settings for name in analysis_names()} == {
        name: settings_of(name) for name in analysis_names()
    }
