"""Experts, joint and sequential training: SentenceTransformerTrainer with the settings of a study."""

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import partial
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import TrainerCallback
from transformers.utils.import_utils import is_torch_bf16_gpu_available

from spkit.errors import SpkitError
from spkit.files import check_room
from spkit.hashing import weights_hash
from spkit.launcher import is_main, process_count
from spkit.locks import locked
from spkit.models.adapters import fold, has_adapters, unfold
from spkit.models.bases import base_mark, copy_model, mark_base, quiet_libraries
from spkit.models.completeness import without_unheld
from spkit.models.kept_apart import mark_kept_apart
from spkit.models.loading import Precision
from spkit.models.number_types import check_precision, loading_of
from spkit.processes import on_cpus
from spkit.tasks import Task
from spkit.training.checkpoints import checkpoint_folder
from spkit.training.checks import check_order, check_training
from spkit.training.fitting import fit, label_of
from spkit.training.kept import KeptModels, check_keep
from spkit.training.losses import check_mini_batch
from spkit.training.precision import check_weights, in_type_of, master_weights
from spkit.training.shares import Sampling

#: Default learning rate: high for a published encoder, right for a small one that is trained for some hundred steps.
LEARNING_RATE = 1e-4


@overload
def train(
    base: SentenceTransformer,
    tasks: Task | Sequence[Task] | Mapping[str, Task],
    *,
    steps: int | None = ...,
    epochs: float | None = ...,
    learning_rate: float = ...,
    batch_size: int = ...,
    sampling: Sampling = ...,
    mixing: Literal["task", "step"] = ...,
    order: Literal["joint", "sequential"] = ...,
    precision: Precision = ...,
    mini_batch_size: int | None = ...,
    seed: int = ...,
    args: SentenceTransformerTrainingArguments | None = ...,
    checkpoints: str | Path | None = ...,
    keep: None = None,
    callbacks: Sequence[TrainerCallback] = ...,
    after_each: Callable[[str, SentenceTransformer], None] | None = ...,
    progress: bool = ...,
) -> SentenceTransformer: ...


@overload
def train(
    base: SentenceTransformer,
    tasks: Task | Sequence[Task] | Mapping[str, Task],
    *,
    steps: int | None = ...,
    epochs: float | None = ...,
    learning_rate: float = ...,
    batch_size: int = ...,
    sampling: Sampling = ...,
    mixing: Literal["task", "step"] = ...,
    order: Literal["joint", "sequential"] = ...,
    precision: Precision = ...,
    mini_batch_size: int | None = ...,
    seed: int = ...,
    args: SentenceTransformerTrainingArguments | None = ...,
    checkpoints: str | Path | None = ...,
    keep: Sequence[float],
    callbacks: Sequence[TrainerCallback] = ...,
    after_each: Callable[[str, SentenceTransformer], None] | None = ...,
    progress: bool = ...,
) -> dict[float, SentenceTransformer]: ...


def train(
    base: SentenceTransformer,
    tasks: Task | Sequence[Task] | Mapping[str, Task],
    *,
    steps: int | None = None,
    epochs: float | None = None,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = 32,
    sampling: Sampling = "proportional",
    mixing: Literal["task", "step"] = "task",
    order: Literal["joint", "sequential"] = "joint",
    precision: Precision = "float32",
    mini_batch_size: int | None = None,
    seed: int = 0,
    args: SentenceTransformerTrainingArguments | None = None,
    checkpoints: str | Path | None = None,
    keep: Sequence[float] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    after_each: Callable[[str, SentenceTransformer], None] | None = None,
    progress: bool = True,
) -> SentenceTransformer | dict[float, SentenceTransformer]:
    """Train a copy of the base on one task (an expert), on several jointly, or on one after the other.

    One task gives the expert whose difference to the base is the task vector. Several tasks give the joint model that
    merging has to compete with; each batch holds examples of one task. AdamW with a tenth of the steps as linear
    warm-up, linear decay to zero, and gradients clipped to norm 1.

    The weights are trained in float32 whatever the base's type is, and rounded to that type once, at the end.

    Under `torchrun` or `accelerate launch` the processes share out the rows of every batch: as many steps on the same
    examples as in one process, whose loss they compute together. Without a launcher one process uses one GPU.

    Args:
        base: the model to start from; it is left as it is. With an adapter (`base.add_adapter(...)`), the adapter is
            trained, and the weights below it stay; the result is an expert of the model without the adapter.
        tasks: one task, or several as a list or as `load_tasks` gives them.
        steps: optimiser steps in all (for `order="sequential"`: for each task), each on `batch_size` examples, or with
            `mixing="step"` on as many from every task. Give this or `epochs`.
        epochs: passes over the training examples instead; jointly, as many batches as all tasks together have in that
            many passes.
        learning_rate: peak learning rate; 1e-5 to 2e-4 are common.
        batch_size: examples in a batch, which are each other's negatives.
        sampling: share of each task in joint training: `"proportional"`, `"uniform"`, a temperature, or shares by name.
        mixing: what one optimiser step of a joint training sees. `"task"`: a batch of one task, the next of another;
            `"step"`: a batch of every task, with the mean of their gradients. A step then costs as much as one step for
            each task, so divide `steps` by the number of tasks to process the same examples (`epochs` does), and
            `sampling` must give equal shares.
        order: `"joint"` mixes the tasks; `"sequential"` trains on the first, then goes on with the second, and so on.
        precision: `"bfloat16"` computes the forward and backward passes in bfloat16 where that is exact enough
            (autocast), which is faster where the processor or GPU has it; weights and optimiser stay float32.
        mini_batch_size: examples that pass through the model together, for batches of 256 and more that memory would
            not hold (GradCache): the gradient is that of the whole batch, at the cost of a second forward pass. Losses
            that have no such form are refused.
        seed: of the order of examples and of dropout.
        args: replaces all settings above except `tasks`, `sampling`, `mixing`, `order` and `mini_batch_size`, for full
            control.
        checkpoints: a folder; training that was stopped goes on from its last checkpoint there, if everything that
            decides the result is unchanged. What `callbacks` do is not looked at.
        keep: shares of the training, above 0 and up to 1, at which its model is returned, too: checkpoints to merge, as
            [0.5, 0.75, 1.0]. They are on the disk during the training (in `checkpoints` where that is given, so that a
            killed training gives the same models, else in the folder for temporary files), and in memory at its end.
        callbacks: transformers' trainer callbacks, for example to measure along the way; with `order="sequential"` the
            same ones in the training of each task. The model stands in their keyword `model`. A task that was finished
            from `checkpoints` calls none.
        after_each: with `order="sequential"`, is called after each task with its name and a copy of the model as it
            stands then, for merges of the intermediate models: `models = {}` and `after_each=models.__setitem__`.
        progress: whether to show a progress bar.

    Returns:
        The trained model, in evaluation mode. It carries the base's weights hash in its configuration. With `keep` a
        dictionary: share to such a model, in the order given; 1 is the end of the training.

    Raises:
        SpkitError: neither or both of `steps` and `epochs`, no task, a batch that a task cannot fill, shares that
            do not fit `mixing`, `after_each` without an order, `keep` with one, or of steps that are none or the same,
            a precision that the machine has not, mini-batches of a loss that takes none, a loss or weights that are not
            finite, weights that grew without bound.

    References:
        Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", arXiv 2101.06983.

    Example:
        >>> from spkit import load_base, load_tasks
        >>> tasks = load_tasks("bundled", names=["chat"])
        >>> expert = train(load_base("minilm-l3", max_seq_length=16), tasks["chat"], steps=1, progress=False)
    """
    chosen = _as_list(tasks)
    check_training(chosen, steps, epochs, args.train_batch_size if args is not None else batch_size, args is not None)
    check_order(chosen, sampling, mixing, order, after_each is not None)
    check_precision(precision)
    check_mini_batch(chosen, mini_batch_size)
    if keep is not None:
        check_keep(keep, order)
    before = [share for share in keep or () if share < 1]  # the end
    plan = [[task] for task in chosen] if order == "sequential" else [chosen]
    base = without_unheld(base)
    mark = base_mark(base) or _hash_below_adapters(base)
    model = copy_model(base)
    mark_kept_apart(model, chosen)
    master_weights(model)
    # Its examples are drawn at random and embedded at each start: a resumed training would cost more than a whole one.
    model.model_card_data.generate_widget_examples = False
    if mark is not None:
        mark_base(model, mark)
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    if checkpoints is not None:  # the weights, and two numbers for each that the optimiser keeps
        check_room(Path(checkpoints), (3 + len(before)) * size, "Checkpoints")
    elif before:
        check_room(Path(tempfile.gettempdir()), len(before) * size, "Kept models")
    models: dict[float, SentenceTransformer] = {}
    for part in plan:
        with quiet_libraries(), _kept_random_state(), tempfile.TemporaryDirectory(prefix="spkit-") as scratch:
            run = partial(_arguments, part, steps, epochs, learning_rate, batch_size, seed, checkpoints is not None)
            # A copy: what a part sets stays with it.
            given = copy(args) if args is not None else run(scratch, precision == "bfloat16")
            _fit_processes(given)
            if mixing == "step":  # uniform turns are a cycle, so that these batches are one of each task
                given.gradient_accumulation_steps *= len(part)
            folder = Path(scratch)
            if checkpoints is not None:
                folder = checkpoint_folder(Path(checkpoints), model, part, given, sampling, mini_batch_size, before)
                given.output_dir = str(folder)
            kept = KeptModels(before, folder, shared=checkpoints is not None)
            with (
                nullcontext()
                if checkpoints is None or not is_main()
                else locked(Path(str(given.output_dir)), "A training must have its checkpoints to itself.")
            ):
                of_part = partial(fit, model, part, given, sampling, checkpoints is not None, progress, callbacks)
                of_part(loading_of(base), mini_batch_size, kept)
            models |= {share: in_type_of(base, kept.read(share, model)) for share in before}
        check_weights(base, model, label_of(part))
        if after_each is not None:
            after_each(part[0].name, in_type_of(base, copy_model(model)))
    trained = in_type_of(base, model).eval()
    return trained if keep is None else {share: models.get(share, trained) for share in keep}


def _hash_below_adapters(base: SentenceTransformer) -> str | None:
    """What marks an expert of this base: the weights that its adapter's training leaves; None where none are known.

    Some adapters begin by taking a part of the weights out (PiSSA, OLoRA): what lies below them is no model by itself.
    """
    if not has_adapters(base):
        return weights_hash(base)
    below, whole = unfold(base), fold(base)
    same = all(torch.equal(one, other) for one, other in zip(below.parameters(), whole.parameters(), strict=True))
    return weights_hash(below) if same else None


def _arguments(
    tasks: list[Task],
    steps: int | None,
    epochs: float | None,
    learning_rate: float,
    batch_size: int,
    seed: int,
    save: bool,
    folder: str,
    bf16: bool,
) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        bf16=bf16,
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
        use_cpu=on_cpus() or (bf16 and not is_torch_bf16_gpu_available()),  # which the library asks for
        save_strategy="steps" if save else "no",
        save_steps=50,
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=10,
        logging_nan_inf_filter=False,  # a loss that is not finite must be seen, not replaced
        disable_tqdm=True,
        report_to=[],
    )


def _fit_processes(arguments: SentenceTransformerTrainingArguments) -> None:
    """See that the trainer has the processes of the launcher, and each of them one device."""
    if arguments.world_size != process_count():
        raise SpkitError(
            "`args` must know of all processes that the launcher started.",
            f"Found {arguments.world_size} in `args`, of {process_count()}.",
            "On processors without a GPU, make them with `use_cpu=True`.",
        )
    if arguments.n_gpu > 1:  # it would multiply the batch by their number, and compare texts of one GPU only
        arguments._n_gpu = 1


def _as_list(tasks: Task | Sequence[Task] | Mapping[str, Task]) -> list[Task]:
    if isinstance(tasks, Task):
        return [tasks]
    return list(tasks.values()) if isinstance(tasks, Mapping) else list(tasks)


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
