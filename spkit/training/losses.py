"""The losses by name, and the one a task is trained, searched and measured with.

What batches each of them needs stands in `spkit.tasks.losses`, which imports no torch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
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
    """A loss that a task or its kind may name.

    Attributes:
        make: makes it from a model and a temperature.
        make_cached: likewise, from a third number too: the examples that pass through the model together, for batches
            that memory would not hold. None for a loss without such a form.
        temperature: by which it divides cosines by default; None for a loss without one.
        own_similarity: whether it compares embeddings by the model's own similarity, as a search does; the others take
            cosines.
    """

    make: Callable[[SentenceTransformer, float], nn.Module]
    temperature: float | None
    own_similarity: bool = False
    make_cached: Callable[[SentenceTransformer, float, int], nn.Module] | None = None

    def default_temperature(self, model: SentenceTransformer) -> float:
        """What it divides a model's similarities by: the temperature of cosines where they have their bounds, else 1.

        Inner products and distances of embeddings of any length are as large as the model makes them.
        """
        bounded = not self.own_similarity or model.similarity_fn_name == "cosine" or has_unit_length(model)
        return (self.temperature or 1.0) if bounded else 1.0


def _infonce(model: SentenceTransformer, temperature: float) -> nn.Module:
    compared_by = similarity(model.similarity_fn_name)
    return MultipleNegativesRankingLoss(model, scale=1 / temperature, similarity_fct=compared_by)


def _cached_infonce(model: SentenceTransformer, temperature: float, size: int) -> nn.Module:
    compared_by = similarity(model.similarity_fn_name)
    return CachedMultipleNegativesRankingLoss(
        model, scale=1 / temperature, similarity_fct=compared_by, mini_batch_size=size
    )


def _cosent(model: SentenceTransformer, temperature: float) -> nn.Module:
    return CoSENTLoss(model, scale=1 / temperature)


def _contrastive(model: SentenceTransformer, _: float) -> nn.Module:
    return OnlineContrastiveLoss(model)


#: By the names of `spkit.tasks.losses.BATCHING`. 0.05 is sentence-transformers' scale of 20; 0.1 is the value of the
#: paper of the loss for classes.
LOSSES: dict[str, Loss] = {
    "infonce": Loss(_infonce, 0.05, own_similarity=True, make_cached=_cached_infonce),
    "cosent": Loss(_cosent, 0.05),
    "contrastive": Loss(_contrastive, None),
    "supcon": Loss(SupervisedContrastiveLoss, 0.1),
}


def make_loss(
    name: str, model: SentenceTransformer, temperature: int | float | None = None, mini_batch_size: int | None = None
) -> nn.Module:
    """A loss by its name.

    Args:
        name: "infonce": in-batch softmax over the positives (and negatives), of the model's own similarities.
            "cosent": the order of the pairs by their scores. "contrastive": online contrastive loss, margin 0.5.
            "supcon": supervised contrastive.
        model: whose embeddings the loss reads; the loss holds on to it.
        temperature: similarities are divided by it; the loss's own by default (0.05; 0.1 for "supcon"; 1 for "infonce"
            where the similarity is no cosine and embeddings have no unit length).
        mini_batch_size: examples that pass through the model together, by GradCache: the gradient is that of the whole
            batch, the memory that of a part of it. None passes the batch in one piece.

    Returns:
        A sentence-transformers loss module.

    Raises:
        SpkitError: an unknown name, a temperature that is not positive, or one for a loss that has none; mini-batches
            of a loss that has no form for them.

    References:
        Gao et al., arXiv 2101.06983 (GradCache); van den Oord et al., arXiv 1807.03748, eq. 4 (in-batch softmax);
        Khosla et al., arXiv 2004.11362, eq. 2 (supervised contrastive).
    """
    loss = LOSSES.get(name)
    if loss is None:
        raise SpkitError(f"`loss` must be one of {quoted(LOSSES)}.", f"Found {name!r}.", "Pass one of them.")
    if temperature is not None and (loss.temperature is None or not temperature > 0):
        rule = "must be positive" if loss.temperature is not None else f"has no meaning for the loss {name!r}"
        raise SpkitError(f"`temperature` {rule}.", f"Found {temperature}.", "Leave it out.")
    divisor = temperature or loss.default_temperature(model)
    if mini_batch_size is None:
        return loss.make(model, divisor)
    if loss.make_cached is None:
        raise _uncached(f"the loss {name!r}")
    return loss.make_cached(model, divisor, mini_batch_size)


def _uncached(what: str) -> SpkitError:
    known = quoted(name for name, loss in LOSSES.items() if loss.make_cached is not None)
    return SpkitError(
        f"`mini_batch_size` belongs to losses that can be computed part by part: {known}.",
        f"Found {what}.",
        "Leave it out, or lower `batch_size`.",
    )


def task_loss(task: Task, model: SentenceTransformer, mini_batch_size: int | None = None) -> nn.Module:
    """The loss a task is trained, searched and measured with: its own, or that of its kind.

    Args:
        task: whose loss; where its `loss` is a function, it is called with the model.
        model: whose embeddings the loss reads; the loss holds on to it.
        mini_batch_size: as in `make_loss`.

    Returns:
        A sentence-transformers loss module.

    Raises:
        SpkitError: the task is of a kind that is evaluated only, or its loss takes no mini-batches.
    """
    check_trained([task])
    if not callable(task.loss):
        return make_loss(task.loss or task.definition.loss, model, task.temperature, mini_batch_size)
    if mini_batch_size is not None:
        raise _uncached(f"the own loss of task {task.name!r}")
    return task.loss(model)


def check_mini_batch(tasks: Iterable[Task], size: int | None) -> None:
    """Raise where the losses of tasks cannot be computed in mini-batches, or the size is none.

    Args:
        tasks: what is trained on.
        size: as `train` takes it.

    Raises:
        SpkitError: with the task and its loss.
    """
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise SpkitError(
            "`mini_batch_size` must be a whole number from 1.", f"Found {size!r}.", "Pass 32, for example."
        )
    for task in tasks:
        name = "" if callable(task.loss) else task.loss or task.definition.loss
        if not name or LOSSES[name].make_cached is None:
            raise _uncached(f"{repr(name) if name else 'a loss of its own'} for task {task.name!r}")
