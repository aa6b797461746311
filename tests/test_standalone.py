"""The explorer as one file: its numbers are the surrogate's, it fetches nothing, and it works by mouse and keyboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import spkit
from spkit.cli import app
from spkit.errors import SpkitError
from spkit.explorer.changes import changed
from spkit.explorer.exploration import Exploration
from spkit.explorer.position_text import as_text, from_text
from spkit.explorer.standalone import check_page, save_html
from spkit.explorer.surrogate import Surrogate
from spkit.vectors.plane import Plane
from spkit.vectors.task_vectors import TaskVectors
from tests.browsing import SECONDS
from tests.experts import noisy
from tests.tiny import tiny_tasks

#: A name that is markup, and would end the element that holds the numbers.
EVIL = "</script><img src=x onerror=\"document.title='taken'\">@@script@@"


@pytest.fixture(scope="module")
def exploration(vectors, experts) -> Iterator[Exploration]:
    """Three vectors with a joint model, and an unseen task; one name is markup."""
    tasks = tiny_tasks()
    tasks["asked"] = spkit.Task(name="asked", kind="retrieval", test=tasks["faq"].test)
    named = TaskVectors(vectors.base, ["faq", "topic", EVIL], vectors.matrix)
    settings: dict[str, Any] = {"points": 12, "examples": 16, "progress": False}
    marked = {"searched": [0.5, 0.25, 1.75]}
    made = Exploration(named, tasks, joint=noisy(vectors.base, 9, 0.02), marked=marked, **settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def written(exploration, tmp_path_factory) -> Path:
    way = np.array([[0.3, 0.3, 0.3], [0.4, 0.3, 1.0], [0.5, 0.25, 1.75]])
    path = tmp_path_factory.mktemp("page") / "page.html"
    return save_html(path, exploration, way=way, verdict="Train jointly. If you can.", title=f"A {EVIL}")


def content_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text.partition('<script type="application/json" id="content">')[2].partition("</script>")[0])


# What is written


def test_the_numbers_are_those_that_the_surrogate_computes_from() -> None:
    drawn = np.random.default_rng(0)
    positions, values = drawn.normal(size=(30, 3)), drawn.normal(size=(30, 2)) * [4, 1] + [50, 1]
    surrogate, at = Surrogate(positions, values), drawn.normal(size=(20, 3))
    numbers = json.loads(json.dumps(surrogate.numbers()))
    for number, output in enumerate(numbers["outputs"]):
        apart = (at[:, None] - np.array(numbers["positions"])) / output["lengths"]
        distances = np.sqrt(5) * np.linalg.norm(apart, axis=2)
        matern = (1 + distances + distances**2 / 3) * np.exp(-distances)
        np.testing.assert_allclose(
            output["mean"] + matern @ output["weights"], surrogate.at(at, [number])[:, 0], atol=1e-9
        )


def test_the_file_names_no_address_and_is_small(written) -> None:
    text = written.read_text(encoding="utf-8")
    assert not re.findall(r"https?:", text)
    assert not re.findall(
        r"\b(?:src|href)\s*=\s*[\"'](?!x\b)|url\(|@import|\bfetch\(|XMLHttpRequest", text.replace(EVIL, "")
    )
    assert written.stat().st_size < 200_000


def test_the_file_holds_what_was_measured(written, exploration) -> None:
    content = content_of(written)
    assert content["rows"] == exploration.rows
    assert content["vectorOfRow"] == [0, 1, None, None]  # the third vector has no task's name
    assert len(content["measured"]["at"]) == exploration.num_points
    first = content["measured"]["at"][3]
    known = exploration.read(first)
    np.testing.assert_allclose(content["measured"]["score"][3], known.values["score"], atol=1e-6)
    np.testing.assert_allclose(content["measured"]["loss"][3], known.values["loss"], atol=1e-6)
    np.testing.assert_allclose(content["errors"]["score"], exploration.errors()["score"])
    assert next(iter(content["references"])) == "joint"
    assert content["nearest"]["joint"] == pytest.approx(list(exploration.models["joint"].coefficients))
    known = exploration.references
    assert content["references"]["joint"] == known.loc[exploration.rows, "joint"].tolist()
    assert content["references"]["base"] == exploration.reference("base")["score"].tolist()
    assert content["unseen"]["references"]["base"] == pytest.approx(known.loc[exploration.unseen_rows, "base"].tolist())
    assert content["unseen"]["references"]["joint"] == known.loc[exploration.unseen_rows, "joint"].tolist()
    assert content["errors"]["loss"] == exploration.errors()["loss"].tolist()
    assert content["start"] == exploration.presets["average"]


def test_the_widget_writes_the_page_where_it_stands(exploration, tmp_path) -> None:
    from spkit.explorer.view import Explorer

    explorer = Explorer(exploration, verdict="Train jointly.")
    explorer.go("expert: topic")
    content = content_of(explorer.save_html(tmp_path / "page.html"))
    assert content["start"] == [0, 1, 0]
    assert content["verdict"] == "Train jointly."
    table, reference = explorer.changed(most=2), explorer.changed("base", most=2)
    pd.testing.assert_frame_equal(table, changed(exploration, "joint", "expert: topic", most=2))
    pd.testing.assert_frame_equal(reference, changed(exploration, "base", [0.0, 1.0, 0.0], most=2))
    assert set(table["task"]) == {"faq", "topic", "likeness", "asked"}


def test_without_a_joint_model_positions_are_compared_with_the_best_that_was_given(two_vectors, tmp_path) -> None:
    tasks = {name: task for name, task in tiny_tasks().items() if name in ("faq", "topic")}
    made = Exploration(two_vectors, tasks, points=8, examples=16, progress=False)
    content = content_of(save_html(tmp_path / "page.html", made))
    made.close()
    means = {name: made.reference(name)["score"].iloc[-1] for name in made.presets}
    assert means[next(iter(content["references"]))] == max(means.values())
    assert content["unseen"] is None


def test_only_a_page_of_ours_is_replaced(exploration, tmp_path) -> None:
    other, link = tmp_path / "other.html", tmp_path / "link.html"
    other.write_text("<p>mine</p>")
    link.symlink_to(other)
    for path, rule in ((other, "A file must be new"), (link, "links are not followed")):
        with pytest.raises(SpkitError, match=rule):
            check_page(path)
        with pytest.raises(SpkitError, match=rule):
            save_html(path, exploration)
    assert other.read_text() == "<p>mine</p>"
    page = save_html(tmp_path / "new" / "page.html", exploration)
    moved = page.rename(tmp_path / "moved.html")
    check_page(moved)
    assert save_html(moved, exploration, title="again") == moved
    assert content_of(moved)["title"] == "again"


@pytest.mark.slow
def test_the_command_writes_the_file(tiny_study, tmp_path) -> None:
    command = ["explore", str(tiny_study / "run"), "--seed=3", "--points=8", f"--tasks={tiny_study / 'tasks.toml'}"]
    command += [f"--data={tiny_study / 'data'}", f"--output={tmp_path / 'kept'}", "--html", str(tmp_path / "page.html")]
    ran = CliRunner().invoke(app, command, catch_exceptions=False)
    assert ran.exit_code == 0
    assert f"Written: {tmp_path / 'page.html'}" in ran.output
    content = content_of(tmp_path / "page.html")
    assert content["names"] == ["faq", "topic", "likeness", "asked"]
    assert content["way"]
    assert content["unseen"]["rows"][-1] == "unseen mean"


def test_a_file_of_somebody_else_is_refused_before_anything_is_measured(tmp_path) -> None:
    (tmp_path / "page.html").write_text("mine")
    ran = CliRunner().invoke(app, ["explore", str(tmp_path), "--html", str(tmp_path / "page.html")])
    assert "A file must be new" in str(ran.exception)
    assert (tmp_path / "page.html").read_text() == "mine"


# In a browser


@pytest.fixture
def page(browser, written) -> Iterator[Any]:
    """The page as a file, without a network; whatever goes wrong in it, or is asked for, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    context.set_default_timeout(1000 * SECONDS)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text))
    opened.on("request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url))
    opened.goto(written.as_uri())
    yield opened
    context.close()
    assert wrong == []


def here(page) -> list[float]:
    return page.evaluate("() => explorer.here()")


@pytest.mark.slow
def test_the_page_computes_what_the_surrogate_does(page, exploration) -> None:
    """Scores and losses, at positions that were not measured."""
    drawn = np.random.default_rng(1).uniform(-0.5, 2.0, size=(40, 3))
    there = page.evaluate("all => all.map(at => explorer.interpolate(at))", drawn.tolist())
    for position, row in zip(drawn, there, strict=True):
        values = exploration.interpolate(position.tolist()).values
        np.testing.assert_allclose(row, [*values["score"], *values["loss"]], atol=1e-6, rtol=0)
    reading = page.evaluate("at => explorer.read(at)", drawn[0].tolist())
    assert not reading["measured"]
    np.testing.assert_allclose(reading["error"], exploration.errors()["score"])
    assert reading["unseen"] is None  # never interpolated
    at = exploration.presets["average"]
    known, reading = exploration.read(at), page.evaluate("at => explorer.read(at)", at)
    assert reading["measured"]
    assert reading["error"] is None
    np.testing.assert_allclose(reading["score"], known.values["score"], atol=1e-6)
    assert known.unseen is not None
    np.testing.assert_allclose(reading["unseen"], known.unseen["score"], atol=1e-6)


@pytest.mark.slow
def test_the_page_is_used_by_keyboard_and_mouse(page, exploration, written) -> None:
    headline = page.locator("#headline")
    assert "measured" in headline.inner_text()
    assert page.title() == f"A {EVIL} · spkit explorer"  # a name is shown, and runs no script
    assert page.locator("#title").inner_text() == f"A {EVIL}"
    page.get_by_label("faq", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert here(page)[0] == pytest.approx(1 / 3 + 0.01, abs=0.006)  # sliders stand on hundredths
    value = exploration.interpolate(here(page)).values["score"]["mean"]
    assert f"{value:.1f} ± {exploration.errors()['score']['mean']:.1f} interpolated" in headline.inner_text()
    assert "Not measured here" in page.locator("#unseen-note").inner_text()
    page.keyboard.press("Control+z")
    assert here(page) == pytest.approx([1 / 3] * 3)
    page.keyboard.press("Control+y")
    assert here(page)[0] != pytest.approx(1 / 3)
    page.get_by_label("Go to").select_option("base")
    assert here(page) == [0, 0, 0]
    assert "Measured here" in page.locator("#unseen-note").inner_text()

    number = page.get_by_label("topic, as a number")
    number.fill("0.9")
    number.press("Enter")
    assert here(page) == [0, 0.9, 0]
    page.get_by_label("all together: length", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert here(page)[1] > 0.9
    assert here(page)[0] == here(page)[2] == 0

    page.get_by_label("keep the sum").check()
    page.evaluate("() => explorer.go([0.5, 0.25, 0.25])")
    number.fill("0.5")
    number.press("Enter")
    assert here(page) == pytest.approx([1 / 3, 0.5, 1 / 6])

    text, names = page.locator("#text"), ("faq", "topic", EVIL)
    assert from_text(names, text.input_value()) == pytest.approx([1 / 3, 0.5, 1 / 6], abs=1e-6)
    code = f"model = vectors.at({json.dumps({'faq': 1, 'topic': -0.2})})"
    for typed, wanted in (
        (as_text(names, [0.5, -0.25, 0.125]), [0.5, -0.25, 0.125]),  # as a notebook's explorer writes it
        ("topic=0.4", [0, 0.4, 0]),
        ("0.1, 0.2 0.3", [0.1, 0.2, 0.3]),
        (code, [1, -0.2, 0]),
    ):
        text.fill(typed)
        text.press("Enter")
        assert here(page) == wanted
    for wrong in ("0.1, nonsense, 3", "0.1 0.2", "faq=0.1 other=1", "faq=much", ""):
        text.fill(wrong)
        text.press("Enter")
        assert here(page) == [1, -0.2, 0]
        assert "A position is" in page.locator("#notice").inner_text()
    page.reload()  # the address keeps the place
    assert here(page) == [1, -0.2, 0]

    page.get_by_role("button", name="Best measured").click()
    scores = content_of(written)["measured"]["score"]
    assert headline.inner_text().startswith(f"{max(row[-1] for row in scores):.1f}")
    page.get_by_role("button", name="Best interpolated").click()
    best = exploration.interpolate(here(page)).values["score"]["mean"]
    tried = exploration.known.surface(np.random.default_rng(2).uniform(-0.5, 2.1, size=(500, 3)), "score")
    assert best > tried.max() - 0.1


@pytest.mark.slow
def test_the_map_is_the_plane_and_moves_the_position(page, exploration) -> None:
    page.get_by_label("Plane of").select_option(label="faq, topic")
    page.evaluate("() => explorer.go([0.2, 0.3, 0.7])")
    assert f"cut at {EVIL} 0.70" in page.locator("#map-title").inner_text()
    box = page.locator("#marks").bounding_box()
    plane = Plane(exploration.space.gram, 0, 1, symmetric=True)
    low, high = exploration.space.ranges.free
    corners = plane.at(np.array([[low, low, 0], [low, high, 0], [high, low, 0], [high, high, 0]]))
    scale = box["width"] / np.ptp(corners[:, 0])
    assert box["height"] == pytest.approx(scale * np.ptp(corners[:, 1]), abs=2)  # true angles
    for wanted in ([0.5, 0.8, 0.7], [1.0, 0.0, 0.7]):
        x, y = scale * (plane.at(np.array([wanted]))[0] - corners.min(0))
        page.mouse.click(box["x"] + x, box["y"] + box["height"] - y)
        assert here(page) == pytest.approx(wanted, abs=0.02)
        assert here(page)[2] == 0.7  # what the map does not show stays
    page.locator("#marks").focus()
    before = here(page)
    page.keyboard.press("ArrowUp")
    assert here(page) == pytest.approx([before[0], before[1] + 0.05, 0.7])
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    dragged = here(page)
    page.get_by_role("button", name="Undo").click()  # a drag is one step
    assert here(page) == pytest.approx([before[0], before[1] + 0.05, 0.7])
    assert dragged != here(page)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 800, 1280, 1920])
def test_nothing_is_cut_off_at_any_width(page, width) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    parts = [page.locator(f"#{part}").bounding_box() for part in ("sliders", "trained", "picture")]
    if width >= 1280:  # on one screen, in the order in which it is read
        assert all(box["y"] + box["height"] <= 720 for box in parts)
        assert parts[0]["x"] < parts[1]["x"] < parts[2]["x"]
    else:
        assert parts[0]["y"] < parts[1]["y"]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_takes_the_theme_of_its_reader(page, theme) -> None:
    page.emulate_media(color_scheme=theme)
    ink, back = (
        page.evaluate(f"() => getComputedStyle(document.body).{part}.match(/[\\d.]+/g).map(Number)")[:3]
        for part in ("color", "backgroundColor")
    )
    assert (sum(ink) > sum(back)) == (theme == "dark")
