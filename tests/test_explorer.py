"""The explorer without a browser: places, points, interpolation, the measuring thread, and the widget's wiring."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sklearn.gaussian_process import GaussianProcessRegressor

import spkit
from spkit.errors import SpkitError
from spkit.explorer.exploration import MEAN, Exploration
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.page import page_notebook
from spkit.explorer.points import Points, Ranges, spread
from spkit.explorer.quick_scores import CancelledError, QuickScores
from spkit.explorer.state import Place, Space, as_code
from spkit.explorer.surrogate import Surrogate, load_scales, save_scales
from spkit.explorer.worker import NewestWins
from spkit.searching.paths import SlerpPath
from spkit.training.batches import TaskBatches
from spkit.vectors.plane import Plane
from spkit.vectors.task_vectors import TaskVectors
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

NAMES = ("faq", "topic", "likeness")
SEARCHED = {"search result": [0.4, 0.3, 0.2]}


@pytest.fixture(scope="module")
def gram(vectors):
    return vectors.gram()


@pytest.fixture
def exploration(vectors):
    made = Exploration(vectors, tiny_tasks(), points=12, examples=16, progress=False)
    yield made
    made.close()


# Places


@pytest.mark.parametrize("coefficients", [[0.3, 0.3, 0.3], [0.9, 0.2, 0.1], [0.05, 0.8, 0.4]])
def test_a_place_on_the_path_leads_back_to_its_position(gram, coefficients) -> None:
    space = Space(NAMES, gram)
    place = space.place(coefficients, "path")
    assert place.mode == "path"
    assert np.abs(np.subtract(space.coefficients(place), coefficients)).max() < 0.05


def test_only_ratios_of_the_weights_matter_and_the_length_scales(gram) -> None:
    space = Space(NAMES, gram)
    one = space.coefficients(Place("path", (0.2, 0.4, 0.1), 1.0))
    assert space.coefficients(Place("path", (0.4, 0.8, 0.2), 1.0)) == pytest.approx(one)
    assert space.coefficients(Place("path", (0.2, 0.4, 0.1), 0.5)) == pytest.approx([value / 2 for value in one])
    assert space.coefficients(Place("path", (0.2, 0.4, 0.1), 0.0)) == [0.0, 0.0, 0.0]


def test_weights_of_zero_leave_vectors_out(gram) -> None:
    coefficients = Space(NAMES, gram).coefficients(Place("path", (0.0, 1.0, 0.0), 1.0))
    assert coefficients == pytest.approx([0.0, 1.0, 0.0], abs=1e-4)
    assert np.isfinite(Space(NAMES, gram).coefficients(Place("path", (0.0, 0.0, 0.0), 1.0))).all()


def test_what_the_path_does_not_reach_is_free(gram) -> None:
    assert Space(NAMES, gram).place([0.5, -0.2, 0.1], "path") == Place("free", (0.5, -0.2, 0.1))


def test_opposite_vectors_leave_free_coefficients_only() -> None:
    space = Space(("a", "b"), torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64))
    assert space.path is None
    assert "opposite" in space.why_no_path
    assert "SLERP middle" not in space.presets
    assert space.place([0.5, 0.5], "path").mode == "free"


def test_presets_are_what_they_are_called(gram) -> None:
    presets = Space(NAMES, gram, {"search result": [0.1, 0.2, 0.3]}).presets
    assert presets["base"] == [0.0, 0.0, 0.0]
    assert presets["expert: topic"] == [0.0, 1.0, 0.0]
    assert presets["average"] == pytest.approx([1 / 3] * 3)
    middle = SlerpPath().fold(torch.ones(3, dtype=torch.float64), gram)
    assert presets["SLERP middle"] == pytest.approx(middle.tolist())
    assert presets["search result"] == [0.1, 0.2, 0.3]


def test_code_rebuilds_the_position(vectors, tmp_path) -> None:
    vectors.save(tmp_path / "vectors")
    scope: dict[str, object] = {}
    exec(as_code(NAMES, [0.25, 0.5, -0.125], str(tmp_path / "vectors")), scope)
    model = scope["model"]
    assert isinstance(model, SentenceTransformer)
    for mine, other in zip(model.parameters(), vectors.at([0.25, 0.5, -0.125]).parameters(), strict=True):
        assert torch.equal(mine, other)


def test_code_says_where_vectors_are_in_memory_only_and_keeps_odd_names() -> None:
    code = as_code(['the "best"'], [0.5], None)
    assert "keep them first" in code
    assert r'{"the \"best\"": 0.5}' in code
    compile(code, "code", "exec")


def test_sliders_reach_what_was_found(gram) -> None:
    """A search may end far out: it is a place on the path with its length, and the sliders go beyond it."""
    weights = torch.tensor([0.2, 0.9, 0.5], dtype=torch.float64)
    searched = (2.1 * SlerpPath().fold(weights, gram)).tolist()
    space = Space(NAMES, gram, {"search result": searched})
    place = space.place(searched, "path")
    assert place.mode == "path"
    assert place.length == pytest.approx(2.1, abs=0.05)
    assert space.reachable(place)
    assert space.ranges.length == (0.0, 2.6)
    far = Space(NAMES, gram, {"search result": [1.9, 0.2, -0.7]})
    assert far.ranges.free == (-0.9, 2.3)
    assert far.ranges.length == (0.0, 1.5)
    assert far.reachable(far.place([1.9, 0.2, -0.7], "free"))
    assert Space(NAMES, gram).ranges == Ranges()


# The plane


def test_the_plane_keeps_lengths_and_angles(gram) -> None:
    plane = Plane(gram, 0, 2)
    ends = plane.at(np.eye(3))
    np.testing.assert_allclose(ends[[0, 2]] @ ends[[0, 2]].T, gram.numpy()[np.ix_([0, 2], [0, 2])], rtol=1e-9)
    np.testing.assert_allclose(ends[1], 0.0, atol=1e-12)  # seen along the other vector


# Points and interpolation


def test_points_fill_the_range_of_the_sliders(gram) -> None:
    ranges = Ranges((0.0, 2.5), (-0.5, 1.8))
    points = spread(64, gram, SlerpPath(), ranges)
    path, free = points[:32], points[32:]
    # Of every coefficient, not only of one: half of a range without points is where interpolation knows nothing.
    assert (ranges.free[0] < free.min(0)).all()
    assert (free.min(0) < ranges.free[0] + 0.1).all()
    assert (ranges.free[1] > free.max(0)).all()
    assert (free.max(0) > ranges.free[1] - 0.1).all()
    lengths = np.sqrt(np.einsum("ni,ij,nj->n", path, gram.numpy(), path)) / float(gram.diagonal().mean()) ** 0.5
    assert (path >= 0).all()
    assert lengths.min() < ranges.length[0] + 0.15
    assert lengths.max() > ranges.length[1] - 0.5
    np.testing.assert_array_equal(points, spread(64, gram, SlerpPath(), ranges))


def measured(value: float) -> pd.DataFrame:
    return pd.DataFrame({"score": [value, value + 1], "loss": [0.1, 0.2]}, index=["faq", "topic"])


def test_points_are_measured_once_and_survive_a_broken_line(tmp_path) -> None:
    path, calls = tmp_path / "points.jsonl", []

    def measure(position: list[float]) -> pd.DataFrame:
        calls.append(position)
        return measured(position[0])

    positions = np.array([[0.1, 0.2], [0.3, 0.4]])
    Points(path, {"base": "x"}).fill(positions, measure)
    with path.open("a") as file:
        file.write('{"coefficients": [0.5')
    again = Points(path, {"base": "x"})
    again.fill(np.array([*positions, [0.5, 0.6]]), measure)
    assert calls == [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    assert again.values()[1, 1, 0] == pytest.approx(1.3)
    assert len(Points(path, {"base": "x"})) == 3
    with pytest.raises(SpkitError, match="other base"):
        Points(path, {"base": "y"})


def smooth(positions: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(2 * positions[:, 0]) + positions[:, 1] ** 2, 50 - positions.sum(1)], axis=1)


def test_interpolation_meets_a_smooth_function_and_knows_its_error() -> None:
    random = np.random.default_rng(0)
    positions, others = random.uniform(-0.5, 1.5, (60, 2)), random.uniform(-0.3, 1.3, (40, 2))
    surrogate = Surrogate(positions, smooth(positions))
    true_error = np.sqrt(((surrogate.at(others) - smooth(others)) ** 2).mean(0))
    assert (true_error < 0.05 * smooth(others).std(0)).all()
    noisy = smooth(positions) + random.normal(0, 0.3, (60, 2))
    np.testing.assert_allclose(Surrogate(positions, noisy).errors(), 0.3, rtol=0.4)


def test_interpolation_stays_useful_at_four_tasks_and_a_length() -> None:
    """The usual number of points: wrong by a small part of how much the losses differ over what the sliders reach."""
    gram = torch.eye(4, dtype=torch.float64) + 0.1
    ranges = Ranges((0.0, 2.5), (-0.5, 1.8))

    def losses(positions: np.ndarray) -> np.ndarray:
        """One a task: steep where its own vector is missing, flat where there is enough, worse far from the base."""
        away = np.einsum("ni,ij,nj->n", positions, gram.numpy(), positions)
        others = positions.sum(1, keepdims=True) - positions
        return np.log1p(np.exp(1.5 - 3 * positions + others)) + 0.05 * away[:, None] ** 2

    positions, others = (spread(24 * 5, gram, SlerpPath(), ranges, seed) for seed in (0, 1))
    surrogate = Surrogate(positions, losses(positions))
    true_error = np.sqrt(((surrogate.at(others) - losses(others)) ** 2).mean(0))
    assert (true_error < 0.06 * losses(others).std(0)).all()
    assert (true_error < 1.2 * surrogate.errors()).all()  # what is shown beside an interpolated number


def test_the_error_is_that_of_leaving_each_point_out() -> None:
    random = np.random.default_rng(1)
    positions = random.uniform(0, 1, (20, 2))
    values = smooth(positions) + random.normal(0, 0.2, (20, 2))
    surrogate = Surrogate(positions, values)
    kernel, kept_as_it_is = surrogate._processes[0].kernel_, cast(Any, None)
    # The scale of the values is part of what was fitted once, so it stays that of all points.
    mean, spread_ = values[:, 0].mean(), values[:, 0].std()
    residuals = []
    for number in range(20):
        kept = np.arange(20) != number
        process = GaussianProcessRegressor(kernel, optimizer=kept_as_it_is).fit(
            positions[kept], (values[kept, 0] - mean) / spread_
        )
        residuals.append(process.predict(positions[[number]])[0] * spread_ + mean - values[number, 0])
    assert surrogate.errors()[0] == pytest.approx(np.sqrt(np.mean(np.square(residuals))), rel=1e-6)


def test_scales_are_kept(tmp_path) -> None:
    positions = np.random.default_rng(2).uniform(0, 1, (16, 2))
    surrogate, path = Surrogate(positions, smooth(positions)), tmp_path / "surrogate.json"
    save_scales(path, surrogate, 16)
    kept = load_scales(path, 16)
    np.testing.assert_allclose(Surrogate(positions, smooth(positions), kept).at(positions), surrogate.at(positions))
    assert load_scales(path, 17) is None
    assert json.loads(path.read_text())["errors"] == pytest.approx(surrogate.errors().tolist())


# Quick scores


def test_quick_scores_are_those_of_the_model_at_the_position(vectors) -> None:
    quick = QuickScores(vectors, tiny_tasks(), examples=16)
    at = quick.at([0.5, 0.2, 0.1])
    assert list(at.index) == list(NAMES)
    pd.testing.assert_frame_equal(at, quick.of(vectors.at([0.5, 0.2, 0.1])))
    pd.testing.assert_frame_equal(at, quick.at({"faq": 0.5, "topic": 0.2, "likeness": 0.1}))
    assert not at.equals(quick.at([0.0, 0.0, 0.0]))
    assert at["score"].between(-100, 100).all()


def test_texts_sorted_by_length_have_the_losses_of_a_plain_batch(vectors) -> None:
    tasks = tiny_tasks()
    quick, plain = QuickScores(vectors, tasks, examples=16), vectors.at([0.5, 0.2, 0.1])
    plain.max_seq_length = 32
    for name, task in tasks.items():
        batches = TaskBatches(task, task.dev, plain, 16, 0)
        expected = float(batches.loss_of(next(batches.epoch(0))).detach())
        assert quick.at([0.5, 0.2, 0.1])["loss"][name] == pytest.approx(expected, rel=1e-5)


def test_a_trained_expert_scores_better_on_its_task() -> None:
    tasks = tiny_tasks()
    base = tiny_encoder(0, WORDS)
    expert = spkit.train(base, tasks["faq"], steps=60, learning_rate=1e-2, progress=False)
    vectors = TaskVectors.from_models(base, {"faq": expert})
    quick = QuickScores(vectors, tasks, examples=24)
    assert quick.at([1.0])["score"]["faq"] > quick.at([0.0])["score"]["faq"] + 5
    assert quick.at([1.0])["loss"]["faq"] < quick.at([0.0])["loss"]["faq"]


def test_a_measurement_can_be_cancelled(vectors) -> None:
    quick, answers = QuickScores(vectors, tiny_tasks(), examples=16), iter([False, True])
    with pytest.raises(CancelledError):
        quick.at([0.1, 0.1, 0.1], lambda: next(answers))


def test_too_few_examples_are_refused_by_name(vectors) -> None:
    with pytest.raises(SpkitError, match="topic"):
        QuickScores(vectors, {"topic": tiny_tasks()["topic"]}, examples=2)


# The thread


def test_the_newest_request_wins() -> None:
    answered, gate = [], threading.Event()

    def compute(asked: int, overtaken) -> list[int]:
        gate.wait(5.0)
        return [-asked]

    worker = NewestWins(compute, lambda asked, answer, newest: answered.append((asked, answer, newest)), rest=0.01)
    worker.submit(1)
    time.sleep(0.2)  # the first is being computed
    for asked in (2, 3, 4):
        worker.submit(asked)
    gate.set()
    assert worker.wait(5.0)
    assert answered == [(1, -1, False), (4, -4, True)]
    worker.close()


def test_requests_that_follow_each_other_quickly_wait_for_a_rest() -> None:
    computed = []
    worker = NewestWins(lambda asked, _: [computed.append(asked)], lambda *_: None, rest=0.3)
    for asked in range(10):
        worker.submit(asked)
        time.sleep(0.02)
    assert worker.wait(5.0)
    assert computed == [9]
    worker.close()
    assert not worker._thread.is_alive()


def test_an_overtaken_request_that_stops_is_not_delivered_and_errors_are() -> None:
    delivered, begun = [], threading.Event()

    def compute(asked: int, overtaken) -> list[int]:
        if asked == 2:
            raise ValueError("two")
        begun.set()
        while not overtaken():
            time.sleep(0.01)
        raise CancelledError

    worker = NewestWins(
        compute, lambda asked, answer, newest: delivered.append((asked, str(answer), newest)), rest=0.01
    )
    worker.submit(1)
    assert begun.wait(5.0)
    worker.submit(2)
    assert worker.wait(5.0)
    worker.close()
    assert delivered == [(2, "two", True)]


# Exploration


def test_known_positions_are_measured_and_others_interpolated(exploration) -> None:
    base = exploration.read([0.0, 0.0, 0.0])
    assert base.measured
    assert base.errors is None
    pd.testing.assert_frame_equal(base.values.drop(MEAN), exploration.quick.at([0.0, 0.0, 0.0]).drop(columns=LEFT_OUT))
    assert base.values["score"][MEAN] == pytest.approx(base.values["score"].drop(MEAN).mean())
    other = exploration.read([0.33, 0.12, 0.7])
    assert not other.measured
    assert (other.errors >= 0).all(axis=None)


def test_a_measured_point_joins_the_others(exploration) -> None:
    heard, before = [], exploration.num_points
    exploration.listen(lambda reading, newest: heard.append((reading, newest)), lambda error: heard.append(error))
    guess = exploration.interpolate([0.9, 0.9, 0.9]).values
    exploration.ask([0.9, 0.9, 0.9])
    assert exploration.wait(30.0)
    (reading, newest), *_ = heard
    assert newest
    assert reading.measured
    assert exploration.num_points == before + 1
    assert exploration.read([0.9, 0.9, 0.9]).measured
    after = exploration.interpolate([0.9, 0.9, 0.9]).values
    assert (after - reading.values).abs()["loss"].max() <= (guess - reading.values).abs()["loss"].max() + 1e-9
    exploration.ask([0.9, 0.9, 0.9])  # known: nothing is measured again
    assert exploration.wait(30.0)
    assert len(heard) == 1


def test_points_are_kept_between_sessions(vectors, tmp_path, monkeypatch) -> None:
    settings = {"points": 8, "examples": 16, "folder": tmp_path, "progress": False}
    first = Exploration(vectors, tiny_tasks(), **settings)
    first.close()

    def refuse(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(QuickScores, "at", refuse)
    second = Exploration(vectors, tiny_tasks(), **settings)
    second.close()
    assert second.num_points == first.num_points
    pd.testing.assert_frame_equal(second.errors(), first.errors())


def test_points_of_other_examples_are_in_nobodys_way(vectors, tmp_path) -> None:
    numbers = []
    for examples in (16, 12, 16):
        made = Exploration(vectors, tiny_tasks(), points=8, examples=examples, folder=tmp_path, progress=False)
        made.close()
        numbers.append(made.num_points)
    assert len(set(numbers)) == 1
    assert len(list(tmp_path.glob("*/points.jsonl"))) == 2


def test_a_broken_position_is_reported_and_not_kept(exploration, monkeypatch) -> None:
    heard = []
    exploration.listen(lambda *given: heard.append(given), lambda error: heard.append(error))
    bad = exploration.quick.at([0.0, 0.0, 0.0]) * np.nan
    monkeypatch.setattr(exploration.quick, "at", lambda *_: bad)
    before = exploration.num_points
    exploration.ask([1.3, 1.3, 1.3])
    assert exploration.wait(30.0)
    assert exploration.num_points == before
    assert isinstance(heard[0], SpkitError)


# The widget


@pytest.fixture(scope="module")
def measured_points(vectors, tmp_path_factory) -> Path:
    """A folder of measured points: each explorer takes a copy, so that they are measured once."""
    folder = tmp_path_factory.mktemp("points")
    Exploration(vectors, tiny_tasks(), marked=SEARCHED, points=12, examples=16, folder=folder, progress=False).close()
    return folder


@pytest.fixture
def explorer(vectors, tmp_path, measured_points):
    folder = tmp_path / "explored"
    shutil.copytree(measured_points, folder)
    settings = {"points": 12, "examples": 16, "folder": folder, "progress": False}
    made = spkit.explore(vectors, tiny_tasks(), positions=SEARCHED, verdict="Train <b>jointly</b>.", **settings)
    yield made
    made.close()


def table_of(explorer) -> dict[str, dict[str, str]]:
    """The table that is shown, by task and column."""
    shown: Any = ElementTree.fromstring(f"<div>{explorer.scores.table.value}</div>").find("table")
    head = ["".join(cell.itertext()) for cell in shown.findall("thead/tr/th")][1:]
    rows = [row for body in shown.findall("tbody") for row in body if len(row) > 1]
    return {
        "".join(row[0].itertext()): dict(zip(head, ["".join(cell.itertext()) for cell in row[1:]], strict=True))
        for row in rows
    }


def shown_scores(explorer) -> list[float]:
    return [float(row["score"]) for row in table_of(explorer).values()]


def settle(explorer) -> None:
    assert explorer.exploration.wait(30.0)


def test_the_former_name_of_positions_is_accepted(vectors) -> None:
    with (
        pytest.warns(FutureWarning, match="`found` is called `positions` now"),
        pytest.raises(SpkitError, match="at least one task"),
    ):
        spkit.explore(vectors, [], found={"mine": [0.4, 0.3, 0.2]})


def test_it_opens_at_the_marked_position(explorer) -> None:
    settle(explorer)
    assert explorer.reading.coefficients == (0.4, 0.3, 0.2)
    assert explorer.reading.measured
    assert "measured" in explorer.scores.status.value
    assert "Train &lt;b&gt;jointly" in explorer._verdict.value


def test_a_slider_shows_interpolated_then_measured(explorer, monkeypatch) -> None:
    settle(explorer)
    gate, real = threading.Event(), explorer.exploration.quick.at

    def slow(*given):
        gate.wait(30.0)
        return real(*given)

    monkeypatch.setattr(explorer.exploration.quick, "at", slow)
    explorer.where.controls[0].slider.value = 0.37
    assert not explorer.reading.measured
    assert "interpolated" in explorer.scores.status.value
    assert shown_scores(explorer) == pytest.approx(explorer.reading.values["score"].tolist(), abs=0.051)
    gate.set()
    settle(explorer)
    assert explorer.reading.measured
    assert "<b>measured" in explorer.scores.status.value
    assert shown_scores(explorer) == pytest.approx(explorer.reading.values["score"].tolist(), abs=0.051)


def test_steps_of_a_slider_are_plain_numbers(explorer) -> None:
    settle(explorer)
    explorer.where.mode.value = "free"
    explorer.where.controls[1].slider.value = -0.5 + 72 * 0.01  # 0.21999999999999997
    assert explorer.place.values[1] == explorer.reading.coefficients[1] == explorer.where.controls[1].box.value == 0.22
    explorer.where.places.value = "search result"
    settle(explorer)
    assert explorer.reading.coefficients == (0.4, 0.3, 0.2)


def test_what_a_page_sends_back_is_no_move(explorer) -> None:
    """A slider that is told 0.3044 stands at 0.3, and may say so."""
    explorer.session.move([0.3044, 0.25, 0.15])
    settle(explorer)
    explorer.where.mode.value = "free"
    control = explorer.where.controls[0]
    control.slider.value = 0.30000000000000004
    control.box.value = 0.3
    assert explorer.reading.coefficients == (0.3044, 0.25, 0.15)
    control.slider.value = 0.31
    assert explorer.reading.coefficients == (0.31, 0.25, 0.15)
    settle(explorer)


def test_a_typed_number_moves_the_slider_and_the_position(explorer) -> None:
    settle(explorer)
    control = explorer.where.controls[0]
    moves = []
    explorer.scores.status.observe(lambda change: moves.append(change["new"]), names="value")
    control.box.value = 0.637
    settle(explorer)
    assert explorer.place.values[0] == control.slider.value == 0.637
    assert sum("interpolated" in text for text in moves) == 1  # the slider that follows is no move of its own
    control.box.value = 7.0  # beyond the range
    assert control.box.value == control.slider.value == explorer.place.values[0] == 1.0


def test_a_stale_measurement_is_never_shown(explorer, monkeypatch) -> None:
    settle(explorer)
    begun, gate, real = threading.Event(), threading.Event(), explorer.exploration.quick.at

    def slow(coefficients, cancelled):
        begun.set()
        gate.wait(30.0)
        return real(coefficients)

    monkeypatch.setattr(explorer.exploration.quick, "at", slow)
    explorer.where.controls[0].slider.value = 0.9
    first = explorer.reading.coefficients
    assert begun.wait(30.0)
    explorer.where.controls[0].slider.value = 0.2
    shown = []
    explorer.scores.status.observe(lambda change: shown.append((explorer.reading, change["new"])), names="value")
    gate.set()
    settle(explorer)
    assert all(reading.coefficients != first for reading, _ in shown)
    assert explorer.exploration.read(first).measured  # yet it feeds the interpolation
    assert explorer.reading.measured
    assert explorer.reading.coefficients != first


def test_presets_modes_and_reset(explorer) -> None:
    settle(explorer)
    explorer.where.places.value = "expert: topic"
    assert explorer.reading.coefficients == (0.0, 1.0, 0.0)
    assert explorer.reading.measured
    explorer.where.mode.value = "free"
    assert explorer.place == Place("free", (0.0, 1.0, 0.0))
    assert explorer.where.lengths["path"].layout.display == "none"
    explorer.where.controls[2].slider.value = -0.25
    assert explorer.reading.coefficients == (0.0, 1.0, -0.25)
    explorer.where.mode.value = "path"  # which has no negative weights
    assert explorer.where.mode.value == "free"
    assert "do not reach" in explorer._notice.value
    explorer.where.reset.click()
    assert explorer.reading.coefficients == (0.4, 0.3, 0.2)
    settle(explorer)


def test_a_button_holds_the_lock_as_sliders_do(explorer) -> None:
    """The measuring thread may show something new at the same moment."""
    held = []
    explorer.session.listen(lambda: held.append(explorer.exploration.lock._is_owned()))
    explorer.go("base")
    for press in (
        explorer.where.undo,
        explorer.where.redo,
        explorer.where.reset,
        explorer.scores.pin,
        explorer.keep.climb,
    ):
        press.click()
    assert len(held) >= 6
    assert all(held)


def test_a_failed_measurement_leaves_no_promise_and_no_message_stays(explorer, monkeypatch) -> None:
    settle(explorer)

    def fail(*_):
        raise SpkitError("The disk is full.")

    monkeypatch.setattr(explorer.exploration.quick, "at", fail)
    explorer.where.controls[0].slider.value = 0.77
    settle(explorer)
    assert "The disk is full" in explorer._notice.value
    assert "interpolated" in explorer.scores.status.value
    assert "measuring" not in explorer.scores.status.value
    monkeypatch.undo()
    explorer.go("average")
    assert explorer._notice.value == ""
    settle(explorer)


def test_the_code_is_shown_follows_the_position_and_can_be_copied(explorer) -> None:
    settle(explorer)
    explorer.keep.copy.click()
    assert explorer.keep.code.layout.display != "none"
    assert not explorer.keep.code.disabled  # a disabled text cannot be reached from the keyboard
    assert explorer.keep.code.value == explorer.code()
    explorer.go("expert: topic")
    assert '"topic": 1.0' in explorer.keep.code.value
    explorer.keep.copy.click()
    assert explorer.keep.code.layout.display == "none"


def test_saved_model_is_the_position(explorer, tmp_path) -> None:
    settle(explorer)
    explorer.keep.folder.value = str(tmp_path / "model")
    explorer.keep.save.click()
    assert "Saved" in explorer._notice.value
    model = SentenceTransformer(str(tmp_path / "model"))
    expected = explorer.exploration.vectors.at(list(explorer.reading.coefficients))
    for mine, other in zip(model.parameters(), expected.parameters(), strict=True):
        assert torch.equal(mine, other)
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert recipe["coefficients"]["model"] == {"faq": 0.4, "topic": 0.3, "likeness": 0.2}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("kept")
    explorer.keep.folder.value = str(tmp_path / "mine")
    explorer.keep.save.click()
    assert "Not saved" in explorer._notice.value
    assert (tmp_path / "mine" / "letter.txt").read_text() == "kept"


def test_every_control_has_a_name_and_the_numbers_stand_in_a_table(explorer) -> None:
    settle(explorer)
    for widget in (
        widget
        for control in (*explorer.where.controls, *explorer.where.lengths.values())
        for widget in (control.slider, control.box)
    ):
        assert widget.tooltip
    assert 'role="status"' in explorer.scores.status.value
    row = table_of(explorer)["faq"]
    assert float(row["score"]) == pytest.approx(explorer.reading.values["score"]["faq"], abs=0.051)
    name = explorer.session.reference_name
    reference = explorer.session.reading_of(name).values["score"]
    assert float(table_of(explorer)["mean"][name]) == pytest.approx(reference[MEAN], abs=0.051)
    assert row["difference"].startswith(f"{row_difference(explorer):+.1f}".replace("-", "−"))


def row_difference(explorer) -> float:
    return explorer.session.differences()["difference"]["faq"]


def test_a_picture_stands_beside_the_widget_and_is_hidden_while_it_is_there(explorer, monkeypatch) -> None:
    import base64

    settle(explorer)
    outputs: list[tuple[Any, ...]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata=None, *, raw: outputs.append((data, metadata)))
    explorer._ipython_display_()
    (live, _), (data, about) = outputs
    assert "application/vnd.jupyter.widget-view+json" in live
    # JupyterLab shows the widget of an output that has one, and nothing else of it.
    assert not {"image/png", "text/html"} & set(live)
    assert "application/vnd.jupyter.widget-view+json" not in data
    (hidden,) = re.findall(r'^<div class="([^"]+)"><img [^<>]+></div>$', data["text/html"])
    assert explorer.children[-1].value == f"<style>.{hidden} {{ display: none; }}</style>"
    assert explorer.children[-1].layout.display == "none"
    words = about["image/png"]["alt"]
    assert f"mean {explorer.reading.values['score'][MEAN]:.1f}" in words
    assert "Train <b>jointly</b>." in words
    assert data["text/plain"] == words
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert f"base64,{data['image/png']}" in data["text/html"]
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    explorer._ipython_display_()
    assert len(outputs) == 3  # on a page that voila serves there is the widget alone


def test_one_vector_is_enough(vectors) -> None:
    explorer = spkit.explore(vectors.select(["faq"]), tiny_tasks(), points=8, examples=16, progress=False)
    explorer.where.controls[0].slider.value = 0.5
    assert explorer.exploration.wait(30.0)
    explorer.close()


def test_a_study_without_vectors_cannot_be_explored(tmp_path: Path) -> None:
    with pytest.raises(SpkitError, match="make demo"):
        spkit.explore_study(tmp_path)


def test_the_pages_cell_opens_the_explorer(vectors, tmp_path) -> None:
    """What voila runs, as it stands: in a working directory of its own, with paths as `spkit explore` passes them."""
    vectors.save(tmp_path / "vectors")
    lines = []
    for name, task in tiny_tasks().items():
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            rows.to_json(tmp_path / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    (tmp_path / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = {
        "vectors": str(tmp_path / "vectors"), "tasks": str(tmp_path / "tasks.toml"), "folder": str(tmp_path / "kept"),
        "points": 8, "examples": 8, "progress": False,
    }  # fmt: skip
    (cell,) = page_notebook("explore", arguments)["cells"]
    *before, call = cell["source"].splitlines()
    scope: dict[str, Any] = {}
    exec("\n".join([*before, f"shown = {call}"]), scope)
    assert scope["shown"].exploration.vectors.names == vectors.names
    assert str(tmp_path / "vectors") in scope["shown"].code()
    scope["shown"].close()


def run_until_stopped(code: str) -> subprocess.Popen[str]:
    """A process that serves the code and prints the status it ended with."""
    lines = (
        "import sys; from spkit.explorer.page import _run_until_stopped\n"
        "try:\n"
        f"    print(_run_until_stopped([sys.executable, '-c', {code!r}]), flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', flush=True)"
    )
    return subprocess.Popen([sys.executable, "-c", lines], stdout=subprocess.PIPE, text=True)


def test_a_page_that_is_stopped_stops_its_server() -> None:
    process = run_until_stopped("import time; print('up', flush=True); time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    began = time.monotonic()
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert said == "stopped\n"
    assert time.monotonic() - began < 8  # not the ten seconds after which a server is killed


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_a_server_that_ends_by_itself_shows_its_status(code, status) -> None:
    said, _ = run_until_stopped(code).communicate(timeout=30)
    assert said == f"{status}\n"


def test_the_folder_to_save_to_may_be_proposed(vectors) -> None:
    opened = spkit.explore(vectors, tiny_tasks(), points=8, examples=8, target="somewhere/else", progress=False)
    assert opened.keep.folder.value == "somewhere/else"
    opened.close()
