"""The analyses behind the paper's figures: two task vectors in both pipelines, end to end and property by property."""

import itertools
import json
import shutil
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from spkit.errors import SpkitError
from spkit.evaluation import evaluate, load_measurements, running
from spkit.models.bases import load_model
from spkit.results.schema import table_of
from spkit.searching.objective import Objective
from spkit.study import load_profile, run_study
from spkit.study.analyses import _grid_tables, _series, analysis, grids
from spkit.study.analyses._series import scored_on
from spkit.study.analyses.directions import coefficients_at
from spkit.study.chosen import chosen_tasks
from spkit.study.declared import declare
from spkit.study.plan import plan
from spkit.tasks import Task
from spkit.vectors.task_vectors import TaskVectors
from tests.test_unseen import recorded
from tests.tiny import tiny_tasks
from tests.tiny_two import PAIR, PIPELINES, ROWS, write_home

NEW = ("grids", "directions", "around", "plane", "probe_ratios")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    write_home(folder)
    return folder


@pytest.fixture(scope="module")
def study(home):
    """The finished study, and what was tokenised in it."""
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as recorder:
        run_study(load_profile(home / "two.toml"), home / "run", lambda line: None)
    return home / "run", recorder


@pytest.fixture(scope="module")
def root(study):
    return study[0]


def read(root, name):
    return table_of(name).read(root)


def of_method(root, pipeline, method):
    """The study's own scores of a method, by task."""
    if pipeline == "separate" or method in ("base", "joint"):
        table = read(root, "scores.csv")
    else:
        table = read(root, "pipelines.csv").query("pipeline == 'sequential'")
    return table[table["method"] == method].set_index("task")["score"]


def same(rows, expected):
    for task in ROWS:
        assert rows[task] == pytest.approx(expected[task], abs=1e-6)


def finished(home, root):
    """The study as it is declared, with the records of what its folder holds."""
    run = declare(load_profile(home / "two.toml"), root, lambda line: None).runs[3]
    for name, node in run.nodes.items():
        if all(need in run.records for need in node.stages):
            run.look(name)
    return run


@pytest.fixture(scope="module")
def declared(home, root):
    return finished(home, root)


# Settings and picks


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(
    ("method", "setting", "usual"),
    [
        ("average", "weights 3:3", "average"),
        ("slerp", "weights 3:3", "slerp"),
        ("self_position", "μ 0.05", "self_position"),
        ("joint", "", "joint"),
        ("base", "", "base"),
    ],
)
def test_the_usual_setting_scores_as_in_the_studys_comparison(root, pipeline, method, setting, usual):
    table = read(root, "grids.csv").query("split == 'test' and pipeline == @pipeline and method == @method")
    rows = table[table["setting"] == setting]
    same(rows.set_index("task")["score"], of_method(root, pipeline, usual))


def test_every_setting_is_scored_on_dev_and_on_test(root):
    table = read(root, "grids.csv")
    for pipeline in PIPELINES:
        part = table[table["pipeline"] == pipeline]
        methods = {
            "base",
            "joint",
            "expert:faq",
            "expert:likeness",
            *load_profile(root.parent / "two.toml").analyses["grids"].grids,
        }
        assert set(part["method"]) == methods | ({"last"} if pipeline == "sequential" else set())
        for (_, _, split), rows in part.groupby(["method", "setting", "split"]):
            assert rows["task"].tolist() == (ROWS if split == "test" else ROWS[:3])
            assert rows["role"].tolist() == ["trained"] * 3 + ["unseen"] * (2 if split == "test" else 0)
    last = table.query("method == 'last' and split == 'test'").set_index("task")["score"]
    same(last, of_method(root, "sequential", "last"))
    ahead = table.query("method == 'joint'")[["ahead", "ahead_low", "ahead_high"]]
    assert (ahead == 0).all(axis=None)


def test_dev_scores_are_those_of_the_dev_split(home, root):
    tasks, _ = chosen_tasks(load_profile(home / "two.toml"))
    model = load_model(root / "seed3" / "train" / "joint" / "model")
    measured = evaluate(model, tasks, split="dev").set_index("task")["score"]
    table = read(root, "grids.csv").query("split == 'dev' and method == 'joint' and pipeline == 'separate'")
    for task in PAIR:
        assert table.set_index("task")["score"][task] == pytest.approx(measured[task], abs=1e-5)


def test_each_method_is_picked_once_a_split_where_its_mean_over_all_tasks_is_highest(root):
    table = read(root, "grids.csv")
    tasks = table[~table["task"].isin(["mean", "unseen mean"])]
    for (_, _, split), part in tasks.groupby(["pipeline", "method", "split"]):
        means = part.groupby(["setting", "pick"])["score"].mean().reset_index()
        picked = means[[split in pick.split() for pick in means["pick"]]]
        assert len(picked) == 1
        assert picked["score"].iloc[0] == pytest.approx(means["score"].max(), abs=1e-6)


def test_what_is_picked_on_dev_does_not_know_the_test_scores(home, declared, monkeypatch):
    """Whatever the test scores are, the settings picked on dev are the same; those picked on test follow them."""
    settings = load_profile(home / "two.toml").analyses["grids"]
    records = {3: declared.records}
    original = _series.points_of

    def worst_first(record):
        points = list(original(record))
        for number, (about, by_split) in enumerate(points):
            test = [replace(one, score=-float(number)) for one in by_split["test"]]
            yield about, by_split | {"test": test}

    def picks(split):
        table = grids._table(records, settings, 5)["grids.csv"]
        return {
            (row["pipeline"], row["method"], row["setting"]) for row in table.to_dict("records") if split in row["pick"]
        }

    on_dev, on_test = picks("dev"), picks("test")
    monkeypatch.setattr(_grid_tables, "points_of", worst_first)
    assert picks("dev") == on_dev
    first = {(pipeline, "ties", "λ 0.8") for pipeline in PIPELINES}
    assert first <= picks("test")
    assert on_test != picks("test")


def test_compared_are_the_picked_settings_on_test(root):
    table, compared = read(root, "grids.csv"), read(root, "grid_comparisons.csv")
    for row in compared.to_dict("records"):
        part = table[
            (table["pipeline"] == row["pipeline"]) & (table["split"] == "test") & (table["task"] == row["task"])
        ]
        chosen = part[[row["picked_on"] in pick.split() for pick in part["pick"]]].set_index("method")["score"]
        assert row["difference"] == pytest.approx(chosen[row["method"]] - chosen[row["against"]], abs=1e-5)
        assert row["low"] <= row["high"]


# Directions


@pytest.mark.parametrize("method", ["average", "slerp"])
def test_the_ends_of_a_direction_are_the_vectors_to_the_bit(method):
    gram = torch.tensor([[4.0, 1.5], [1.5, 9.0]], dtype=torch.float64)
    assert coefficients_at(method, 0.0, gram).tolist() == [1.0, 0.0]
    assert coefficients_at(method, 1.0, gram).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("method", ["average", "slerp"])
def test_the_ends_score_as_the_experts(root, method):
    table = read(root, "directions.csv").query("pipeline == 'separate' and method == @method").set_index("task")
    for share, expert in ((0.0, "faq"), (1.0, "likeness")):
        same(table[table["share"] == share]["score"], of_method(root, "separate", f"expert:{expert}"))
    assert (table[table["share"] == 0.0]["direction"] == 0).all()
    assert (table[table["share"] == 1.0]["direction"] == 1).all()
    same(table[table["share"] == 0.5]["score"], of_method(root, "separate", method))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_arc_is_longer_than_the_straight_line(root, pipeline):
    table = read(root, "directions.csv").query("pipeline == @pipeline and task == 'mean' and share == 0.5")
    length = table.set_index("method")["length"]
    assert length["average"] < length["slerp"]
    gram = vectors(root, pipeline).gram().numpy()
    expected = np.sqrt(np.array([0.5, 0.5]) @ gram @ np.array([0.5, 0.5])) / np.sqrt(gram.diagonal()).mean()
    assert length["average"] == pytest.approx(expected, rel=1e-6)


def vectors(root, pipeline):
    place = "" if pipeline == "separate" else "sequential/"
    return TaskVectors.load(root / "seed3" / f"{place}vectors" / "vectors")


# Around a position


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_marked_rows_are_the_searched_position(root, pipeline):
    table = read(root, "around.csv").query("pipeline == @pipeline and marked")
    for _, rows in table.groupby("over"):
        same(rows.set_index("task")["score"], of_method(root, pipeline, "self_position"))
        assert rows["direction"].nunique() == rows["length"].nunique() == 1
    values = table.drop_duplicates("over").set_index("over")
    assert values["value"]["direction"] == values["direction"]["direction"]
    assert values["value"]["length"] == values["length"]["length"]
    assert values["value"]["mu"] == 0.05


def test_lines_hold_the_other_number_of_the_position(root):
    table = read(root, "around.csv").query("pipeline == 'separate' and task == 'mean'")
    own = table[table["marked"]].iloc[0]
    for over, other in (("direction", "length"), ("length", "direction")):
        line = table[(table["over"] == over) & ~table["marked"]]
        assert (line[over] == line["value"]).all()
        assert (line[other] == own[other]).all()


def test_mu_makes_the_position_shorter(root):
    table = read(root, "around.csv").query("over == 'mu' and task == 'mean' and not marked")
    for _, part in table.groupby("pipeline"):
        length = part.set_index("value")["length"]
        assert length[0.3] < length[0.0]


# The plane


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_plane_keeps_the_distances_between_models(root, pipeline):
    table = read(root, "plane_points.csv").query("pipeline == @pipeline").set_index("point")
    span = vectors(root, pipeline)
    places = {str(name): np.array([row["x"], row["y"]]) for name, row in table.iterrows()}
    flat = {str(name): span.flat([row["a"], row["b"]]).double() for name, row in table.iterrows()}
    for one, other in itertools.combinations(flat, 2):
        apart = np.linalg.norm(places[one] - places[other])
        assert apart == pytest.approx(float((flat[one] - flat[other]).norm()), rel=1e-3, abs=1e-6)
    assert (table[["x", "y", "a", "b"]].to_numpy()[list(table.index).index("base")] == 0).all()
    first, second = (np.arctan2(*places[f"expert:{name}"][::-1]) for name in PAIR)
    assert first + second == pytest.approx(np.pi / 2)  # symmetric about the diagonal
    cosine = span.cosines().to_numpy()[0, 1]
    assert np.cos(second - first) == pytest.approx(cosine, abs=1e-6)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_lowest_point_is_that_of_the_grid_and_the_square_holds_every_point(root, pipeline):
    grid = read(root, "plane.csv").query("pipeline == @pipeline")
    points = read(root, "plane_points.csv").query("pipeline == @pipeline")
    assert len(grid) == 9
    lowest = points.set_index("point").loc["lowest"]
    assert lowest["loss"] == grid["loss"].min()
    for axis in ("x", "y"):
        inside = points.query("point != 'lowest'")[axis]
        assert grid[axis].min() < inside.min()
        assert inside.max() < grid[axis].max()
    assert set(points["group"]) == {"base", "expert", "average", "slerp", "self_position", "lowest"}


def test_a_plane_that_was_stopped_goes_on(home, root, tmp_path, monkeypatch):
    shutil.copytree(root / "seed3", tmp_path / "seed3")
    place = tmp_path / "seed3" / "plane" / "separate"
    shutil.rmtree(place)
    for file in (tmp_path / "seed3" / "journals").glob("plane-*"):
        file.unlink()
    original, calls = Objective.task_losses, []

    def counted(self, coefficients):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(coefficients)
        return original(self, coefficients)

    monkeypatch.setattr(Objective, "task_losses", counted)
    run = finished(home, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run.finish("plane/separate")
    after = []
    monkeypatch.setattr(Objective, "task_losses", lambda self, at: after.append(at) or original(self, at))
    run.finish("plane/separate")
    grid, points = (pd.read_csv(place / name) for name in ("grid.csv", "points.csv"))
    assert len(after) == len(grid) + len(points) - 1 - 4  # the lowest point is one of the grid
    for name in ("grid.csv", "points.csv"):
        assert (place / name).read_bytes() == (root / "seed3" / "plane" / "separate" / name).read_bytes()


# Ratios of the probe


def test_an_even_ratio_is_the_studys_search(root):
    table = read(root, "probe_ratios.csv")
    assert set(table["ratio"]) == {"3:1", "3:3"}
    for pipeline in PIPELINES:
        even = table[(table["pipeline"] == pipeline) & (table["ratio"] == "3:3")].set_index("task")["score"]
        same(even, of_method(root, pipeline, "self_position"))


# Going on, planning, words


def test_a_second_run_does_nothing_and_a_plan_estimates_every_stage(home, root):
    said = []
    run_study(load_profile(home / "two.toml"), root, said.append)
    assert all(line.startswith("Seed") or "done before" in line for line in said)
    table = plan(load_profile(home / "two.toml"), home / "none")
    own = table[[stage.split("/")[1] in NEW for stage in table["stage"]]]
    assert len(own) > 20
    assert own["seconds"].notna().all()


def test_a_series_that_was_stopped_scores_each_model_once(home, root, tmp_path, monkeypatch):
    shutil.copytree(root / "seed3", tmp_path / "seed3")
    shutil.rmtree(tmp_path / "seed3" / "directions")
    shutil.rmtree(tmp_path / "seed3" / "journals")
    original, done = running.run, []

    def counted(encoder, *given):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(encoder)
        return original(encoder, *given)

    monkeypatch.setattr(running, "run", counted)
    run, stages = finished(home, tmp_path), [f"directions/separate/{rule}" for rule in ("average", "slerp")]
    with pytest.raises(KeyboardInterrupt):
        run.finish(stages[0])
    again = []
    monkeypatch.setattr(running, "run", lambda encoder, *given: again.append(encoder) or original(encoder, *given))
    for stage in stages:
        run.finish(stage)
    assert len(done) + len(again) == 3 * 4  # three tasks, four models: both rules have the same ends
    for stage in stages:
        files = sorted((tmp_path / "seed3" / stage).glob("*-test.npz"))
        assert len(files) == 3
        for file in files:
            before = load_measurements(root / "seed3" / stage / file.name)
            assert [one.score for one in load_measurements(file)] == [one.score for one in before]


def test_the_summary_and_the_claims_speak_of_them(root):
    text = (root / "summary.md").read_text(encoding="utf-8")
    for part in (
        "Of all methods over their grids (separate pipeline)",
        "From one vector to the other (sequential pipeline, unseen mean)",
        "Around the searched position", "On the plane of the two vectors", "By the ratio of the two tasks in the probe",
    ):  # fmt: skip
        assert part in text
    claims = read(root, "against_the_paper.csv")["claim"].tolist()
    assert sum("tuned" in claim for claim in claims) == 4 * 2


def test_both_means_are_told_where_there_are_unseen_tasks():
    rows, compared = [], []
    for method, setting, pick, score in (
        ("joint", "", "dev test", 60.0),
        ("slerp", "weights 3:3", "test", 61.0),
        ("slerp", "weights 1:5", "dev", 60.5),
    ):
        for split in ("dev", "test"):
            rows += [
                {
                    "pipeline": "separate",
                    "method": method,
                    "setting": setting,
                    "split": split,
                    "pick": pick,
                    "task": task,
                    "metric": metric,
                    "score": score,
                }
                for task, metric in (("a", "x"), ("mean", "mean"))
            ]
    for split, value in (("dev", 0.5), ("test", 1.0)):
        for task, sign in (("mean", 1), ("unseen mean", -1)):
            row = {"pipeline": "separate", "picked_on": split, "method": "slerp", "against": "joint", "task": task}
            compared.append(row | {"difference": sign * value, "low": sign * value - 0.1, "high": sign * value + 0.1})
    tables = {"grids.csv": pd.DataFrame(rows), "grid_comparisons.csv": pd.DataFrame(compared)}
    (sentence,) = analysis("grids").words(tables)
    on_test = "SLERP (weights 3:3) is +1.0 [+0.9, +1.1] on the mean and -1.0 [-1.1, -0.9] on the unseen mean"
    assert f"picked on test, {on_test}" in sentence
    assert "picked on dev, SLERP (weights 1:5) is +0.5" in sentence
    trained, unseen = analysis("grids").claims(tables)
    assert (trained.on, trained.outcome) == ("trained", "as in the paper")
    assert (unseen.on, unseen.outcome) == ("unseen", "against the paper")
    assert "picked on test, SLERP minus joint training +1.0 [+0.9, +1.1]; picked on dev" in trained.measured


# Unseen tasks


def test_what_is_scored_on_dev_are_trained_tasks_and_members_of_pools(declared):
    tiny = tiny_tasks((24, 12, 12))

    def pool(task, *members):
        whole = copy(task)
        object.__setattr__(whole, "members", members)
        return whole

    unseen = Task(name="new", kind="retrieval", test=tiny["faq"].test, dev=tiny["faq"].dev)
    tasks = {"sts": pool(tiny["likeness"], "stsb", "pairs"), "qa": pool(tiny["faq"], "docs"), "other": tiny["topic"]}
    scored = {"stsb": tiny["likeness"], "other": tiny["topic"], "new": unseen}
    run = replace(declared, tasks=tasks, scored=scored)
    found = scored_on(run, ("sts", "qa"), dev=True)
    assert found.dev == {"stsb": tiny["likeness"], "qa": tasks["qa"]}  # a member that is scored; else the pool itself
    assert list(found.test) == ["stsb", "new"]  # without the task that neither of the two vectors is of
    assert found.examples == 12 + 12 + 2 * 12
    assert not scored_on(run, ("sts", "qa")).dev


def test_no_text_of_an_unseen_task_reaches_anything_but_scoring(study):
    recorder = study[1]
    assert recorder.marked(scoring=False) == set()
    assert {stage.partition("/")[0] for stage in recorder.marked(scoring=True)} >= {"grids", "directions", "around"}
    assert not any(stage.startswith("plane/") for stage in recorder.marked(scoring=True))


# What is refused before any training


def changed(home, name, text):
    (home / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_profile(home / f"{name}.toml")


@pytest.mark.parametrize("name", NEW)
def test_a_study_of_more_tasks_must_name_a_pair(tiny_home, name):
    profile = load_profile(tiny_home / "all.toml")
    tasks = chosen_tasks(profile)[0]
    with pytest.raises(SpkitError, match=r"`pair` must name the two tasks.*pair = \['faq', 'topic'\]"):
        analysis(name).check(analysis(name).settings(), profile, tasks)
    with pytest.raises(SpkitError, match="`pair` must name two different tasks of the study"):
        analysis(name).check(analysis(name).settings(pair=("faq", "faq")), profile, tasks)


@pytest.mark.parametrize("name", NEW)
def test_the_second_pipeline_needs_its_vectors(home, name):
    whole = load_profile(home / "two.toml")
    tasks = chosen_tasks(whole)[0]
    alone = whole.with_analyses((name,))
    with pytest.raises(
        SpkitError, match=r"needs the vectors that the analysis `sequential` makes.*\[sequential\] before"
    ):
        analysis(name).check(whole.analyses[name], alone, tasks)
    behind = whole.model_copy(update={"analyses": dict(reversed(whole.analyses.items()))})
    with pytest.raises(SpkitError, match=r"Put a table \[sequential\] before"):
        analysis(name).check(whole.analyses[name], behind, tasks)
    seeds = whole.with_seeds((1, 2))
    with pytest.raises(SpkitError, match="on the same seeds"):
        analysis(name).check(whole.analyses[name].model_copy(update={"every_seed": True}), seeds, tasks)
    first = analysis(name).settings(pipelines=("separate",), **({"batches": 1} if name == "plane" else {}))
    analysis(name).check(first, alone, tasks)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("grids", {"weights": [], "ties": [], "regmean": [], "mu": []}, "There must be a method to try"),
        ("plane", {"batches": 100}, "Found 100 of 8 examples, where there are .*48"),
        ("probe_ratios", {"ratios": [[100, 1]]}, "Found 100:1, which takes .*too many or few of 'likeness'"),
    ],
)
def test_settings_that_would_fail_hours_later_are_refused(home, name, settings, message):
    profile = load_profile(home / "two.toml")
    with pytest.raises(SpkitError, match=f"(?s){message}"):
        analysis(name).check(analysis(name).settings(**settings), profile, chosen_tasks(profile)[0])


def test_records_name_what_was_scored(root):
    record = json.loads((root / "seed3" / "grids" / "separate" / "ties" / "record.json").read_text())
    assert record["config"]["dev"] == list(PAIR)
