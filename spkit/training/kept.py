"""Models as they stood along a training: written to disk at some shares of its steps, and read when it is over."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback

from spkit.errors import SpkitError, quoted
from spkit.folders import is_whole, write_folder
from spkit.models.bases import copy_model

_NUMBERS = "model.safetensors"


def check_keep(keep: Sequence[float], order: str) -> None:
    """Check what `train` is given as `keep`.

    Args:
        keep: shares of the training.
        order: as given to `train`.

    Raises:
        SpkitError: none, one twice, one out of range, or a training on one task after the other.
    """
    if order == "sequential":
        raise SpkitError(
            "`keep` belongs to one training, on one task or jointly.",
            "Found it with order='sequential'.",
            "Pass `after_each`, which is given the model after each task.",
        )
    usable = [isinstance(share, int | float) and math.isfinite(share) and 0 < share <= 1 for share in keep]
    if not usable or not all(usable) or len(set(keep)) < len(keep):
        raise SpkitError(
            "`keep` must be different shares of the training, above 0 and up to 1.",
            f"Found {list(keep)}.",
            "Pass [0.5, 0.75, 1.0], for example; 1 is the model at the end.",
        )


def step_of(share: float, steps: int) -> int:
    """The step after which a share of a training is done; only 1 is the last one.

    Example:
        >>> step_of(0.5, 80), step_of(0.999, 80), step_of(1.0, 80)
        (40, 79, 80)
    """
    return steps if share == 1 else min(round(share * steps), steps - 1)


class KeptModels(TrainerCallback):
    """Writes the model's numbers at some shares of a training; what a killed one wrote serves the one that goes on.

    Only numbers of one model are in memory, the trained one's. The end of the training is not written: it is what the
    trainer leaves.

    Args:
        shares: above 0 and below 1.
        folder: where to; a folder for each share.
        shared: whether all processes of a launcher see the same folder, of which only the main one writes then.
    """

    def __init__(self, shares: Iterable[float], folder: Path, shared: bool) -> None:
        self.shares = tuple(shares)
        self.folder = folder
        self.shared = shared

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Each share must be a step of its own."""
        steps = [step_of(share, state.max_steps) for share in self.shares]
        if len(set(steps)) < len(steps) or 0 in steps:
            raise SpkitError(
                "Each share in `keep` must be a step of its own.",
                f"Found {list(self.shares)} at the steps {steps} of {state.max_steps}.",
                "Leave some out, or train for more steps.",
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called before the checkpoint of the same step is written, which so never lies beyond what is kept."""
        for share in self.shares:
            if state.global_step == step_of(share, state.max_steps):
                self._write(share, kwargs["model"])

    def check_up_to(self, step: int, steps: int) -> None:
        """Raise where a training that goes on after a step lacks what it kept up to that, or it is damaged.

        Args:
            step: of the checkpoint.
            steps: of the whole training.
        """
        before = [self._place(share) for share in self.shares if step_of(share, steps) <= step]
        if lost := [str(place) for place in before if not is_whole(place)]:
            raise SpkitError(
                "A training must find the models that it kept before its checkpoint.",
                f"Found {quoted(lost)} missing or damaged.",
                f"Remove {self.folder} to train from the start.",
            )

    def read(self, share: float, model: SentenceTransformer) -> SentenceTransformer:
        """The model as it stood at a share of the training.

        Args:
            share: one of the shares.
            model: the trained one, of which a copy takes the numbers.

        Raises:
            SpkitError: the training was stopped before.
        """
        file = self._place(share) / _NUMBERS
        if not file.is_file():
            raise SpkitError(
                "A training must reach every share in `keep`.",
                f"Found it stopped before {share:g} of its steps.",
                "Leave the callback out that stops it, or this share.",
            )
        kept = copy_model(model)
        safetensors.torch.load_model(kept, str(file))
        return kept

    def _place(self, share: float) -> Path:
        return self.folder / f"kept-{float(share)!r}"

    def _write(self, share: float, model: SentenceTransformer) -> None:
        def fill(folder: Path) -> None:
            safetensors.torch.save_model(model, str(folder / _NUMBERS))

        if self.shared:
            write_folder(self._place(share), fill, "A kept model", repair=True)
        else:  # a folder of this process alone
            self._place(share).mkdir(parents=True)
            fill(self._place(share))
