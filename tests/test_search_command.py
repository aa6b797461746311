"""`spkit search` and `spkit position`: what they ask of the functions, and what they leave and say."""

import json
from pathlib import Path
from typing import Literal

import pytest
import torch
from typer.testing import CliRunner

import spkit
from spkit.cli import app
from spkit.searching.result import load_position
from tests.malformed import make_home
from tests.malformed.case import Home

SETTINGS = {"method": "random", "start": "best_expert", "budget": 4}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return make_home(tmp_path_factory.mktemp("search") / "home")


def run(home: Home, output: Path, *more: str, command: str = "search") -> dict:
    arguments = [command, "--vectors", str(home.folder / "vectors"), "--tasks", str(home.folder / "data/tasks.toml")]
    arguments += ["--probe-size", "32", "-o", str(output), "--json", *more]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def searched(home: Home, output: Path, *more: str) -> dict:
    return run(home, output, *(part for name, value in SETTINGS.items() for part in (f"--{name}", str(value))), *more)


def probe_of(home: Home, split: Literal["train", "dev"] = "train") -> spkit.Probe:
    tasks = spkit.load_tasks(str(home.folder / "data/tasks.toml"), ["faq", "topic"])
    return spkit.Probe.sample(tasks, 32, split=split)


@pytest.mark.parametrize(("by", "split", "unit"), [("score", "dev", " points"), ("loss", "train", "")])
def test_the_command_searches_as_the_function_does(home, tmp_path, by, split, unit) -> None:
    said = searched(home, tmp_path / "out", "--by", by, "--batch-size", "8", "--bounds", "0", "1.2")
    vectors = spkit.TaskVectors.load(home.folder / "vectors")
    given = {**SETTINGS, "by": by, "bounds": (0.0, 1.2), "batch_size": 8}
    expected = spkit.search(vectors, probe_of(home, split), progress=False, **given)
    found = load_position(tmp_path / "out", vectors)
    assert torch.equal(found.rows, expected.rows)
    assert found.settings["probe_split"] == split
    assert found.settings["value"] == pytest.approx((max if by == "score" else min)(expected.history[by]))
    digits = 1 if by == "score" else 4
    began, ended = (f"{found.settings[name]:.{digits}f}" for name in ("value_at_start", "value"))
    assert said["result"] == f"The {by} on the probe went from {began} to {ended}{unit} in 4 evaluations."
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # the journal has served


def test_held_back_examples_pick_and_the_answer_speaks_of_them(home, tmp_path) -> None:
    said = searched(home, tmp_path / "out", "--held-back", "0.5")
    found = load_position(tmp_path / "out", spkit.TaskVectors.load(home.folder / "vectors"))
    looks = found.history["validation"].dropna()
    assert found.settings["value"] == looks.max()
    assert found.settings["value"] >= found.settings["value_at_start"] == looks.iloc[0]
    assert said["result"].startswith("The score on held-back examples went from ")


def test_a_search_by_gradient_is_that_of_the_function(home, tmp_path) -> None:
    given = {"path": "free", "steps": 3, "trust": 0.5, "start": "slerp"}
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    held_back = ["--held-back", "0.5", "--batch-size", "8"]
    said = run(home, tmp_path / "out", *options, *held_back, command="position")
    vectors = spkit.TaskVectors.load(home.folder / "vectors")
    probe, validation = probe_of(home).hold_back(0.5)
    expected = spkit.self_position(vectors, probe, validation=validation, batch_size=8, progress=False, **given)
    assert torch.equal(load_position(tmp_path / "out", vectors).rows, expected.rows)
    assert said["result"].endswith(" in 3 steps.")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
