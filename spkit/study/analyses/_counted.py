"""Trainings inside a stage that makes several models: each goes on where it was stopped, and its work is counted."""

from collections.abc import Sequence
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.costs import count_costs
from spkit.study.seed_run import SeedRun
from spkit.tasks import Task
from spkit.training.checkpoints import remove_checkpoints
from spkit.training.trainer import train


def trained(run: SeedRun, stage: str, tasks: Sequence[Task], **settings: Any) -> tuple[SentenceTransformer, int]:
    """A model trained from the base, and its FLOPs.

    Args:
        run: the seed.
        stage: whose training it is.
        tasks: what to train on.
        settings: what `spkit.train` takes beside those of every training.
    """
    usual = run.profile.training.without_length()
    with count_costs() as cost:
        model = train(run.base, list(tasks), seed=run.seed, checkpoints=run.checkpoints(stage), **{**usual, **settings})
    return model, cost.flops


def forget_trainings(run: SeedRun, stage: str) -> None:
    """Remove the checkpoints of a stage that has its record."""
    remove_checkpoints(run.checkpoints(stage))
