"""Models that are no position between the vectors: a joint one, merges, positions by module."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.evaluation.means import UNSEEN_MEAN
from spkit.explorer.left_out import LEFT_OUT
from spkit.explorer.quick_scores import QuickScores
from spkit.explorer.readings import Reading, with_mean
from spkit.explorer.unseen_scores import UnseenScores
from spkit.files import parse_json, write_text
from spkit.folders import check_unchanged, is_listed, listed_files, state_of
from spkit.hashing import text_hash, weights_hash
from spkit.models.adapter_files import adapter_folder
from spkit.models.bases import load_model
from spkit.models.sources import source_named
from spkit.vectors.coefficients import ModuleCoefficients
from spkit.vectors.task_vectors import TaskVectors

#: A model this share of its step away from a position is that position: weights of 16 bits are rounded so.
_ROUNDING = 5e-3


class GivenModels:
    """Models by name, with what they score.

    Args:
        vectors: the span.
        models: of the base's shape, or their folders or ids. What spkit wrote is loaded when it is first used.
        by_module: positions with coefficients of their own for each module.
        presets: positions that have names. A model that is one of them, to rounding, is no entry of its own.
    """

    def __init__(
        self,
        vectors: TaskVectors,
        models: Mapping[str, SentenceTransformer | str | Path],
        by_module: Mapping[str, ModuleCoefficients] | None,
        presets: Mapping[str, Sequence[float]],
    ) -> None:
        self._vectors, self._models = vectors, dict(models)
        #: The coefficients of the positions by module, by name.
        self.by_module = dict(by_module or {})
        self._presets = presets
        #: Models that are positions which have names, with these.
        self.same_as: dict[str, str] = {}

    def model(self, name: str) -> SentenceTransformer:
        """The model of a name."""
        if name in self.by_module:
            return self._vectors.at(self.by_module[name])
        self._models[name] = loaded = load_model(self._models[name])
        return loaded

    def readings(
        self, quick: QuickScores, unseen: UnseenScores | None, folders: tuple[Path | None, Path | None]
    ) -> dict[str, Reading]:
        """What each scores, and the position that is nearest to it.

        Args:
            quick: measures on the trained tasks.
            unseen: measures on the unseen ones, by the same working copy.
            folders: keep what was measured on the trained and on the unseen tasks; None keeps nothing.
        """
        measured = {}
        for name in self._models:
            take = partial(self._take, name, quick)
            measure = _Measuring(self._key_of(name), take, quick, unseen, folders)
            measured[name] = self._reading(name, measure, partial(self._nearest_to, name))
        for name, coefficients in self.by_module.items():
            rows = self._vectors.coefficients(coefficients)
            key = text_hash("by module", str(rows.tolist()))
            measure = _Measuring(key, partial(quick.move, coefficients), quick, unseen, folders)
            measured[name] = self._reading(name, measure, partial(nearest_to_rows, self._vectors, rows))
        return {name: reading for name, reading in measured.items() if reading is not None}

    def _reading(self, name: str, measure: "_Measuring", nearest: Callable[[], "Nearest"]) -> Reading | None:
        """Of a model; None where it is a position that has a name."""
        there = measure.place(nearest)
        known = [preset for preset, at in self._presets.items() if there.is_at(at, self._vectors.gram())]
        if known and name != "joint":  # what all is compared with keeps its name
            self.same_as[name] = known[0]
            return None
        return measure.reading(name, there)

    def _key_of(self, name: str) -> str:
        """A hash of the model's weights; of a folder that spkit wrote by its list, once its files are checked."""
        given = self._models[name]
        folder = None if isinstance(given, SentenceTransformer) else Path(given).expanduser()
        # The weights of an adapter are partly those of its base.
        if folder is None or not is_listed(folder) or adapter_folder(source_named(folder)) is not None:
            return weights_hash(self.model(name))
        check_unchanged(folder, "A model", [file for file in listed_files(folder) if not file.endswith(".md")])
        return text_hash("folder", str(state_of(folder)))

    def _take(self, name: str, quick: QuickScores) -> None:
        quick.take(self.model(name))

    def _nearest_to(self, name: str) -> "Nearest":
        step = TaskVectors.from_models(self._vectors.base, {name: self.model(name)}).matrix[0]
        return nearest_to_step(self._vectors, step)


@dataclass(frozen=True)
class _Measuring:
    """Measures a model once: what was measured is kept under a hash of the model."""

    key: str
    take: Callable[[], None]
    quick: QuickScores
    unseen: UnseenScores | None
    folders: tuple[Path | None, Path | None]

    def place(self, nearest: Callable[[], "Nearest"]) -> "Nearest":
        """The position that is nearest to the model.

        Args:
            nearest: finds it, which takes seconds.
        """
        path = self._path(self.folders[0], "place")
        if path is not None and path.is_file():
            kept = parse_json(path.read_text(encoding="utf-8"))
            return Nearest(tuple(map(float, kept["position"])), float(kept["apart"]))
        found = nearest()
        if path is not None:
            write_text(path, json.dumps(asdict(found)))
        return found

    def reading(self, name: str, there: "Nearest") -> Reading:
        """What the model scores.

        Args:
            name: of it.
            there: the position that is nearest to it.
        """
        trained = self._known(self.folders[0], self.quick)
        values, left_out = with_mean(trained.drop(columns=LEFT_OUT)), trained[LEFT_OUT]
        reading = Reading(there.position, values, True, left_out=left_out, model=name)
        if self.unseen is None:
            return reading
        others = self._known(self.folders[1], self.unseen)
        values = with_mean(others.drop(columns=LEFT_OUT), UNSEEN_MEAN)
        return replace(reading, unseen=values, unseen_left_out=others[LEFT_OUT])

    def _path(self, folder: Path | None, what: str) -> Path | None:
        return None if folder is None else folder / f"{what}-{self.key[:16]}.json"

    def _known(self, folder: Path | None, scores: QuickScores | UnseenScores) -> pd.DataFrame:
        path = self._path(folder, "model")
        if path is not None and path.is_file():
            kept = pd.DataFrame.from_dict(parse_json(path.read_text(encoding="utf-8")), orient="index")
            return kept.astype(float).loc[scores.tasks]
        self.take()
        measured = scores.here()
        if path is not None:
            write_text(path, measured.to_json(orient="index", double_precision=15))
        return measured


@dataclass(frozen=True)
class Nearest:
    """The position that is nearest to a model, by the distance of their weights.

    Attributes:
        position: its coefficients.
        apart: how far the model is from it.
    """

    position: tuple[float, ...]
    apart: float

    def is_at(self, coefficients: Sequence[float], gram: Float[Tensor, "N N"]) -> bool:
        """Whether the model is a position, up to the rounding of weights.

        Args:
            coefficients: the position.
            gram: of the task vectors.
        """
        step, off = np.array(self.position), np.array(self.position) - np.asarray(coefficients, dtype=float)
        long, away = (float(one @ gram.numpy() @ one) + self.apart**2 for one in (step, off))
        return away <= _ROUNDING**2 * long


def nearest_to_step(vectors: TaskVectors, step: Float[Tensor, " P"]) -> Nearest:
    """The position nearest to a model.

    Args:
        vectors: the span.
        step: the model's weights minus the base's.
    """
    along = (vectors.matrix.to(step.dtype) @ step).double()
    return _nearest(vectors.gram(), along, float(step.double() @ step.double()))


def nearest_to_rows(vectors: TaskVectors, rows: Float[Tensor, "M N"]) -> Nearest:
    """The position nearest to one by module, from the Gram matrices alone.

    Args:
        vectors: the span.
        rows: its coefficients, a row a module, or one for all.
    """
    grams = torch.stack(list(vectors.gram(by="module").values()))
    along = grams @ rows.expand(len(grams), -1)[..., None]
    square = float((rows.expand(len(grams), -1)[:, None] @ along).sum())
    return _nearest(grams.sum(0), along.sum(0)[:, 0], square)


def _nearest(gram: Float[Tensor, "N N"], along: Float[Tensor, " N"], square: float) -> Nearest:
    """By least squares, as vectors may depend on each other; `square` is that of the step's length."""
    position = torch.linalg.lstsq(gram, along[:, None], driver="gelsd").solution[:, 0]
    return Nearest(tuple(position.tolist()), max(0.0, square - float(position @ along)) ** 0.5)
