"""What stands beside a training: its progress bar, and the end of one whose loss is no number."""

from typing import Any

import numpy as np
from tqdm.auto import tqdm
from transformers import TrainerCallback

from spkit.errors import SpkitError


class ProgressBar(TrainerCallback):
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


class FiniteLoss(TrainerCallback):
    """Stops a training whose loss is not finite, before the model becomes useless."""

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
