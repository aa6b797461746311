"""The callback that measures conflict along a training, and leaves the training as it is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from transformers import PrinterCallback, TrainerCallback

from spkit.diagnostics.conflict import ConflictCallback, gradient_conflict
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.tasks import Task
from spkit.training.losses import task_loss
from spkit.training.samplers import batch_sampler, training_view
from tests.tiny import tiny_tasks

MEASURED = {"batches": 4, "batch_size": 8}


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    made = tiny_tasks()
    return {name: made[name] for name in ("faq", "topic")}


def trained(
    base: SentenceTransformer,
    task: Task,
    folder: Path,
    *callbacks: TrainerCallback,
    steps: int = 5,
    resume: bool = False,
) -> SentenceTransformer:
    """A training with dropout, so that whoever draws from torch's generator changes it."""
    torch.manual_seed(7)
    model = copy_model(base)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=8,
        learning_rate=1e-3,
        dataloader_pin_memory=False,
        save_strategy="steps",
        save_steps=2,
        disable_tqdm=True,
        report_to=[],
    )
    arguments.batch_sampler = batch_sampler
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=training_view(task, task.train),
        loss=task_loss(task, model),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-2") if resume else None)
    return model


class Watcher(TrainerCallback):
    """What another callback finds after a measurement."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    def on_step_end(self, args, state, control, **kwargs) -> None:
        model = kwargs["model"]
        gradients = [parameter.grad for parameter in model.parameters()]
        self.seen.append(
            (
                model.training,
                torch.random.get_rng_state().tolist(),
                np.random.get_state()[1].tolist(),
                [None if gradient is None else gradient.tolist() for gradient in gradients],
            )
        )


@pytest.fixture(scope="module")
def run(base, tasks, tmp_path_factory) -> tuple[SentenceTransformer, Path, Watcher]:
    folder, watcher = tmp_path_factory.mktemp("run"), Watcher()
    callback = ConflictCallback(tasks, every=2, folder=folder / "conflict", **MEASURED)
    model = trained(base, tasks["faq"], folder / "training", callback, watcher)
    return model, folder / "conflict", watcher


def test_training_is_the_same_to_the_last_bit(base, tasks, run, tmp_path) -> None:
    watcher = Watcher()
    plain = trained(base, tasks["faq"], tmp_path, watcher)
    assert weights_hash(run[0]) == weights_hash(plain) != weights_hash(base)
    assert run[2].seen == watcher.seen
    assert watcher.seen[0][0]


def test_files_hold_every_k_steps_and_both_ends(base, tasks, run) -> None:
    pairs, modules = (pd.read_csv(run[1] / name) for name in ("conflict.csv", "by_module.csv"))
    assert pairs["step"].tolist() == [0, 2, 4, 5]
    assert set(modules["step"]) == {0, 2, 4, 5}
    columns = ["step", "a", "b", "cosine", "corrected", "low", "high", "verdict"]
    assert set(columns) <= set(pairs.columns)
    assert {*columns, "module"} <= set(modules.columns)
    for step, model in ((0, base), (5, run[0])):
        report = gradient_conflict(model, tasks, progress=False, **MEASURED)
        at = pairs[pairs["step"] == step].iloc[0]
        assert at["corrected"] == pytest.approx(report.corrected.loc["faq", "topic"])
        assert at["verdict"] == report.verdict.loc["faq", "topic"]
        then = modules[modules["step"] == step].reset_index(drop=True)
        assert then["module"].tolist() == report.by_module["module"].tolist()
        np.testing.assert_allclose(then["norm_a"], report.by_module["norm_a"])
    assert pairs["corrected"].nunique() == 4
    summary = pd.read_csv(run[1] / "summary.csv")
    assert set(summary["step"]) == {0, 2, 4, 5}
    end = summary[(summary["step"] == 5) & (summary["module"] == "whole model")].iloc[0]
    report = gradient_conflict(run[0], tasks, progress=False, **MEASURED)
    assert end["directional"] == pytest.approx(report.directional)
    assert end["magnitude"] == pytest.approx(report.magnitude)
    for table in (pairs, modules, summary):
        assert (table["batch_size"] == MEASURED["batch_size"]).all()
        assert not table["dropout"].any()


def test_files_grow_while_the_training_runs(base, tasks, tmp_path) -> None:
    lengths = []

    class Reader(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs) -> None:
            lengths.append(len(pd.read_csv(tmp_path / "conflict.csv")))

    callback = ConflictCallback(list(tasks.values()), every=1, folder=tmp_path, **MEASURED)
    trained(base, tasks["topic"], tmp_path / "training", callback, Reader(), steps=2)
    assert lengths == [2, 3]
    assert len(pd.read_csv(tmp_path / "conflict.csv")) == 3  # the last step is its end, measured once


def test_a_training_that_goes_on_goes_on_in_its_files(base, tasks, run, tmp_path) -> None:
    """The record reaches beyond the checkpoint: what lies behind it is measured again, what lies before is kept."""
    for file in run[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    callback = ConflictCallback(tasks, every=2, folder=tmp_path, **MEASURED)
    trained(base, tasks["faq"], run[1].parent / "training", callback, resume=True)
    for name in ("conflict.csv", "by_module.csv", "summary.csv"):
        again, first = pd.read_csv(tmp_path / name), pd.read_csv(run[1] / name)
        pd.testing.assert_frame_equal(again, first)
    assert {path.name for path in tmp_path.iterdir()} == {"conflict.csv", "by_module.csv", "summary.csv"}


def test_a_new_training_replaces_the_files_of_an_old_one(base, tasks, run, tmp_path) -> None:
    for file in run[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    callback = ConflictCallback(tasks, every=100, folder=tmp_path, **MEASURED)
    trained(base, tasks["faq"], tmp_path / "training", callback, steps=1)
    assert pd.read_csv(tmp_path / "conflict.csv")["step"].tolist() == [0, 1]
    with pytest.raises(SpkitError, match=r"watch one training only.*up to step 1.*Make one for each"):
        trained(base, tasks["faq"], tmp_path / "training", callback, steps=1)


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["faq"], {"every": 1}, "at least two tasks"),
        (["faq", "topic"], {"every": 0}, r"`every` must be 1 or more steps\. Found 0"),
        (["faq", "topic"], {"every": 1, "batches": 6}, "multiple of 4.*Found 6"),
    ],
)
def test_bad_input(tasks, names, settings, message, tmp_path) -> None:
    with pytest.raises(SpkitError, match=message):
        ConflictCallback([tasks[name] for name in names], folder=tmp_path, **settings)
