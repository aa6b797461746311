"""Where the checkpoints of a training lie, and which of them it goes on from."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from spkit.costs import Cost, so_far
from spkit.files import parse_json
from spkit.folders import is_listed, is_whole, list_folder
from spkit.hashing import text_hash, weights_hash
from spkit.launcher import is_main
from spkit.models.adapters import has_adapters
from spkit.models.embedding import settings_of
from spkit.models.runs import in_order
from spkit.tasks import Task
from spkit.training.shares import Sampling
from spkit.training.sharing import SharingTrainer


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on the disk.

    Attributes:
        folder: where it lies.
        step: after which it was written.
        steps: how many the training has.
        cost: what the training had cost.
        log: the losses up to it, as the model card shows them.
    """

    folder: Path
    step: int
    steps: int
    cost: Cost
    log: list[dict[str, float]]

    @property
    def finished(self) -> bool:
        """Whether the training was over when it was written."""
        return self.step >= self.steps


#: All numbers of a model with adapters: what the library saves of one is the adapter alone.
_ADAPTED = "adapted.safetensors"


class CheckpointedTrainer(SharingTrainer):
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
    """The last whole checkpoint: one that was cut off while it was written, or is damaged, is passed over."""
    for path in filter(is_whole, reversed(in_order(folder))):
        state = parse_json((path / "trainer_state.json").read_text(encoding="utf-8"))
        cost = state["stateful_callbacks"][KeptCost.__name__]["attributes"]
        log = [
            {"Epoch": one["epoch"], "Step": one["step"], "Training Loss": one["loss"]}
            for one in state["log_history"]
            if "loss" in one
        ]
        return Checkpoint(path, state["global_step"], state["max_steps"], Cost(**cost), log)
    return None


def remove_checkpoints(root: Path) -> None:
    """Remove the checkpoints below a folder, and the folder if nothing else lies in it."""
    if not is_main():
        return
    for folder in root.glob("*/checkpoint-*"):
        if is_listed(folder):
            shutil.rmtree(folder.parent, ignore_errors=True)
    for folder in (*root.glob("*/"), root):  # also those of trainings that were stopped before their first checkpoint
        with contextlib.suppress(OSError):
            folder.rmdir()


class KeptCost(TrainerCallback, ExportableState):
    """Keeps with each checkpoint what the training cost up to it, and a list of its files, which says that it is whole.

    Args:
        cost: what `count_costs` gave to the training's block.
    """

    def __init__(self, cost: Cost) -> None:
        self._cost = cost

    def state(self) -> dict[str, Any]:
        """What the trainer writes into `trainer_state.json`."""
        return {"args": {}, "attributes": asdict(so_far(self._cost))}

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called when all files of a checkpoint are written."""
        if state.is_world_process_zero:
            list_folder(Path(args.output_dir) / f"checkpoint-{state.global_step}", "A checkpoint")


def checkpoint_folder(
    root: Path,
    model: SentenceTransformer,
    tasks: list[Task],
    arguments: SentenceTransformerTrainingArguments,
    sampling: Sampling,
    mini_batch_size: int | None = None,
    keep: Sequence[float] = (),
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
        "prompts",
        "router_mapping",
    )
    identity = {
        "model": weights_hash(model),
        "embedding": text_hash(settings_of(model)),
        "tasks": [task.fingerprint() for task in tasks],
        "losses": [
            None if not callable(task.loss) else getattr(task.loss, "__qualname__", repr(task.loss)) for task in tasks
        ],
        "sampling": dict(sampling) if isinstance(sampling, Mapping) else sampling,
        "arguments": {key: getattr(arguments, key) for key in keys},
    }
    if mini_batch_size is not None:
        identity["mini_batch_size"] = mini_batch_size
    if keep:  # what lies beside the checkpoints of one training is no other's
        identity["keep"] = sorted(keep)
    return root / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
