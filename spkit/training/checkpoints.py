"""Where the checkpoints of a training lie, and which of them it goes on from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)

from spkit.hashing import weights_hash
from spkit.models.adapters import has_adapters
from spkit.tasks import Task
from spkit.training.sampling import Sampling


@dataclass(frozen=True)
class Checkpoint:
    """Where it lies, and whether the training was over when it was written."""

    folder: Path
    finished: bool


#: All numbers of a model with adapters: what the library saves of one is the adapter alone.
_ADAPTED = "adapted.safetensors"


class CheckpointedTrainer(SentenceTransformerTrainer):
    """The library's trainer; checkpoints of a model with adapters hold the weights below these, too."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        if output_dir is not None and has_adapters(self.model):
            safetensors.torch.save_model(self.model, str(Path(output_dir) / _ADAPTED))

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        if not restored_adapted(self.model, Path(checkpoint_path)):
            super()._load_from_checkpoint(checkpoint_path)


def restored_adapted(model: SentenceTransformer, folder: Path) -> bool:
    """Put a checkpoint's numbers into a model with adapters; False for a checkpoint of one without."""
    if not (folder / _ADAPTED).is_file():
        return False
    safetensors.torch.load_model(model, str(folder / _ADAPTED))
    return True


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
        "bf16",
        "fp16",
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
