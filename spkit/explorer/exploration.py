"""What the explorer knows: measured points, the interpolation between them, and a thread that measures more."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.explorer.points import Points, spread
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.state import Space
from spkit.explorer.surrogate import Surrogate, load_scales, save_scales
from spkit.explorer.worker import NewestWins
from spkit.hashing import text_hash
from spkit.models.loading import Precision
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.vectors.task_vectors import TaskVectors

MEAN = "mean"
Quantity = Literal["score", "loss"]


@dataclass(frozen=True)
class Reading:
    """What is known of a position.

    Attributes:
        coefficients: the position.
        values: tasks and their mean × (`score`, `loss`).
        measured: whether these were measured, or interpolated between measured positions.
        errors: typical error of an interpolated value, the same shape; None for measured ones.
    """

    coefficients: tuple[float, ...]
    values: pd.DataFrame
    measured: bool
    errors: pd.DataFrame | None = None


class Exploration:
    """The explorer without widgets.

    Args:
        vectors: the span.
        tasks: what positions are scored on; a sample of their dev splits.
        marked: positions worth marking, by name, one coefficient a vector.
        joint: a jointly trained model to compare with.
        folder: keeps measured points, so that they are measured once: those of each set of vectors and examples apart
            from the others; None keeps nothing.
        points: positions measured before the first answer; None is 24 for each vector and the length.
        examples: of each task, at most.
        max_tokens: at which texts are cut.
        seed: of the examples and of the positions.
        precision: `"bfloat16"` embeds texts in numbers of 8 bits: faster where the processor or GPU computes with them.
        progress: whether to show a progress bar.

    Raises:
        SpkitError: tasks without enough examples, fewer than 8 points.
    """

    def __init__(
        self,
        vectors: TaskVectors,
        tasks: Mapping[str, Task] | Sequence[Task],
        *,
        marked: Mapping[str, Sequence[float]] | None = None,
        joint: SentenceTransformer | None = None,
        folder: str | Path | None = None,
        points: int | None = None,
        examples: int = 24,
        max_tokens: int = 32,
        seed: int = 0,
        precision: Precision = "float32",
        progress: bool = True,
    ) -> None:
        named = named_tasks(tasks)
        if not named:
            raise SpkitError("The explorer needs at least one task.", "Found none.", "Pass the tasks of your experts.")
        wanted = 24 * (len(vectors) + 1) if points is None else points
        if wanted < 8:
            raise SpkitError("`points` must be at least 8.", f"Found {wanted}.", "Pass None for the usual number.")
        whole = vectors.gram()
        self.vectors = vectors
        self.space = Space(vectors.names, whole, marked)
        self.presets = self.space.presets
        self.marked = list(marked or {})
        self.quick = QuickScores(vectors, named, examples, max_tokens, seed, precision)
        self.rows = [*self.quick.tasks, MEAN]
        #: Guards what the kernel's threads and the measuring thread share.
        self.lock = threading.RLock()
        about = {
            "base": vectors.base_hash,
            "vectors": text_hash(*vectors.names, str(whole.tolist())),
            "examples": self.quick.fingerprint,
        }
        # Points of other vectors or examples stand beside these, and are there when one comes back to them.
        directory = None if folder is None else Path(folder) / text_hash(json.dumps(about))[:12]
        self._points = Points(directory / "points.jsonl" if directory else None, about)
        around = spread(wanted, whole, self.space.path, self.space.ranges, seed)
        positions = np.concatenate([list(self.presets.values()), around])
        # Measured at a position that is none of the sliders', and so outside of the points.
        self.joint = None if joint is None else with_mean(self.quick.of(joint))
        self._points.fill(tqdm(positions, desc="points", unit="point", disable=not progress), self.quick.at)
        self._use(self._fit(directory / "surrogate.json" if directory else None, len(positions)))
        self._listener: Callable[[Reading, bool], None] | None = None
        self._failed: Callable[[Exception], None] | None = None
        self._worker = NewestWins(self._measure, self._deliver)

    def _fit(self, path: Path | None, enough: int) -> Surrogate:
        positions, values = self._points.coefficients(), self._outputs()
        scales = load_scales(path, enough) if path is not None else None
        surrogate = Surrogate(positions, values, scales)
        if path is not None and scales is None:
            save_scales(path, surrogate, len(positions))
        return surrogate

    def _use(self, surrogate: Surrogate) -> None:
        """Interpolate by it; its errors are asked for at every move of a slider, and change only with it."""
        self._surrogate, self._errors = surrogate, self._table(surrogate.errors())

    def _outputs(self) -> Float[np.ndarray, "n O"]:
        """Scores of the tasks and their mean, then losses of the same."""
        values = self._points.values()
        both = np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
        return np.concatenate([both[:, :, 0], both[:, :, 1]], axis=1)

    def _table(self, row: Float[np.ndarray, " O"]) -> pd.DataFrame:
        return pd.DataFrame(row.reshape(2, -1).T, index=self.rows, columns=["score", "loss"])

    @property
    def num_points(self) -> int:
        """How many positions were measured."""
        return len(self._points)

    def errors(self) -> pd.DataFrame:
        """Typical error of an interpolated value: that at each measured point when it alone is left out."""
        with self.lock:
            return self._errors

    def interpolate(self, coefficients: Sequence[float]) -> Reading:
        """What the measured points around a position say of it."""
        with self.lock:
            row = self._surrogate.at(np.asarray(coefficients, dtype=float)[None])[0]
            return Reading(tuple(coefficients), self._table(row), False, self._errors)

    def read(self, coefficients: Sequence[float]) -> Reading:
        """What is known of a position: measured if it was, interpolated otherwise."""
        with self.lock:
            known = self._points.find(coefficients)
            if known is not None:
                return Reading(tuple(coefficients), with_mean(known), True)
            return self.interpolate(coefficients)

    def reference(self, preset: str) -> pd.DataFrame:
        """What was measured at a preset."""
        with self.lock:
            known = self._points.find(self.presets[preset])
        assert known is not None
        return with_mean(known)

    @cached_property
    def references(self) -> dict[str, list[float | None]]:
        """Scores by row of what positions are compared with: `base`, each task's `expert`, and `joint` where given."""
        experts = [f"expert: {name}" for name in self.quick.tasks]
        references: dict[str, list[float | None]] = {
            "base": self.reference("base")["score"].tolist(),
            "expert": [
                float(self.reference(expert)["score"][name]) if expert in self.presets else None
                for expert, name in zip(experts, self.quick.tasks, strict=True)
            ]
            + [None],
        }
        return references if self.joint is None else references | {"joint": self.joint["score"].tolist()}

    def surface(self, positions: Float[np.ndarray, "m N"], quantity: Quantity) -> Float[np.ndarray, " m"]:
        """The interpolated mean over the tasks, at many positions."""
        number = len(self.rows) - 1 + (len(self.rows) if quantity == "loss" else 0)
        with self.lock:
            return self._surrogate.at(positions, [number])[:, 0]

    def listen(self, measured: Callable[[Reading, bool], None], failed: Callable[[Exception], None]) -> None:
        """Set what is called, in the measuring thread, with each measurement (and whether it is the newest), or an
        error."""
        self._listener, self._failed = measured, failed

    def ask(self, coefficients: Sequence[float]) -> None:
        """Measure a position, unless another is asked for before; known ones are not measured again."""
        with self.lock:
            known = self._points.find(coefficients) is not None
        if known:
            self._worker.overtake()
        else:
            self._worker.submit(tuple(coefficients))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured; whether that came in time."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """End the measuring thread."""
        self._worker.close()

    def _measure(self, coefficients: tuple[float, ...], cancelled: Callable[[], bool]) -> pd.DataFrame:
        measured = self.quick.at(list(coefficients), cancelled)
        bad = [name for name, row in measured.iterrows() if not np.isfinite(row.to_numpy()).all()]
        if bad:
            raise SpkitError(
                "A position must give finite scores and losses.",
                f"Found others for {quoted([str(name) for name in bad])}.",
                "Go nearer to the base or the experts.",
            )
        return measured

    def _deliver(self, coefficients: tuple[float, ...], answer: pd.DataFrame | Exception, newest: bool) -> None:
        if isinstance(answer, Exception):
            if self._failed is not None:
                self._failed(answer)
            return
        with self.lock:
            self._points.add(coefficients, answer)
            positions, outputs = self._points.coefficients(), self._outputs()
        # Outside of the lock: sliders are answered by the former one meanwhile.
        sharper = Surrogate(positions, outputs, self._surrogate.scales)
        errors = self._table(sharper.errors())
        with self.lock:
            self._surrogate, self._errors = sharper, errors
        if self._listener is not None:
            self._listener(Reading(coefficients, with_mean(answer), True), newest)


def with_mean(measured: pd.DataFrame) -> pd.DataFrame:
    """The same with the mean over the tasks as a last row."""
    return pd.concat([measured, measured.mean().to_frame(MEAN).T])
