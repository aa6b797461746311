"""What one model reached on one task: the score, and per example what the score is made of."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from spkit.errors import SpkitError
from spkit.evaluation.means import TRAINED
from spkit.tasks.kinds import Metric, kinds


@dataclass(frozen=True)
class Measurement:
    """One model's result on one task, with what each example contributed.

    The per-example values are what a bootstrap needs: two models measured on the same task have the same examples in
    the same order, so their difference can be resampled pair by pair.

    Args:
        task: the task's name.
        metric: mteb's name of the score: `ndcg_at_10`, `cosine_spearman`, `accuracy`, `cosine_ap`, ...
        score: in points, 0 to 100 (a correlation: −100 to 100); NaN where the metric is undefined.
        values: fractions, in the order of the examples. Shape [n] where the score is their mean (each query's nDCG@10;
            the share of the experiments that label an example correctly); shape [n, columns] where it is not: what was
            predicted, and in the last column the gold value. None for an mteb task whose score has no values per
            example.
        subset: the part of the task each example belongs to, or None.
        count: number of examples where the values are unknown.
        seconds: what the measurement took. Texts that an earlier task of the same call had are not embedded again.
        role: "trained" for a task that can be trained on, "unseen" for one that is only ever scored; each has a mean
            of its own.
        group: the task, or the pool of tasks, whose expert it belongs to, where that has another name.
    """

    task: str
    metric: str
    score: float
    values: np.ndarray | None = None
    subset: np.ndarray | None = None
    seconds: float = 0.0
    count: int = 0
    role: str = TRAINED
    group: str = ""

    @property
    def examples(self) -> int:
        """Number of examples: queries, pairs or texts."""
        return self.count if self.values is None else len(self.values)

    @property
    def centred(self) -> bool:
        """Whether examples that are drawn twice raise the score."""
        return self.values is not None and self.values.ndim > 1 and _metric_of(self.metric).centred

    def statistic(self, indices: Int[np.ndarray, "resamples n"]) -> Float[np.ndarray, " resamples"]:
        """The score of resampled examples.

        Args:
            indices: a row per resample; each entry is the index of an example.

        Returns:
            Scores in points.

        Raises:
            SpkitError: the per-example values are unknown.
        """
        if self.values is None:
            raise SpkitError(
                "A score can be resampled only where the values per example are known.",
                f"Task {self.task!r} was scored by a task class of mteb's that does not give them.",
                "Leave it out of intervals and comparisons.",
            )
        if self.values.ndim == 1:
            return 100 * self.values[indices].mean(axis=1)
        pooled = _metric_of(self.metric).pooled
        assert pooled is not None
        return 100 * pooled(self.values[indices])

    def parts(self) -> list["Measurement"]:
        """One measurement per subset, in order of first appearance; `metric:subset` is its metric."""
        if self.subset is None or self.values is None:
            return []
        parts = []
        for name in dict.fromkeys(self.subset.tolist()):
            rows = self.subset == name
            part = replace(
                self, metric=f"{self.metric}:{name}", values=self.values[rows], subset=None, seconds=0.0, score=np.nan
            )
            parts.append(replace(part, score=whole_score(part)))
        return parts


def _metric_of(name: str) -> Metric:
    """The metric that computes scores of this name from the values of all examples."""
    own = name.split(":")[0]
    for kind in kinds().values():
        if kind.metric.pooled is not None and own.endswith(kind.metric.ending):
            return kind.metric
    raise SpkitError(
        "A score that is no mean over examples can be resampled where a kind of task computes it.",
        f"Found {own!r}.",
        "Leave it out of intervals and comparisons.",
    )


def whole_score(measurement: Measurement) -> float:
    """The score of all examples, computed from the values, in points."""
    return float(measurement.statistic(np.arange(measurement.examples)[None])[0])


def save_measurements(measurements: Sequence[Measurement], path: str | Path) -> None:
    """Write measurements into one npz file; a reader sees the old file or the new one, never half of one.

    Args:
        measurements: what `measure` returned.
        path: the file, usually `*.npz`; its folder is made.
    """
    path = Path(path)
    arrays: dict[str, np.ndarray] = {}
    facts = []
    for position, measurement in enumerate(measurements):
        fields = asdict(measurement)
        for name in ("values", "subset"):
            array = fields.pop(name)
            if array is not None:
                arrays[f"{position}/{name}"] = np.asarray(array)
        facts.append(fields)
    arrays["facts"] = np.array(json.dumps(facts))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its own name in each process: several may measure the same model for a cache that they share.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]  # its allow_pickle stands among **arrays
    temporary.replace(path)


def load_measurements(path: str | Path) -> list[Measurement]:
    """Read what `save_measurements` wrote.

    Args:
        path: the npz file.

    Returns:
        The measurements, in the order they were saved in.

    Raises:
        SpkitError: the file is missing or not written by `save_measurements`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            return [
                Measurement(
                    **fields,
                    **{name: arrays.get(f"{position}/{name}") for name in ("values", "subset")},
                )
                for position, fields in enumerate(facts)
            ]
    except (OSError, KeyError, ValueError, TypeError, EOFError) as error:
        raise SpkitError(
            "A file of measurements must be one that `save_measurements` wrote.",
            f"Found {str(path)!r} ({type(error).__name__}: {error}).",
            "Delete it and measure again.",
        ) from error
