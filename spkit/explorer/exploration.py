"""What the explorer knows: measured points, the interpolation between them, and a thread that measures more."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from spkit.evaluation.means import MEAN, TRAINED, UNSEEN, UNSEEN_MEAN, ScoredRole
from spkit.explorer.looked_at import looked_at
from spkit.explorer.points import Points, spread
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.state import Space
from spkit.explorer.surrogate import Surrogate, load_scales, save_scales
from spkit.explorer.unseen_scores import UnseenScores
from spkit.explorer.worker import NewestWins
from spkit.hashing import text_hash
from spkit.models.loading import Precision
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.vectors.task_vectors import TaskVectors

Quantity = Literal["score", "loss"]

#: What the measuring thread gives: the role of the tasks, and what was measured on them.
_Measured = tuple[ScoredRole, pd.DataFrame]


@dataclass(frozen=True)
class Reading:
    """What is known of a position.

    Attributes:
        coefficients: the position.
        values: tasks and their mean × (`score`, `loss`).
        measured: whether these were measured, or interpolated between measured positions.
        errors: typical error of an interpolated value, the same shape; None for measured ones.
        unseen: tasks that nobody trains on and their mean × (`score`), for looking only; None where they were not
            measured at this position. They are never interpolated.
    """

    coefficients: tuple[float, ...]
    values: pd.DataFrame
    measured: bool
    errors: pd.DataFrame | None = None
    unseen: pd.DataFrame | None = None


class Exploration:
    """The explorer without widgets.

    Args:
        vectors: the span.
        tasks: what positions are scored on. Of those that are trained on a sample of the dev splits is read: these are
            what is interpolated and chosen by. Of unseen ones a sample of the test splits is read, for looking only.
        marked: positions worth marking, by name, one coefficient a vector.
        joint: a jointly trained model to compare with.
        merges: merges that are no position between these vectors, by name, to compare with.
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
        merges: Mapping[str, SentenceTransformer] | None = None,
        folder: str | Path | None = None,
        points: int | None = None,
        examples: int = 24,
        max_tokens: int = 32,
        seed: int = 0,
        precision: Precision = "float32",
        progress: bool = True,
    ) -> None:
        given = looked_at(named_tasks(tasks))
        wanted = 24 * (len(vectors) + 1) if points is None else points
        if wanted < 8:
            raise SpkitError("`points` must be at least 8.", f"Found {wanted}.", "Pass None for the usual number.")
        whole = vectors.gram()
        self.vectors = vectors
        self.space = Space(vectors.names, whole, marked)
        self.presets = self.space.presets
        self.marked = list(marked or {})
        self.quick = QuickScores(vectors, given.trained, examples, max_tokens, seed, precision)
        self.unseen = UnseenScores(self.quick, given.unseen, examples, seed) if given.unseen else None
        self.rows = [*self.quick.tasks, MEAN]
        #: The unseen tasks and their mean; none where there are no such tasks.
        self.unseen_rows = [] if self.unseen is None else [*self.unseen.tasks, UNSEEN_MEAN]
        self._groups = given.groups
        #: What positions are scored on: the trained tasks, then the unseen ones.
        self.tasks = {**given.trained, **given.unseen}
        #: Whether positions that are asked for are measured on the unseen tasks, too.
        self.watches_unseen = self.unseen is not None
        #: Guards what the kernel's threads and the measuring thread share.
        self.lock = threading.RLock()
        about = {"base": vectors.base_hash, "vectors": text_hash(*vectors.names, str(whole.tolist()))}
        # Points of other vectors or examples stand beside these, and are there when one comes back to them.
        directory, about_dev = _place(folder, {**about, "examples": self.quick.fingerprint})
        self._points = Points(directory / "points.jsonl" if directory else None, about_dev)
        around = spread(wanted, whole, self.space.path, self.space.ranges, seed)
        positions = np.concatenate([list(self.presets.values()), around])
        # Measured at positions that are none of the sliders', and so outside of the points.
        compared = ({} if joint is None else {"joint": joint}) | dict(merges or {})
        self._compared = {name: with_mean(self.quick.of(model)) for name, model in compared.items()}
        self._points.fill(tqdm(positions, desc="points", unit="point", disable=not progress), self.quick.at)
        self._use(self._fit(directory / "surrogate.json" if directory else None, len(positions)))
        self._unseen_points, self._compared_unseen = Points(None, {}, ["score"]), {}
        if self.unseen is not None:
            beside, about_test = _place(folder, {**about, "unseen examples": self.unseen.fingerprint})
            self._unseen_points = Points(beside / "unseen.jsonl" if beside else None, about_test, ["score"])
            known = np.array(list(self.presets.values()))
            self._unseen_points.fill(
                tqdm(known, desc="unseen tasks", unit="point", disable=not progress), self.unseen.at
            )
            self._compared_unseen = {
                name: with_mean(self.unseen.of(model), UNSEEN_MEAN) for name, model in compared.items()
            }
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
            return Reading(tuple(coefficients), self._table(row), False, self._errors, self._seen_at(coefficients))

    def read(self, coefficients: Sequence[float]) -> Reading:
        """What is known of a position: measured if it was, interpolated otherwise."""
        with self.lock:
            known = self._points.find(coefficients)
            if known is not None:
                return Reading(tuple(coefficients), with_mean(known), True, None, self._seen_at(coefficients))
            return self.interpolate(coefficients)

    def _seen_at(self, coefficients: Sequence[float]) -> pd.DataFrame | None:
        """What was measured there on the unseen tasks, while these are looked at."""
        known = self._unseen_points.find(coefficients) if self.watches_unseen else None
        return None if known is None else with_mean(known, UNSEEN_MEAN)

    def scores(self, coefficients: Sequence[float]) -> pd.DataFrame:
        """What is known of a position as one table; `ask` and `wait` before it measure what is not known.

        Args:
            coefficients: the position.

        Returns:
            The columns `task`, `role` ("trained" or "unseen"), `group` (the vector that a trained task belongs to),
            `score`, `loss`, `error` (of an interpolated score) and `measured`; a row for each trained task and their
            mean, then for each unseen task and their mean ("unseen mean"). A number that is not known is NaN. Never
            choose a position by the unseen ones: they are their test splits.
        """
        reading = self.read(coefficients)
        trained = reading.values.rename_axis("task").reset_index()
        trained["role"], trained["measured"] = TRAINED, reading.measured
        trained["group"] = [self._groups.get(task, "") for task in trained["task"]]
        trained["error"] = np.nan if reading.errors is None else reading.errors["score"].to_numpy()
        unseen = pd.DataFrame({"task": pd.Series(self.unseen_rows, dtype=object)})
        known = np.full(len(unseen), np.nan) if reading.unseen is None else reading.unseen["score"].to_numpy()
        unseen = unseen.assign(
            role=UNSEEN, group="", score=known, loss=np.nan, error=np.nan, measured=reading.unseen is not None
        )
        columns = ["task", "role", "group", "score", "loss", "error", "measured"]
        return pd.concat([part[columns] for part in (trained, unseen) if len(part)], ignore_index=True)

    def reference(self, preset: str) -> pd.DataFrame:
        """What was measured at a preset."""
        with self.lock:
            known = self._points.find(self.presets[preset])
        assert known is not None
        return with_mean(known)

    @cached_property
    def references(self) -> dict[str, list[float | None]]:
        """Scores by row of what positions are compared with: `base`, each task's `expert`, `joint` and merges where
        given."""
        experts = [f"expert: {self._groups.get(name, name)}" for name in self.quick.tasks]
        references: dict[str, list[float | None]] = {
            "base": self.reference("base")["score"].tolist(),
            "expert": [
                float(self.reference(expert)["score"][name]) if expert in self.presets else None
                for expert, name in zip(experts, self.quick.tasks, strict=True)
            ]
            + [None],
        }
        return references | {name: known["score"].tolist() for name, known in self._compared.items()}

    @cached_property
    def unseen_references(self) -> dict[str, list[float]]:
        """The same on the unseen tasks, which have no expert of their own: `expert: NAME` for each."""
        named = ["base", *(f"expert: {name}" for name in self.vectors.names)]
        with self.lock:
            known = {name: self._unseen_points.find(self.presets[name]) for name in named}
        at = {name: with_mean(table, UNSEEN_MEAN) for name, table in known.items() if table is not None}
        return {name: table["score"].tolist() for name, table in (at | self._compared_unseen).items()}

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
        """Measure a position, unless another is asked for before; known ones are not measured again.

        The trained tasks come first; the unseen ones follow, where they are watched and nothing else was asked for.
        """
        if self._lacking(coefficients):
            self._worker.submit(tuple(coefficients))
        else:
            self._worker.overtake()

    def _lacking(self, coefficients: Sequence[float]) -> list[ScoredRole]:
        """The roles of the tasks that are still to be measured at a position."""
        with self.lock:
            known: dict[ScoredRole, bool] = {
                TRAINED: self._points.find(coefficients) is not None,
                UNSEEN: not self.watches_unseen or self._unseen_points.find(coefficients) is not None,
            }
        return [role for role, there in known.items() if not there]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured; whether that came in time."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """End the measuring thread."""
        self._worker.close()

    def _measure(self, coefficients: tuple[float, ...], cancelled: Callable[[], bool]) -> Iterator[_Measured]:
        for role in self._lacking(coefficients):
            measuring = self.quick if role == TRAINED or self.unseen is None else self.unseen
            measured = measuring.at(list(coefficients), cancelled)
            bad = [name for name, row in measured.iterrows() if not np.isfinite(row.to_numpy()).all()]
            if bad:
                raise SpkitError(
                    "A position must give finite scores and losses.",
                    f"Found others for {quoted([str(name) for name in bad])}.",
                    "Go nearer to the base or the experts.",
                )
            yield role, measured

    def _deliver(self, coefficients: tuple[float, ...], answer: _Measured | Exception, newest: bool) -> None:
        if isinstance(answer, Exception):
            if self._failed is not None:
                self._failed(answer)
            return
        role, measured = answer
        if role == TRAINED:
            self._sharpen(coefficients, measured)
        else:
            with self.lock:
                self._unseen_points.add(coefficients, measured)
        if self._listener is not None:
            self._listener(self.read(coefficients), newest)

    def _sharpen(self, coefficients: tuple[float, ...], measured: pd.DataFrame) -> None:
        """Let a measured position join those that are interpolated between."""
        with self.lock:
            self._points.add(coefficients, measured)
            positions, outputs = self._points.coefficients(), self._outputs()
        # Outside of the lock: sliders are answered by the former one meanwhile.
        sharper = Surrogate(positions, outputs, self._surrogate.scales)
        errors = self._table(sharper.errors())
        with self.lock:
            self._surrogate, self._errors = sharper, errors


def with_mean(measured: pd.DataFrame, name: str = MEAN) -> pd.DataFrame:
    """The same with the mean over the tasks as a last row."""
    return pd.concat([measured, measured.mean().to_frame(name).T])


def _place(folder: str | Path | None, about: dict[str, str]) -> tuple[Path | None, dict[str, str]]:
    """The folder of the points that are about these things, beside those about others; and what they are about."""
    return None if folder is None else Path(folder) / text_hash(json.dumps(about))[:12], about
