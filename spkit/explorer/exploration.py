"""The explorer without widgets: what is known of positions and models, and a thread that measures more."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.evaluation.means import MEAN, TRAINED, UNSEEN, UNSEEN_MEAN, ScoredRole
from spkit.explorer.given_models import GivenModels
from spkit.explorer.known import Known
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.looked_at import looked_at
from spkit.explorer.points import Points, spread
from spkit.explorer.quick_scores import EXAMPLES, QuickScores
from spkit.explorer.readings import Key, Reading, with_mean
from spkit.explorer.references import references
from spkit.explorer.state import Space
from spkit.explorer.unseen_scores import UnseenScores
from spkit.explorer.whole_dev import WholeDev
from spkit.explorer.worker import NewestWins
from spkit.hashing import text_hash
from spkit.models.loading import Precision
from spkit.tasks import Task
from spkit.tasks.named import named_tasks
from spkit.vectors.coefficients import ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors


@dataclass(frozen=True)
class _Whole:
    """A request for scores on the whole dev splits."""

    keys: tuple[Key, ...]
    ready: Callable[[], None]


#: What the measuring thread is asked for: a position, or two on the whole dev splits.
_Asked = tuple[float, ...] | _Whole

#: What the measuring thread gives: the role of the tasks, and what was measured on them.
_Measured = tuple[ScoredRole, pd.DataFrame]


class Exploration:
    """The explorer without widgets.

    Args:
        vectors: the span.
        tasks: what positions are scored on. Of those that are trained on a sample of the dev splits is read: these are
            what is interpolated and chosen by. Of unseen ones a sample of the test splits is read, for looking only.
        marked: positions worth marking, by name, one coefficient a vector.
        joint: a jointly trained model to compare with, or its folder or id.
        merges: merges that are no position between these vectors, or their folders or ids, by name, to compare with.
        by_module: positions with coefficients for each module, by name, to compare with.
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
        joint: SentenceTransformer | str | Path | None = None,
        merges: Mapping[str, SentenceTransformer | str | Path] | None = None,
        by_module: Mapping[str, ModuleCoefficients] | None = None,
        folder: str | Path | None = None,
        points: int | None = None,
        examples: int = EXAMPLES,
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
        self.marked = list(dict.fromkeys(self.space.same_as.get(name, name) for name in marked or {}))
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
        own = text_hash(*vectors.names, str(whole.tolist()))
        about = {"base": vectors.base_hash, "vectors": own, "columns": LEFT_OUT[-1]}
        # Points of other vectors or examples stand beside these, and are there when one comes back to them.
        directory, about_dev = _place(folder, {**about, "examples": self.quick.fingerprint})
        self.folder = directory
        points_ = Points(directory / "points.jsonl" if directory else None, about_dev, beside=LEFT_OUT)
        around = spread(wanted, whole, self.space.path, self.space.ranges, seed)
        positions = np.concatenate([list(self.presets.values()), around])
        points_.fill(tqdm(positions, desc="points", unit="point", disable=not progress), self.quick.at)
        scales = directory / "surrogate.json" if directory else None
        self.known = Known(points_, self.quick.tasks, scales, len(positions), self.lock)
        #: What was measured of the unseen tasks.
        self.unseen_points, beside = Points(None, {}, ["score"], LEFT_OUT), None
        if self.unseen is not None:
            beside, about_test = _place(folder, {**about, "unseen examples": self.unseen.fingerprint})
            path = beside / "unseen.jsonl" if beside else None
            self.unseen_points = Points(path, about_test, ["score"], LEFT_OUT)
            presets = np.array(list(self.presets.values()))
            self.unseen_points.fill(
                tqdm(presets, desc="unseen tasks", unit="point", disable=not progress), self.unseen.at
            )
        # A merge may be a position, too: both keep their names apart.
        named = {f"{name}, as given" if name in self.presets else name: one for name, one in (merges or {}).items()}
        models = ({} if joint is None else {"joint": joint}) | named
        self._given = GivenModels(vectors, models, by_module, self.presets)
        #: Models that are no position, by name: measured once, and compared with.
        self.models = self._given.readings(self.quick, self.unseen, (directory, beside))
        experts = {task: f"expert: {self._groups.get(task, task)}" for task in self.quick.tasks}
        own = {task: at for task, at in experts.items() if at in self.presets}
        own = {task: float(self.reference(at)["score"][task]) for task, at in own.items()}
        #: Scores of what was given (`references`).
        self.references = references(self.read(self.presets["base"]), own, self.models)
        #: Scores on the whole dev splits, where they were asked for.
        self.whole_dev = WholeDev(given.trained, None if folder is None else Path(folder) / "whole_dev")
        self._listener: Callable[[Reading, bool], None] | None = None
        self._failed: Callable[[Exception], None] | None = None
        self._worker = NewestWins(self._measure, self._deliver)

    @property
    def num_points(self) -> int:
        """How many positions were measured."""
        return len(self.known.points)

    def errors(self) -> pd.DataFrame:
        """Typical error of an interpolated value: that at each measured point when it alone is left out."""
        with self.lock:
            return self.known.errors

    def interpolate(self, coefficients: Sequence[float]) -> Reading:
        """What the measured points around a position say of it."""
        with self.lock:
            values = self.known.interpolated(coefficients)
            return self._with_unseen(Reading(tuple(coefficients), values, False, self.known.errors))

    def read(self, coefficients: Sequence[float]) -> Reading:
        """What is known of a position: measured if it was, interpolated otherwise."""
        with self.lock:
            known = self.known.points.find(coefficients)
            if known is None:
                return self.interpolate(coefficients)
            left_out = self.known.points.find_beside(coefficients)
            return self._with_unseen(Reading(tuple(coefficients), with_mean(known), True, left_out=left_out))

    def _with_unseen(self, reading: Reading) -> Reading:
        """The same with what was measured there on the unseen tasks, while these are looked at."""
        known = self.unseen_points.find(reading.coefficients) if self.watches_unseen else None
        if known is None:
            return reading
        left_out = self.unseen_points.find_beside(reading.coefficients)
        return replace(reading, unseen=with_mean(known, UNSEEN_MEAN), unseen_left_out=left_out)

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
            known = self.known.points.find(self.presets[preset])
        assert known is not None
        return with_mean(known)

    def name_of(self, name: str) -> str:
        """The name in the lists: another one where a position was given that had a name before."""
        return {**self.space.same_as, **self._given.same_as}.get(name, name)

    def group_of(self, task: str) -> str:
        """The vector that a trained task belongs to; empty where it has none."""
        return self._groups.get(task, "")

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
                TRAINED: self.known.points.find(coefficients) is not None,
                UNSEEN: not self.watches_unseen or self.unseen_points.find(coefficients) is not None,
            }
        return [role for role, there in known.items() if not there]

    def ask_whole(self, one: Key, other: Key, ready: Callable[[], None]) -> None:
        """Measure a position or a model and what it is compared with on the whole dev splits.

        Args:
            one: coefficients, or the name of a model.
            other: the same of what it is compared with.
            ready: called in the measuring thread when `whole_dev` knows both.
        """
        self._worker.submit(_Whole((one, other), ready))

    def rest(self) -> None:
        """Ask for nothing more."""
        self._worker.overtake()

    def model(self, key: Key) -> SentenceTransformer:
        """The model of a position, or that of a name."""
        return self._given.model(key) if isinstance(key, str) else self.vectors.at(list(key))

    def rows_of(self, reading: Reading) -> Float[Tensor, "M N"] | None:
        """The coefficients of what is shown, a row a module where these differ; None where it is no such position."""
        if not reading.model:
            return self.vectors.coefficients(list(reading.coefficients))
        known = self._given.by_module.get(reading.model)
        return None if known is None else self.vectors.coefficients(known)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being measured; whether that came in time."""
        return self._worker.wait(timeout)

    def close(self) -> None:
        """End the measuring thread."""
        self._worker.close()

    def _measure(self, asked: _Asked, cancelled: Callable[[], bool]) -> Iterator[_Measured]:
        if isinstance(asked, _Whole):
            for key in asked.keys:
                self.whole_dev.measure(key, partial(self.model, key), cancelled)
            asked.ready()
            return
        coefficients = asked
        for role in self._lacking(coefficients):
            measuring = self.quick if role == TRAINED or self.unseen is None else self.unseen
            measured = measuring.at(list(coefficients), cancelled)
            bad = [
                name
                for name, row in measured.drop(columns=LEFT_OUT).iterrows()
                if not np.isfinite(row.to_numpy()).all()
            ]
            if bad:
                raise SpkitError(
                    "A position must give finite scores and losses.",
                    f"Found others for {quoted([str(name) for name in bad])}.",
                    "Go nearer to the base or the experts.",
                )
            yield role, measured

    def _deliver(self, coefficients: _Asked, answer: _Measured | Exception, newest: bool) -> None:
        if isinstance(answer, Exception) or isinstance(coefficients, _Whole):
            if self._failed is not None and isinstance(answer, Exception):
                self._failed(answer)
            return
        role, measured = answer
        if role == TRAINED:
            self.known.add(coefficients, measured)
        else:
            with self.lock:
                self.unseen_points.add(coefficients, measured)
        if self._listener is not None:
            self._listener(self.read(coefficients), newest)


def _place(folder: str | Path | None, about: dict[str, str]) -> tuple[Path | None, dict[str, str]]:
    """The folder of the points that are about these things, beside those about others; and what they are about."""
    return None if folder is None else Path(folder) / text_hash(json.dumps(about))[:12], about
