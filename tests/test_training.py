"""Training: it learns, repeats itself, goes on where it was stopped, and leaves everything else as it was."""

import inspect
import random
import shutil
from collections import Counter
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from torch import nn
from transformers import TrainerCallback

from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.models.bases import base_mark
from spkit.models.fits import check_fits
from spkit.tasks import Task
from spkit.training import fitting
from spkit.training import trainer as training
from spkit.training.batches import TaskBatches
from spkit.training.losses import task_loss
from spkit.training.sampling import ShareBatchSampler
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat
from tests.tiny import WORDS, tiny_encoder

QUICK = {"batch_size": 8, "learning_rate": 3e-3, "progress": False}


@pytest.fixture(scope="module")
def tasks(sixty_of_each) -> dict[str, Task]:
    return sixty_of_each


@torch.no_grad()
def loss_on(model: SentenceTransformer, task: Task) -> float:
    batches = TaskBatches(task, task.dev, model, 8, seed=0)
    return float(np.mean([float(batches.loss_of(batch)) for batch in batches.epoch(0)]))


@pytest.mark.parametrize("name", ["faq", "topic", "likeness"])
def test_training_lowers_the_loss_on_examples_it_has_not_seen(base, tasks, name) -> None:
    expert = train(base, tasks[name], steps=25, **QUICK)
    assert loss_on(expert, tasks[name]) < 0.8 * loss_on(base, tasks[name])
    assert not expert.training
    assert all(parameter.grad is None for parameter in expert.parameters())


def test_base_and_random_state_are_left_as_they_were(base, tasks) -> None:
    before, was_training = weights_hash(base), base.training
    parameter = next(base.parameters())
    parameter.grad = torch.ones_like(parameter)
    states = np.random.get_state()[1].tolist(), torch.random.get_rng_state()
    train(base, tasks["faq"], steps=2, seed=123, **QUICK)
    assert weights_hash(base) == before
    assert base.training == was_training
    assert base_mark(base) is None
    assert torch.equal(parameter.grad, torch.ones_like(parameter))
    parameter.grad = None
    assert np.random.get_state()[1].tolist() == states[0]
    assert torch.equal(torch.random.get_rng_state(), states[1])
    # Python's own generator, apart from `train`: the type checker of the tests draws from it.
    before_seeding = random.getstate()
    with training._kept_random_state():
        random.seed(123)
    assert random.getstate() == before_seeding


def test_the_seed_decides_the_weights_and_nothing_else_does(base, tasks) -> None:
    torch.manual_seed(1)
    one = train(base, tasks["likeness"], steps=5, seed=3, **QUICK)
    torch.manual_seed(2)
    random.seed(2)
    again = train(base, [tasks["likeness"]], steps=5, seed=3, **QUICK)
    other = train(base, tasks["likeness"], steps=5, seed=4, **QUICK)
    assert weights_hash(one) == weights_hash(again) != weights_hash(other)


def test_epochs_are_passes_over_the_examples(base, tasks) -> None:
    steps = len(tasks["likeness"].train) // 8 * 2
    by_epochs = train(base, tasks["likeness"], epochs=2.0, **QUICK)
    assert weights_hash(by_epochs) == weights_hash(train(base, tasks["likeness"], steps=steps, **QUICK))


class Turns(ShareBatchSampler):
    """Notes whose batches were drawn."""

    def __iter__(self):
        sizes = [len(part) for part in self.dataset.datasets]
        for batch in super().__iter__():
            Turns.seen.append(0 if max(batch) < sizes[0] else 1)
            yield batch


@pytest.mark.parametrize(
    ("sampling", "expected"), [("uniform", (6, 6)), ("proportional", (8, 4)), ({"faq": 1.0, "likeness": 3.0}, (3, 9))]
)
def test_joint_training_draws_batches_by_shares(base, tasks, monkeypatch, sampling, expected) -> None:
    Turns.seen = []
    monkeypatch.setattr(fitting, "ShareBatchSampler", Turns)
    small = Task(**{**vars(tasks["likeness"]), "train": tasks["likeness"].train.select(range(30))})
    train(base, [tasks["faq"], small], steps=12, sampling=sampling, **QUICK)
    counts = Counter(Turns.seen[:12])
    assert (counts[0], counts[1]) == expected


def test_joint_epochs_are_as_many_batches_as_the_tasks_have(base, tasks, monkeypatch) -> None:
    Turns.seen = []
    monkeypatch.setattr(fitting, "ShareBatchSampler", Turns)
    train(base, [tasks["faq"], tasks["likeness"]], epochs=1.0, **QUICK)
    assert Counter(Turns.seen) == {0: 60 // 8, 1: 60 // 8}


class Noted(nn.Module):
    """A task's own loss, which notes whose batch it was given, and how many examples."""

    seen: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, task: Task, model: SentenceTransformer) -> None:
        super().__init__()
        self.name, self.loss = task.name, task_loss(task, model)

    def forward(self, features, labels):
        features = list(features)
        Noted.seen.append((self.name, len(features[0]["input_ids"])))
        return self.loss(features, labels)


def noted(task: Task) -> Task:
    return Task(**{**vars(task), "loss": partial(Noted, task)})


class Steps(TrainerCallback):
    """Notes what was seen in each optimiser step."""

    def __init__(self) -> None:
        self.steps: list[list[tuple[str, int]]] = []
        self.weights: list[str] = []

    def on_step_begin(self, args, state, control, **given) -> None:
        Noted.seen = []

    def on_step_end(self, args, state, control, model, **given) -> None:
        self.steps.append(Noted.seen)
        self.weights.append(weights_hash(model))


@pytest.mark.parametrize("length", [{"steps": 5}, {"epochs": 1.0}])
def test_mixed_steps_see_a_batch_of_every_task(base, tasks, length) -> None:
    """An epoch is as many batches as the tasks have together: 21 of 60 // 8 = 7 each, three in a step."""
    chosen, seen = [noted(task) for task in tasks.values()], Steps()
    train(base, chosen, sampling="uniform", mixing="step", callbacks=[seen], **(QUICK | length))
    assert len(seen.steps) == (5 if "steps" in length else 7)
    assert all(step == [("faq", 8), ("topic", 8), ("likeness", 8)] for step in seen.steps)


def test_unmixed_steps_see_one_task_in_turn(base, tasks) -> None:
    chosen, seen = [noted(tasks[name]) for name in ("faq", "likeness")], Steps()
    train(base, chosen, steps=4, sampling="uniform", callbacks=[seen], **QUICK)
    assert seen.steps == [[("faq", 8)], [("likeness", 8)]] * 2


def plain_descent(folder, **settings) -> SentenceTransformerTrainingArguments:
    """Descent without Adam's scaling and without clipping, so that a gradient twice as large moves twice as far."""
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder), max_steps=3, per_device_train_batch_size=8, learning_rate=1e-2, optim="sgd",
        max_grad_norm=0.0, lr_scheduler_type="constant", report_to=[], save_strategy="no", logging_strategy="no",
        disable_tqdm=True, dataloader_pin_memory=False, **settings,
    )  # fmt: skip


def test_a_mixed_step_takes_the_mean_of_the_gradients(tasks, tmp_path) -> None:
    base = tiny_encoder(0, WORDS).eval()
    for module in base.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    twin = Task(**{**vars(tasks["faq"]), "name": "twin"})
    settings = {"args": plain_descent(tmp_path), "progress": False}
    alone = train(base, tasks["faq"], **settings)
    mixed = train(base, [tasks["faq"], twin], sampling="uniform", mixing="step", **settings)
    moved = (flat(alone) - flat(base)).norm()
    assert (flat(mixed) - flat(alone)).norm() < 1e-4 * moved
    assert settings["args"].gradient_accumulation_steps == 1  # what the caller gave is left as it was


def test_accumulation_of_the_callers_own_arguments_draws_new_batches(base, tasks, tmp_path) -> None:
    chosen, seen = [noted(tasks[name]) for name in ("faq", "likeness")], Steps()
    arguments = plain_descent(tmp_path, gradient_accumulation_steps=2)
    settings = {"args": arguments, "sampling": "uniform", "callbacks": [seen], "progress": False}
    train(base, chosen, **settings)
    assert seen.steps == [[("faq", 8), ("likeness", 8)]] * 3
    seen.steps = []
    train(base, chosen, mixing="step", **settings)  # two batches of each
    assert seen.steps == [[("faq", 8), ("likeness", 8)] * 2] * 3


def test_callbacks_see_the_model_of_every_task_in_turn(base, tasks) -> None:
    seen = Steps()
    chosen = [noted(tasks["faq"]), noted(tasks["topic"])]
    last = train(base, chosen, steps=2, order="sequential", callbacks=[seen], **QUICK)
    assert seen.steps == [[("faq", 8)]] * 2 + [[("topic", 8)]] * 2
    assert seen.weights[-1] == weights_hash(last)
    assert len(set(seen.weights)) == 4


def test_intermediate_models_of_a_sequence_are_kept_for_merging(base, tasks) -> None:
    models: dict[str, SentenceTransformer] = {}
    chosen = [tasks["faq"], tasks["topic"], tasks["likeness"]]
    last = train(base, chosen, steps=3, order="sequential", after_each=models.__setitem__, **QUICK)
    assert list(models) == ["faq", "topic", "likeness"]
    first = train(base, tasks["faq"], steps=3, **QUICK)
    second = train(first, tasks["topic"], steps=3, **QUICK)
    assert weights_hash(models["faq"]) == weights_hash(first)  # not moved by what came after
    assert weights_hash(models["topic"]) == weights_hash(second)
    assert weights_hash(models["likeness"]) == weights_hash(last)
    assert models["likeness"] is not last
    assert not any(model.training for model in models.values())
    vectors = TaskVectors.from_models(base, models)  # each carries the mark of the base
    assert vectors.names == ("faq", "topic", "likeness")
    assert (vectors.norms() > 0).all()


def test_intermediate_models_come_from_finished_checkpoints_too(base, tasks, tmp_path) -> None:
    settings = QUICK | {"steps": 2, "order": "sequential", "checkpoints": tmp_path}
    once: dict[str, SentenceTransformer] = {}
    again: dict[str, SentenceTransformer] = {}
    seen = Steps()
    for models in (once, again):
        train(base, [tasks["faq"], tasks["likeness"]], callbacks=[seen], after_each=models.__setitem__, **settings)
    assert len(seen.steps) == 4  # the second time nothing was trained
    assert [weights_hash(model) for model in once.values()] == [weights_hash(model) for model in again.values()]


def test_sequential_is_one_training_after_the_other(base, tasks) -> None:
    chosen = [tasks["faq"], tasks["topic"]]
    sequential = train(base, chosen, steps=4, order="sequential", seed=2, **QUICK)
    first = train(base, chosen[0], steps=4, seed=2, **QUICK)
    second = train(first, chosen[1], steps=4, seed=2, **QUICK)
    assert weights_hash(sequential) == weights_hash(second)
    backwards = train(base, chosen[::-1], steps=4, order="sequential", seed=2, **QUICK)
    assert weights_hash(backwards) != weights_hash(sequential)


def test_sequential_training_with_own_arguments_leaves_them_and_mixes_no_prompts(base, tasks, tmp_path) -> None:
    prompted = Task(**{**vars(tasks["faq"]), "prompts": {"anchor": "is "}})
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=8, learning_rate=3e-3, seed=2, report_to=[],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    both = train(base, [prompted, tasks["likeness"]], order="sequential", args=arguments, progress=False)
    assert arguments.prompts is None
    assert arguments.output_dir == str(tmp_path)
    first = train(base, prompted, args=arguments, progress=False)
    second = train(first, tasks["likeness"], args=arguments, progress=False)
    assert weights_hash(both) == weights_hash(second)
    assert weights_hash(first) != weights_hash(train(base, tasks["faq"], args=arguments, progress=False))


class KilledError(Exception):
    """What a test stops a training with."""


class Kill(TrainerCallback):
    """Stops a training after a step, once."""

    def __init__(self, label: str) -> None:
        pass

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        Kill.began.append(state.global_step)

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        if state.global_step == Kill.step:
            raise KilledError


@pytest.fixture
def checkpoints(monkeypatch, tmp_path):
    """Checkpoints every 5 steps, and trainings that are killed before the step after `Kill.step`."""
    original = training._arguments

    def often(*given):
        arguments = original(*given)
        arguments.save_steps = 5
        return arguments

    monkeypatch.setattr(training, "_arguments", often)
    monkeypatch.setattr(fitting, "ProgressBar", Kill)
    Kill.began = []
    return tmp_path / "checkpoints"


@pytest.mark.parametrize(
    ("names", "mixing"),
    [(["faq"], "task"), (["topic"], "task"), (["likeness"], "task"), (["faq", "topic", "likeness"], "task"),
     (["faq", "likeness"], "step")],
    ids=lambda given: given if isinstance(given, str) else "+".join(given),
)  # fmt: skip
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(base, tasks, checkpoints, names, mixing) -> None:
    """Killed in its second pass (60 examples make 7 batches), with dropout on."""
    chosen = [tasks[name] for name in names]
    settings = QUICK | {"steps": 16, "progress": True, "seed": 1, "checkpoints": checkpoints, "mixing": mixing}
    Kill.step = None
    whole = train(base, chosen, **(settings | {"checkpoints": None}))
    Kill.step = 12
    with pytest.raises(KilledError):
        train(base, chosen, **settings)
    Kill.step = None
    resumed = train(base, chosen, **settings)
    assert Kill.began == [0, 0, 10]
    assert weights_hash(resumed) == weights_hash(whole)
    # Finished: nothing is trained again, and the weights are the same.
    again = train(base, chosen, **settings)
    assert weights_hash(again) == weights_hash(whole)
    assert Kill.began == [0, 0, 10]
    told = whole.model_card_data.training_logs
    assert [line["Step"] for line in told] == [10]  # a loss for each ten steps
    assert resumed.model_card_data.training_logs == again.model_card_data.training_logs == told
    again.save(str(checkpoints / "again"))
    card = (checkpoints / "again" / "README.md").read_text(encoding="utf-8")
    assert "### Training Logs" in card
    assert "`max_steps`: 16" in card


def test_sequential_training_goes_on_in_its_second_task(base, tasks, checkpoints) -> None:
    settings = QUICK | {"steps": 8, "progress": True, "order": "sequential", "checkpoints": checkpoints}
    chosen = [tasks["faq"], tasks["likeness"]]
    Kill.step = None
    whole = train(base, chosen, **(settings | {"checkpoints": None}))
    train(base, chosen[:1], **settings)
    Kill.step = 6
    with pytest.raises(KilledError):
        train(base, chosen, **settings)
    Kill.step = None
    assert weights_hash(train(base, chosen, **settings)) == weights_hash(whole)
    assert Kill.began == [0, 0, 0, 0, 5]


def test_a_checkpoint_that_was_cut_off_is_passed_over(base, tasks, checkpoints) -> None:
    settings = QUICK | {"steps": 12, "progress": True, "checkpoints": checkpoints}
    Kill.step = 7
    with pytest.raises(KilledError):
        train(base, tasks["faq"], **settings)
    (folder,) = checkpoints.iterdir()
    broken = folder / "checkpoint-7"
    shutil.copytree(folder / "checkpoint-5", broken)
    (broken / "trainer_state.json").unlink()  # the trainer writes it last
    (broken / "model.safetensors").write_bytes(b"")
    Kill.step = None
    resumed = train(base, tasks["faq"], **settings)
    assert Kill.began == [0, 5]
    assert weights_hash(resumed) == weights_hash(train(base, tasks["faq"], **(settings | {"checkpoints": None})))


def test_no_training_goes_on_from_another_ones_checkpoint(base, tasks, checkpoints) -> None:
    settings = QUICK | {"steps": 12, "progress": True, "checkpoints": checkpoints}
    Kill.step = 6
    with pytest.raises(KilledError):
        train(base, tasks["faq"], **settings)
    Kill.step = 0  # where each of the others must begin
    for change in ({"seed": 9}, {"learning_rate": 1e-3}, {"steps": 11}, {"batch_size": 10}):
        with pytest.raises(KilledError):
            train(base, tasks["faq"], **(settings | change))
    other = tiny_encoder(0, WORDS)
    other.max_seq_length = 8
    with pytest.raises(KilledError):
        train(other, tasks["faq"], **settings)
    Kill.step = 5
    with pytest.raises(KilledError):
        train(tiny_encoder(0, WORDS), tasks["faq"], **settings)
    assert Kill.began == [0] * 6 + [5]


def test_the_mark_of_the_base_is_kept_and_passed_on(base, tasks, tmp_path) -> None:
    expert = train(base, tasks["faq"], steps=2, **QUICK)  # the first step of the warm-up has learning rate 0
    assert base_mark(expert) == weights_hash(base)
    expert.save(str(tmp_path / "expert"))
    loaded = SentenceTransformer(str(tmp_path / "expert"), device="cpu")
    assert base_mark(loaded) == weights_hash(base)
    second = train(loaded, tasks["topic"], steps=2, **QUICK)
    assert base_mark(second) == weights_hash(base)  # of the first model in the chain
    assert TaskVectors.from_models(base, {"faq": expert, "then topic": second}).names == ("faq", "then topic")
    with torch.no_grad():
        moved = tiny_encoder(0, WORDS)
        next(moved.parameters()).add_(1e-3)
    with pytest.raises(SpkitError, match="trained from the one base"):
        check_fits(moved, expert, "faq", weights_hash(moved))


def broken_loss(model: SentenceTransformer) -> nn.Module:
    class NaN(nn.Module):
        def forward(self, features, labels):
            return next(model.parameters()).sum() * float("nan")

    return NaN()


@pytest.mark.parametrize("steps", [3, 12])  # less than one log, more than one
def test_a_loss_that_is_not_finite_stops_the_training(base, tasks, steps) -> None:
    task = Task(**{**vars(tasks["faq"]), "loss": broken_loss})
    with pytest.raises(SpkitError, match=r"stay finite.*nan for 'faq'"):
        train(base, task, steps=steps, **QUICK)


def labelled(labels: list[str]) -> Task:
    train_rows = Dataset.from_dict({"text": [f"text {i}" for i in range(len(labels))], "label": labels})
    test = Dataset.from_dict({"text": ["one", "two"], "label": sorted(set(labels))[:2]})
    return Task(name="odd", kind="classification", train=train_rows, dev=test, test=test)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "either `steps` or `epochs`.*steps=None and epochs=None"),
        ({"steps": 1, "epochs": 1.0}, "either `steps` or `epochs`"),
        ({"steps": 0}, "must be positive.*Found 0"),
        ({"epochs": -1.0}, "must be positive"),
        ({"steps": 1, "order": "random"}, "'joint' or 'sequential'.*'random'"),
        ({"steps": 1, "batch_size": 1}, "at least 2 for a retrieval task.*Found 1 for task 'faq'"),
        ({"steps": 1, "batch_size": 61}, "one full batch.*Found 60 examples in 'faq' at batch size 61"),
        ({"steps": 1, "tasks": []}, "at least one task"),
        ({"steps": 1, "tasks": ["faq", "faq"]}, "different names.*'faq', 'faq'"),
        ({"steps": 1, "tasks": ["topic"], "batch_size": 7}, "at least 4, and even, for a classification task"),
        ({"steps": 1, "tasks": ["faq", "topic"], "sampling": {"faq": 1.0}}, "one positive share for each task"),
        ({"steps": 1, "tasks": ["faq", "topic"], "sampling": "fair"}, "'fair'"),
        ({"steps": 1, "mixing": "batch"}, "`mixing` must be 'task' or 'step'. Found 'batch'"),
        (
            {"steps": 1, "tasks": ["faq", "topic"], "mixing": "step", "sampling": {"faq": 3.0, "topic": 1.0}},
            "shares must be equal.*'faq' 0.75, 'topic' 0.25.*\"uniform\"",
        ),
        ({"steps": 1, "mixing": "step", "order": "sequential"}, "belongs to joint training.*order='sequential'"),
        ({"steps": 1, "after_each": print}, "one task after the other.*order='joint'.*\"sequential\""),
    ],
)
def test_bad_input_is_refused_before_training(base, tasks, monkeypatch, change, message) -> None:
    def never(*given, **settings) -> None:
        raise AssertionError("a trainer was built")

    monkeypatch.setattr(fitting, "CheckpointedTrainer", never)
    chosen = [tasks[name] for name in change.get("tasks", ["faq"])]
    with pytest.raises(SpkitError, match=message):
        # Unwrapped: the annotations themselves refuse some of these in tests, where types are checked.
        inspect.unwrap(train)(base, chosen, **(QUICK | {k: v for k, v in change.items() if k != "tasks"}))


@pytest.mark.parametrize("labels", [["a", "b"] + ["c"] * 10, ["a", "a", "b", "b"] + ["c"] * 20])
def test_labels_that_fill_no_batch_are_refused_before_training(base, labels) -> None:
    with pytest.raises(SpkitError, match=r"no full batch of 12.*'odd'"):
        train(base, labelled(labels), steps=1, **(QUICK | {"batch_size": 12}))


def test_shares_that_do_not_fit_leave_no_folder(base, tasks, tmp_path) -> None:
    both = [tasks["faq"], tasks["topic"]]
    for wrong, order, message in (
        (
            {"faq": 1.0, "likeness": 1.0},
            "joint",
            r"one positive share for each task. Found .* for tasks 'faq', 'topic'",
        ),
        ({"faq": 1.0, "topic": 1.0}, "sequential", r"belong to joint training. Found .* with order='sequential'"),
    ):
        with pytest.raises(SpkitError, match=message):
            train(base, both, steps=1, sampling=wrong, order=order, checkpoints=tmp_path / "new", **QUICK)
    assert not (tmp_path / "new").exists()
