"""The explorer as one file: its numbers are the surrogate's, it fetches nothing, and it works by mouse and keyboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import spkit
from spkit.cli import app
from spkit.errors import SpkitError
from spkit.explorer.exploration import Exploration
from spkit.explorer.standalone import check_page, save_html
from spkit.explorer.surrogate import Surrogate
from spkit.vectors.plane import Plane
from spkit.vectors.task_vectors import TaskVectors
from tests.browsing import ARGUMENTS, CHROMIUM, SECONDS
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
    assert not re.findall(r"\b(?:src|href)\s*=\s*[\"'](?!x\b)|url\(|@import|\bfetch\(|XMLHttpRequest", text.replace(EVIL, ""))
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
    assert content["reference"] == "joint"
    assert content["references"]["joint"] == exploration.references["joint"]
    assert content["references"]["base"] == exploration.reference("base")["score"].tolist()
    assert content["unseen"]["references"]["base"] == pytest.approx(exploration.unseen_references["base"])
    assert content["unseen"]["references"]["joint"] == exploration.unseen_references["joint"]
    assert content["start"] == exploration.presets["average"]


def test_without_a_joint_model_positions_are_compared_with_the_best_expert(two_vectors, tmp_path) -> None:
    tasks = {name: task for name, task in tiny_tasks().items() if name in ("faq", "topic")}
    made = Exploration(two_vectors, tasks, points=8, examples=16, progress=False)
    content = content_of(save_html(tmp_path / "page.html", made))
    made.close()
    experts = {name: made.reference(name)["score"].iloc[-1] for name in ("expert: faq", "expert: topic")}
    assert content["reference"] == max(experts, key=lambda name: experts[name])
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
    assert ran.exit_code != 0
