"""One training as the library's trainer runs it: its data sets, losses, batches and callbacks."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import PrinterCallback, TrainerCallback

from spkit.costs import add_earlier, count_costs
from spkit.launcher import is_main
from spkit.models import embedding
from spkit.models.bases import load_model
from spkit.models.loading import Loading
from spkit.tasks import Task
from spkit.tasks.loss_rows import text_columns
from spkit.training.checkpoints import CheckpointedTrainer, KeptCost, last_checkpoint, restored_adapted
from spkit.training.kept import KeptModels
from spkit.training.losses import task_loss
from spkit.training.parts import parts_of
from spkit.training.relevance import relevance_of
from spkit.training.samplers import batch_sampler
from spkit.training.sampling import ShareBatchSampler
from spkit.training.shares import Sampling, shares
from spkit.training.sharing import quiet_launch
from spkit.training.watching import FiniteLoss, ProgressBar


def fit(
    model: SentenceTransformer,
    tasks: list[Task],
    arguments: SentenceTransformerTrainingArguments,
    sampling: Sampling,
    resume: bool,
    progress: bool,
    callbacks: Sequence[TrainerCallback],
    how: Loading,
    mini_batch_size: int | None,
    kept: KeptModels,
) -> None:
    """Train a model in place, or go on where it was stopped.

    Args:
        model: what is trained.
        tasks: what on: one, or several jointly.
        arguments: the library's; completed here.
        sampling: as `train` takes it.
        resume: whether to go on from the last checkpoint.
        progress: whether to show a bar.
        callbacks: the caller's.
        how: the base was loaded, as the checkpoint is then.
        mini_batch_size: as `train` takes it.
        kept: writes the models along the way.

    Raises:
        SpkitError: a loss that is not finite, or checkpoints without what was kept before them.
    """
    label = label_of(tasks)
    last = last_checkpoint(Path(str(arguments.output_dir))) if resume else None
    if last is not None:
        kept.check_up_to(last.step, last.steps)
        model.model_card_data.training_logs += last.log  # the library notes those of this process
    if last is not None and last.finished:  # the trainer would take one more step
        if not restored_adapted(model, last.folder):
            finished = load_model(last.folder, how)
            model.load_state_dict(finished.state_dict())
            model._model_card_text = finished._model_card_text  # what the library told of the training
        add_earlier(last.cost)
        return
    size = arguments.train_batch_size
    parts = {task.name: parts_of(task, task.train, size) for task in tasks}
    sizes = {name: [len(part.rows) for part in own] for name, own in parts.items()}
    weights = shares({name: sum(own) for name, own in sizes.items()}, sampling)
    datasets = {_key(part.name): part.rows for own in parts.values() for part in own}
    several = len(datasets) > 1
    arguments.batch_sampler = partial(batch_sampler, relevance=relevance_of(*tasks))
    steps = arguments.max_steps
    if several:
        each = arguments.gradient_accumulation_steps
        if steps <= 0:
            batches = arguments.num_train_epochs * sum(len(view) // size for view in datasets.values())
            steps = max(1, round(batches / each))
            arguments.max_steps = steps
        arguments.multi_dataset_batch_sampler = partial(
            ShareBatchSampler,
            weights=[weights[name] for name in parts],
            steps=steps * each,
            parts=[[count / sum(own) for count in own] for own in sizes.values()],
        )
    # Each column is read as evaluation reads it, unless the arguments say otherwise.
    prompts, losses = {}, {}
    routes: dict[str, Any] = {}
    for task in tasks:
        loss = task_loss(task, model, mini_batch_size)
        for part in parts[task.name]:
            key, columns = _key(part.name), text_columns(task, part.rows)
            losses[key] = loss
            prompts[key], routes[key] = embedding.prompts(model, task, columns), embedding.routes(model, task, columns)
    arguments.prompts = arguments.prompts or (prompts if several else next(iter(prompts.values())))
    arguments.router_mapping = arguments.router_mapping or (routes if several else next(iter(routes.values())))
    with count_costs() as cost, embedding.truncated(model), quiet_launch():
        trainer = CheckpointedTrainer(
            model=model,
            args=arguments,
            train_dataset=DatasetDict(list(datasets.items())) if several else next(iter(datasets.values())),
            loss=losses if several else next(iter(losses.values())),
            callbacks=[
                KeptCost(cost),
                FiniteLoss(label),
                kept,
                *([ProgressBar(label)] if progress and is_main() else []),
                *callbacks,
            ],
        )
        trainer.remove_callback(PrinterCallback)
        if last is not None:
            add_earlier(last.cost)
        trainer.train(resume_from_checkpoint=None if last is None else str(last.folder))
    model.zero_grad(set_to_none=True)


def label_of(tasks: list[Task]) -> str:
    """A training's name, by what it is on."""
    return " + ".join(task.name for task in tasks)


def _key(name: str) -> str:
    """torch keeps the losses as modules, whose names may hold no dot: another sign stands for it in the trainer."""
    return name.replace(".", "\N{ONE DOT LEADER}")
