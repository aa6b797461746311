"""Where the checkpoints of a training lie, and which of them it goes on from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments

from spkit.hashing import text_hash, weights_hash
from spkit.models.embedding import settings_of
from spkit.tasks import Task
from spkit.training.sampling import Sampling


@dataclass(frozen=True)
class Checkpoint:
    """Where it lies, and whether the training was over when it was written."""

    folder: Path
    finished: bool


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint: the trainer writes its state last, so one without it was cut off."""
    states = sorted(
        folder.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name.split("-")[1])
    )
    for path in reversed(states):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue
        return Checkpoint(path.parent, state["global_step"] >= state["max_steps"])
    return None


def checkpoint_folder(
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
        "prompts",
        "router_mapping",
    )
    identity = {
        "model": weights_hash(model),
        "embedding": text_hash(settings_of(model)),
        "tasks": [task.fingerprint() for task in tasks],
        "losses": [
            None if task.loss is None else getattr(task.loss, "__qualname__", repr(task.loss)) for task in tasks
        ],
        "sampling": dict(sampling) if isinstance(sampling, Mapping) else sampling,
        "arguments": {key: getattr(arguments, key) for key in keys},
    }
    return root / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
