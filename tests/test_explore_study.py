"""The explorer on what a study left, and the command and page that open it; without a browser and a server."""

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import spkit
from spkit.cli import app
from spkit.errors import SpkitError
from spkit.explorer import opening, page
from spkit.explorer.pictured import Pictured
from spkit.searching.self_position import self_position
from spkit.study.places import vectors_folder

SMALL = {"points": 8, "examples": 8, "progress": False}
FILES = ("coefficients.csv", "history.csv", "summary.md")


@pytest.fixture
def run(vectors, tmp_path) -> Path:
    """A study's folder with what the explorer reads of it."""
    vectors.save(vectors_folder(tmp_path, 0))
    searched = [("self_position", "", 0, [0.5, 0.3, 0.2]), ("self_position", "", 1, [9.0, 9.0, 9.0])]
    searched += [("self_position:module", module, 0, [a, 0.4, 0.0]) for module, a in (("one", 0.2), ("two", 0.6))]
    rows = [
        {"method": method, "module": module, "task": task, "coefficient": value, "seed": seed}
        for method, module, seed, values in searched
        for task, value in zip(vectors.names, values, strict=True)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "coefficients.csv", index=False)
    steps = [
        {"method": "self_position", "step": step, "task": task, "coefficient": step + place / 10, "seed": seed}
        for step in (0, 1)
        for place, task in enumerate(vectors.names)
        for seed in (0, 1)
    ]
    pd.DataFrame(steps[::-1]).to_csv(tmp_path / "history.csv", index=False)
    (tmp_path / "summary.md").write_text("# Study\n\n- **Verdict.** Train jointly.\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def opened_with(monkeypatch) -> dict[str, Any]:
    """What the explorer is opened with."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(opening, "explore", lambda vectors, tasks, **rest: given.update(tasks=tasks, **rest))
    return given


def test_a_study_is_opened_with_what_it_found(run, vectors, tasks, opened_with) -> None:
    opening.explore_study(run, tasks, points=8)
    assert opened_with["positions"] == {
        "Self Positioning": pytest.approx([0.5, 0.3, 0.2]),
        "by module (mean)": pytest.approx([0.4, 0.4, 0.0]),
    }
    np.testing.assert_allclose(opened_with["way"], [[0.0, 0.1, 0.2], [1.0, 1.1, 1.2]])  # in order, of its own seed
    assert opened_with["verdict"] == "Train jointly."
    assert opened_with["joint"] is None
    assert opened_with["source"] == vectors_folder(run, 0)
    assert opened_with["folder"] == run / "seed0" / "explore"
    assert opened_with["points"] == 8


def test_a_search_by_module_is_opened_with_the_coefficients_of_each_module(run, vectors, tasks, opened_with) -> None:
    opening.explore_study(run, tasks)
    assert opened_with["by_module"] == {}  # those of the table are no modules of these vectors
    table = pd.read_csv(run / "coefficients.csv")
    rows = [
        {
            "method": "self_position:module",
            "module": module,
            "task": task,
            "coefficient": number + place / 10,
            "seed": 0,
        }
        for number, module in enumerate(vectors.modules)
        for place, task in enumerate(vectors.names)
    ]
    others = table[table["method"] != "self_position:module"]
    pd.concat([others, pd.DataFrame(rows[::-1])]).to_csv(run / "coefficients.csv", index=False)
    opening.explore_study(run, tasks)
    exact = opened_with["by_module"]["by module"]
    assert list(exact) == list(vectors.modules)
    for number, module in enumerate(vectors.modules):
        assert exact[module] == pytest.approx([number, number + 0.1, number + 0.2])


def test_of_a_study_that_searched_nothing_the_vectors_are_opened(run, tasks, opened_with) -> None:
    for name in FILES:
        (run / name).unlink()
    (run / "seed0" / "train" / "joint" / "model").mkdir(parents=True)
    opening.explore_study(run, tasks)
    assert (opened_with["positions"], opened_with["way"], opened_with["verdict"]) == ({}, None, "")
    assert opened_with["joint"] == run / "seed0" / "train" / "joint" / "model"


def test_a_search_of_other_tasks_is_no_way_between_these_vectors(run, tasks, opened_with) -> None:
    for name in FILES[:2]:
        table = pd.read_csv(run / name)
        table[table["task"] != "topic"].to_csv(run / name, index=False)
    opening.explore_study(run, tasks)
    assert (opened_with["positions"], opened_with["way"]) == ({}, None)


def test_of_a_task_file_only_tasks_with_a_vector_are_looked_at(run, tasks, opened_with, monkeypatch) -> None:
    monkeypatch.setattr("spkit.tasks.load_tasks", lambda source, names, folder: {**tasks, "other": tasks["faq"]})
    opening.explore_study(run, "tasks.toml")
    assert list(opened_with["tasks"]) == ["faq", "topic", "likeness"]
    # Where no vector has a task's name, all tasks are looked at.
    monkeypatch.setattr("spkit.tasks.load_tasks", lambda source, names, folder: {"other": tasks["faq"]})
    opening.explore_study(run, "tasks.toml")
    assert list(opened_with["tasks"]) == ["other"]


def test_the_result_of_a_search_is_marked(vectors, two_vectors, tasks, probe, tmp_path) -> None:
    result = self_position(vectors, probe, path="free", steps=2, batch_size=8, progress=False)
    vectors.save(tmp_path / "vectors")
    explorer = spkit.explore(tmp_path / "vectors", tasks, result=result, **SMALL)
    assert explorer.exploration.presets["search result"] == pytest.approx(result.rows.mean(0).tolist())
    assert str(tmp_path / "vectors") in explorer.code()
    explorer.close()
    with pytest.raises(SpkitError, match="`result` must be of a search over the same task vectors"):
        spkit.explore(two_vectors, tasks, result=result, **SMALL)


class Opened:
    """An explorer that was closed."""

    closed = 0

    def close(self) -> None:
        Opened.closed += 1


@pytest.fixture
def served(monkeypatch) -> list[Any]:
    """What the command opens and serves."""
    calls: list[Any] = []
    monkeypatch.setattr(Opened, "closed", 0)
    for name in ("explore", "explore_study"):
        monkeypatch.setattr(
            f"spkit.explorer.{name}", lambda name=name, **given: (calls.append((name, given)), Opened())[1]
        )
    monkeypatch.setattr(page, "serve", lambda *given: calls.append(given))
    return calls


def test_the_command_opens_a_study_before_it_serves_it(run, served) -> None:
    done = CliRunner().invoke(app, ["explore", str(run), "--points", "9", "--no-browser"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Measuring the points" in done.output
    (name, given), (call, arguments, port, browser, theme) = served
    assert (name, call) == ("explore_study", "explore_study")
    assert given == {"run": str(run), "tasks": "bundled", "points": 9, "seed": 0}
    assert arguments == {**given, "progress": False}
    assert (browser, theme) == (False, "light")
    assert port > 0
    assert Opened.closed == 1


def test_the_command_opens_vectors_with_paths_that_hold_anywhere(run, tasks, served, monkeypatch) -> None:
    monkeypatch.setattr("spkit.tasks.load_tasks", lambda source, folder: tasks)
    monkeypatch.setattr("spkit.cli.explorer.check_source", lambda *_, **__: None)
    monkeypatch.chdir(run)
    vectors = str(Path("seed0") / "vectors" / "vectors")
    arguments = ["explore", "--vectors", vectors, "--tasks", "t.toml", "--data", "rows", "-o", "kept", "--no-browser"]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    (name, given), (call, handed, *_) = served
    assert (name, call) == ("explore", "explore")
    assert given["tasks"] is tasks
    assert "data" not in given  # the tasks are loaded with it
    assert handed == {
        "vectors": str(run / vectors), "tasks": str(run / "t.toml"), "data": str(run / "rows"),
        "points": None, "seed": 0, "progress": False,
        "folder": str(run / "kept" / "points"), "target": str(run / "kept" / "model"),
    }  # fmt: skip


def test_the_page_is_served_by_voila(monkeypatch) -> None:
    commands: list[list[str]] = []
    notebooks: list[dict[str, Any]] = []

    opened: list[str] = []
    monkeypatch.setattr(page, "_open_when_up", lambda address, port: opened.append(address))

    def run_until_stopped(command: list[str], environment: dict[str, str]) -> int:
        assert len(environment["JUPYTER_TOKEN"]) == 32
        assert environment["JUPYTER_TOKEN"] not in " ".join(command)  # others can read those
        commands.append(command)
        notebooks.append(json.loads(Path(command[3]).read_text(encoding="utf-8")))
        return len(commands) - 1

    monkeypatch.setattr(page, "_run_until_stopped", run_until_stopped)
    page.serve("explore_study", {"run": "/runs/demo"}, 8866, True, "dark")
    assert commands[0][1:3] == ["-m", "spkit.explorer.local_server"]
    assert {"--port=8866", "--theme=dark", "--token", "--Voila.ip=127.0.0.1"} <= set(commands[0])
    assert len(opened) == 1
    assert opened[0].startswith("http://127.0.0.1:8866/?token=")
    assert notebooks == [page.page_notebook("explore_study", {"run": "/runs/demo"})]
    assert not Path(commands[0][3]).exists()
    with pytest.raises(SpkitError, match="voila ended with status 1"):
        page.serve("explore_study", {}, 8866, False)
    assert len(opened) == 1  # no other


def test_the_browser_is_opened_when_the_server_answers_and_not_before(monkeypatch) -> None:
    opened: list[tuple[str, bool]] = []
    waited: list[float] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        monkeypatch.setattr(page.webbrowser, "open", lambda address: opened.append((address, len(waited) == 2)))
        monkeypatch.setattr(
            page.time, "sleep", lambda seconds: (waited.append(seconds), len(waited) == 2 and server.listen())
        )
        page._open_when_up("http://x/?token=y", port)
    assert opened == [("http://x/?token=y", True)]  # once, after the server was there
    page._open_when_up("http://x", port, seconds=0.0)
    assert len(opened) == 1  # a server that does not come is not waited for for ever


def test_a_server_is_ended_where_its_process_is_told_to(monkeypatch) -> None:
    class Server:
        """Ends only when it is killed."""

        told: list[str] = []  # noqa: RUF012 (one server)

        def __init__(self, command: list[str], env: dict[str, str] | None) -> None:
            self.told.clear()

        def wait(self, seconds: float | None = None) -> int:
            if seconds is None:
                raise KeyboardInterrupt
            raise page.subprocess.TimeoutExpired("voila", seconds)

        def terminate(self) -> None:
            self.told.append("terminate")

        def kill(self) -> None:
            self.told.append("kill")

    monkeypatch.setattr(page.subprocess, "Popen", Server)
    with pytest.raises(KeyboardInterrupt):
        page._run_until_stopped(["voila"])
    assert Server.told == ["terminate", "kill"]


def test_who_inherits_says_which_picture() -> None:
    with pytest.raises(NotImplementedError):
        Pictured().picture()
    assert Pictured().words() == ""
