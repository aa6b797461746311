"""The explorer's session and map without a browser: positions, references, differences, cuts and what is drawn."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import t

import spkit
from spkit.errors import SpkitError
from spkit.evaluation import evaluate
from spkit.evaluation.means import MEAN
from spkit.explorer import given_models
from spkit.explorer.bookmarks import Bookmark, Bookmarks
from spkit.explorer.cut import Cut
from spkit.explorer.differences import differences
from spkit.explorer.given_models import nearest_to_rows, nearest_to_step
from spkit.explorer.left_out import LEFT_OUT, PARTS, half_widths, mean_half_width, parts_of, scores_without
from spkit.explorer.position_text import as_text, from_text
from spkit.explorer.state import Place, Space
from spkit.explorer.still import _name_places
from spkit.explorer.terrain import marks, terrain
from spkit.saving.recipe import save_model
from tests.experts import flat, noisy
from tests.tiny import tiny_tasks

NAMES = ("faq", "topic", "likeness")
EXACT = [[0.1, 0.2, 0.3], [0.5, 0.0, 0.2]]


@pytest.fixture(scope="module")
def models(base) -> dict[str, Any]:
    return {"joint": noisy(base, 7), "merges": {"TIES": noisy(base, 8)}}


@pytest.fixture(scope="module")
def by_module(vectors) -> dict[str, Any]:
    return {"by module": {module: EXACT[number % 2] for number, module in enumerate(vectors.modules)}}


@pytest.fixture(scope="module")
def settings(models, by_module) -> dict[str, Any]:
    searched = {"search result": [0.4, 0.3, 0.2]}
    return {"points": 10, "examples": 16, "progress": False, "positions": searched, "by_module": by_module, **models}


@pytest.fixture(scope="module")
def measured_points(vectors, settings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("points")
    spkit.explore(vectors, tiny_tasks(), folder=folder, **settings).close()
    return folder


@pytest.fixture
def explorer(vectors, settings, measured_points, tmp_path):
    shutil.copytree(measured_points, tmp_path / "points")
    made = spkit.explore(vectors, tiny_tasks(), folder=tmp_path / "points", **settings)
    yield made
    made.close()


def settle(explorer, seconds: float = 60.0) -> None:
    assert explorer.exploration.wait(seconds)


# Intervals of differences


def test_the_interval_of_a_mean_over_examples_is_the_textbook_one() -> None:
    """Of a score that is a mean, the jackknife over single examples is the standard error of the mean."""
    random = np.random.default_rng(0)
    one, other = random.normal(60, 10, (2, PARTS))
    parts = parts_of(PARTS, None)
    frames = []
    for values in (one, other):
        without = scores_without(parts, [values[:, None]], None, lambda columns, _: float(columns[0].mean()))
        frames.append(pd.DataFrame([without], index=["task"], columns=LEFT_OUT))
    error = (one - other).std(ddof=1) / PARTS**0.5
    assert half_widths(*frames)[0] == pytest.approx(t.ppf(0.975, PARTS - 1) * error)


def test_the_same_examples_twice_differ_by_nothing_and_means_of_tasks_are_surer() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(3, PARTS)), index=list("abc"), columns=LEFT_OUT)
    assert (half_widths(frame, frame) == 0).all()
    assert mean_half_width(np.array([3.0, 4.0])) == pytest.approx(2.5)
    unknown = frame.assign(**dict.fromkeys(LEFT_OUT, np.nan))
    assert np.isnan(half_widths(frame, unknown)).all()


def test_texts_of_a_label_are_left_out_together_and_no_score_is_made_of_one_label() -> None:
    labels = np.array(list("abcdefgh") * 4)
    for part in parts_of(32, labels):
        assert len(set(labels[part])) == 1
    lone = scores_without(parts_of(8, None), [np.eye(8)], np.array([0] * 7 + [1]), lambda *_: 1.0)
    assert np.isnan(lone[7])
    assert lone[:7] == [1.0] * 7
    assert np.isnan(scores_without(parts_of(3, None), [np.eye(3)], None, lambda *_: 1.0)).all()


def test_differences_are_those_of_the_scores_and_none_to_oneself(explorer) -> None:
    exploration = explorer.exploration
    one, joint = exploration.read(exploration.presets["average"]), exploration.models["joint"]
    table = differences(one, joint)
    np.testing.assert_allclose(table["difference"], one.values["score"] - joint.values["score"])
    assert (table["half"] > 0).any()
    assert (differences(one, one)[["difference", "half"]] == 0).all(axis=None)
    between = differences(exploration.interpolate([0.2, 0.3, 0.9]), joint)
    np.testing.assert_allclose(between["half"], 1.96 * exploration.errors()["score"])


# Positions as text, bookmarks


@pytest.mark.parametrize("names", [NAMES, ("a b", 'c"d', "e=f"), ("été", "x.y-z", "<b>")])
def test_a_position_survives_its_text(names) -> None:
    values = [0.5, -0.1234, 1.0]
    assert from_text(names, as_text(names, values)) == values


@pytest.mark.parametrize("text", ["", "nothing", "other=0.5", "faq=0.5 other=1", "faq=1.2.3"])
def test_what_is_no_position_is_refused(text) -> None:
    with pytest.raises(SpkitError, match=r"names task vectors with their coefficients.*Write, for example, faq=0.5"):
        from_text(NAMES, text)


def test_bookmarks_are_kept_and_a_damaged_file_is_refused(tmp_path) -> None:
    path = tmp_path / "bookmarks.json"
    Bookmarks(path).keep(Bookmark("mine", (0.1, 0.2), "good"))
    Bookmarks(path).be_at((0.3, 0.4))
    again = Bookmarks(path)
    assert again["mine"] == Bookmark("mine", (0.1, 0.2), "good")
    assert again.last == (0.3, 0.4)
    again.remove("mine")
    assert Bookmarks(path).names == []
    path.write_text(json.dumps({"bookmarks": 3}))
    with pytest.raises(SpkitError, match="Bookmarks must be as the explorer writes them"):
        Bookmarks(path)


# Shares


def test_shares_sum_to_one_and_lead_back(vectors) -> None:
    space = Space(NAMES, vectors.gram())
    place = space.place([0.3, 0.6, 0.3], "shares")
    assert place == Place("shares", (0.25, 0.5, 0.25), 1.2)
    assert space.coefficients(place) == pytest.approx([0.3, 0.6, 0.3])
    for value in (0.0, 0.4, 1.0):
        moved = place.with_value(1, value)
        assert sum(moved.values) == pytest.approx(1.0, abs=1e-5)
        assert moved.values[0] == moved.values[2]
    assert Place("shares", (1.0, 0.0, 0.0)).with_value(0, 0.4).values == pytest.approx((0.4, 0.3, 0.3))
    assert space.coefficients(space.place([0.0, 0.0, 0.0], "shares")) == [0.0] * 3
    assert space.place([0.5, -0.2, 0.1], "shares").mode == "free"


# Cuts


def test_cuts_keep_distances_and_what_lies_beside_them() -> None:
    random = np.random.default_rng(3)
    root = random.normal(size=(4, 6))
    gram = torch.tensor(root @ root.T)
    origin, first, second = random.normal(size=(3, 4))
    here, points = random.normal(size=4), random.normal(size=(5, 2))
    for symmetric in (False, True):
        cut = Cut(gram, origin, first, second, symmetric=symmetric)
        positions = cut.positions(points, here.tolist())
        np.testing.assert_allclose(cut.at(positions), points, atol=1e-9)
        np.testing.assert_allclose(cut.rest(positions), np.tile(cut.rest(here[None]), (5, 1)), atol=1e-9)
        weights = positions @ root  # the models' weights
        apart = np.linalg.norm(weights[:, None] - weights[None], axis=-1)
        np.testing.assert_allclose(apart, np.linalg.norm(points[:, None] - points[None], axis=-1), atol=1e-9)
        # The nearest point of the plane: what is beside stands upright on both directions.
        np.testing.assert_allclose(cut.rest(here[None]) @ gram.numpy() @ np.stack([first, second]).T, 0, atol=1e-9)
        assert cut.beside(here[None])[0] == pytest.approx(np.linalg.norm(cut.rest(here[None]) @ root))
    ends = cut.at(np.stack([origin + first, origin + second]))
    angles = np.arctan2(ends[:, 1], ends[:, 0])
    assert angles.mean() == pytest.approx(np.pi / 4)
    assert not Cut(gram, origin, first, 2 * first).flat


def test_the_first_map_is_of_base_joint_and_search_and_reaches_as_far_as_the_sliders(explorer) -> None:
    first, *others = explorer.map.offers
    assert first.name == "base, joint, search result"
    assert sum(offer.name.startswith("triangle") for offer in others) == 1
    joint = np.array([explorer.exploration.models["joint"].coefficients])
    assert first.cut.beside(np.concatenate([joint, [[0.4, 0.3, 0.2]], [[0.0] * 3]])).max() < 1e-9
    pair = next(offer for offer in others if offer.vectors == (0, 1))
    left, right, low, high = pair.box(np.zeros((1, 3)))
    least, most = explorer.exploration.space.ranges.free
    for corner in ([least, least, 0], [most, least, 0], [least, most, 0], [most, most, 0]):
        x, y = pair.cut.at(np.array([corner]))[0]
        assert left < x < right
        assert low < y < high


def test_without_a_joint_model_the_first_map_is_of_the_largest_coefficients(vectors) -> None:
    made = spkit.explore(
        vectors, tiny_tasks(), positions={"mine": [0.1, -0.9, 0.3]}, points=8, examples=8, progress=False
    )
    made.close()
    assert made.map.offer.vectors == (1, 2)
    assert (
        made.map.map.content["title"] == "Cut through you, beside the plane of topic, likeness: at work, too: faq 0.10"
    )


def test_the_map_shows_the_interpolation_and_every_model(explorer) -> None:
    panel, exploration = explorer.map, explorer.exploration
    panel.planes.value = next(number for number, offer in enumerate(panel.offers) if offer.vectors == (0, 2))
    here = explorer.reading.coefficients
    shown = terrain(exploration, panel.offer, here, "loss", "topic")
    (middle,) = panel.offer.cut.positions(np.array([[shown.x[4], shown.y[7]]]), here)
    assert middle[1] == pytest.approx(here[1])  # the third vector stays as it is
    assert shown.values[7, 4] == pytest.approx(exploration.interpolate(middle.tolist()).values["loss"]["topic"])
    pixels, (across, down) = shown.image()
    assert len(pixels) == 4 * across * down
    named = {mark["name"]: mark for mark in marks(exploration, panel.offer, here)}
    assert set(named) == {*exploration.presets, *exploration.models}
    assert {name for name, mark in named.items() if mark["inside"]} == {"search result"}
    explorer.go("expert: faq")
    named = {mark["name"]: mark for mark in marks(exploration, panel.offer, explorer.reading.coefficients)}
    assert {"base", "expert: faq", "expert: likeness"} == {name for name, mark in named.items() if mark["inside"]}
    settle(explorer)


def test_a_place_on_the_map_is_a_position(explorer) -> None:
    settle(explorer)
    panel = explorer.map
    before = panel.map.content
    x, y = panel.offer.cut.at(np.array([[0.5, 0.1, 0.4]]))[0]
    panel.map._heard(panel.map, {"kind": "move", "x": x, "y": y, "done": True}, [])
    assert panel.map.you == pytest.approx([x, y], abs=1e-3)
    assert panel.offer.cut.rest(np.array([explorer.reading.coefficients])) == pytest.approx(0, abs=1e-3)
    assert panel.map.content is before  # the cut is the same: nothing but you is drawn anew
    settle(explorer)
    panel.map._heard(panel.map, {"kind": "go", "name": "expert: topic"}, [])
    assert explorer.reading.coefficients == (0.0, 1.0, 0.0)
    settle(explorer)


def test_names_in_print_cover_no_mark_and_no_name_beside_them() -> None:
    names, points = ["one", "two", "three"], np.array([[0.0, 0.0], [3.0, 0.0], [80.0, 50.0]])
    (_, _, first), (_, _, second), third = _name_places(names, points)
    assert (first, second) == ("right", "left")  # away from each other
    assert third == (6, 0, "left")


# The session


def test_the_reference_is_the_joint_model_then_the_best_given(explorer) -> None:
    session = explorer.session
    first, *others = session.reference_names
    assert first == session.reference_name == "joint"
    given = [session.reading_of(name).values["score"][MEAN] for name in others if name != "search result"]
    assert given == sorted(given, reverse=True)


def test_a_model_that_is_no_position_is_shown_as_it_is(explorer, vectors, by_module, models, tmp_path) -> None:
    explorer.go("by module")
    assert explorer.reading.measured
    assert "no position" in explorer._notice.value
    exact = vectors.at(by_module["by module"])
    assert torch.equal(flat(explorer.model()), flat(exact))
    pd.testing.assert_series_equal(
        explorer.reading.values["score"].drop(MEAN), explorer.exploration.quick.of(exact)["score"]
    )
    explorer.save(tmp_path / "saved")
    recipe = json.loads((tmp_path / "saved" / "recipe.json").read_text(encoding="utf-8"))
    assert len(recipe["coefficients"]) == len(vectors.modules)
    # The nearest position: no other has weights that are nearer.
    nearest = np.array(explorer.reading.coefficients)
    away = [
        np.linalg.norm(flat(vectors.at(list(at))) - flat(exact)) for at in (nearest, nearest + 0.02, nearest - 0.02)
    ]
    assert away[0] < min(away[1:])
    explorer.go("joint")
    assert torch.equal(flat(explorer.model()), flat(models["joint"]))
    with pytest.raises(SpkitError, match="Only positions between the vectors can be saved"):
        explorer.save(tmp_path / "joint")
    explorer.where.controls[0].slider.value = 0.31
    assert explorer.reading.model == ""
    settle(explorer)


def test_steps_are_undone_and_a_drag_is_one_step(explorer) -> None:
    start = explorer.reading.coefficients
    explorer.go("expert: faq")
    for value in (0.5, 0.6, 0.7):
        explorer.where.controls[1].slider.value = value
    dragged = explorer.reading.coefficients
    explorer.where.undo.click()
    assert explorer.reading.coefficients == (1.0, 0.0, 0.0)
    explorer.where.undo.click()
    assert explorer.reading.coefficients == start
    assert explorer.where.undo.disabled
    explorer.where.redo.click()
    explorer.where.redo.click()
    assert explorer.reading.coefficients == dragged
    assert explorer.where.redo.disabled
    settle(explorer)


def test_two_positions_are_compared_and_change_places(explorer) -> None:
    settle(explorer)
    explorer.scores.pin.click()
    assert explorer.session.reference_name == "A"
    explorer.go("expert: topic")
    settle(explorer)
    scores = explorer.session.differences()
    assert scores["reference"].tolist() == explorer.exploration.read([0.4, 0.3, 0.2]).values["score"].tolist()
    explorer.scores.swap.click()
    assert explorer.reading.coefficients == (0.4, 0.3, 0.2)
    np.testing.assert_allclose(explorer.session.differences()["difference"], -scores["difference"])


def test_bookmarks_are_gone_to_compared_with_and_last_over_a_reload(explorer, vectors, settings) -> None:
    keep = explorer.keep
    explorer.session.open("faq=0.25 likeness=0.5")
    settle(explorer)
    keep.name.value, keep.note.value = "good one", "for sts"
    keep.keep.click()
    explorer.go("base")
    keep.kept.value = "good one"
    keep.against.click()
    assert explorer.session.reference.coefficients == (0.25, 0.0, 0.5)
    keep.go.click()
    assert explorer.reading.coefficients == (0.25, 0.0, 0.5)
    again = spkit.explore(vectors, tiny_tasks(), folder=explorer.exploration.folder.parent, **settings)
    again.close()
    assert again.reading.coefficients == (0.25, 0.0, 0.5)  # where one was at last
    assert again.session.bookmarks["good one"].note == "for sts"
    keep.remove.click()
    assert explorer.session.reference_name == "joint"
    keep.name.value = "joint"
    keep.keep.click()
    assert "A bookmark needs a name of its own" in explorer._notice.value


def test_text_is_opened_and_what_is_none_is_told(explorer) -> None:
    explorer.keep.text.value = "topic=0.75"
    assert explorer.reading.coefficients == (0.0, 0.75, 0.0)
    explorer.keep.text.value = "nonsense"
    assert "names task vectors" in explorer._notice.value
    assert explorer.reading.coefficients == (0.0, 0.75, 0.0)
    settle(explorer)


def test_the_best_measured_are_listed_and_the_best_interpolated_is_gone_to(explorer) -> None:
    ranked = explorer.exploration.known.ranked(5)
    means = [explorer.exploration.read(where).values["score"][MEAN] for where, _ in ranked]
    assert means == sorted(means, reverse=True) == pytest.approx([score for _, score in ranked])
    where, _ = ranked[2]
    explorer.keep.measured.value = where
    assert explorer.reading.coefficients == where
    best = explorer.exploration.known.best(*explorer.exploration.space.ranges.free)
    grid = np.random.default_rng(0).uniform(*explorer.exploration.space.ranges.free, (300, 3))
    reached = explorer.exploration.known.surface(np.array([best]), "score")[0]
    assert reached >= explorer.exploration.known.surface(np.array([where for where, _ in ranked]), "score").max() - 1e-9
    assert reached >= np.quantile(explorer.exploration.known.surface(grid, "score"), 0.95)
    explorer.keep.climb.click()
    assert list(explorer.reading.coefficients) == best
    settle(explorer)


def test_the_whole_dev_splits_are_scored_as_evaluation_scores_them(explorer, vectors, models) -> None:
    explorer.go("average")
    settle(explorer)
    assert explorer.session.whole_dev() is None
    explorer.scores.whole.click()
    settle(explorer, 300.0)  # mteb is imported
    table: Any = explorer.session.whole_dev()
    for column, model in (("score", vectors.at([1 / 3] * 3)), ("reference", models["joint"])):
        expected = evaluate(model, tiny_tasks(), split="dev").set_index("task")["score"]
        np.testing.assert_allclose(table[column][list(NAMES)], expected[list(NAMES)])
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()
    assert "whole dev" in explorer.scores.table.value
    assert "Measured on the whole dev splits" in explorer._notice.value
    explorer.go("base")
    assert explorer.session.whole_dev() is None


def test_every_vector_has_one_colour(explorer) -> None:
    colours = [control.slider.style.handle_color for control in explorer.where.controls]
    drawn = {mark["name"]: mark["colour"] for mark in explorer.map.map.content["marks"]}
    assert colours == [drawn[f"expert: {name}"] for name in NAMES]
    assert len(set(colours)) == 3
    for colour in colours:
        assert explorer.scores.table.value.count(colour) >= 2  # beside the name and in the bar
    settle(explorer)


# A position stands once in the lists


def listed(explorer) -> list[str]:
    return [value for _, value in explorer.where.places.options if value]


def test_a_merge_that_is_a_named_position_is_no_entry_of_its_own(vectors, base) -> None:
    average = [1 / 3] * 3
    mean_of_experts = vectors.at(average)
    by_module = {"same everywhere": {module: [1.0, 0.0, 0.0] for module in vectors.modules}}
    made = spkit.explore(
        vectors,
        tiny_tasks(),
        positions={"search result": [0.333335, 0.33333, 0.33333]},
        merges={"average": mean_of_experts, "Fisher": mean_of_experts, "TIES": noisy(base, 8)},
        by_module=by_module,
        points=8,
        examples=16,
        progress=False,
    )
    names = ["base", *(f"expert: {name}" for name in NAMES), "average", "SLERP middle", "TIES"]
    assert listed(made) == names
    assert sorted(made.session.reference_names) == sorted(names)
    for name in ("search result", "Fisher", "average, as given"):  # by what it was given as it is still known
        made.go("base")
        made.go(name)
        assert made.reading.coefficients == pytest.approx(average)
        made.session.compare_with(name)
        assert made.session.reference_name == "average"
    made.go("same everywhere")
    assert made.where.places.value == "expert: faq"
    assert made.exploration.marked == ["average"]
    with pytest.raises(SpkitError, match="needs the name of a position"):
        made.go("nowhere")
    made.close()


def test_a_merge_of_the_same_name_that_is_no_such_position_keeps_an_entry(vectors, base) -> None:
    away = vectors.at([0.34, 0.333, 0.333])  # a hundredth of a step beside
    made = spkit.explore(
        vectors, tiny_tasks(), merges={"average": away, "TIES": noisy(base, 8)}, points=8, examples=16, progress=False
    )
    assert listed(made)[-2:] == ["average, as given", "TIES"]
    made.close()


@pytest.mark.parametrize("rows", [EXACT, [[0.3, -0.2, 0.9]] * 2])
def test_the_position_nearest_to_one_by_module_is_that_nearest_to_its_model(vectors, rows) -> None:
    given = {module: rows[number % 2] for number, module in enumerate(vectors.modules)}
    from_grams = nearest_to_rows(vectors, vectors.coefficients(given))
    step = vectors.flat(given) - vectors.flat([0.0, 0.0, 0.0])
    from_weights = nearest_to_step(vectors, step)
    assert from_grams.position == pytest.approx(from_weights.position, abs=1e-3)
    away = float(torch.linalg.vector_norm(vectors.flat(list(from_grams.position)) - vectors.flat(given)))
    assert from_grams.apart == pytest.approx(away, rel=1e-2, abs=1e-2)
    assert from_grams.is_at(rows[0], vectors.gram()) == (rows[0] == rows[1])


def test_kept_models_are_checked_and_loaded_when_they_are_first_used(vectors, base, tmp_path, monkeypatch) -> None:
    joint, merged = noisy(base, 7), noisy(base, 8)
    folders = {name: tmp_path / name for name in ("joint", "TIES")}
    for name, model in (("joint", joint), ("TIES", merged)):
        save_model(model, folders[name])
    loaded: list[str] = []
    load = given_models.load_model

    def tracked(given: Any) -> Any:
        loaded.extend([given.name] if isinstance(given, Path) else [])
        return load(given)

    monkeypatch.setattr(given_models, "load_model", tracked)
    settings = {"folder": tmp_path / "points", "points": 8, "examples": 16, "progress": False}
    given = {"joint": folders["joint"], "merges": {"TIES": folders["TIES"]}}
    first = spkit.explore(vectors, tiny_tasks(), **settings, **given)
    known = first.exploration.models
    first.close()
    loaded.clear()
    again = spkit.explore(vectors, tiny_tasks(), **settings, **given)
    assert loaded == []
    for name, reading in again.exploration.models.items():
        pd.testing.assert_frame_equal(reading.values, known[name].values)
        assert reading.coefficients == known[name].coefficients
    again.go("TIES")
    assert torch.equal(flat(again.model()), flat(merged))
    assert loaded == ["TIES"]
    again.close()
    # Another model in its place is measured, and one that was changed is refused.
    shutil.rmtree(folders["TIES"])
    save_model(noisy(base, 9), folders["TIES"])
    other = spkit.explore(vectors, tiny_tasks(), **settings, **given)
    assert not np.allclose(other.exploration.models["TIES"].coefficients, known["TIES"].coefficients, atol=1e-4)
    other.close()
    weights = next(folders["TIES"].rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"else")
    with pytest.raises(SpkitError, match="A model must hold what spkit wrote there"):
        spkit.explore(vectors, tiny_tasks(), **settings, **given)
