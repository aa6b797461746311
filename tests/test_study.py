"""The study: profiles, records, one whole run with a handful of steps, its verdict, and the commands."""

import inspect
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from spkit import _code_references, _code_units
from spkit import code_hash as hashing_code
from spkit.cli import app
from spkit.code_hash import code_hash
from spkit.diagnostics.affinity import task_affinity
from spkit.diagnostics.conflict import gradient_conflict
from spkit.environment import machine
from spkit.errors import SpkitError
from spkit.evaluation import Measurement, bootstrap, evaluate
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.hashing import file_hash, text_hash, weights_hash
from spkit.merging.methods import point
from spkit.models.bases import load_base
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.study import load_profile, run_study
from spkit.study.analyses import analysis, analysis_names
from spkit.study.methods import SEARCHES, STATIC, TUNED, method_names
from spkit.study.places import profile_names
from spkit.study.profile import Profile
from spkit.study.records import Stage, finish
from spkit.study.run import publish
from spkit.study.seed_run import SeedRun
from spkit.study.stages import headline, merging, training
from spkit.study.tables import comparisons, mean_comparisons
from spkit.study.verdict import verdict, words
from spkit.tasks import load_tasks
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

TASKS = ("faq", "topic", "likeness")
METHODS = method_names(TASKS, STATIC)
COLUMNS = {
    "scores.csv": "method task metric score low high forgetting role group seed",
    "coefficients.csv": "method module task coefficient seed",
    "comparisons.csv": "method against task role group difference low high ahead verdict seed",
    "comparisons_mean.csv": "method against task role group difference low high ahead verdict",
    "conflict.csv": "a b cosine corrected low high ceiling_a ceiling_b norm_a norm_b repeats_a repeats_b conflicting "
    "verdict batches batch_size seed",
    "conflict_summary.csv": "module tasks directional alignment magnitude verdict seed",
    "against_the_paper.csv": "claim on measured outcome",
    "conflict_by_module.csv": "module a b cosine corrected low high ceiling_a ceiling_b norm_a norm_b conflicting "
    "verdict seed",
    "geometry.csv": "a b cosine norm_a norm_b seed",
    "history.csv": "method step loss task task_loss coefficient gradient_norm seconds seed",
    "costs.csv": "stage seconds examples texts tokens flops seed",
}
PROFILE = """
base = "base"
tasks = "tasks.toml"
seeds = [3]
training = {steps = 6, learning_rate = 3e-3, batch_size = 8}
joint = {sampling = "uniform"}
merges = {evaluations = 4, ties = {density = 0.5}}
probe = {size = 72}
search = {path = "slerp", steps = 3, batch_size = 8, learning_rate = 0.1, scale = "mean"}
search_module = {path = "free", steps = 2, batch_size = 8, learning_rate = 0.1, scale = "mean"}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 50}
"""


def write_profile(folder: Path, text: str = "") -> Path:
    path = folder / "small.toml"
    path.write_text(text or PROFILE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a base, three tasks as files and a profile."""
    folder = tmp_path_factory.mktemp("study")
    tiny_encoder(0, WORDS).save(str(folder / "base"))
    lines = []
    for task in tiny_tasks((48, 24, 24)).values():
        lines += [f"[tasks.{task.name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            name = f"{task.name}-{split}.jsonl"
            rows.to_json(folder / name)
            lines.append(f'{split} = "{name}"')
    (folder / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_profile(folder)
    return folder


@dataclass
class Stopped:
    """What is known of the study from before and after it was stopped."""

    trained: list[str]
    folders: list[str]
    had_scores: bool
    said: list[str]


@pytest.fixture(scope="module")
def stopped_run(home) -> tuple[Path, Stopped]:
    """The study, stopped before its joint training, and then run to its end."""
    original, trained = training.train, []

    def stopping(base, tasks, **settings):
        if len(tasks) > 1:
            raise KeyboardInterrupt
        trained.append(tasks[0].name)
        return original(base, tasks, **settings)

    profile, root = load_profile(home / "small.toml"), home / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_study(profile, root, lambda line: None)
    folders = sorted(path.name for path in (root / "seed3" / "train").iterdir() if path.name[0] != ".")
    stopped = Stopped(trained, folders, (root / "scores.csv").exists(), [])
    run_study(profile, root, stopped.said.append)
    return root, stopped


@pytest.fixture(scope="module")
def finished(stopped_run) -> Path:
    return stopped_run[0]


def read(root: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(root / name)


def contents(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): file_hash(path) for path in root.rglob("*") if path.is_file()}


def test_result_files_have_exactly_their_columns(finished) -> None:
    for name, columns in COLUMNS.items():
        assert read(finished, name).columns.tolist() == columns.split(), name
        if "seed" in columns.split():  # the others are of all seeds together
            assert (read(finished, name)["seed"] == 3).all()
    assert {path.name for path in finished.iterdir() if path.suffix in (".csv", ".md")} == {*COLUMNS, "summary.md"}
    assert {path.name for path in finished.rglob("*") if path.name.startswith(".")} == {".spkit.json"}
    assert not list((finished / "seed3" / "checkpoints").iterdir())


def test_scores_hold_every_method_and_task_and_their_mean(finished) -> None:
    scores = read(finished, "scores.csv")
    assert list(dict.fromkeys(scores["method"])) == METHODS
    wide = scores.pivot(index="method", columns="task", values="score")
    assert set(wide.columns) == {*TASKS, "mean"}
    np.testing.assert_allclose(wide["mean"], wide[list(TASKS)].mean(axis=1), rtol=1e-6)
    metrics = dict(zip(scores["task"], scores["metric"], strict=True))
    assert metrics == {"faq": "ndcg_at_10", "topic": "accuracy", "likeness": "cosine_spearman", "mean": "mean"}
    assert (scores["low"] <= scores["high"]).all()
    assert scores["score"].between(-100, 100).all()


def test_comparisons_are_differences_of_the_scores(finished) -> None:
    scores = read(finished, "scores.csv").set_index(["method", "task"])["score"]
    table = read(finished, "comparisons.csv")
    pairs = set(zip(table["method"], table["against"], strict=True))
    static = METHODS[5 : -len(SEARCHES)]
    searched = METHODS[-len(SEARCHES) :]
    each = {(m, rival) for rival in ("joint", "base") for m in METHODS if m != rival}
    assert pairs == each | {(s, m) for s in searched for m in static}
    for row in table.to_dict("records"):
        expected = scores[row["method"], row["task"]] - scores[row["against"], row["task"]]
        assert row["difference"] == pytest.approx(expected, abs=1e-4)
    of_one_seed = read(finished, "comparisons_mean.csv")
    pd.testing.assert_frame_equal(of_one_seed, table.drop(columns="seed"))


def test_the_mean_over_seeds_has_an_interval_of_its_own() -> None:
    given = samples(70, 60, seeds=(0, 1, 2, 3))
    table = mean_comparisons(given, ["average"], ["self_position"]).set_index(["method", "against", "task"])
    by_seed = comparisons(given, ["average"], ["self_position"])
    row = table.loc[("self_position", "joint", "a")]
    assert row["difference"] == pytest.approx(10.0)
    own = given.difference("self_position", "joint", "a")
    assert (row["low"], row["high"], row["ahead"], row["verdict"]) == (own.low, own.high, 1.0, "a is better")
    one = by_seed.query("method == 'self_position' and against == 'joint' and task == 'a'")
    assert len(one) == 4
    # Independent noise of four seeds: half as wide as that of each.
    assert row["high"] - row["low"] == pytest.approx((one["high"] - one["low"]).mean() / 2, rel=0.15)


def test_coefficients_rebuild_the_models_that_were_scored(home, finished) -> None:
    scores = read(finished, "scores.csv").set_index(["method", "task"])["score"]
    table = read(finished, "coefficients.csv")
    vectors = TaskVectors.load(finished / "seed3" / "vectors" / "vectors")
    tasks = load_tasks(str(home / "tasks.toml"))
    assert list(dict.fromkeys(table["method"])) == ["task_arithmetic_tuned", "ties_tuned", *METHODS[-len(SEARCHES) :]]
    for method, rows in table.groupby("method"):
        wide = rows.pivot(index="module", columns="task", values="coefficient")
        span = point(vectors, "ties", density=0.5)[0] if method == "ties_tuned" else vectors
        model = span.at(wide.loc["model"] if "model" in wide.index else wide)
        rescored = evaluate(model, tasks, resamples=10)
        for task, score in zip(rescored["task"], rescored["score"], strict=True):
            assert score == pytest.approx(scores[method, task], abs=0.5)  # eight digits may swap two near ranks
        if method.startswith("self_position"):
            saved = SentenceTransformer(
                str(finished / "seed3" / "search" / method.replace(":", "-") / "model"), device="cpu"
            )
            assert saved.encode(["red apple"]) == pytest.approx(model.encode(["red apple"]), abs=1e-5)


def test_other_tables_speak_of_all_tasks(finished) -> None:
    for name in ("conflict.csv", "geometry.csv"):
        table = read(finished, name)
        assert len(table) == 9
        assert set(table["a"]) == set(table["b"]) == set(TASKS)
        diagonal = table[table["a"] == table["b"]]
        assert diagonal["cosine"].tolist() == pytest.approx([1, 1, 1])
    history = read(finished, "history.csv")
    assert history.groupby("method").size().to_dict() == {"self_position": 9, "self_position:module": 6}
    costs = read(finished, "costs.csv").set_index("stage")
    assert costs.loc["train/faq", "examples"] == 6 * 8
    assert costs.loc["train/joint", "examples"] == 3 * 6 * 8  # as many steps for each task
    assert costs.loc["conflict", "examples"] == 3 * 4 * 8
    assert (costs["seconds"] > 0).all()


def test_summary_has_table_findings_and_verdict(finished) -> None:
    text = (finished / "summary.md").read_text(encoding="utf-8")
    assert text.startswith("# What the study `small` found\n")
    for part in ("| ", "**Verdict.**", "joint training", "one seed", "half of the answer", "Cost:"):
        assert part in text


def test_records_and_summary_say_what_it_ran_on(finished) -> None:
    stages_of = [json.loads(path.read_text(encoding="utf-8")) for path in finished.rglob("record.json")]
    assert len(stages_of) > 10
    assert {one["machine"] for one in stages_of} == {machine()}
    assert f"Ran on {machine()}." in (finished / "summary.md").read_text(encoding="utf-8")


def test_a_finished_study_does_nothing_and_changes_nothing(home, finished) -> None:
    before, said = contents(finished), []
    run_study(load_profile(home / "small.toml"), finished, said.append)
    work = [line for line in said if not line.startswith("Seed")]
    made = len(STATIC) + len(TUNED) + len(SEARCHES)
    assert len(work) == len(TASKS) + made + len(METHODS) + 4  # vectors, joint training, conflict, report
    assert all(line.endswith("done before") for line in work)
    assert contents(finished) == before


def test_a_study_that_was_stopped_goes_on(home, stopped_run) -> None:
    """Stopped before the joint training: the experts stay, and the weights are those of trainings without a study."""
    root, stopped = stopped_run
    assert stopped.trained == list(TASKS)
    assert stopped.folders == sorted(TASKS)
    assert not stopped.had_scores
    assert sum(line.endswith("done before") for line in stopped.said) == 4  # the three experts and their vectors
    base, tasks = load_base(home / "base"), load_tasks(str(home / "tasks.toml"))
    settings = {"learning_rate": 3e-3, "batch_size": 8, "seed": 3, "progress": False}
    alone = {
        "topic": train(base, tasks["topic"], steps=6, **settings),
        "joint": train(base, tasks, steps=18, sampling="uniform", **settings),
    }
    for name, model in alone.items():
        saved = SentenceTransformer(str(root / "seed3" / "train" / name / "model"), device="cpu")
        assert weights_hash(saved) == weights_hash(model)


def test_a_changed_setting_runs_what_depends_on_it_only(home, finished, tmp_path, monkeypatch) -> None:
    root = tmp_path / "run"
    shutil.copytree(finished, root)
    text = PROFILE.replace("learning_rate = 0.1, scale", "learning_rate = 0.2, scale", 1)  # of the model-wise search
    (home / "small-changed.toml").write_text(text, encoding="utf-8")
    said = []
    run_study(load_profile(home / "small-changed.toml"), root, said.append)
    again = [line.strip().removesuffix(" …") for line in said if line.endswith("…")]
    assert again == ["seed3/search/self_position", "seed3/evaluate/self_position", "report"]


def test_a_renamed_study_has_its_new_name_in_the_summary(home, finished, tmp_path) -> None:
    root, said = tmp_path / "run", []
    shutil.copytree(finished, root)
    (home / "renamed.toml").write_text(PROFILE, encoding="utf-8")
    run_study(load_profile(home / "renamed.toml"), root, said.append)
    assert [line.strip().removesuffix(" …") for line in said if line.endswith("…")] == ["report"]
    assert (root / "summary.md").read_text(encoding="utf-8").startswith("# What the study `renamed` found\n")


def test_publish_copies_results_and_records_without_models(finished, tmp_path) -> None:
    publish(finished, tmp_path / "results")
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names == {*COLUMNS, "summary.md", "records.json", ".spkit.json"}
    kept = json.loads((tmp_path / "results" / "records.json").read_text())
    assert kept["seed3/train/faq"]["config"]["steps"] == 6
    publish(finished, tmp_path / "results")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(SpkitError, match="did not write"):
        publish(finished, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").exists()


# Profiles


def test_the_demo_is_a_profile() -> None:
    assert "demo" in profile_names()
    for name in profile_names():
        assert load_profile(name).name == name


def test_paths_of_a_profile_are_relative_to_it(home) -> None:
    profile = load_profile(home / "small.toml")
    assert (profile.base, profile.tasks) == (str(home / "base"), str(home / "tasks.toml"))
    assert (profile.name, profile.seeds) == ("small", (3,))
    assert profile.with_seeds((0, 1)).seeds == (0, 1)
    with pytest.raises(SpkitError, match="different numbers"):
        profile.with_seeds((1, 1))


def test_a_study_can_be_narrowed_to_some_of_its_analyses() -> None:
    profile = load_profile("tour")
    narrowed = profile.with_analyses(("sweeps", "affinity"))
    assert narrowed.analyses == {name: profile.analyses[name] for name in ("affinity", "sweeps")}
    assert profile.with_analyses(()).analyses == {}
    with pytest.raises(SpkitError, match=r"analyses that its profile has\. Found 'swep'.*'sweeps'"):
        profile.with_analyses(("swep",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base = ", "valid TOML"),
        (PROFILE + "bsae = 1", "only known keys. Found `bsae`. Did you mean 'base'"),
        (PROFILE + "xyz = 1", "only known keys. Found `xyz`. A profile may have .*'affinity'.*'base'"),
        (PROFILE.replace("steps = 3", "stepz = 3"), "only known keys. Found `search.stepz`. Did you mean 'steps'"),
        (PROFILE.replace('base = "base"', ""), "`base` must be given. Write base ="),
        (
            PROFILE.replace("training =", "trained ="),
            "`training` must be given.*Found `trained`. Did you mean 'training'",
        ),
        (PROFILE.replace("steps = 6, ", ""), "either `steps` or `epochs`"),
        (PROFILE.replace("steps = 6", "steps = 6, epochs = 1"), "either `steps` or `epochs`"),
        (PROFILE.replace("probe = {size = 72}", "probe = 72"), "`probe` must be a table"),
        (PROFILE + "[norm_ladder]\nsizes = [1]\nsteps = 1", r"`norm_ladder` must be written as \[norms\]"),
        (PROFILE + "[angle_ladder]\ntotal = 2", r"`angle_ladder` must be written as \[angles\]"),
        (PROFILE + "[along_training]", "`along_training.every` must be given. Write every = 32"),
        (PROFILE.replace("{density = 0.5}", "{densty = 0.5}"), "'densty'.*Did you mean 'density'"),
        (PROFILE.replace("ties = {", "tise = {"), "Found `merges.tise`. Did you mean 'ties'"),
        (PROFILE.replace("density = 0.5", "density = 1.5"), "density.*1.5"),
    ],
)
def test_broken_profiles_are_refused(tmp_path, text, message) -> None:
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        load_profile(write_profile(tmp_path, text))


#: In the order of the models: the key, values at and beyond the bound, and what is said of the latter.
RANGES = [
    ("training.steps", 1, 0, "1 or more"),
    ("training.epochs", 0.1, 0, "above 0"),
    ("training.learning_rate", 1e-9, 0, "above 0"),
    ("training.batch_size", 1, 0, "1 or more"),
    ("merges.evaluations", 3, 2, "3 or more"),
    ("probe.size", 1, 0, "1 or more"),
    ("search.learning_rate", 1e-9, 0.0, "above 0"),
    ("search.steps", 1, 0, "1 or more"),
    ("search.batch_size", 1, 0, "1 or more"),
    ("search.mu", 0, -0.1, "0 or more"),
    ("search_module.mu", 0, -0.1, "0 or more"),
    ("search.average_last", 1, 0, "1 or more"),
    ("search.trust", 0.1, 0, "above 0"),
    ("conflict.batches", 1, 0, "1 or more"),
    ("conflict.batch_size", 1, 0, "1 or more"),
    ("evaluation.resamples", 1, 0, "1 or more"),
    ("max_seq_length", 1, 0, "1 or more"),
    ("affinity.batches", 2, 1, "2 or more"),
    ("affinity.learning_rate", 1e-9, 0, "above 0"),
    ("affinity.batch_size", 1, 0, "1 or more"),
    ("along_training.every", 1, 0, "1 or more"),
    ("along_training.batches", 1, 0, "1 or more"),
    ("along_training.batch_size", 1, 0, "1 or more"),
    ("imbalance.batches", 2, 1, "2 or more"),
    ("imbalance.batch_size", 1, 0, "1 or more"),
    ("pairs.tasks", ["a", "b", "c", "d"], ["a", "b", "c"], "a list of 4 or more"),
    ("pairs.steps", 1, 0, "1 or more"),
    ("pairs.limit", 1, 0, "1 or more"),
    ("pairs.batches", 1, 0, "1 or more"),
    ("pairs.batch_size", 1, 0, "1 or more"),
    ("loss.temperature", 0.1, 0, "above 0"),
    ("training.mini_batch_size", 1, 0, "1 or more"),
    ("clusters.clusters", [2], [], "a list of 1 or more"),
    ("clusters.examples", 1, 0, "1 or more"),
    ("examples.characters", 20, 19, "20 or more"),
    ("imbalance_map.total", 2, 1, "2 or more"),
    ("imbalance_map.ratios", [1], [], "a list of 1 or more"),
    ("imbalance_map.at_epochs", 0.1, 0, "above 0"),
    ("imbalance_map.at_ratio", 0.1, 0, "above 0"),
    ("imbalance_map.samplings", ["uniform"], [], "a list of 1 or more"),
    ("objectives.positions", 1, 0, "1 or more"),
    ("objectives.batches", [2], [], "a list of 1 or more"),
    ("objectives.sizes", [2], [], "a list of 1 or more"),
    ("objectives.temperatures", [0.1], [], "a list of 1 or more"),
    ("objectives.mu", 0.1, 0, "above 0"),
    ("norms.sizes", [1], [], "a list of 1 or more"),
    ("norms.epochs", 0.1, 0, "above 0"),
    ("norms.steps", 1, 0, "1 or more"),
    ("angles.pairs", [["a", "b"]], [], "a list of 1 or more"),
    ("angles.total", 2, 1, "2 or more"),
    ("angles.ratios", [[1, 1]], [], "a list of 1 or more"),
    ("resampling.steps", 1, 0, "1 or more"),
    ("span.checkpoints", 0, -1, "0 or more"),
    ("span.budget", 2, 1, "2 or more"),
    ("sweeps.length", [0.0], [], "a list of 1 or more"),
    ("sweeps.direction", [0.0], [], "a list of 1 or more"),
    ("sweeps.mu", [0.0], [], "a list of 1 or more"),
    ("sweeps.probe_size", [1], [], "a list of 1 or more"),
    ("sweeps.pairs", [["a", "b"]], [], "a list of 1 or more"),
    ("sweeps.probe_seeds", [0], [], "a list of 1 or more"),
    ("trade_off.ratios", [0.1], [], "a list of 1 or more"),
    ("trade_off.steps", 1, 0, "1 or more"),
    ("grids.pipelines", ["separate"], [], "a list of 1 or more"),
    ("directions.pipelines", ["separate"], [], "a list of 1 or more"),
    ("directions.shares", [0.5], [], "a list of 1 or more"),
    ("directions.methods", ["slerp"], [], "a list of 1 or more"),
    ("around.pipelines", ["separate"], [], "a list of 1 or more"),
    ("plane.pipelines", ["separate"], [], "a list of 1 or more"),
    ("plane.points", 2, 1, "2 or more"),
    ("plane.batches", 1, 0, "1 or more"),
    ("probe_ratios.pipelines", ["separate"], [], "a list of 1 or more"),
    ("probe_ratios.ratios", [[1, 1]], [], "a list of 1 or more"),
]
#: What a table needs beside the key that is looked at.
NEEDED = {
    "training": "learning_rate = 1e-3",
    "along_training": "every = 2",
    "pairs": 'tasks = ["a", "b", "c", "d"]\nsteps = 2',
    "norms": "sizes = [4]\nepochs = 1",
    "loss": 'name = "infonce"',
    "imbalance_map": 'pair = ["a", "b"]\ntotal = 100',
    "angles": 'pairs = [["a", "b"]]\ntotal = 8\nepochs = 1',
    "resampling": 'pair = ["a", "b"]',
    "trade_off": 'between = ["a", "b"]',
}


@pytest.mark.parametrize(("key", "least", "beyond", "rule"), RANGES, ids=[key for key, *_ in RANGES])
def test_the_ranges_of_a_profile(tmp_path, key, least, beyond, rule) -> None:
    table, _, name = key.rpartition(".")

    def text(value: object) -> str:
        needed = [line for line in NEEDED.get(table, "").splitlines() if line.split(" =")[0] != name]
        own = "\n".join([*([f"[{table}]"] if table else []), *needed, f"{name} = {json.dumps(value)}"])
        length = "\n[training]\nsteps = 2" if table != "training" else "\nsteps = 2" * (name not in ("steps", "epochs"))
        return f'base = "base"\ntasks = ["a", "b"]\n{own}{length}\n'

    profile = load_profile(write_profile(tmp_path, text(least)))
    settings = profile.analyses.get(table) or (getattr(profile, table) if table else profile)
    assert json.loads(json.dumps(getattr(settings, name))) == least
    with pytest.raises(SpkitError) as refused:
        load_profile(write_profile(tmp_path, text(beyond)))
    assert str(refused.value).startswith(f"`{key}` must be {rule}. Found {beyond!r}.")
    assert "small.toml" in str(refused.value)


def test_every_range_of_a_profile_is_tested() -> None:
    """A bound that a model names must stand in the list above."""
    models = {"": Profile} | {
        name: field.annotation for name, field in Profile.model_fields.items() if isinstance(field.annotation, type)
    }
    models |= {name: analysis(name).settings for name in analysis_names()}
    bounded = {
        f"{table}.{name}" if table else name
        for table, model in models.items()
        if issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if any(hasattr(limit, bound) for limit in field.metadata for bound in ("gt", "ge", "min_length"))
    }
    # One model, two tables.
    alike = {f"search_module.{name}" for name in ("learning_rate", "steps", "batch_size", "average_last", "trust")}
    alike |= {f"angles.{name}" for name in ("epochs", "steps")}
    alike |= {"base", "data", "given.joint"}  # texts that are not empty: tests/malformed/profiles.py
    assert bounded - alike == {key for key, *_ in RANGES}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('training = {steps = "6"}', "`training.steps` must be a whole number. Found '6'."),
        ("training = {steps = true}", "`training.steps` must be a whole number. Found True."),
        ("training = {steps = 1.5}", "`training.steps` must be a whole number. Found 1.5."),
        ("training = {epochs = inf}", "`training.epochs` must be a finite number. Found inf."),
        ('training = {steps = 1}\njoint = {mixing = "both"}', "`joint.mixing` must be one of 'task' or 'step'."),
        ("training = {steps = 1}\njoint = {sampling = [1]}", "`joint.sampling` must be a text or a number or a table."),
        ('training = {steps = 1}\nprobe = {split = "dev"}', "must come from the training splits.*Found 'dev'"),
        ("training = {steps = 1}\nresampling = {mixing = 1}", "`resampling.mixing` must be true or false. Found 1."),
        ("training = {steps = 1}\nseeds = [0, 0]", "`seeds`: `seeds` must be one or more different numbers from 0"),
        ("training = {steps = 1}\nnames = ['a', 'b']", "`names` must be a list of the tasks of a task file"),
    ],
)
def test_values_of_another_kind_are_refused(tmp_path, line, message) -> None:
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        load_profile(write_profile(tmp_path, f'base = "base"\ntasks = ["a", "b"]\n{line}\n'))


def test_all_that_is_wrong_is_said_at_once(tmp_path) -> None:
    text = 'tasks = ["a", "b"]\ntraining = {steps = 0, stepz = 1}\n[norms]\nsizes = []\n[sweeps]\nlenght = [1.0]\n'
    with pytest.raises(SpkitError) as refused:
        load_profile(write_profile(tmp_path, text))
    first, *lines = str(refused.value).splitlines()
    assert first.strip() == f"5 things are wrong with {tmp_path / 'small.toml'}:"
    wanted = ("`norms.sizes`", "`sweeps.lenght`", "`training.stepz`", "`base` must be given", "`training.steps`")
    assert len(lines) == 5
    for part in wanted:
        assert sum(part in line for line in lines) == 1, part


def test_defaults_are_those_of_the_functions(tmp_path) -> None:
    profile = load_profile(
        write_profile(tmp_path, 'base = "b"\ntasks = ["a", "b"]\ntraining = {steps = 1}\n[affinity]\n')
    )
    for function, settings in (
        (train, profile.training),
        (train, profile.joint),
        (self_position, profile.search),
        (gradient_conflict, profile.conflict),
        (Probe.sample, profile.probe),
        (bootstrap, profile.evaluation),
        (task_affinity, profile.analyses["affinity"]),
    ):
        given = settings.arguments()
        given.pop("steps", None) if function is train else None
        usual = {name: one.default for name, one in inspect.signature(function).parameters.items()}
        assert given == {name: usual[name] for name in given}, function
    assert profile.static == STATIC


def test_unknown_profiles_are_refused(tmp_path) -> None:
    with pytest.raises(SpkitError, match=r"'dmeo'.*'demo'"):
        load_profile("dmeo")
    with pytest.raises(SpkitError, match="Found no file"):
        load_profile(tmp_path / "none.toml")


def test_a_study_refuses_what_it_cannot_use_before_it_trains(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training, "train", lambda *given, **settings: pytest.fail("a training began"))
    profile = load_profile(home / "small.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpkitError, match="must be a folder"):
        run_study(profile, tmp_path / "file", lambda line: None)
    tasks = (home / "tasks.toml").read_text(encoding="utf-8")
    for name in ("joint", "mean"):
        (home / "other.toml").write_text(tasks.replace("tasks.topic", f"tasks.{name}"), encoding="utf-8")
        (home / "odd.toml").write_text(PROFILE.replace("tasks.toml", "other.toml"), encoding="utf-8")
        with pytest.raises(SpkitError, match=f"taken.*'{name}'"):
            run_study(load_profile(home / "odd.toml"), tmp_path / "run", lambda line: None)
    (home / "odd.toml").write_text(PROFILE.replace('"tasks.toml"', '["chat"]'), encoding="utf-8")
    with pytest.raises(SpkitError, match="`tasks` must be a list of 2 or more"):
        run_study(load_profile(home / "odd.toml"), tmp_path / "run", lambda line: None)


# Records


def stage_of(work, **change) -> Stage:
    given = {
        "name": "seed0/part",
        "config": {"steps": 2},
        "inputs": {"base": "abc"},
        "work": work,
    }
    return Stage(**(given | change))


def test_equal_records_are_taken_and_others_are_not(tmp_path) -> None:
    ran = []

    def work(folder: Path) -> dict[str, int]:
        ran.append(1)
        (folder / "out").mkdir()
        (folder / "out" / "numbers.txt").write_text("12345")
        return {"examples": 7}

    def go(**change) -> int:
        before = len(ran)
        record = finish(stage_of(work, **change), tmp_path, lambda line: None)
        assert record.content["metrics"] == {"examples": 7}
        assert (record.folder / "out" / "numbers.txt").read_text() == "12345"
        return len(ran) - before

    assert [go(), go()] == [1, 0]
    assert [go(config={"steps": 3}), go(config={"steps": 3})] == [1, 0]
    assert go() == 1  # back again: the folder holds the other one
    assert go(inputs={"base": "xyz"}) == 1
    output = tmp_path / "seed0" / "part" / "out" / "numbers.txt"
    assert go() == 1
    output.write_text("123")
    assert go() == 1
    output.unlink()
    assert go() == 1
    (tmp_path / "seed0" / "part" / "record.json").write_text("{")
    assert go() == 1
    assert go() == 0


def test_a_stage_that_fails_leaves_what_was_there(tmp_path) -> None:
    def work(folder: Path) -> dict[str, int]:
        (folder / "numbers.txt").write_text("old")
        return {}

    def broken(folder: Path) -> dict[str, int]:
        (folder / "numbers.txt").write_text("half")
        raise SpkitError("It broke.")

    finish(stage_of(work), tmp_path, lambda line: None)
    with pytest.raises(SpkitError, match="It broke"):
        finish(stage_of(broken), tmp_path, lambda line: None)
    with pytest.raises(SpkitError, match="It broke"):
        finish(stage_of(broken, name="seed0/other"), tmp_path, lambda line: None)
    assert (tmp_path / "seed0" / "part" / "numbers.txt").read_text() == "old"
    assert not (tmp_path / "seed0" / "other").exists()
    said = []
    finish(stage_of(work), tmp_path, said.append)
    assert said == ["  seed0/part: done before"]


def test_a_stage_never_replaces_what_no_stage_wrote(tmp_path) -> None:
    def work(folder: Path) -> dict[str, int]:
        return {}

    (tmp_path / "seed0" / "part").mkdir(parents=True)
    (tmp_path / "seed0" / "part" / "thesis.txt").write_text("mine")
    with pytest.raises(SpkitError, match=r"A stage of a study must be .*which spkit did not write"):
        finish(stage_of(work), tmp_path, lambda line: None)
    assert (tmp_path / "seed0" / "part" / "thesis.txt").read_text() == "mine"


@contextmanager
def edited(module: str, old: str, new: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another text of a module on disk, as a process sees it that starts after the edit."""
    source = _code_units._path(module)
    assert source is not None
    text = source.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {source}"
    (folder / "edited.py").write_text(text.replace(old, new), encoding="utf-8")
    path_of = _code_units._path
    with monkeypatch.context() as patch:
        # What is read meanwhile is kept apart: what was read before holds again afterwards, and is not read anew.
        fresh: dict[Any, Any] = {}
        for place in (_code_references, _code_units, hashing_code):
            for name, one in list(vars(place).items()):
                if hasattr(one, "cache_clear"):
                    patch.setattr(place, name, fresh.setdefault(one, cache(one.__wrapped__)))
        patch.setattr(_code_units, "_path", lambda name: folder / "edited.py" if name == module else path_of(name))
        yield


MERGING, TRAINS = "spkit.study.stages.merging", "spkit.study.stages.training"
TRAINING = {"steps": 1, "batch_size": 8}
EVERY_SECOND = ("result.history.to_csv", "result.history[::2].to_csv")


def work_of(make: Callable[[SeedRun], object], home: Path) -> Callable[[Path], Mapping[str, Any]]:
    """The work of the stage that is declared; it is not done here."""
    tasks = load_tasks(str(home / "tasks.toml"))
    base = load_base(home / "base")
    run = SeedRun(load_profile(home / "small.toml"), tasks, tasks, base, "", {}, 0, home, print)
    run.add("vectors", {}, [], lambda folder: {})
    make(run)
    return list(run.nodes.values())[-1].work


@pytest.mark.parametrize(
    ("make", "module", "old", "new", "again"),
    [
        (lambda run: merging.search_stage(run, "vectors", "s", "self_position"), MERGING, *EVERY_SECOND, True),
        (lambda run: merging.merge_stage(run, "vectors", "m", "ties"), MERGING, *EVERY_SECOND, False),
        (lambda run: training.train_stage(run, "t", [], TRAINING), TRAINS, "geometry.csv", "angles.csv", False),
        (
            lambda run: merging.search_stage(run, "vectors", "s", "self_position"),
            MERGING,
            '"""The model, coefficients and history of a search',
            '"""What a search has',
            False,
        ),
        (headline.conflict_stage, "spkit.diagnostics.blocks", "BLOCKS = 4", "BLOCKS = 2", True),
        (lambda run: training.train_stage(run, "t", [], TRAINING), "spkit.study.verdict", "Forgetting", "Lost", False),
        (lambda run: training.vectors_stage(run, "v", {}, []), "spkit.folders", "unfinished.mkdir()", "pass", True),
    ],
)  # fmt: skip
def test_a_stage_runs_again_where_code_that_it_reaches_has_changed(
    home, tmp_path, monkeypatch, make, module, old, new, again
) -> None:
    work = work_of(make, home)
    before = code_hash(work)
    with edited(module, old, new, tmp_path, monkeypatch):
        assert (code_hash(work) != before) == again
    assert code_hash(work) == before


def test_a_record_of_other_code_is_not_taken(tmp_path, monkeypatch) -> None:
    def work(folder: Path) -> dict[str, str]:
        return {"text": text_hash("a")}

    said = []
    finish(stage_of(work), tmp_path, said.append)
    finish(stage_of(work), tmp_path, said.append)
    with edited("spkit.hashing", "little", "big", tmp_path, monkeypatch):
        finish(stage_of(work), tmp_path, said.append)
    assert said == ["  seed0/part …", "  seed0/part: done before", "  seed0/part …"]


# The verdict, on scores made up for it


def samples(
    merged: float,
    joint: float,
    spread: float = 1.0,
    seeds: tuple[int, ...] = (0,),
    more: float = 0.0,
    unseen: dict[str, float] | None = None,
) -> Samples:
    """Two tasks: the merge (`more` on b), joint training, experts at 60 on their own task, the others at 50 points.

    With scores for `unseen`, by method, one task more on which all others have 50 points.
    """
    rng = np.random.default_rng(0)
    methods = {
        "base": 50.0,
        "expert:a": 55.0,
        "expert:b": 55.0,
        "joint": joint,
        "average": 50.0,
        "self_position": merged,
    }
    measurements, drawn = {}, {}
    for seed in seeds:
        measurements[seed] = {}
        for method, score in methods.items():
            parts = []
            for task in ("a", "b"):
                value = 60.0 if method == f"expert:{task}" else float(score + seed)
                value += more if (method, task) == ("self_position", "b") else 0.0
                parts.append(Measurement(task=task, metric="accuracy", score=value))
                drawn[seed, method, task] = value + spread * rng.normal(size=500)
            measurements[seed][method] = parts
            drawn[seed, method, MEAN] = (drawn[seed, method, "a"] + drawn[seed, method, "b"]) / 2
            if unseen is not None:
                value = unseen.get(method, 50.0)
                parts.append(Measurement(task="new", metric="accuracy", score=value, role="unseen"))
                drawn[seed, method, "new"] = drawn[seed, method, UNSEEN_MEAN] = value + spread * rng.normal(size=500)
    return Samples(measurements, drawn)


def test_verdict_merge() -> None:
    text = verdict(samples(70, 60), ["average"], "self_position")
    assert text.startswith("If you serve these tasks (the mean of the trained tasks): merge. Self Positioning (one")
    assert "is ahead of joint training by 10.0 points (95 % interval of the difference +" in text
    assert "By task, Self Positioning (one coefficient a task) gains on a, b." in text
    assert "Average (picked on these test scores, in its favour) is behind joint training by 10.0 points" in text


def test_verdict_train_jointly() -> None:
    text = verdict(samples(60, 70), ["average"], "self_position")
    assert "): train jointly, if you can. Self Positioning" in text
    assert "is behind joint training by 10.0 points" in text
    assert "by 20.0 points" in text
    assert "loses on a, b." in text


@pytest.mark.parametrize(("merged", "side"), [(60.5, "ahead of"), (59.5, "behind")])
def test_verdict_undecided(merged, side) -> None:
    text = verdict(samples(merged, 60.0, spread=3.0), ["average"], "self_position")
    assert "): undecided. " in text
    assert f"is {side} joint training by 0.5 points" in text
    assert "does not exclude zero" in text
    assert "is open on a, b." in text


def test_the_better_of_merge_and_search_decides_and_each_mean_for_itself() -> None:
    """On the trained tasks joint training is ahead of both; on the unseen one the merge is ahead of it."""
    given = samples(60, 70, unseen={"joint": 40.0, "average": 52.0, "self_position": 40.2, "base": 51.0})
    assert ": train jointly" in verdict(given, ["average"], "self_position", MEAN)
    text = verdict(given, ["average"], "self_position", UNSEEN_MEAN)
    assert text.startswith("If you want a general model (the mean of tasks that nobody trained on): merge. Average (")
    assert "Self Positioning (one coefficient a task) is ahead of joint training by 0.2 points" in text
    assert "is open on new." in text
    with_both = words(given, conflict_table([0.1]), COSTS, ["average"], ["self_position"], "self_position")
    assert sum(sentence.startswith("**Verdict.** If you") for sentence in with_both) == 2
    (forgot,) = [sentence for sentence in with_both if sentence.startswith("Forgetting")]
    for name, value in (("joint training", -11.0), ("expert: a", -1.0)):
        assert f"{name} {value:+.1f} [" in forgot
    assert "forgotten): joint training -11.0 [" in text
    assert "; average +1.0 [" in text
    worse = samples(60, 70, unseen={"base": 60.0, "average": 52.0})
    assert ": keep the base, which is ahead of joint" in verdict(worse, ["average"], "self_position", UNSEEN_MEAN)
    assert not any("half of the answer" in sentence for sentence in with_both)
    alone = words(samples(60, 70), conflict_table([0.1]), COSTS, ["average"], ["self_position"], "self_position")
    assert sum("half of the answer" in sentence for sentence in alone) == 1
    assert not any("Forgetting" in sentence for sentence in alone)


def test_a_task_without_a_score_has_no_verdict() -> None:
    """A rank correlation of equal values is no number, and no seed disagrees with another about it."""
    given = samples(float("nan"), 60)
    said = verdict(given, ["average"], "self_position")
    assert said.endswith(": none; on a, b there is no score, so that no mean can be compared.")
    assert given.difference("self_position", "joint", MEAN).verdict == "no score"


def test_verdict_of_several_seeds_shows_each() -> None:
    given = samples(70, 60, seeds=(0, 1))
    text = verdict(given, ["average"], "self_position")
    assert "By seed the difference of Self Positioning (one coefficient a task) is +10.0, +10.0." in text
    said = words(given, conflict_table([0.1]), COSTS, ["average"], ["self_position"], "self_position")
    assert not any("one seed" in sentence for sentence in said)


COSTS = pd.DataFrame(
    [
        ("train/a", 1.0, 10, 1e9),
        ("train/b", 2.0, 20, 2e9),
        ("train/joint", 4.0, 1600, 8e9),
        ("search/self_position", 3.0, 40, 2e9),
    ],
    columns=["stage", "seconds", "examples", "flops"],
)


@pytest.mark.parametrize(("merged", "joint"), [(70.0, 60.0), (60.0, 70.0), (60.5, 60.0)])
def test_of_given_models_no_costs_are_said(merged, joint) -> None:
    def said(costs: pd.DataFrame) -> str:
        given = samples(merged, joint, spread=3.0)
        return " ".join(words(given, conflict_table([0.1]), costs, ["average"], ["self_position"], "self_position"))

    every = said(COSTS[COSTS["stage"] == "search/self_position"])
    assert (
        "Cost: a joint model that was given; the experts were given, and the search for Self Positioning (one" in every
    )
    assert "read 40 examples in 3 s." in every
    assert "Cost: a joint model that was given; all experts 30 in 3 s" in said(COSTS[COSTS["stage"] != "train/joint"])
    assert "FLOPs" in said(COSTS) or merged == 70.0
    for text in (every, said(COSTS[COSTS["stage"] != "train/joint"])):
        assert "FLOPs" not in text
        assert "no tuning of its own" not in text


def conflict_table(corrected: list[float]) -> pd.DataFrame:
    rows = [("a", "a", 1.0), ("a", "b", corrected[0]), ("b", "a", corrected[0]), ("b", "b", 1.0)]
    table = pd.DataFrame(rows, columns=["a", "b", "corrected"])
    word = "undetermined" if np.isnan(corrected[0]) else "conflict" if corrected[0] < 0 else "agree"
    verdict = ["agree", word, word, "agree"]
    bounds = {"low": table["corrected"] - 0.1, "high": table["corrected"] + 0.1}
    return table.assign(cosine=0.1, batch_size=32, seed=0, verdict=verdict, **bounds)


def test_words_say_what_was_found() -> None:
    costs = COSTS
    given = samples(70, 50)
    sentences = words(given, conflict_table([-0.25]), costs, ["average"], ["self_position"], "self_position")
    assert sentences[0] == "Each expert is the best expert on its own task."
    assert sentences[1].startswith("Conflict in outcome: joint training minus the task's own expert is a -10.0 [")
    assert "for noise): -0.25 [-0.35, -0.15] (a and b); below 0" in sentences[2]
    assert sentences[2].endswith("By the interval of each pair, conflict in 1.")
    assert "Self Positioning (one coefficient a task) is above the best static merge" in sentences[3]
    assert "+20.0" in sentences[3]
    searched = "the search for Self Positioning (one coefficient a task) 40 more in 3 s"
    assert f"joint training 1,600 examples in 4 s; all experts 30 in 3 s, and {searched}" in sentences[4]
    assert sentences[-4].startswith("**Verdict.** If you serve these tasks (the mean of the trained tasks): merge.")
    assert "half of the answer" in sentences[-3]
    assert sentences[-2].startswith("This is one seed: ")
    assert sentences[-1].startswith("What would change it: a joint training tuned for itself, if it gains 20.0 points")
    behind = words(samples(50, 70), conflict_table([-0.25]), costs, ["average"], ["self_position"], "self_position")
    assert behind[-1].endswith("from them the search costs 25 % of the FLOPs of joint training.")
    assert "tuned ones included (average, picked" in behind[3]
    for more, said in (
        (12.0, " On b alone the position is ahead."),
        (10.0, " On b alone it is not shown to be behind."),
    ):
        mixed = words(
            samples(50, 60, 0.2, more=more),
            conflict_table([-0.25]),
            costs,
            ["average"],
            ["self_position"],
            "self_position",
        )
        assert mixed[-1].endswith(f"FLOPs of joint training.{said}")
    open_ = words(
        samples(60.5, 60, spread=3.0), conflict_table([0.1]), costs, ["average"], ["self_position"], "self_position"
    )
    assert "times as many test examples would show whether a difference of this size is chance" in open_[-1]
    unknown = words(given, conflict_table([np.nan]), costs, ["average"], ["self_position"], "self_position")
    assert "corrected for noise): by the interval of each pair, undetermined in 1." in unknown[2]


# Commands


def command(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_from_tasks_to_a_scored_merge(home, tmp_path) -> None:
    chosen = ["--base", home / "base", "--tasks", home / "tasks.toml"]
    for task in ("faq", "likeness"):
        settings = ["--steps", 4, "--batch-size", 8, "--learning-rate", 3e-3]
        command("train", *chosen, "--task", task, *settings, "-o", tmp_path / task)
    experts = [f"--expert=faq={tmp_path / 'faq'}", f"--expert=likeness={tmp_path / 'likeness'}"]
    assert "likeness" in command("vectors", "--base", home / "base", *experts, "-o", tmp_path / "vectors")
    assert TaskVectors.load(tmp_path / "vectors").names == ("faq", "likeness")
    command(
        "merge",
        "--base",
        home / "base",
        *experts,
        "--method",
        "ties",
        "--parameter",
        "density=0.5",
        "-o",
        tmp_path / "merged",
    )
    search = [
        "position", "--vectors", tmp_path / "vectors", "--tasks", home / "tasks.toml", "--path", "free", "--steps", 2,
        "--batch-size", 8, "-o", tmp_path / "best",
    ]  # fmt: skip
    said = command(*search, "--probe-size", 48)
    assert "replaced" not in said
    assert "Probe: faq 24, likeness 24 examples of the training splits.\n" in said
    said = command(*search, "--probe-size", 4000)
    assert f"{tmp_path / 'best'} is there already; it will be replaced." in said
    assert "(4000 were asked for; there are no more)" in said
    assert json.loads((tmp_path / "best" / "recipe.json").read_text())["settings"]["path"] == "free"
    assert json.loads((tmp_path / "merged" / "recipe.json").read_text())["operations"][0]["operation"] == "trim"
    said = command("evaluate", tmp_path / "merged", "--tasks", home / "tasks.toml", "-o", tmp_path / "scores")
    assert "ndcg_at_10" in said
    scored = read(tmp_path / "scores", "scores.csv")
    assert scored["task"].tolist() == [*TASKS, "mean"]
    assert set(scored["role"]) == {"trained"}
    said = command("conflict", *chosen, "--batches", 4, "--batch-size", 8, "-o", tmp_path / "conflict")
    assert "Corrected cosine (4 batches of 8, dropout off)" in said
    assert "whole model" in said
    assert "NaN" not in said
    wanted = {"cosine.csv", "corrected.csv", "verdict.csv", "by_module.csv", "conflict_by_module.csv"}
    assert {path.name for path in (tmp_path / "conflict").iterdir()} >= wanted
    given = ["--vectors", tmp_path / "vectors", "--tasks", home / "tasks.toml"]
    command("imbalance", *given, "-o", tmp_path / "shares")
    shares = read(tmp_path / "shares", "imbalance.csv")
    assert shares["task"].tolist() == ["faq", "likeness"]
    assert shares["vector_norm"].tolist() == pytest.approx(TaskVectors.load(tmp_path / "vectors").norms().tolist())
    over = ["--over", "length", "--value", 0, "--value", 1]
    said = command("sweep", *given, *over, "-o", tmp_path / "sweeps")
    assert "marked" not in said
    assert set(read(tmp_path / "sweeps", "length.csv")["value"]) == {0, 1}
    said = command("sweep", *given, *over, "--mark", tmp_path / "best", "-o", tmp_path / "sweeps")
    assert "marked" in said
    assert read(tmp_path / "sweeps", "length.csv")["marked"].any()
    draws = ["--probe-size", 64, "--value", 32, "--probe-seed", 0, "--probe-seed", 1]
    command("sweep", *given, "--over", "probe_size", *draws, "-o", tmp_path / "sweeps")
    assert set(read(tmp_path / "sweeps", "probe_size.csv")["probe_seed"]) == {0, 1}
    across = ["--over", "direction", "--between", "likeness+faq", "--length", 0.5, "--value", 0]
    command("sweep", *given, *across, "-o", tmp_path / "sweeps")
    table = read(tmp_path / "sweeps", "direction.csv")
    assert set(table["pair"]) == {"likeness+faq"}
    assert table["coefficient:likeness"].tolist() == pytest.approx([0.5] * len(table))
    mixed = [*chosen, "--task", "faq", "--task", "likeness", "--steps", 4, "--batch-size", 8, "-o", tmp_path / "joint"]
    command("train", *mixed, "--sampling", "faq=3,likeness=1", "--conflict-every", 2, "--conflict-batches", 4)
    assert set(read(tmp_path / "joint.conflict", "summary.csv")["step"]) == {0, 2, 4}
    said = command("imbalance", *given, "--joint", tmp_path / "joint", "-o", tmp_path / "shares")
    assert "The vectors explain" in said
    weights = read(tmp_path / "shares", "effective_weights.csv")
    assert weights["task"].tolist() == ["faq", "likeness"]
    assert weights["weight"].notna().all()


def test_study_and_figures_by_command(home, finished, tmp_path) -> None:
    said = command("study", home / "small.toml", "-o", finished, "--publish", tmp_path / "results")
    assert "**Verdict.**" in said
    assert (tmp_path / "results" / "scores.csv").read_bytes() == (finished / "scores.csv").read_bytes()
    assert {".pdf", ".png", ".csv", ".json"} <= {path.suffix for path in (finished / "figures").iterdir()}
    names = command("figures", "--list").split()
    assert names
    assert "\n".join(names) in command("figures", "--list")
