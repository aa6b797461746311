"""`spkit search`: what the command asks of the function, and what it leaves and says."""

import json
from pathlib import Path

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


def run(home: Home, output: Path, *more: str) -> dict:
    arguments = ["search", "--vectors", str(home.folder / "vectors"), "--tasks", str(home.folder / "data/tasks.toml")]
    arguments += ["--probe-size", "32", "-o", str(output), "--json"]
    arguments += [part for name, value in SETTINGS.items() for part in (f"--{name}", str(value))]
    done = CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(("by", "split", "unit"), [("score", "dev", " points"), ("loss", "train", "")])
def test_the_command_searches_as_the_function_does(home, tmp_path, by, split, unit) -> None:
    said = run(home, tmp_path / "out", "--by", by, "--batch-size", "8", "--bounds", "0", "1.2")
    vectors = spkit.TaskVectors.load(home.folder / "vectors")
    probe = spkit.Probe.sample(
        spkit.load_tasks(str(home.folder / "data/tasks.toml"), ["faq", "topic"]), 32, split=split
    )
    given = {**SETTINGS, "by": by, "bounds": (0.0, 1.2), "batch_size": 8}
    expected = spkit.search(vectors, probe, progress=False, **given)
    found = load_position(tmp_path / "out", vectors)
    assert torch.equal(found.rows, expected.rows)
    assert found.settings["probe_split"] == split
    assert found.settings["value"] == pytest.approx((max if by == "score" else min)(expected.history[by]))
    digits = 1 if by == "score" else 4
    began, ended = (f"{found.settings[name]:.{digits}f}" for name in ("value_at_start", "value"))
    assert said["result"] == f"The {by} on the probe went from {began} to {ended}{unit} in 4 evaluations."
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # the journal has served


def test_held_back_examples_pick_and_the_answer_speaks_of_them(home, tmp_path) -> None:
    said = run(home, tmp_path / "out", "--held-back", "0.5")
    found = load_position(tmp_path / "out", spkit.TaskVectors.load(home.folder / "vectors"))
    looks = found.history["validation"].dropna()
    assert found.settings["value"] == looks.max()
    assert found.settings["value"] >= found.settings["value_at_start"] == looks.iloc[0]
    assert said["result"].startswith("The score on held-back examples went from ")
