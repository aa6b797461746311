"""Scores on whole dev splits, as `spkit.evaluate` computes them: slower than the explorer's own, and surer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.evaluation.comparison import differences
from spkit.evaluation.measurement import Measurement
from spkit.evaluation.measuring import measure
from spkit.evaluation.paired import Samples
from spkit.explorer.quick_scores import CancelledError
from spkit.explorer.readings import Key, with_mean
from spkit.tasks.task import Task


class WholeDev:
    """Measures models on the whole dev splits of the trained tasks; each model once.

    Args:
        tasks: by name, each with a dev split.
        folder: keeps the measurements; None keeps them in memory only.
    """

    def __init__(self, tasks: Mapping[str, Task], folder: Path | None) -> None:
        self._tasks, self._folder = dict(tasks), folder
        self._measured: dict[Key, dict[str, Measurement]] = {}

    def measure(self, key: Key, model: Callable[[], SentenceTransformer], cancelled: Callable[[], bool]) -> None:
        """Measure a model, unless it was.

        Args:
            key: what it is known by.
            model: gives it.
            cancelled: asked before each task whether the answer is still wanted.

        Raises:
            CancelledError: it is not.
        """
        if key in self._measured:
            return
        made, measured = model(), {}
        for name, task in self._tasks.items():
            if cancelled():
                raise CancelledError
            (measured[name],) = measure(made, {name: task}, split="dev", cache=self._folder)
        self._measured[key] = measured

    def table(self, one: Key, other: Key) -> pd.DataFrame | None:
        """Both models on every task and in the mean; None where one of them was not measured.

        Returns:
            Tasks and their mean × (`score`, `reference`, `difference`, `low`, `high`), in points; the interval is that
            of the difference over resampled examples.
        """
        if one not in self._measured or other not in self._measured:
            return None
        measured = {name: list(self._measured[key].values()) for name, key in (("one", one), ("other", other))}
        compared = differences(Samples.draw({0: measured}), [("one", "other")]).set_index("task")
        scores = pd.DataFrame({name: {each.task: each.score for each in of_one} for name, of_one in measured.items()})
        scores = with_mean(scores).rename(columns={"one": "score", "other": "reference"})
        return scores.join(compared[["difference", "low", "high"]])
