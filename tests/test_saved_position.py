"""Searched positions come back from their folder as the search returned them."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

import spkit
from spkit.errors import SpkitError
from spkit.searching.probe import Probe
from spkit.searching.result import PositionResult
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

SEARCH = {"steps": 2, "batch_size": 8, "optimizer": "adam", "progress": False}


@pytest.fixture(scope="module")
def vectors() -> TaskVectors:
    base = tiny_encoder(0, WORDS)
    return TaskVectors.from_models(base, {name: noisy(base, seed) for seed, name in enumerate(("faq", "likeness"))})


@pytest.fixture(scope="module")
def probe() -> Probe:
    tasks = tiny_tasks((32, 16, 16))
    return Probe.sample({name: tasks[name] for name in ("faq", "likeness")}, size=40, seed=1)


def saved(vectors: TaskVectors, probe: Probe, folder: Path, **settings) -> PositionResult:
    result = spkit.self_position(vectors, probe, **{**SEARCH, **settings})
    result.save(folder)
    return result


@pytest.mark.parametrize("settings", [{}, {"granularity": "module", "path": "free"}])
def test_a_saved_position_comes_back(vectors, probe, tmp_path, settings) -> None:
    result = saved(vectors, probe, tmp_path / "best", **settings)
    again = spkit.load_position(tmp_path / "best", vectors)
    assert torch.equal(again.rows, result.rows)
    assert again.modules == result.modules
    assert again.settings["mu"] == result.settings["mu"]
    assert again.settings["probe"] == result.settings["probe"]
    assert again.examples == result.examples > 0
    pd.testing.assert_frame_equal(again.history, result.history, check_dtype=False)
    left, right = again.coefficients, result.coefficients
    assert (left == right).all(axis=None)


def test_operations_on_the_vectors_must_be_done_again(vectors, probe, tmp_path) -> None:
    trimmed = vectors.trim(0.5)
    result = saved(trimmed, probe, tmp_path / "best")
    assert torch.equal(spkit.load_position(tmp_path / "best", vectors.trim(0.5)).rows, result.rows)
    with pytest.raises(SpkitError, match="they differ in 'operations'"):
        spkit.load_position(tmp_path / "best", vectors)


def test_what_is_no_position_of_these_vectors_is_refused(vectors, probe, tmp_path) -> None:
    saved(vectors, probe, tmp_path / "best")
    with pytest.raises(SpkitError, match="they differ in 'names'"):
        spkit.load_position(tmp_path / "best", vectors.select(["faq"]))
    other = tiny_encoder(9, WORDS)
    elsewhere = TaskVectors.from_models(other, {name: noisy(other, 5) for name in vectors.names})
    with pytest.raises(SpkitError, match="they differ in 'base_sha256'"):
        spkit.load_position(tmp_path / "best", elsewhere)
    spkit.save_model(spkit.merge(vectors.base, vectors, "average"), tmp_path / "average")
    with pytest.raises(SpkitError, match=r"Found no history\.csv in .*average"):
        spkit.load_position(tmp_path / "average", vectors)
    with pytest.raises(SpkitError, match=r"Found no recipe\.json"):
        spkit.load_position(tmp_path / "nowhere", vectors)


def test_a_position_that_was_saved_under_former_names_is_read(vectors, probe, tmp_path) -> None:
    saved(vectors, probe, tmp_path / "best", spread_penalty=0.25)
    path = tmp_path / "best" / "recipe.json"
    recipe = json.loads(path.read_text())
    settings = recipe["settings"]
    settings["pull"], settings["scale"] = settings.pop("spread_penalty"), "sum"
    del settings["examples"]
    path.write_text(json.dumps(recipe))
    (tmp_path / "best" / ".spkit.json").unlink()  # former versions left no list
    again = spkit.load_position(tmp_path / "best", vectors)
    assert (again.settings["spread_penalty"], again.settings["scale"]) == (0.25, "mean")
    spkit.uncertainty(again, probe, progress=False)
    with pytest.raises(SpkitError, match="saved without their number"):
        _ = again.examples
