"""Conflict along a training run: measured every k steps, written as it goes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback

from spkit.diagnostics.blocks import check_batches
from spkit.diagnostics.conflict.measuring import check_tasks, gradient_conflict
from spkit.errors import SpkitError
from spkit.files import whole_file
from spkit.tasks import Task

#: File -> attribute of the report that it is written from.
_FILES = {"conflict.csv": "pairs", "by_module.csv": "by_module", "summary.csv": "conflict_by_module"}


class ConflictCallback(TrainerCallback):
    """Measures the conflict of tasks at the weights that a training passes through, without changing the training.

    Tasks may agree at the base and conflict later. One callback watches one training: it measures before the first
    step, every k steps, and at the end, on a copy of the model and on the same batches each time, so that what changes
    along the run is the model. `conflict.csv` has a row a step and pair, `by_module.csv` a row a step, module and pair,
    `summary.csv` a row a step and module, and one for the whole model: directional and magnitude conflict. Each row
    says on how many batches of which size it rests, and whether with dropout. The files are there from the first
    measurement on. A training that goes on from a checkpoint goes on in its files; one that starts anew replaces them.

    Args:
        tasks: what to measure between, whatever the training is on.
        every: k, in optimiser steps, 1 or more.
        folder: where the files go.
        batches: as of `gradient_conflict`.
        batch_size: likewise.
        seed: likewise.
        dropout: likewise.

    Raises:
        SpkitError: fewer than two tasks, a number of batches or of steps out of range.

    Example:
        >>> from spkit import load_tasks
        >>> tasks = load_tasks("bundled", names=["headline", "topic"])
        >>> ConflictCallback(tasks, every=50, folder="runs/joint", batches=8).every
        50
    """

    def __init__(
        self,
        tasks: Mapping[str, Task] | Sequence[Task],
        *,
        every: int,
        folder: str | Path,
        batches: int = 16,
        batch_size: int = 32,
        seed: int = 0,
        dropout: bool = False,
    ) -> None:
        self.tasks = check_tasks(tasks)
        check_batches(batches)
        if every < 1:
            raise SpkitError("`every` must be 1 or more steps.", f"Found {every}.", "Pass 50, for example.")
        self.every, self.folder = every, Path(folder)
        self._settings: dict[str, Any] = {
            "batches": batches,
            "batch_size": batch_size,
            "seed": seed,
            "dropout": dropout,
            "progress": False,
        }
        self._measured: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make room in the files, and measure where the training starts."""
        if not state.is_world_process_zero:
            return
        if self._measured is not None:
            raise SpkitError(
                "A ConflictCallback must watch one training only.",
                f"Found a second training, after one that was written to {self.folder} up to step {self._measured}.",
                "Make one for each training, with a folder of its own.",
            )
        for name in _FILES:
            _keep_until(self.folder / name, state.global_step)
        if state.global_step == 0:
            self._measure(kwargs["model"], 0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure, if it is time."""
        if state.is_world_process_zero and state.global_step % self.every == 0:
            self._measure(kwargs["model"], state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure the model that the training ends with."""
        if state.is_world_process_zero and state.global_step != self._measured:
            self._measure(kwargs["model"], state.global_step)

    def _measure(self, model: SentenceTransformer, step: int) -> None:
        report = gradient_conflict(model, self.tasks, **self._settings)
        measured = {"batches": report.batches, "batch_size": report.batch_size, "dropout": report.dropout}
        for name, attribute in _FILES.items():
            table: pd.DataFrame = getattr(report, attribute)
            path = self.folder / name
            table.assign(step=step, **measured)[["step", *table.columns, *measured]].to_csv(
                path, mode="a", header=not path.exists(), index=False
            )
        self._measured = step


def _keep_until(path: Path, step: int) -> None:
    """Leave in a file what was measured up to a step from which a training goes on; nothing for one that starts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if step == 0 or not path.exists():
        path.unlink(missing_ok=True)
        return
    table = pd.read_csv(path)
    with whole_file(path) as unfinished:
        table[table["step"] <= step].to_csv(unfinished, index=False)
