"""The losses by name, and the one a task is trained, searched and measured with."""

from collections.abc import Callable
from dataclasses import dataclass

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    MultipleNegativesRankingLoss,
    OnlineContrastiveLoss,
)
from torch import nn

from spkit.errors import SpkitError, quoted
from spkit.models.embedding import has_unit_length, similarity
from spkit.tasks.task import Task, check_trained
from spkit.training.supervised_contrastive import SupervisedContrastiveLoss


@dataclass(frozen=True)
class Loss:
    """A loss that a kind of task may name.

    Attributes:
        make: makes it from a model and a temperature.
        temperature: by which it divides cosines by default; None for a loss without one.
        own_similarity: whether it compares embeddings by the model's own similarity, as a search does; the others take
            cosines.
    """

    make: Callable[[SentenceTransformer, float], nn.Module]
    temperature: float | None
    own_similarity: bool = False

    def default_temperature(self, model: SentenceTransformer) -> float:
        """What it divides a model's similarities by: the temperature of cosines where they have their bounds, else 1.

        Inner products and distances of embeddings of any length are as large as the model makes them.
        """
        bounded = not self.own_similarity or model.similarity_fn_name == "cosine" or has_unit_length(model)
        return (self.temperature or 1.0) if bounded else 1.0


def _infonce(model: SentenceTransformer, temperature: float) -> nn.Module:
    compared_by = similarity(model.similarity_fn_name)
    return MultipleNegativesRankingLoss(model, scale=1 / temperature, similarity_fct=compared_by)


def _cosent(model: SentenceTransformer, temperature: float) -> nn.Module:
    return CoSENTLoss(model, scale=1 / temperature)


def _contrastive(model: SentenceTransformer, _: float) -> nn.Module:
    return OnlineContrastiveLoss(model)


#: By the names that kinds of task use. 0.05 is sentence-transformers' scale of 20; 0.1 is the value of the paper of the
#: loss for classes.
LOSSES: dict[str, Loss] = {
    "infonce": Loss(_infonce, 0.05, own_similarity=True),
    "cosent": Loss(_cosent, 0.05),
    "contrastive": Loss(_contrastive, None),
    "supcon": Loss(SupervisedContrastiveLoss, 0.1),
}


def make_loss(name: str, model: SentenceTransformer, temperature: float | None = None) -> nn.Module:
    """A loss by its name.

    Args:
        name: "infonce": in-batch softmax over the positives (and negatives), of the model's own similarities.
            "cosent": the order of the pairs by their scores. "contrastive": online contrastive loss, margin 0.5.
            "supcon": supervised contrastive.
        model: whose embeddings the loss reads; the loss holds on to it.
        temperature: similarities are divided by it; the loss's own by default (0.05; 0.1 for "supcon"; 1 for "infonce"
            where the similarity is no cosine and embeddings have no unit length).

    Returns:
        A sentence-transformers loss module.

    Raises:
        SpkitError: an unknown name, a temperature that is not positive, or one for a loss that has none.

    References:
        van den Oord et al., arXiv 1807.03748, eq. 4 (in-batch softmax); Khosla et al., arXiv 2004.11362, eq. 2
        (supervised contrastive).
    """
    loss = LOSSES.get(name)
    if loss is None:
        raise SpkitError(f"`loss` must be one of {quoted(LOSSES)}.", f"Found {name!r}.", "Pass one of them.")
    if temperature is not None and (loss.temperature is None or not temperature > 0):
        rule = "must be positive" if loss.temperature is not None else f"has no meaning for the loss {name!r}"
        raise SpkitError(f"`temperature` {rule}.", f"Found {temperature}.", "Leave it out.")
    return loss.make(model, temperature or loss.default_temperature(model))


def task_loss(task: Task, model: SentenceTransformer) -> nn.Module:
    """The loss a task is trained, searched and measured with: its own, or that of its kind.

    Args:
        task: whose loss; its `loss`, where given, is called with the model.
        model: whose embeddings the loss reads; the loss holds on to it.

    Returns:
        A sentence-transformers loss module.

    Raises:
        SpkitError: the task is of a kind that is evaluated only.
    """
    check_trained([task])
    return make_loss(task.definition.loss, model) if task.loss is None else task.loss(model)
