"""A probe that needs no labels: each task's expert is the teacher, whose similarities of texts a merge should keep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from spkit.errors import SpkitError, check_choice, quoted
from spkit.hashing import text_hash
from spkit.models.embedding import collator, features_by_column, truncated
from spkit.searching.probe import Probe
from spkit.searching.reader import EMBEDDED
from spkit.vectors.task_vectors import TaskVectors

#: How two matrices of similarities are compared.
Form = Literal["mse", "kl"]

#: Texts that an expert embeds together.
_TOGETHER = 32


@dataclass(frozen=True)
class TaughtProbe(Probe):
    """A probe whose losses are distances from the experts.

    Attributes:
        about: what the losses depend on beside the texts.
    """

    about: str

    def fingerprint(self) -> str:
        """A hash of every example, and of the teachers."""
        return text_hash(super().fingerprint(), self.about)


def taught(probe: Probe, vectors: TaskVectors, form: Form = "mse", temperature: float = 0.05) -> Probe:
    """The same texts with each task's expert as the teacher, in place of labels, scores and positives.

    The loss of a batch is how far the cosines of its first texts (anchors, queries, sentences) with each other are from
    those that the task's expert gives them. So the probe may be of texts alone, such as the queries that a system was
    asked. Searches, their scales and validations take it as they take any other; scores do not change.

    Args:
        probe: whose texts are taken.
        vectors: the span, with an expert of each task's name.
        form: `"mse"`, the mean squared difference of the cosines of two texts; or `"kl"`, the divergence of each text's
            distribution over the others (its cosines over the temperature, in a softmax) from the expert's.
        temperature: of `"kl"`.

    Returns:
        A probe to search on with these vectors, and with no others.

    Raises:
        SpkitError: a task without an expert, an unknown form, or a temperature that is not positive.

    References:
        Tung and Mori, "Similarity-Preserving Knowledge Distillation", 2019 (the mean squared difference); Passalis and
        Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", 2018 (the divergence).
    """
    check_choice("form", form, Form)
    if not 0 < temperature < float("inf"):
        raise SpkitError(
            "`temperature` must be positive and finite.", f"Found {temperature}.", "Pass 0.05, for example."
        )
    if without := [name for name in probe.tasks if name not in vectors.names]:
        raise SpkitError(
            "Each task of the probe must have an expert of its name to be taught by.",
            f"Found none of {quoted(without)} among {quoted(vectors.names)}.",
            "Leave these tasks out of the probe, or name the experts by their tasks.",
        )
    tasks = {}
    for name, task in probe.tasks.items():
        expert = vectors.at([float(one == name) for one in vectors.names])
        known = _embedded(expert, probe, name)
        del expert  # one at a time is in memory
        tasks[name] = replace(task, loss=_LossOf(known, form, temperature), temperature=None)
    about = [vectors.base_hash, *vectors.names, str(vectors.gram().tolist()), form, str(temperature)]
    return TaughtProbe(tasks, probe.examples, probe.split, probe.seed, text_hash(*about))


@torch.no_grad()
def _embedded(expert: SentenceTransformer, probe: Probe, name: str) -> dict[bytes, Float[Tensor, " D"]]:
    """The expert's embedding of each first text, by its tokens."""
    task, rows = probe.tasks[name], probe.examples[name].with_format(None)
    column = task.text_columns[0]
    collate = collator(expert, task, [column])
    texts, known = list(dict.fromkeys(rows[column][:])), {}
    for start in range(0, len(texts), _TOGETHER):
        batch = collate([{column: text} for text in texts[start : start + _TOGETHER]])
        features = features_by_column(batch, [column], expert.device)[column]
        keys = list(_keys(features))
        with truncated(expert):
            known |= zip(keys, expert(features)[EMBEDDED].float().cpu(), strict=True)
    return known


def _keys(features: Mapping[str, Any]) -> Iterator[bytes]:
    """What tells texts apart: their tokens, without padding."""
    for tokens, mask in zip(features["input_ids"].cpu(), features["attention_mask"].cpu(), strict=True):
        yield tokens[mask.bool()].numpy().tobytes()


@dataclass(frozen=True, eq=False)
class _LossOf:
    """Makes the loss of a task from the model that is searched."""

    known: Mapping[bytes, Tensor]
    form: Form
    temperature: float

    def __call__(self, model: SentenceTransformer) -> nn.Module:
        return SimilarityToTeacher(model, self.known, self.form, self.temperature)


class SimilarityToTeacher(nn.Module):
    """How far a batch's similarities are from the teacher's.

    Args:
        model: what is searched.
        known: the teacher's embeddings, by tokens.
        form: see `taught`.
        temperature: see `taught`.
    """

    def __init__(
        self, model: SentenceTransformer, known: Mapping[bytes, Tensor], form: Form, temperature: float
    ) -> None:
        super().__init__()
        self.model = model
        self._known, self._form, self._temperature = known, form, temperature

    def forward(self, features: list[dict[str, Any]], labels: Tensor | None = None) -> Float[Tensor, ""]:
        """The loss of a batch; its labels are not read."""
        first = features[0]
        theirs = torch.stack([self._known[key] for key in _keys(first)])
        own = self.model(first)[EMBEDDED].float()
        ours, given = _others(own), _others(theirs.to(own.device))
        if self._form == "mse":
            return (ours - given).square().mean()
        own_logs, their_logs = (functional.log_softmax(one / self._temperature, 1) for one in (ours, given))
        return functional.kl_div(own_logs, their_logs, reduction="batchmean", log_target=True)


def _others(embeddings: Float[Tensor, "B D"]) -> Float[Tensor, "B others"]:
    """Each text's cosines with the other texts."""
    unit, count = functional.normalize(embeddings, dim=1), len(embeddings)
    apart = ~torch.eye(count, dtype=torch.bool, device=embeddings.device)
    return (unit @ unit.T)[apart].view(count, count - 1)
