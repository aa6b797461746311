"""Experts, joint and sequential training: SentenceTransformerTrainer with the settings of a study."""

import hashlib
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from datasets import DatasetDict
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from tqdm.auto import tqdm
from transformers import PrinterCallback, TrainerCallback

from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.losses import SMALLEST_BATCH, batch_sampler, task_loss, training_view
from spkit.models import base_mark, copy_model, load_model, mark_base, quiet_libraries
from spkit.sampling import Sampling, ShareBatchSampler, shares
from spkit.tasks import Task

#: Default learning rate: high for a published encoder, right for a small one that is trained for some hundred steps.
LEARNING_RATE = 1e-4


def train(
    base: SentenceTransformer,
    tasks: Task | Sequence[Task] | Mapping[str, Task],
    *,
    steps: int | None = None,
    epochs: float | None = None,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = 32,
    sampling: Sampling = "proportional",
    order: Literal["joint", "sequential"] = "joint",
    seed: int = 0,
    args: SentenceTransformerTrainingArguments | None = None,
    checkpoints: str | Path | None = None,
    progress: bool = True,
) -> SentenceTransformer:
    """Train a copy of the base on one task (an expert), on several jointly, or on one after the other.

    One task gives the expert whose difference to the base is the task vector. Several tasks give the joint model that
    merging has to compete with; each batch holds examples of one task. AdamW with a tenth of the steps as linear
    warm-up, linear decay to zero, and gradients clipped to norm 1.

    Args:
        base: the model to start from; it is left as it is.
        tasks: one task, or several as a list or as `load_tasks` gives them.
        steps: optimiser steps in all (for `order="sequential"`: for each task). Give this or `epochs`.
        epochs: passes over the training examples instead; jointly, as many batches as all tasks together have in that
            many passes.
        learning_rate: peak learning rate; 1e-5 to 2e-4 are common.
        batch_size: examples in a batch, which are each other's negatives.
        sampling: share of each task in joint training: `"proportional"`, `"uniform"`, a temperature, or shares by name.
        order: `"joint"` mixes the tasks; `"sequential"` trains on the first, then goes on with the second, and so on.
        seed: of the order of examples and of dropout.
        args: replaces all settings above except `tasks`, `sampling` and `order`, for full control.
        checkpoints: a folder; training that was stopped goes on from its last checkpoint there, if everything that
            decides the result is unchanged.
        progress: whether to show a progress bar.

    Returns:
        The trained model, in evaluation mode. It carries the base's weights hash in its configuration.

    Raises:
        SpkitError: neither or both of `steps` and `epochs`, no task, a batch that a task cannot fill, a loss that is
            not finite.

    Example:
        >>> from spkit import load_base, load_tasks
        >>> tasks = load_tasks("bundled", names=["chat"])
        >>> expert = train(load_base("minilm-l3", max_seq_length=16), tasks["chat"], steps=1, progress=False)
    """
    chosen = _as_list(tasks)
    _check(chosen, steps, epochs, batch_size, order, args)
    plan = [[task] for task in chosen] if order == "sequential" else [chosen]
    mark = base_mark(base) or weights_hash(base)
    model = copy_model(base)
    for part in plan:
        with quiet_libraries(), _kept_random_state(), tempfile.TemporaryDirectory(prefix="spkit-") as scratch:
            run = partial(_arguments, part, steps, epochs, learning_rate, batch_size, seed, checkpoints is not None)
            given = copy(args) if args is not None else run(scratch)  # a copy: what a part sets stays with it
            if checkpoints is not None:
                given.output_dir = str(_checkpoint_folder(Path(checkpoints), model, part, given, sampling))
            _fit(model, part, given, sampling, resume=checkpoints is not None, progress=progress)
    mark_base(model, mark)
    return model.eval()


def _fit(
    model: SentenceTransformer,
    tasks: list[Task],
    arguments: SentenceTransformerTrainingArguments,
    sampling: Sampling,
    resume: bool,
    progress: bool,
) -> None:
    label = " + ".join(task.name for task in tasks)
    last = _last_checkpoint(Path(str(arguments.output_dir))) if resume else None
    if last is not None and last.finished:  # the trainer would take one more step
        model.load_state_dict(load_model(last.folder).state_dict())
        return
    views = {task.name: training_view(task, task.train) for task in tasks}
    weights = shares({name: len(view) for name, view in views.items()}, sampling)
    arguments.batch_sampler = batch_sampler
    steps = arguments.max_steps
    if len(tasks) > 1:
        if steps <= 0:
            size = arguments.train_batch_size
            steps = max(1, round(arguments.num_train_epochs * sum(len(view) // size for view in views.values())))
            arguments.max_steps = steps
        arguments.multi_dataset_batch_sampler = partial(
            ShareBatchSampler, weights=[weights[name] for name in views], steps=steps
        )
    prompts = {task.name: dict(task.prompts) for task in tasks if task.prompts}
    if prompts:
        arguments.prompts = prompts if len(tasks) > 1 else prompts[label]
    losses = {task.name: task_loss(task, model) for task in tasks}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=DatasetDict(list(views.items())) if len(tasks) > 1 else views[label],
        loss=losses if len(tasks) > 1 else losses[label],
        callbacks=[_FiniteLoss(label), *([_ProgressBar(label)] if progress else [])],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=None if last is None else str(last.folder))
    model.zero_grad(set_to_none=True)


def _arguments(
    tasks: list[Task],
    steps: int | None,
    epochs: float | None,
    learning_rate: float,
    batch_size: int,
    seed: int,
    save: bool,
    folder: str,
) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        output_dir=folder,
        max_steps=steps or -1,
        num_train_epochs=epochs or 1.0,
        learning_rate=learning_rate,
        per_device_train_batch_size=batch_size,
        warmup_steps=0.1 if steps is None or steps >= 10 else 0,  # below 1: a share of all steps
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=seed,
        dataloader_drop_last=True,
        dataloader_pin_memory=False,
        save_strategy="steps" if save else "no",
        save_steps=50,
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=10,
        logging_nan_inf_filter=False,  # a loss that is not finite must be seen, not replaced
        disable_tqdm=True,
        report_to=[],
    )


def _as_list(tasks: Task | Sequence[Task] | Mapping[str, Task]) -> list[Task]:
    if isinstance(tasks, Task):
        return [tasks]
    return list(tasks.values()) if isinstance(tasks, Mapping) else list(tasks)


def _check(
    tasks: list[Task],
    steps: int | None,
    epochs: float | None,
    batch_size: int,
    order: str,
    args: SentenceTransformerTrainingArguments | None,
) -> None:
    if not tasks:
        raise SpkitError("`tasks` must name at least one task.", "Found none.", "Pass a task or a list of tasks.")
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise SpkitError("Tasks must have different names.", f"Found {quoted(names)}.", "Rename one of them.")
    if order not in ("joint", "sequential"):
        raise SpkitError("`order` must be 'joint' or 'sequential'.", f"Found {order!r}.", "Pass one of the two.")
    if args is None and (steps is None) == (epochs is None):
        raise SpkitError(
            "A training must be given either `steps` or `epochs`.",
            f"Found steps={steps} and epochs={epochs}.",
            "Pass one, for example `steps=80`.",
        )
    length = steps if steps is not None else epochs
    if length is not None and not length > 0:
        raise SpkitError("`steps` and `epochs` must be positive.", f"Found {length}.", "Pass 1 or more.")
    size = args.train_batch_size if args is not None else batch_size
    for task in tasks:
        if size < SMALLEST_BATCH[task.kind] or (task.kind == "classification" and size % 2):
            raise SpkitError(
                f"`batch_size` must be at least {SMALLEST_BATCH[task.kind]} for a {task.kind} task"
                f"{', and even' if task.kind == 'classification' else ''}.",
                f"Found {size} for task {task.name!r}.",
                "Pass 32, for example.",
            )
        if len(task.train) < size:
            raise SpkitError(
                "Each task must have at least one full batch of training examples.",
                f"Found {len(task.train)} examples in {task.name!r} at batch size {size}.",
                "Lower `batch_size` or give the task more examples.",
            )
        if task.kind == "classification":
            _check_labels(task, size)


def _check_labels(task: Task, size: int) -> None:
    """The class loss needs partners: labels with one example, and the surplus of a dominant label, fill no batch."""
    try:
        count = len(batch_sampler(training_view(task, task.train), size, drop_last=True))
    except ValueError:  # fewer than two labels with two examples
        count = 0
    if count == 0:
        raise SpkitError(
            "The labels of a classification task must fill a batch in twos, at least two labels in turn.",
            f"Found no full batch of {size} in the {len(task.train)} training examples of task {task.name!r}.",
            "Lower `batch_size` or give the task more examples of each label.",
        )


@dataclass(frozen=True)
class _Checkpoint:
    folder: Path
    finished: bool


def _last_checkpoint(folder: Path) -> _Checkpoint | None:
    """The last whole checkpoint: the trainer writes its state last, so one without it was cut off."""
    states = sorted(
        folder.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name.split("-")[1])
    )
    for path in reversed(states):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue
        return _Checkpoint(path.parent, state["global_step"] >= state["max_steps"])
    return None


def _checkpoint_folder(
    root: Path,
    model: SentenceTransformer,
    tasks: list[Task],
    arguments: SentenceTransformerTrainingArguments,
    sampling: Sampling,
) -> Path:
    """A folder named by all that decides the result, so that no training goes on from another one's checkpoint."""
    keys = (
        "max_steps",
        "num_train_epochs",
        "learning_rate",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "warmup_steps",
        "lr_scheduler_type",
        "optim",
        "weight_decay",
        "max_grad_norm",
        "seed",
    )
    identity = {
        "model": weights_hash(model),
        "max_seq_length": model.max_seq_length,
        "tasks": [task.fingerprint() for task in tasks],
        "losses": [
            None if task.loss is None else getattr(task.loss, "__qualname__", repr(task.loss)) for task in tasks
        ],
        "sampling": dict(sampling) if isinstance(sampling, Mapping) else sampling,
        "arguments": {key: getattr(arguments, key) for key in keys},
    }
    return root / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _kept_random_state() -> Iterator[None]:
    """The trainer seeds every global generator; the caller's are put back afterwards."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


class _ProgressBar(TrainerCallback):
    """One bar a training, with the running loss, instead of a printed dictionary every few steps."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=f"train {self.label}", unit="step")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()


class _FiniteLoss(TrainerCallback):
    """Stops a training whose loss is not finite, before the model is worth nothing."""

    def __init__(self, label: str) -> None:
        self.label = label

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        given = logs or {}
        loss = given.get("loss", given.get("train_loss"))  # at the end: the mean over all steps
        if loss is not None and not np.isfinite(float(loss)):
            raise SpkitError(
                "The training loss must stay finite.",
                f"Found a mean of {loss} for {self.label!r} by step {state.global_step}.",
                "Lower `learning_rate` or look for broken examples.",
            )
