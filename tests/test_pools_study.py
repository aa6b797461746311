"""A study of two pools, as the paper has it: what its analyses of data sets, clusters and imbalance leave in tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors

from spkit.diagnostics.hyperbola_fit import fit_hyperbola
from spkit.errors import SpkitError
from spkit.figures.imbalance_map import imbalance_map
from spkit.study import load_profile, run_study
from spkit.study.analyses import analysis
from spkit.study.checks import check_study
from spkit.study.chosen import chosen_tasks
from spkit.tasks.data_sets import data_sets
from tests import tiny_pools
from tests.real_data import real
from tests.tiny_pools import POOLS, PROFILE

MEMBERS = [name for members in POOLS.values() for name in members]
OWN = ["average", "ties", "self_position"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pools")
    tiny_pools.write_home(folder)
    return folder


@pytest.fixture(scope="module")
def root(home):
    return run_study(load_profile(home / "pools.toml"), home / "run", lambda line: None)


@pytest.fixture(scope="module")
def tasks(home):
    return chosen_tasks(load_profile(home / "pools.toml"))[0]


def read(root, name):
    return pd.read_csv(root / name)


def test_a_pool_is_several_data_sets(tasks):
    sets = data_sets(tasks)
    assert list(sets) == MEMBERS
    for pool, members in POOLS.items():
        assert sum(len(sets[name].train) for name in members) == len(tasks[pool].train)
        assert sum(len(sets[name].dev) for name in members) == len(tasks[pool].dev)
    assert all(not one.members and "dataset" not in one.train.column_names for one in sets.values())
    assert "negative" in sets["near"].train.column_names
    assert "negative" not in sets["likeness"].train.column_names  # the pool has the column, this member no negative
    with pytest.raises(SpkitError, match=r"name of its own. Found 'faq' twice"):
        data_sets({"faq": sets["faq"]} | dict(tasks))


def test_norms_have_a_point_a_data_set_a_pool_and_all(root, tasks):
    table = read(root, "norms.csv").set_index("group")
    assert list(table.index) == [*MEMBERS, *POOLS, "all tasks"]
    for pool, members in POOLS.items():
        assert table.loc[pool, "examples"] == table.loc[list(members), "examples"].sum() == len(tasks[pool].train)
    assert table.loc["all tasks", "examples"] == table.loc[list(POOLS), "examples"].sum()
    (line,) = read(root, "norms_fit.csv").query("group == 'all groups' and scale == 'linear'").to_dict("records")
    assert line["n"] == len(table)
    correlation = np.corrcoef(table["examples"], table["norm"])[0, 1]
    assert line["r_squared"] == pytest.approx(correlation**2, rel=1e-4)


def test_angles_are_of_pools_and_of_data_sets_with_one_fit(root):
    table = read(root, "angles.csv")
    assert set(zip(table["a"], table["b"], strict=True)) == {("answers", "meanings"), ("faq", "near")}
    (fit,) = read(root, "angles_fit.csv").to_dict("records")
    (again,) = fit_hyperbola(table).to_dict("records")
    assert fit["n"] == 8
    assert [fit[key] for key in ("a", "b", "c", "r_squared")] == pytest.approx(
        [again[key] for key in ("a", "b", "c", "r_squared")], rel=1e-3, nan_ok=True
    )


def test_every_data_set_has_a_cluster_and_the_methods_are_scored(root):
    sets, scores = read(root, "clusters.csv"), read(root, "cluster_scores.csv")
    for count, part in sets.groupby("clusters"):
        assert part["dataset"].tolist() == MEMBERS
        assert set(part["cluster"]) == set(range(1, count + 1))
        experts = [f"expert:cluster {number}" for number in range(1, count + 1)]
        methods = scores.query("clusters == @count")["method"].unique()
        assert list(methods) == ["base", "joint", *experts, "average", "ties", "regmean", "self_position"]
    assert set(scores["task"]) == {"faq", "likeness", "topic", "mean", "unseen mean"}
    headline = read(root, "scores.csv").set_index(["method", "task"])["score"]
    for method in ("base", "joint"):
        for task, score in scores.query("method == @method").groupby("task")["score"].first().items():
            assert score == pytest.approx(headline[method, task], abs=1e-4)


def test_every_data_set_has_an_example(root):
    table = read(root, "examples.csv").fillna("").set_index("dataset")
    assert list(table.index) == [*MEMBERS, "topic"]
    assert table["group"].tolist() == ["answers", "answers", "meanings", "meanings", ""]
    assert table["role"].tolist() == ["trained", "training", "trained", "training", "unseen"]
    assert (table[["query", "positive"]] != "").all(axis=None)
    assert table.loc["near", "negative"] != "" == table.loc["faq", "negative"]
    assert set(table.loc["topic", ["query", "positive", "negative"]]) == {"(not shown)"}
    assert table.loc["topic", "examples"] > 0


def test_the_map_compares_with_every_joint_training(root):
    table = read(root, "imbalance_map.csv")
    assert set(zip(table["ratio"], table["epochs"], strict=True)) == {(1, 2), (2, 2), (2, 3)}
    joint = ["joint: proportional", "joint: temperature 2"]
    assert set(zip(table["method"], table["against"], strict=True)) == {
        *((method, against) for method in OWN for against in joint),
        (joint[1], joint[0]),
    }
    assert set(table["task"]) == {"faq", "likeness", "topic", "mean", "unseen mean"}
    wide = table.pivot(index=["ratio", "epochs", "method", "against"], columns="task", values="difference")
    assert wide["mean"].tolist() == pytest.approx(((wide["faq"] + wide["likeness"]) / 2).tolist(), abs=1e-4)
    assert wide["unseen mean"].tolist() == pytest.approx(wide["topic"].tolist(), abs=1e-4)
    said = np.select([table["low"] > 0, table["high"] < 0], ["ahead", "behind"], "open")
    assert table["verdict"].tolist() == said.tolist()
    costs = table.groupby(["ratio", "epochs", "method"])["flops"].first().unstack()
    assert (costs["self_position"] > costs["ties"]).all()
    assert (costs["ties"] == costs["average"]).all()  # both are what the experts cost


def test_no_checkpoint_stays(root):
    assert not list((root / "seed3").glob("checkpoints/*"))


def test_a_second_run_does_nothing(home, root):
    said = []
    run_study(load_profile(home / "pools.toml"), root, said.append)
    assert all(line.startswith("Seed") or "done before" in line for line in said)


def test_the_summary_speaks_of_them(root):
    text = (root / "summary.md").read_text(encoding="utf-8")
    for part in ("Trained on are 4 data sets", "With an expert a cluster in 2", "Where one task is 1, 2 times"):
        assert part in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "imbalance"])
@pytest.mark.filterwarnings("ignore:Task 'stsb'.*stand in train and in test:UserWarning")  # its official splits
@pytest.mark.filterwarnings("ignore:.*share a batch:UserWarning")
def test_the_profiles_of_the_paper_fit_their_data(name):
    profile = load_profile(name).with_data(str(real(".")))
    tasks, scored = chosen_tasks(profile)
    check_study(profile, tasks, scored)  # also: no text of an unseen set is trained on
    assert list(tasks) == ["sts", "retrieval"]
    assert 2 < len(tasks["retrieval"].train) / len(tasks["sts"].train) < 3
    assert [one for one, task in scored.items() if task.role != "unseen"] == ["stsb", "medquad"]
    assert [one for one, task in scored.items() if task.role == "unseen"] == list(profile.unseen)
    assert {(task.loss, task.temperature) for task in tasks.values()} == {("infonce", 0.02)}


# The figure of the map


def test_open_cells_are_white_and_decided_ones_have_a_colour():
    about = {"task": "mean", "against": "joint: proportional", "flops": 1.0, "seed": 0, "epochs": 3}
    rows = [
        {"method": "average", "ratio": 1, "difference": -4.0, "low": -5.0, "high": -3.0, "verdict": "behind"},
        {"method": "average", "ratio": 10, "difference": 0.4, "low": -1.0, "high": 2.0, "verdict": "open"},
        {"method": "ties", "ratio": 1, "difference": 0.2, "low": -1.0, "high": 1.0, "verdict": "open"},
        {"method": "ties", "ratio": 10, "difference": 4.0, "low": 3.0, "high": 5.0, "verdict": "ahead"},
    ]
    (panel,) = imbalance_map(pd.DataFrame(rows).assign(**about))
    cells = panel.collections[0]
    assert np.ma.getmaskarray(cells.get_array()).ravel().tolist() == [False, True, True, False]
    behind, ahead = (colors.to_rgb(colour[:3]) for colour in cells.get_facecolors()[[0, 3]])
    assert behind[0] > behind[2]  # red
    assert ahead[2] > ahead[0]  # blue
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1:1\n3 epochs", "10:1\n3 epochs"]
    assert [text.get_text() for text in panel.texts] == ["−4.0", "0.4", "0.2", "4.0"]


# Bad settings


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("examples", {"hidden": ["others"]}, "`hidden` must name data sets of the study"),
        ("norms", {"epochs": 1}, "at `sizes`, at the `whole` of each group, or both"),
        ("clusters", {"clusters": [5]}, "from 1 to the number of data sets. Found 5 for 4"),
        ("imbalance_map", {"pair": ["answers", "faq"], "total": 64}, "`pair` must name two different tasks"),
        ("imbalance_map", {"pair": list(POOLS), "total": 9000}, "`total` and the ratio 1 must fit the tasks"),
        ("imbalance_map", {"pair": list(POOLS), "total": 64, "ratios": [30]}, "the ratio 30 must fit"),
        ("imbalance_map", {"pair": list(POOLS), "total": 64, "samplings": ["fair"]}, "fair"),
        (
            "angles",
            {"pairs": [["faq", "topic"]], "total": 32, "steps": 1},
            "Found 'faq', 'topic', where there are 'faq', 'asked'",
        ),
    ],
)
def test_settings_that_would_fail_hours_later_are_refused(home, tasks, name, settings, message):
    profile = load_profile(home / "pools.toml")
    with pytest.raises(ValueError, match=f"(?s){message}"):  # SpkitError, or pydantic's for one setting alone
        analysis(name).check(analysis(name).settings(**settings), profile, tasks)


def test_rules_that_read_data_need_one_loss(home, tasks):
    profile, settings = load_profile(home / "pools.toml"), analysis("clusters").settings(methods=["fisher"])
    own = {name: task.with_loss(None) for name, task in tasks.items()}
    with pytest.raises(SpkitError, match=r"need data sets that can be pooled.*Found 'fisher'"):
        analysis("clusters").check(settings, profile, own)


def test_all_missing_files_are_named(home, tmp_path):
    (tmp_path / "pools.toml").write_text(PROFILE.replace('data = "data"', f'data = "{tmp_path}"'), encoding="utf-8")
    for name in ("tasks.toml", "base"):
        (tmp_path / name).symlink_to(home / name)
    files = r"(?s)'faq-train\.jsonl'.*'likeness-test\.jsonl'.*`unseen`.*'topic-test\.jsonl'"
    with pytest.raises(SpkitError, match=files):
        run_study(load_profile(tmp_path / "pools.toml"), tmp_path / "run", lambda line: None)
