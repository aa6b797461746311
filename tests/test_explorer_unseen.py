"""Unseen tasks in the explorer: measured and shown apart, and never read by what a position is chosen by."""

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

import spkit
from spkit.errors import SpkitError
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.explorer import opening
from spkit.explorer.exploration import Exploration
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.looked_at import looked_at
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.unseen_scores import UnseenScores
from spkit.study.places import vectors_folder
from spkit.tasks import Task
from spkit.tasks.kinds import kinds
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import tiny_tasks

SMALL = {"points": 8, "examples": 8, "progress": False}
HERE, THERE = [0.33, 0.12, 0.7], [0.9, 0.1, 0.4]
EVIL = "<img src=x onerror=alert(1)> $a$"


def unseen_tasks() -> dict[str, Task]:
    """One of each kind that the tiny tasks have, by other names, and a clustering."""
    given = tiny_tasks((24, 12, 16))
    named = {"asking": given["faq"], "sorting": given["topic"], "nearness": given["likeness"]}
    rows = given["topic"].test
    return {name: task.as_unseen() for name, task in named.items()} | {
        "groups": Task(name="groups", kind="clustering", test=rows)
    }


def both() -> dict[str, Task]:
    return tiny_tasks() | unseen_tasks()


@pytest.fixture
def exploration(vectors):
    made = Exploration(vectors, both(), **SMALL)
    yield made
    made.close()


@pytest.fixture
def explorer(vectors):
    made = spkit.explore(vectors, both(), **SMALL)
    yield made
    made.close()


def test_unseen_scores_are_those_of_the_model_at_the_position_on_its_test_examples(vectors) -> None:
    quick, tasks = QuickScores(vectors, tiny_tasks(), examples=8), unseen_tasks()
    unseen = UnseenScores(quick, tasks, examples=12)
    at = unseen.at(HERE)
    assert list(at.index) == list(tasks)
    assert list(at.columns) == ["score", *LEFT_OUT]
    model = vectors.at(HERE)
    pd.testing.assert_frame_equal(at, unseen.of(model))
    sample = unseen._samples["nearness"]
    one, other = (model.encode([row[column] for row in sample.rows]) for column in ("sentence1", "sentence2"))
    cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    expected: Any = spearmanr(cosines, [row["score"] for row in sample.rows])
    assert at["score"]["nearness"] == pytest.approx(100 * expected.statistic, abs=1e-6)
    for name, sample in unseen._samples.items():
        columns = tasks[name].definition.columns
        test = {tuple(row[column] for column in columns) for row in tasks[name].test.to_list()}
        assert {tuple(row[column] for column in columns) for row in sample.rows} <= test
        assert 4 <= unseen.examples[name] <= 12


def test_labels_are_drawn_in_twos_and_each_text_is_left_out_of_its_own_mean(vectors) -> None:
    quick = QuickScores(vectors, tiny_tasks(), examples=8)
    unseen = UnseenScores(quick, unseen_tasks(), examples=8)
    for name in ("sorting", "groups"):
        labels = np.asarray(unseen._samples[name].labels)
        assert (np.unique(labels, return_counts=True)[1] >= 2).all()
    kind, apart = kinds()["clustering"], np.repeat(np.eye(2), 3, axis=0)
    assert kind.quick_score([apart], np.array(list("aaabbb")), lambda one, other: one) == 1.0
    assert kind.quick_score([apart], np.array(list("abcabc")), lambda one, other: one) < 1.0


def test_what_a_position_is_chosen_by_is_the_same_with_and_without_unseen_tasks(vectors, tmp_path) -> None:
    read = []
    for name, tasks in (("without", tiny_tasks()), ("with", both())):
        made = Exploration(vectors, tasks, folder=tmp_path / name, **SMALL)
        made.ask(HERE)
        assert made.wait(30.0)
        (points,) = (tmp_path / name).glob("*/points.jsonl")
        (scales,) = (tmp_path / name).glob("*/surrogate.json")
        x = made.known.surface(np.array([HERE, THERE]), "score")
        read.append(
            [made.rows, made.interpolate(THERE).values, made.errors(), points.read_bytes(), scales.read_bytes(), x]
        )
        made.close()
    for without, given in zip(*read, strict=True):
        if isinstance(without, pd.DataFrame):
            pd.testing.assert_frame_equal(without, given)
        else:
            np.testing.assert_array_equal(without, given)


def test_unseen_points_are_kept_and_never_interpolated(vectors, tmp_path, monkeypatch) -> None:
    first = Exploration(vectors, both(), folder=tmp_path, **SMALL)
    first.ask(HERE)
    assert first.wait(30.0)
    known: Any = first.read(HERE).unseen
    first.close()
    assert first.read(THERE).unseen is None
    monkeypatch.setattr(UnseenScores, "at", lambda *_: pytest.fail("measured again"))
    again = Exploration(vectors, both(), folder=tmp_path, **SMALL)
    again.close()
    kept: Any = again.read(HERE).unseen
    pd.testing.assert_frame_equal(kept, known)
    assert known.index[-1] == UNSEEN_MEAN
    assert known["score"].iloc[-1] == pytest.approx(known["score"].iloc[:-1].mean())


def test_scores_have_roles_and_both_means(exploration) -> None:
    before = exploration.scores(HERE)
    assert list(before["task"]) == [*tiny_tasks(), MEAN, *unseen_tasks(), UNSEEN_MEAN]
    assert before.groupby("role")["task"].size().to_dict() == {"trained": 4, "unseen": 5}
    assert before.loc[before["role"] == "unseen", "score"].isna().all()
    assert (before.loc[before["role"] == "trained", "error"] >= 0).all()
    assert not before["measured"].any()
    exploration.ask(HERE)
    assert exploration.wait(30.0)
    after = exploration.scores(HERE).set_index("task")
    assert after["measured"].all()
    assert after["score"].notna().all()
    assert after["error"].isna().all()
    assert after["group"].to_dict() == {task: task if task in tiny_tasks() else "" for task in after.index}
    for mean, tasks in ((MEAN, tiny_tasks()), (UNSEEN_MEAN, unseen_tasks())):
        assert after["score"][mean] == pytest.approx(after["score"][list(tasks)].mean())


def test_without_unseen_tasks_there_is_one_mean(vectors) -> None:
    made = Exploration(vectors, tiny_tasks(), **SMALL)
    made.close()
    assert list(made.scores(HERE)["role"].unique()) == ["trained"]
    assert made.unseen_rows == []


def test_unseen_scores_come_after_the_others_and_stop_for_a_newer_request(exploration, monkeypatch) -> None:
    heard, begun, real = [], threading.Event(), exploration.unseen._measure

    def slow(cancelled):
        begun.set()
        while cancelled is not None and not cancelled():
            threading.Event().wait(0.01)
        return real(cancelled)

    exploration.listen(lambda reading, newest: heard.append((reading, newest)), lambda error: heard.append(error))
    monkeypatch.setattr(exploration.unseen, "_measure", slow)
    exploration.ask(HERE)
    assert begun.wait(30.0)
    ((reading, newest),) = heard
    assert newest
    assert reading.measured
    assert reading.unseen is None
    monkeypatch.undo()
    exploration.ask(THERE)
    assert exploration.wait(30.0)
    assert [list(reading.coefficients) for reading, _ in heard] == [HERE, THERE, THERE]
    assert [reading.unseen is None for reading, _ in heard] == [True, True, False]
    assert exploration.read(HERE).unseen is None
    exploration.ask(HERE)  # the trained tasks are known there: only the others are measured
    assert exploration.wait(30.0)
    assert len(heard) == 4
    assert exploration.read(HERE).unseen is not None


def test_switched_off_they_are_neither_measured_nor_shown(explorer, monkeypatch) -> None:
    status, switch = explorer.scores.status, explorer.scores.unseen
    assert "unseen mean" in status.value
    assert "unseen mean" in explorer.words()
    tall = Image.open(io.BytesIO(explorer.picture())).height
    switch.value = False
    monkeypatch.setattr(explorer.exploration.unseen, "at", lambda *_: pytest.fail("measured"))
    explorer.where.controls[0].slider.value = 0.37
    assert explorer.exploration.wait(30.0)
    assert explorer.reading.measured
    assert "unseen" not in status.value + explorer.scores.table.value + explorer.words()
    assert explorer._notice.value == ""
    assert Image.open(io.BytesIO(explorer.picture())).height < tall
    monkeypatch.undo()
    switch.value = True
    assert explorer.exploration.wait(30.0)
    assert explorer.reading.unseen is not None
    assert "never choose by these" in explorer.scores.table.value


def test_a_moving_slider_shows_no_number_of_another_position(explorer, monkeypatch) -> None:
    gate, real = threading.Event(), explorer.exploration.unseen.at

    def slow(*given):
        gate.wait(30.0)
        return real(*given)

    def scores() -> pd.Series:
        table = explorer.session.differences()
        return table.loc[table["role"] == "unseen", "score"]

    monkeypatch.setattr(explorer.exploration.unseen, "at", slow)
    explorer.where.controls[0].slider.value = 0.61
    assert scores().isna().all()
    assert "measuring" in explorer.scores.status.value
    gate.set()
    assert explorer.exploration.wait(30.0)
    assert scores().notna().all()
    assert "measuring" not in explorer.scores.status.value


def test_a_failed_measurement_leaves_no_promise(explorer, monkeypatch) -> None:
    def fail(*_):
        raise SpkitError("The disk is full.")

    monkeypatch.setattr(explorer.exploration.unseen, "at", fail)
    explorer.where.controls[0].slider.value = 0.77
    assert explorer.exploration.wait(30.0)
    assert explorer.reading.measured
    assert "The disk is full" in explorer._notice.value
    assert "unseen tasks not measured here" in explorer.scores.status.value


def test_ten_unseen_tasks_fit_and_names_are_no_markup(vectors, base) -> None:
    rows = tiny_tasks()["likeness"].test
    ten = {f"{number} {EVIL}": Task(name=f"{number}", kind="sts", test=rows) for number in range(10)}
    models = {"joint": noisy(base, 7), "merges": {f"one {EVIL}": noisy(base, 8), "other": noisy(base, 9)}}
    made = spkit.explore(vectors, tiny_tasks() | ten, **models, **SMALL)
    made.close()
    assert made.picture().startswith(b"\x89PNG")
    table = made.scores.table.value
    assert "<img" not in table
    # The tasks, and the merge in the legend and beside every bar.
    assert table.count("&lt;img") == 10 + 1 + len(made.session.differences())
    assert set(made.exploration.references) == {"base", "expert", "joint", f"one {EVIL}", "other"}


def test_the_distance_to_the_base_is_in_the_table(explorer) -> None:
    explorer.session.compare_with("base")
    explorer.go("base")
    assert explorer.exploration.wait(30.0)
    table = explorer.session.differences()
    assert (table["difference"] == 0).all()
    assert len(table[table["role"] == "unseen"]) == 5


def test_an_unseen_task_that_cannot_be_compared_is_refused(vectors) -> None:
    one = {"one": Task(name="one", kind="sts", test=tiny_tasks()["likeness"].test.select(range(2)))}
    lone = tiny_tasks()["topic"].test.select(range(3))
    with pytest.raises(SpkitError, match=r"at least 4 test examples.*Found 0 in 3 of task 'lone'"):
        spkit.explore(vectors, tiny_tasks() | {"lone": Task(name="lone", kind="clustering", test=lone)}, **SMALL)
    with pytest.raises(SpkitError, match=r"at least one task that is trained on.*Found only 'one'"):
        spkit.explore(vectors, one, **SMALL)


def test_a_pool_is_seen_by_its_members_where_these_are_there(vectors) -> None:
    tasks = {name: task for name, task in tiny_tasks().items() if name != "likeness"}
    pool = spkit.pool_tasks("pool", tasks, temperature=0.02)
    likeness = tiny_tasks()["likeness"]
    seen = looked_at({"pool": pool, **tasks, "likeness": likeness, **unseen_tasks()})
    assert list(seen.trained) == [*tasks, "likeness"]
    assert list(seen.unseen) == list(unseen_tasks())
    assert {name: seen.groups[name] for name in seen.trained} == {
        "faq": "pool",
        "topic": "pool",
        "likeness": "likeness",
    }
    losses = {name: (task.loss, task.temperature) for name, task in seen.trained.items()}
    assert losses == {"faq": ("infonce", 0.02), "topic": ("infonce", 0.02), "likeness": (None, None)}
    assert list(looked_at({"pool": pool}).trained) == ["pool"]
    # The expert of a member is that of its pool, and the loss that of its pairs.
    pooled = vectors.select(["faq"])
    pooled = TaskVectors(pooled.base, ["pool"], pooled.matrix)
    made = Exploration(pooled, {"pool": pool, **tasks}, points=8, examples=8, progress=False)
    made.close()
    own = made.references.loc[list(tasks), "expert"].tolist()
    assert own == made.reference("expert: pool")["score"][list(tasks)].tolist()
    assert np.isnan(made.references.loc[MEAN, "expert"])
    assert made.scores([0.5])["group"].tolist() == ["pool", "pool", ""]


def test_a_study_is_opened_with_what_it_scored_as_unseen_and_its_best_merges(vectors, tmp_path, monkeypatch) -> None:
    vectors.save(vectors_folder(tmp_path, 0))
    means = {"ties": (60, 40), "slerp": (50, 45), "ties_tuned": (55, 30), "self_position": (70, 50)}
    scores = [
        {"method": method, "task": task, "metric": "m", "score": score, "seed": seed, "role": role, "group": ""}
        for seed, sign in ((0, 1), (1, -1))
        for method, pair in means.items()
        for task, role, score in (
            *((name, "trained", 1.0) for name in vectors.names), ("mean", "trained", sign * pair[0]),
            ("asking", "unseen", 1.0), ("sorting", "unseen", 1.0), ("unseen mean", "unseen", sign * pair[1]),
        )
    ]  # fmt: skip
    pd.DataFrame(scores).to_csv(tmp_path / "scores.csv", index=False)
    for name in ("merge/ties", "merge/slerp", "tune/ties_tuned"):
        (tmp_path / "seed0" / name / "model").mkdir(parents=True)
    given: dict[str, Any] = {}
    monkeypatch.setattr(opening, "explore", lambda vectors, tasks, **rest: given.update(tasks=tasks, **rest))
    tasks = tiny_tasks()
    read = {**tasks, "asking": tasks["faq"], "sorting": tasks["topic"], "other": tasks["likeness"]}
    monkeypatch.setattr("spkit.tasks.load_tasks", lambda source, names, folder: read)
    opening.explore_study(tmp_path, "tasks.toml")
    roles = {name: task.role for name, task in given["tasks"].items()}
    assert roles == {**dict.fromkeys(vectors.names, "trained"), "asking": "unseen", "sorting": "unseen"}
    merge = tmp_path / "seed0" / "merge"
    assert given["merges"] == {"TIES": merge / "ties" / "model", "SLERP": merge / "slerp" / "model"}


@pytest.mark.slow
def test_the_explorer_opens_on_a_study_with_unseen_tasks(tiny_study: Path) -> None:
    explorer = spkit.explore_study(
        tiny_study / "run", tiny_study / "tasks.toml", seed=3, data=tiny_study / "data", **SMALL
    )
    explorer.close()
    assert explorer.exploration.unseen_rows == ["asking", "sorting", UNSEEN_MEAN]
    merges = [name for name in explorer.exploration.references if name not in ("base", "expert", "joint")]
    assert "by module" in merges
    assert 1 <= len([name for name in merges if name != "by module"]) <= 2
    assert explorer.exploration.references.loc[UNSEEN_MEAN, ["base", "joint", *merges]].notna().all()
