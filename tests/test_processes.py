"""Two processes on one search: the result of one, for a few numbers a step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.two_processes import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*launch, "tests/two_processes.py", str(folder)],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=300,
        capture_output=True,
    )
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("rank*.json")}


def test_two_processes_find_what_one_finds(answers, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.distributed, "all_reduce", torch.distributed.all_reduce)  # put back what main() replaces
    main(tmp_path)
    alone = json.loads((tmp_path / "rank-1.json").read_text())
    assert sorted(answers) == ["rank0", "rank1"]
    for key in ("rows", "loss", "validation"):
        assert answers["rank0"][key] == answers["rank1"][key]
        np.testing.assert_allclose(answers["rank0"][key], alone[key], rtol=0, atol=1e-5)
    assert alone["sent"] == []


def test_only_projected_gradients_and_losses_travel(answers):
    vectors, tasks, steps = 3, 3, 6
    modules = answers["rank0"]["modules"]
    each_step = modules * vectors + tasks
    assert each_step <= (vectors * modules + 1) * tasks
    looked = [tasks]  # a loss a task for each look at the validation, the first at the start
    assert answers["rank0"]["sent"] == [*looked, *[each_step] * steps, *looked]
