"""Sweeps: the points stand where the paper's formulas put them, are measured once, and go on where they stopped."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import spkit.searching.over
import spkit.searching.sweep
from spkit import Probe, SlerpPath, SpkitError, TaskVectors, evaluate, self_position
from spkit.searching.objective import Objective
from spkit.searching.probe_parts import part_of, probe_sizes
from spkit.searching.result import PositionResult
from spkit.searching.sweep import sweep
from spkit.tasks import Task
from tests.experts import flat, noisy
from tests.tiny import tiny_tasks

NAMES = ("faq", "topic", "likeness")
SCORES = ["task", "role", "metric", "score", "low", "high"]
QUIET = {"progress": False, "batch_size": 8}
SEARCH = {"path": "slerp", "optimizer": "lbfgs", "steps": 4, **QUIET}


@pytest.fixture(scope="module")
def tasks():
    return tiny_tasks((32, 16, 16))


@pytest.fixture(scope="module")
def scored(tasks):
    """Those that are scored quickly: mteb fits ten classifiers for `topic`."""
    return {name: tasks[name] for name in ("faq", "likeness")}


@pytest.fixture(scope="module")
def experts(base):
    """Of one norm each: a search between them takes all of its steps."""
    return {name: noisy(base, seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def vectors(base, experts) -> TaskVectors:
    return TaskVectors.from_models(base, experts)


@pytest.fixture(scope="module")
def probe(tasks) -> Probe:
    return Probe.sample(tasks, size=60, seed=3)


@pytest.fixture(scope="module")
def position(vectors, probe) -> PositionResult:
    return self_position(vectors, probe, **SEARCH)


@pytest.fixture
def counts(monkeypatch) -> dict[str, int]:
    """How often a position's losses and scores are measured, and a search is made."""
    counted = {"losses": 0, "evaluate": 0, "search": 0}

    def count(key, function):
        def counting(*args, **kwargs):
            counted[key] += 1
            return function(*args, **kwargs)

        return counting

    monkeypatch.setattr(Objective, "task_losses", count("losses", Objective.task_losses))
    monkeypatch.setattr(spkit.searching.sweep, "evaluate", count("evaluate", evaluate))
    monkeypatch.setattr(spkit.searching.over, "self_position", count("search", self_position))
    return counted


def at(vectors: TaskVectors, rows) -> PositionResult:
    """A position of these coefficients, as a search would give it."""
    rows = torch.tensor(rows, dtype=torch.float64)
    modules = ["model"] if len(rows) == 1 else list(vectors.modules)
    return PositionResult(vectors, rows, modules, pd.DataFrame(), {"granularity": "model"})


def coefficients(table: pd.DataFrame, names=NAMES) -> np.ndarray:
    return table[[f"coefficient:{name}" for name in names]].to_numpy()


def points(table: pd.DataFrame) -> pd.DataFrame:
    """A row a position."""
    return table[table["task"] == "faq"].reset_index(drop=True)


# Direction.


def test_the_ends_of_a_direction_are_the_experts(vectors, experts, scored) -> None:
    table = sweep(vectors, scored, "direction", values=[0, 1], **QUIET)
    assert list(table["pair"].unique()) == ["faq+topic", "faq+likeness", "topic+likeness"]
    held_back = Probe(scored, {name: task.dev for name, task in scored.items()}, "dev", 0)
    for pair, rows in table.groupby("pair"):
        for value, name in enumerate(pair.split("+")):
            end = rows[rows["value"] == value]
            assert (coefficients(end) == np.eye(3)[NAMES.index(name)]).all()
            alone = evaluate(experts[name], scored, split="dev")
            assert list(end["task"]) == list(scored)
            pd.testing.assert_frame_equal(end[SCORES].reset_index(drop=True), alone[SCORES])
            losses = Objective(vectors, held_back, 8).task_losses(vectors.coefficients(np.eye(3)[NAMES.index(name)]))
            assert dict(zip(end["task"], end["loss"], strict=True)) == losses
    assert not table["marked"].any()
    assert (table["length"] == 1).all()


def test_the_middle_of_two_orthonormal_vectors(vectors, tasks) -> None:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(vectors.num_parameters, 2, generator=generator, dtype=torch.float64))[0]
    pair = TaskVectors(vectors.base, ["faq", "topic"], basis.T.float().contiguous())
    table = points(sweep(pair, tasks, "direction", values=[0.5, 0.25], length=2.0, score=False, **QUIET))
    quarter = [2 * np.cos(np.pi / 8), 2 * np.sin(np.pi / 8)]
    np.testing.assert_allclose(coefficients(table, pair.names), [[2**0.5, 2**0.5], quarter], rtol=1e-6)


def test_a_direction_is_slerp_of_the_two_vectors_themselves(vectors, tasks) -> None:
    grid = [0.1, 0.3, 0.8]
    table = sweep(
        vectors, tasks, "direction", values=grid, pairs=[["likeness", "faq"]], length=0.7, score=False, **QUIET
    )
    left, right = (vectors.matrix[NAMES.index(name)].double().numpy() for name in ("likeness", "faq"))
    angle = np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    assert set(table["pair"]) == {"likeness+faq"}
    for x, row in zip(grid, coefficients(points(table)), strict=True):
        expected = 0.7 * (np.sin((1 - x) * angle) * left + np.sin(x * angle) * right) / np.sin(angle)
        np.testing.assert_allclose(row @ vectors.matrix.double().numpy(), expected, atol=1e-8)


def test_defaults_are_eleven_points_of_every_pair(vectors, tasks) -> None:
    table = points(sweep(vectors, tasks, "direction", score=False, **QUIET))
    assert len(table) == 3 * 11
    assert list(table["value"][:11]) == [step / 10 for step in range(11)]


def test_a_position_is_measured_once(vectors, scored, counts) -> None:
    table = sweep(vectors, scored, "direction", values=[0, 1], mark=at(vectors, [[0.5, 0.5, 0.5]]), length=1.0, **QUIET)
    assert len(points(table)) == 9
    assert counts == {"losses": 4, "evaluate": 4, "search": 0}  # three experts, and the position beside three pairs


# Length.


def test_length_zero_is_the_base(vectors, scored) -> None:
    table = sweep(vectors, scored, "length", values=[0, 1.5], **QUIET)
    base = table[table["value"] == 0]
    assert (coefficients(base) == 0).all()
    pd.testing.assert_frame_equal(
        base[SCORES].reset_index(drop=True), evaluate(vectors.base, scored, split="dev")[SCORES]
    )
    equal = SlerpPath().fold(torch.ones(3).double(), vectors.gram())
    np.testing.assert_allclose(coefficients(table)[-1], 1.5 * equal.numpy())


def test_a_length_is_that_of_the_given_position(vectors, tasks) -> None:
    given = {"faq": 0.2, "topic": 0.5, "likeness": 0.3}
    length = float(SlerpPath().start(torch.tensor([0.2, 0.5, 0.3]).double(), vectors.gram())[-1].exp())
    table = points(sweep(vectors, tasks, "length", values=[length, 3 * length], around=given, score=False, **QUIET))
    np.testing.assert_allclose(coefficients(table), [[0.2, 0.5, 0.3], [0.6, 1.5, 0.9]])
    expert = points(sweep(vectors, tasks, "length", values=[1], around=[0.0, 1.0, 0.0], score=False, **QUIET))
    assert coefficients(expert).tolist() == [[0, 1, 0]]


def test_a_length_of_a_position_by_module_scales_every_module(vectors, tasks, monkeypatch) -> None:
    rows = np.linspace(0.1, 0.9, 3 * len(vectors.modules)).reshape(-1, 3)
    written = []
    monkeypatch.setattr(Objective, "task_losses", lambda self, rows: written.append(rows) or dict.fromkeys(NAMES, 1.0))
    position = at(vectors, rows)
    table = points(sweep(vectors, tasks, "length", values=[0.5], mark=position, score=False, **QUIET))
    length = float(SlerpPath().start(torch.from_numpy(rows.mean(0)), vectors.gram())[-1].exp())
    np.testing.assert_allclose(written[0].numpy(), 0.5 / length * rows)
    np.testing.assert_allclose(coefficients(table)[1], rows.mean(0))  # the mark: mean over modules
    assert table["value"][1] == table["length"][1] == pytest.approx(length)
    assert torch.equal(written[1], position.rows)


# The mark.


def test_the_mark_of_two_vectors_lies_on_the_curve(vectors, scored, probe) -> None:
    pair = vectors.select(["topic", "faq"])
    position = self_position(pair, probe, **SEARCH)
    table = sweep(pair, scored, "direction", values=[0.0], mark=position, **QUIET)
    mark = table[table["marked"]].reset_index(drop=True)
    np.testing.assert_allclose(coefficients(mark, pair.names)[0], position.rows[0].numpy())
    (x,), (length,) = set(mark["value"]), set(mark["length"])
    assert 0 < x < 1
    assert set(table["length"]) == {length}  # the curve is drawn at the length of the position
    on_curve = points(sweep(pair, scored, "direction", values=[x], length=length, score=False, **QUIET))
    np.testing.assert_allclose(coefficients(on_curve, pair.names)[0], position.rows[0].numpy(), rtol=1e-9)
    alone = evaluate(position.model(), scored, split="dev")
    pd.testing.assert_frame_equal(mark[SCORES], alone[SCORES])


def test_the_mark_of_three_vectors_has_the_ratio_of_the_weights(vectors, tasks) -> None:
    a, length = torch.tensor([0.5, 2.0, 1.0]).double(), 0.8
    position = at(vectors, (length * SlerpPath().fold(a, vectors.gram()))[None].tolist())
    table = points(sweep(vectors, tasks, "direction", values=[0.5], mark=position, score=False, **QUIET))
    marks = table[table["marked"]].set_index("pair")["value"]
    expected = {"faq+topic": 2 / 2.5, "faq+likeness": 1 / 1.5, "topic+likeness": 1 / 3}
    assert marks.to_dict() == pytest.approx(expected)
    assert set(table["length"].round(9)) == {length}


def test_a_pair_that_has_no_part_in_the_position_has_no_mark(vectors, tasks) -> None:
    position = at(vectors, [[0.7, 0.0, -0.1]])
    table = points(sweep(vectors, tasks, "direction", values=[0.5], mark=position, score=False, **QUIET))
    assert table[table["marked"]].set_index("pair")["value"].to_dict() == {"faq+topic": 0.0, "faq+likeness": 0.0}
    assert set(table["length"]) == {0.7}


# μ and probe size.


def test_each_mu_is_a_search_of_its_own(vectors, scored, probe, position, counts) -> None:
    table = sweep(vectors, scored, "mu", values=[0.0, 0.01, 5.0], probe=probe, mark=position, **SEARCH)
    for mu in (0.0, 5.0):
        alone = self_position(vectors, probe, mu=mu, **SEARCH)
        rows = table[table["value"] == mu]
        np.testing.assert_array_equal(coefficients(rows)[0], alone.rows[0].numpy())
        length = SlerpPath().start(alone.rows[0], vectors.gram())[-1].exp()
        assert rows["length"].iloc[0] == pytest.approx(float(length))
    mark = table[table["marked"]]
    assert set(mark["value"]) == {0.01}
    same = table[(table["value"] == 0.01) & ~table["marked"]]
    pd.testing.assert_frame_equal(mark.drop(columns="marked"), same.drop(columns="marked").set_axis(mark.index))
    assert counts["search"] == 3
    assert counts["evaluate"] == 3  # the position and the search with its μ are one


def test_the_length_is_what_mu_weighs_on_the_searched_path(vectors, tasks, probe) -> None:
    settings = {**SEARCH, "path": "free", "score": False}
    table = points(sweep(vectors, tasks, "mu", values=[0.02], probe=probe, **settings))
    assert table["length"][0] == pytest.approx(np.abs(coefficients(table)).sum())


def test_parts_of_the_probe_are_nested_and_keep_its_ratio(probe) -> None:
    lopsided = Probe(
        probe.tasks, {**probe.examples, "topic": probe.examples["topic"].select(range(10))}, probe.split, probe.seed
    )
    small, large = (part_of(lopsided, size, 1) for size in (25, 40))
    assert len(small) == 25
    assert {name: len(rows) for name, rows in small.examples.items()} == {"faq": 10, "topic": 5, "likeness": 10}
    for name in NAMES:
        assert set(map(str, small.examples[name])) <= set(map(str, large.examples[name]))
        assert set(map(str, large.examples[name])) <= set(map(str, lopsided.examples[name]))
    assert part_of(lopsided, 25, 2).fingerprint() != small.fingerprint()


def test_probe_sizes_and_seeds(vectors, tasks, probe, position, counts) -> None:
    given = {"values": [30, 60], "probe_seeds": (0, 7), "score": False, **SEARCH}
    table = points(sweep(vectors, tasks, "probe_size", probe=probe, mark=position, **given))
    assert table[["value", "probe_seed", "marked"]].to_numpy().tolist() == [
        [30, 0, False],
        [30, 7, False],
        [60, 0, False],
        [60, 7, False],
        [60, 3, True],
    ]
    assert counts["search"] == 3  # the whole probe once
    assert counts["losses"] == 3
    whole = coefficients(table)[2:]
    assert (whole == position.rows[0].numpy()).all()
    assert not np.array_equal(coefficients(table)[0], coefficients(table)[1])
    part = part_of(probe, 30, 7)
    np.testing.assert_array_equal(coefficients(table)[1], self_position(vectors, part, **SEARCH).rows[0].numpy())


def test_probe_sizes_are_cut_to_what_there_is(tasks) -> None:
    sizes = {size: probe_sizes(Probe.sample(tasks, size=size), None) for size in (60, 64, 96)}
    assert sizes == {60: [60], 64: [63], 96: [64, 96]}  # 64 in three equal parts are 63
    few = Probe.sample(tasks, size=90, balance={"faq": 32.0, "topic": 16.0, "likeness": 32.0})
    rows = few.examples["topic"].select(range(8))
    few = Probe(tasks, {**few.examples, "topic": rows}, "train", 0)
    assert probe_sizes(few, None) == [len(few)]  # 64 would leave topic without a batch


# What is measured.


def test_without_scores_there_are_the_same_losses(vectors, scored) -> None:
    whole = sweep(vectors, scored, "length", values=[0.5], **QUIET)
    plain = sweep(vectors, scored, "length", values=[0.5], score=False, **QUIET)
    pd.testing.assert_frame_equal(plain, whole.drop(columns=["role", "metric", "score", "low", "high"]))


def test_columns_and_split(vectors, scored) -> None:
    table = sweep(vectors, list(scored.values()), "length", values=[0.5], split="test", **QUIET)
    ends = ["loss", *(f"coefficient:{name}" for name in NAMES), "length", "marked"]
    assert list(table) == ["over", "pair", "value", *SCORES, *ends]
    assert set(table["over"]) == {"length"}
    assert set(table["pair"]) == {""}
    model = vectors.at(coefficients(table)[0].copy())
    pd.testing.assert_frame_equal(table[SCORES], evaluate(model, scored, split="test")[SCORES])


def test_other_tasks_are_scored_than_losses_are_measured_on(vectors, tasks, scored, tmp_path) -> None:
    (name, seen), *_ = scored.items()
    new = Task(name="new", kind=seen.kind, test=seen.test)
    assert new.role == "unseen"
    given = {"values": [0.5], "split": "test", "journal": tmp_path, **QUIET}
    table = sweep(vectors, tasks, "length", scored=[*scored.values(), new], **given)
    points = table.set_index("task")
    assert points.index.tolist() == [*scored, "mean", "new", "unseen mean"]
    assert points["loss"].notna().tolist() == [*[True] * len(scored), False, False, False]
    assert points.loc["new", "score"] == points.loc["unseen mean", "score"] == points.loc[name, "score"]
    assert points.loc["mean", "score"] == pytest.approx(points.loc[list(scored), "score"].mean())
    # The journal of these scores is none for others.
    alone = sweep(vectors, tasks, "length", scored=[new], **given)
    assert alone["task"].tolist() == ["new", "unseen mean"]


def test_parts_of_a_task_have_rows_of_their_own(vectors, tasks) -> None:
    dev = tasks["likeness"].dev.add_column("subset", ["first", "second"] * 8)
    table = sweep(vectors, [replace(tasks["likeness"], dev=dev)], "length", values=[1], **QUIET)
    assert list(table["metric"]) == ["cosine_spearman", "cosine_spearman:first", "cosine_spearman:second"]
    assert table["loss"].nunique() == 1


def test_nothing_is_changed_by_a_sweep(vectors, scored, base) -> None:
    before = flat(base)
    sweep(vectors, scored, "length", values=[1], **QUIET)
    assert torch.equal(flat(vectors.base), before)


# Going on.


def test_a_stopped_sweep_goes_on_where_it_stopped(vectors, scored, tmp_path, counts, monkeypatch) -> None:
    given = {"values": [0, 0.5, 1], "pairs": [("faq", "topic"), ("faq", "likeness")], **QUIET}
    alone = sweep(vectors, scored, "direction", **given)
    assert counts["evaluate"] == 5
    whole = spkit.searching.sweep.evaluate

    def stopping(*args, **kwargs):
        if counts["evaluate"] == 8:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(spkit.searching.sweep, "evaluate", stopping)
    with pytest.raises(KeyboardInterrupt):
        sweep(vectors, scored, "direction", journal=tmp_path, **given)
    assert counts["evaluate"] == 5 + 3
    monkeypatch.setattr(spkit.searching.sweep, "evaluate", whole)
    resumed = sweep(vectors, scored, "direction", journal=tmp_path, **given)
    assert counts["evaluate"] == 5 + 5
    pd.testing.assert_frame_equal(resumed, alone, check_exact=True)
    # Another sweep over the same positions reads them.
    sweep(vectors, scored, "length", values=[1], around=[1.0, 0.0, 0.0], journal=tmp_path, **QUIET)
    assert counts["evaluate"] == 5 + 5


def test_a_stopped_search_of_a_sweep_goes_on(vectors, tasks, probe, tmp_path, monkeypatch) -> None:
    given = {"values": [0.0, 0.5], "probe": probe, "score": False, **SEARCH}
    alone = sweep(vectors, tasks, "mu", **given)
    plain, calls = Objective.whole, []

    def stopping(self, at):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return plain(self, at)

    monkeypatch.setattr(Objective, "whole", stopping)
    with pytest.raises(KeyboardInterrupt):
        sweep(vectors, tasks, "mu", journal=tmp_path, **given)
    pd.testing.assert_frame_equal(sweep(vectors, tasks, "mu", journal=tmp_path, **given), alone, check_exact=True)
    assert len(calls) == 8 + 1  # four steps of each search, and the one that was stopped

    def no_more(self, at):
        pytest.fail("a finished sweep measures nothing")

    monkeypatch.setattr(Objective, "whole", no_more)
    monkeypatch.setattr(Objective, "task_losses", no_more)
    finished = sweep(vectors, tasks, "mu", journal=tmp_path, **given)
    pd.testing.assert_frame_equal(finished, alone, check_exact=True)


def test_a_journal_of_other_data_is_refused(vectors, tasks, tmp_path) -> None:
    given = {"values": [1], "score": False, **QUIET}
    sweep(vectors, tasks, "length", journal=tmp_path, **given)
    (file,) = tmp_path.iterdir()
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 2
    fewer = {name: tasks[name] for name in ("faq", "topic")}
    with pytest.raises(SpkitError, match="with other tasks"):
        sweep(vectors, fewer, "length", journal=tmp_path, **given)
    with pytest.raises(SpkitError, match="must be a folder"):
        sweep(vectors, tasks, "length", journal=file, **given)


# Errors.


@pytest.mark.parametrize(
    ("over", "given", "message"),
    [
        ("angle", {}, r"`over` must be one of 'direction'[\s\S]*'angle'"),
        ("length", {"split": "train"}, r"`split` must be 'dev' or 'test'[\s\S]*'train'"),
        ("direction", {"pairs": [("faq", "chat")]}, r"two different names of task vectors[\s\S]*'chat'[\s\S]*'topic'"),
        ("direction", {"pairs": [("faq", "faq")]}, "two different names of task vectors"),
        ("direction", {"pairs": ["faq"]}, "two different names of task vectors"),
        ("direction", {"pairs": [("faq", "topic")] * 2}, "each once"),
        ("direction", {"pairs": []}, "each once"),
        ("direction", {"values": [0.0, 1.1]}, r"different numbers, from 0 to 1\. Found \[0\.0, 1\.1\]"),
        ("direction", {"values": [0.5, 0.5]}, "different numbers, from 0 to 1"),
        ("direction", {"values": []}, "different numbers, from 0 to 1"),
        ("direction", {"values": [float("nan")]}, "different numbers, from 0 to 1"),
        ("direction", {"length": 0.0}, r"`length` must be positive and finite\. Found 0\.0"),
        ("direction", {"length": float("inf")}, "`length` must be positive and finite"),
        ("length", {"values": [-0.5]}, "different numbers, 0 or more"),
        ("length", {"values": [float("inf")]}, "different numbers, 0 or more"),
        ("length", {"around": [0.5, 0.5]}, "one entry per task vector"),
        ("length", {"around": [0.0, -0.5, 0.0]}, r"must have a positive coefficient[\s\S]*'topic'"),
        ("length", {"pairs": [("faq", "topic")]}, r"`pairs`, in a sweep over 'length'; it belongs to 'direction'"),
        ("length", {"length": 1.0}, r"`length`, in a sweep over 'length'; it belongs to 'direction'"),
        ("direction", {"around": [1.0, 0.0, 0.0]}, r"`around`, in a sweep over 'direction'; it belongs to 'length'"),
        ("direction", {"steps": 5}, r"'steps', which `self_position` takes, in a sweep over 'direction'"),
        ("mu", {"probe_seeds": [1]}, r"`probe_seeds`, in a sweep over 'mu'; it belongs to 'probe_size'"),
        ("mu", {}, r"takes a `probe`\. Found none"),
        ("probe_size", {}, r"takes a `probe`\. Found none"),
    ],
)
def test_bad_sweeps(no_type_check, vectors, tasks, over, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        sweep(vectors, tasks, over, **{**given, **QUIET})


@pytest.mark.parametrize(
    ("over", "given", "message"),
    [
        ("mu", {"values": [-0.1]}, "different numbers, 0 or more"),
        ("mu", {"mu": 0.1}, r"`mu` must be left to `values`[\s\S]*Found 0\.1"),
        ("probe_size", {"values": [61]}, r"up to the size of the probe\. Found \[61\] for a probe of 60"),
        ("probe_size", {"values": [30.5]}, "whole numbers"),
        ("probe_size", {"values": [0]}, "whole numbers"),
        ("probe_size", {"values": [30, 30]}, "different whole numbers"),
        ("probe_size", {"values": [20]}, r"enough examples for a batch[\s\S]*a part of 20, too few for 'topic'"),
        ("probe_size", {"probe_seeds": [1, 1]}, r"`probe_seeds` must be one or more different numbers"),
        ("probe_size", {"probe_seeds": []}, r"`probe_seeds` must be one or more different numbers"),
    ],
)
def test_bad_sweeps_of_searches(no_type_check, vectors, tasks, probe, over, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        sweep(vectors, tasks, over, probe=probe, **{**given, **QUIET})


def test_a_single_vector_has_no_direction(vectors, tasks) -> None:
    with pytest.raises(SpkitError, match=r"needs two task vectors or more\. Found 'faq' alone"):
        sweep(vectors.select(["faq"]), tasks, "direction", **QUIET)
    table = points(sweep(vectors.select(["faq"]), tasks, "length", values=[0.5], score=False, **QUIET))
    assert coefficients(table, ["faq"]).tolist() == [[0.5]]


@pytest.mark.parametrize("factor", [-2.0, 0.0])
def test_vectors_without_an_arc_between_them_are_named(vectors, tasks, factor) -> None:
    matrix = vectors.matrix.clone()
    matrix[2] = factor * matrix[0]
    opposite = TaskVectors(vectors.base, NAMES, matrix)
    with pytest.raises(SpkitError, match=r"opposite directions\. Found no arc between 'faq', 'likeness'\. Leave"):
        sweep(opposite, tasks, "direction", **QUIET)
    with pytest.raises(SpkitError, match=r"Found no arc between 'likeness', 'faq'"):
        sweep(opposite.select(["likeness", "faq"]), tasks, "length", **QUIET)


def test_positions_of_other_vectors_are_refused(vectors, tasks, position) -> None:
    with pytest.raises(SpkitError, match=r"`mark` must be a position in the span of `vectors`"):
        sweep(vectors.trim(0.1), tasks, "length", mark=position, **QUIET)
    with pytest.raises(
        SpkitError, match=r"`around` must be a position[\s\S]*'likeness'[\s\S]*the given 'faq', 'topic'\."
    ):
        sweep(vectors.select(["faq", "topic"]), tasks, "length", around=position, **QUIET)
    with pytest.raises(SpkitError, match="must have a positive coefficient"):
        sweep(vectors, tasks, "direction", mark=at(vectors, [[-1.0, -1.0, 0.0]]), **QUIET)


def test_tasks_must_have_names_of_their_own(vectors, tasks) -> None:
    for wrong in ([], [tasks["faq"], tasks["faq"]]):
        with pytest.raises(SpkitError, match="each with a name of its own"):
            sweep(vectors, wrong, "length", **QUIET)
