"""Texts read with little padding: those of like length pass through the model together, and each of them once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    MultipleNegativesRankingLoss,
    OnlineContrastiveLoss,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from spkit.training.batches import TaskBatches
from spkit.training.supervised_contrastive import SupervisedContrastiveLoss

#: Losses that read nothing of a text but its embedding. Their subclasses may read more.
_PLAIN = (MultipleNegativesRankingLoss, CoSENTLoss, OnlineContrastiveLoss, SupervisedContrastiveLoss)

#: Rows that are cut off together, and padded tokens that this must save: what a pass costs beside its tokens.
_ROWS, _SAVED = 8, 16

#: Texts that pass through the model together where no gradient is needed.
_TOGETHER = 32

#: Where an embedding stands among the features of a text: no token needs to be read again.
EMBEDDED = "sentence_embedding"


class Reader(nn.Module):
    """Stands in for the model in a loss that reads embeddings alone; they are the model's own up to rounding.

    Args:
        model: which embeds the texts.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The embeddings of the texts with these features, in their order."""
        if EMBEDDED in features:
            return features
        pieces = _pieces(features)
        if pieces is None:
            return self.model(features, **options)
        parts = [self.model(_part(features, rows), **options)[EMBEDDED] for rows in pieces]
        return {EMBEDDED: torch.cat(parts)[torch.cat(pieces).argsort()]}


def read_plainly(batches: TaskBatches) -> bool:
    """Put a reader in the place of the model, where a task's loss is one that reads embeddings alone; whether it is."""
    loss: Any = batches.loss
    if type(loss) not in _PLAIN or loss.model is not batches.model:
        return False
    loss.model = Reader(batches.model)
    return True


class OnceEach:
    """The texts of some batches, each of which passes through the model once, whatever batches it stands in.

    Args:
        model: which embeds the texts.
        columns: the features of each column of the batches, for all of which `can_be_cut` holds.
    """

    def __init__(self, model: SentenceTransformer, columns: Sequence[Mapping[str, Any]]) -> None:
        self._model = model
        numbers: dict[Any, int] = {}
        texts: dict[Any, list[_Text]] = {}
        self._places = []
        for column in columns:
            places = []
            for about, text in _texts(column):
                key = (about, *(value.numpy().tobytes() for value in text.values()))
                if key not in numbers:
                    numbers[key] = len(numbers)
                    texts.setdefault(about, []).append(text | {_NUMBER: torch.tensor(numbers[key])})
                places.append(numbers[key])
            self._places.append(torch.tensor(places))
        self._passes = [(dict(about), part) for about, alike in texts.items() for part in _of_like_length(alike)]

    def __len__(self) -> int:
        return sum(len(part) for _, part in self._passes)

    def embeddings(self) -> list[Float[Tensor, "B D"]]:
        """The embeddings of each column's texts, at the model's present weights."""
        device, padding = self._model.device, getattr(self._model.tokenizer, "pad_token_id", None) or 0
        numbers, parts = [], []
        for about, texts in self._passes:
            features = {
                key: pad_sequence([text[key] for text in texts], True, padding if key == "input_ids" else 0)
                if value.ndim
                else torch.stack([text[key] for text in texts])
                for key, value in texts[0].items()
            }
            numbers.append(features.pop(_NUMBER))
            parts.append(self._model(about | {key: value.to(device) for key, value in features.items()})[EMBEDDED])
        if not parts:
            return []
        table = torch.cat(parts)[torch.cat(numbers).argsort().to(device)]
        return [table[places.to(device)] for places in self._places]


#: A text: what stands for each of its tokens, and for the whole of it.
_Text = dict[str, Tensor]
_NUMBER = "number"


def can_be_cut(features: Mapping[str, Any]) -> bool:
    """Whether texts stand one a row, with padding behind them: then what is cut off changes no position."""
    mask = features.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.ndim != 2:
        return False
    known = all(_is_of(value, mask) or isinstance(value, str | int | float | None) for value in features.values())
    return known and bool((mask[:, 1:] <= mask[:, :-1]).all())


def _is_of(value: Any, mask: Tensor) -> bool:
    """Whether a feature holds a row for each text, of numbers for each token or of one for all."""
    return isinstance(value, Tensor) and value.shape in (mask.shape, mask.shape[:1])


def _pieces(features: Mapping[str, Any]) -> list[Int[Tensor, " rows"]] | None:
    """Numbers of rows that are better read apart; None where one pass is best, as on a GPU, which waits for each."""
    mask = features.get("attention_mask")
    if not can_be_cut(features) or mask is None or mask.device.type != "cpu":
        return None
    lengths = mask.sum(1)
    pieces: list[list[Tensor]] = []
    longest = 0
    for rows in lengths.argsort(descending=True, stable=True).split(_ROWS):
        here = int(lengths[rows[0]])
        if pieces and (longest - here) * len(rows) < _SAVED:
            pieces[-1].append(rows)
        else:
            pieces.append([rows])
            longest = here
    return None if len(pieces) == 1 else [torch.cat(one) for one in pieces]


def _part(features: Mapping[str, Any], rows: Int[Tensor, " rows"]) -> dict[str, Any]:
    """The features of some rows, without columns that are padding in all of them."""
    read = int(features["attention_mask"][rows].sum(1).max())
    tensors = {key: value[rows] for key, value in features.items() if isinstance(value, Tensor)}
    return {**features, **{key: value[:, :read] if value.ndim == 2 else value for key, value in tensors.items()}}


def _texts(features: Mapping[str, Any]) -> Iterator[tuple[Any, _Text]]:
    """Each text of a column by itself, without padding, behind what holds for all of them."""
    about = tuple((key, value) for key, value in features.items() if not isinstance(value, Tensor))
    tensors = {key: value.cpu() for key, value in features.items() if isinstance(value, Tensor)}
    for row, length in enumerate(tensors["attention_mask"].sum(1).tolist()):
        yield about, {key: value[row, :length] if value.ndim == 2 else value[row] for key, value in tensors.items()}


def _of_like_length(texts: list[_Text]) -> Iterator[list[_Text]]:
    ordered = sorted(texts, key=lambda text: -len(text["attention_mask"]))
    for start in range(0, len(ordered), _TOGETHER):
        yield ordered[start : start + _TOGETHER]
