"""Trainings, conflict and scores by two processes are those of one; of two command lines only one writes and prints."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments

from spkit import train
from spkit.errors import SpkitError
from spkit.files import whole_file
from spkit.folders import write_folder
from spkit.hashing import weights_hash
from spkit.processes import own_part
from spkit.training.sharing import SharedModel
from tests.several_processes import main
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

ROOT = Path(__file__).parents[1]
TRAININGS = {"expert": 5, "scores": 7, "classes": 3, "joint": 24, "mixed": 3, "pool": 9, "cached": 5, "resumed": 4}


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script or module in two processes of one thread each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=500, capture_output=True, text=True)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("ranks")
    done = launch("tests/several_processes.py", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    main(folder)
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("rank*.json")}


@pytest.mark.slow
@pytest.mark.parametrize("training", TRAININGS)
def test_two_processes_train_as_one(answers, training) -> None:
    alone = answers["rankalone"][training]
    for rank in ("rank0", "rank1"):
        assert answers[rank][training]["steps"] == alone["steps"] == TRAININGS[training]
        np.testing.assert_allclose(answers[rank][training]["weights"], alone["weights"], rtol=0, atol=5e-6)
    assert answers["rank0"][training]["weights"] == answers["rank1"][training]["weights"]


@pytest.mark.slow
def test_two_processes_operate_on_gradients_as_one(answers) -> None:
    alone = answers["rankalone"]["surgery"]["weights"]
    for rank in ("rank0", "rank1"):
        np.testing.assert_allclose(answers[rank]["surgery"]["weights"], alone, rtol=0, atol=5e-6)


@pytest.mark.slow
def test_two_processes_measure_what_one_measures(answers) -> None:
    alone = answers["rankalone"]
    for rank in ("rank0", "rank1"):
        for key, values in alone["conflict"].items():
            np.testing.assert_allclose(answers[rank]["conflict"][key], values, rtol=1e-4, atol=1e-5, err_msg=key)
        np.testing.assert_allclose(answers[rank]["scores of the base"], alone["scores of the base"], atol=0.1)


@pytest.mark.slow
def test_of_two_command_lines_one_writes_and_prints(tmp_path) -> None:
    base = tiny_encoder(0, WORDS, layers=1)
    base.save(str(tmp_path / "base"))
    lines = []
    for name, task in tiny_tasks((48, 24, 24)).items():
        lines += [f"[tasks.{name}]", f'kind = "{task.kind}"']
        for split, rows in task.splits.items():
            rows.to_json(tmp_path / f"{name}-{split}.jsonl")
            lines.append(f'{split} = "{name}-{split}.jsonl"')
    (tmp_path / "tasks.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--base", str(tmp_path / "base"), "--tasks", str(tmp_path / "tasks.toml")]
    done = launch(
        "-m", "spkit.cli", "train", *options, "--steps", "6", "--batch-size", "8", "-o", str(tmp_path / "joint")
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[0] == f"Model: {tmp_path / 'joint'}"
    assert done.stdout.splitlines()[-1] == "Trained on faq, topic, likeness."
    assert "Warning" not in done.stderr
    # A bar begins once; its end may be drawn twice.
    assert len(re.findall(r"train faq \+ topic \+ likeness: +0%", done.stderr)) == 1
    assert "train faq + topic + likeness: 100%" in done.stderr
    assert weights_hash(SentenceTransformer(str(tmp_path / "joint"), device="cpu")) != weights_hash(base)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".") or "checkpoints" in path.name] == []
    wrong = launch("-m", "spkit.cli", "train", *options, "--task", "none", "--steps", "6", "-o", str(tmp_path / "x"))
    assert len(re.findall("^Error: ", wrong.stderr, flags=re.MULTILINE)) == 1


def test_only_the_main_process_writes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        with whole_file(tmp_path / f"file{rank}") as unfinished:
            unfinished.write_text("text")
        write_folder(tmp_path / f"folder{rank}", lambda folder: (folder / "file").touch(), "A folder")
        assert sorted(path.name for path in tmp_path.iterdir()) == ([] if rank == "1" else ["file0", "folder0"])


@pytest.mark.parametrize("length", [0, 1, 3, 7, 8])
def test_parts_are_all_rows_once(monkeypatch, length) -> None:
    from spkit import processes

    monkeypatch.setenv("WORLD_SIZE", "3")
    rows = []
    for rank in range(3):
        monkeypatch.setattr(processes, "_state", lambda rank=rank: type("State", (), {"process_index": rank}))
        rows.append(list(range(length))[own_part(length)])
    assert [row for part in rows for row in part] == list(range(length))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_texts_without_rows_are_embedded_by_every_process(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    bags = {"input_ids": torch.arange(4), "offsets": torch.tensor([0, 2])}
    given = []

    class Model(torch.nn.Module):
        def forward(self, features):
            given.append(features)
            return {"sentence_embedding": torch.ones(2, 3)}

    assert SharedModel(Model())(bags)["sentence_embedding"].shape == (2, 3)
    assert given == [bags]


def test_the_batch_stays_one_where_a_process_sees_several_gpus() -> None:
    tasks, base = tiny_tasks(), tiny_encoder(0, WORDS, layers=1)
    arguments = SentenceTransformerTrainingArguments(
        output_dir="unused",
        max_steps=2,
        per_device_train_batch_size=8,
        save_strategy="no",
        report_to=[],
        dataloader_pin_memory=False,
    )
    alone = train(base, tasks["faq"], args=arguments, progress=False)
    arguments._n_gpu = 2  # as transformers finds them
    assert arguments.train_batch_size == 16
    again = train(base, tasks["faq"], args=arguments, progress=False)
    assert weights_hash(again) == weights_hash(alone)
    assert arguments.n_gpu == 2  # the caller's object stays as it is


def test_arguments_that_do_not_know_of_the_processes_are_refused(monkeypatch) -> None:
    arguments = SentenceTransformerTrainingArguments(output_dir="unused", max_steps=2, report_to=[])
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SpkitError, match=r"Found 1 in `args`, of 2\. .*use_cpu=True"):
        train(tiny_encoder(0, WORDS, layers=1), tiny_tasks()["faq"], args=arguments)
