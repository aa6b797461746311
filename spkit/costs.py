"""What a piece of work costs: texts, tokens, FLOPs and seconds, by one definition for all that the kit does."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from transformers.pytorch_utils import Conv1D

#: Layers that multiply by a matrix; Conv1D is GPT-2's linear layer.
_LINEAR = (nn.Linear, Conv1D)

#: Layers that hold a matrix and only look rows up.
_LOOKUP = (nn.Embedding, nn.EmbeddingBag)


@dataclass
class Cost:
    """What went through the models, in numbers that add up over the parts of a study.

    Attributes:
        texts: rows that a SentenceTransformer embedded. An example of a retrieval task is two of them, more with
            negatives; a text that is embedded twice counts twice.
        tokens: their tokens, special ones included, padding left out.
        padded_tokens: the same with padding, which costs as much.
        flops: floating point operations of linear layers and attention, forward and backward.
        seconds: wall time.
        notes: what could not be counted, in words; empty where all was.
        examples: rows of the batches whose loss was computed, by losses of sentence-transformers' form (called with the
            features of each text column, and labels); repeated ones count again.
    """

    texts: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    flops: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    examples: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.texts + other.texts,
            self.tokens + other.tokens,
            self.padded_tokens + other.padded_tokens,
            self.flops + other.flops,
            self.seconds + other.seconds,
            list(dict.fromkeys(self.notes + other.notes)),
            self.examples + other.examples,
        )


@contextmanager
def count_costs() -> Iterator[Cost]:
    """Count what everything inside the block costs: any model, and copies made inside.

    Other threads do not count: what one of them embeds meanwhile is no part of this work.

    So a joint training, a search and an evaluation stand on one axis. The FLOPs follow from the shapes that went
    through, padding included. Forward: 2 · weights · tokens for each linear layer (a layer that sees each text once,
    such as a pooler, counts its texts), and 4 · layers · width · length² for the attention over each row, with width
    the heads times their dimension. Backward: as much again for the gradient of the weights, and as much again for that
    of the inputs, where autograd reaches the layer and they need one; in full training twice the forward. The attention
    of all layers is taken to have a backward pass where the encoder's output has one. Without a backward pass nothing
    is added, whether gradients are on or off.

    Not counted: embeddings looked up, normalisation and activations, the loss, the optimiser, and arithmetic on weights
    (merging, projecting a gradient: some operations for each parameter and task vector, once a step). Attention counts
    every pair of positions, so that sliding windows are overcounted. What gradient checkpointing computes again counts
    for linear layers and not for attention. Compiled models and gradients batched by vmap are not supported.

    Yields:
        A `Cost` that is filled when the block ends, in whatever way it ends.

    References:
        Kaplan et al., "Scaling Laws for Neural Language Models", arXiv 2001.08361, section 2.1.

    Example:
        >>> from spkit import load_base
        >>> base = load_base("minilm-l3")
        >>> with count_costs() as cost:
        ...     embeddings = base.encode(["one text", "a longer text"])
        >>> cost.texts, cost.tokens, cost.padded_tokens
        (2, 9, 10)
    """
    cost, counter = Cost(), _Counter()
    _wait_for_device()
    _OPEN[id(cost)] = _Counting(counter, time.perf_counter())
    handle = register_module_forward_hook(counter)
    try:
        yield cost
    finally:
        handle.remove()
        vars(cost).update(vars(so_far(cost)))
        del _OPEN[id(cost)]


def so_far(cost: Cost) -> Cost:
    """What a block has cost up to now: for who keeps it with work that may be stopped.

    Args:
        cost: what `count_costs` gave to the block, which has not ended.
    """
    counting, now = _OPEN[id(cost)], Cost()
    _wait_for_device()
    now.seconds = time.perf_counter() - counting.began
    counting.counter.fill(now, counting.earlier)
    return counting.earlier + now


def add_earlier(cost: Cost) -> None:
    """Count work that an earlier process did and that is not done again: in all open blocks of this thread."""
    for counting in _open_here():
        counting.earlier = counting.earlier + cost


@contextmanager
def uncounted() -> Iterator[None]:
    """Inside the block nothing is counted: a check of what was loaded is no part of the work."""
    paused = [counting.counter for counting in _open_here() if not counting.counter.paused]
    for counter in paused:
        counter.paused = True
    try:
        yield
    finally:
        for counter in paused:
            counter.paused = False


@dataclass
class _Counting:
    """A block that is open."""

    counter: "_Counter"
    began: float
    earlier: Cost = field(default_factory=Cost)


_OPEN: dict[int, _Counting] = {}


def _open_here() -> list[_Counting]:
    return [counting for counting in list(_OPEN.values()) if counting.counter.thread == threading.get_ident()]


class _Counter:
    """A forward hook of all modules, which hooks the gradients of their outputs in turn."""

    def __init__(self) -> None:
        self.texts = self.padded_tokens = self.flops = self.examples = 0
        self.tokens: list[int | Tensor] = []
        self.notes: dict[str, None] = {}
        self.paused = False
        self.thread = threading.get_ident()
        self._seen: set[type] = set()
        self._batch: Any = None

    def __call__(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        if self.paused or self.thread != threading.get_ident():
            return
        if isinstance(module, _LINEAR):
            self._linear(module, given, output)
        elif isinstance(module, SentenceTransformer):
            self._texts(module, given[0])
        elif isinstance(module, Transformer):
            self._attention(module, given[0], output)
        elif given and isinstance(given[0], list) and given[0] and isinstance(given[0][0], Mapping):
            self._loss(given[0])
        elif type(module) not in self._seen:
            self._seen.add(type(module))
            matrix = any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
            if matrix and not isinstance(module, _LOOKUP):
                self.notes[f"The FLOPs of {type(module).__name__} are not counted."] = None

    def _linear(self, module: nn.Linear | Conv1D, given: tuple[Any, ...], output: Tensor) -> None:
        flops = 2 * module.weight.numel() * (output.numel() // output.shape[-1])
        needed = [module.weight, *(tensor for tensor in given if isinstance(tensor, Tensor))]
        self._add(flops, sum(tensor.requires_grad for tensor in needed) * flops, output)

    def _attention(self, module: Transformer, features: Mapping[str, Any], output: Mapping[str, Any]) -> None:
        config, sizes = module.auto_model.config.get_text_config(), _sizes(features)
        layers, heads = (getattr(config, key, None) for key in ("num_hidden_layers", "num_attention_heads"))
        if not layers or not heads or sizes is None:
            self.notes[f"The FLOPs of the attention in {type(module.auto_model).__name__} are not counted."] = None
            return
        width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
        flops = 4 * layers * width * sizes.pairs
        self._add(flops, 2 * flops, output.get("token_embeddings"))

    def _add(self, forward: int, backward: int, output: Tensor | None) -> None:
        self.flops += forward
        if output is not None and output.requires_grad:
            output.register_hook(partial(self._passed, backward))

    def _passed(self, backward: int, gradient: Tensor) -> None:
        self.flops += backward

    def _texts(self, module: SentenceTransformer, features: Mapping[str, Any]) -> None:
        sizes = _sizes(features)
        if sizes is None:
            self.notes[f"The texts and tokens of {type(module[0]).__name__} are not counted."] = None
            return
        self.texts += sizes.texts
        self.padded_tokens += sizes.padded_tokens
        self.tokens.append(sizes.tokens)

    def _loss(self, batch: list[Mapping[str, Any]]) -> None:
        if batch is not self._batch and (sizes := _sizes(batch[0])) is not None:
            self.examples += sizes.texts
        self._batch = batch  # a loss around another passes its batch on

    def fill(self, cost: Cost, earlier: Cost) -> None:
        cost.examples = self.examples
        cost.texts, cost.padded_tokens, cost.flops = self.texts, self.padded_tokens, self.flops
        cost.tokens = sum(int(tokens) for tokens in self.tokens)
        notes = dict(self.notes)
        if self.texts and not (self.flops or earlier.flops):
            notes["No linear layer ran: FLOPs are 0, and texts, tokens and seconds are what it cost."] = None
        elif not (self.texts or earlier.texts or notes):
            notes["No text went through a SentenceTransformer."] = None
        cost.notes = list(notes)


@dataclass(frozen=True)
class _Sizes:
    texts: int
    tokens: int | Tensor  # a tensor stays on its device until the end: reading it at once would halt a GPU's queue
    padded_tokens: int
    pairs: int  # of positions that attend to each other


def _sizes(features: Mapping[str, Any]) -> _Sizes | None:
    """The sizes of a tokenised batch; None where it has no tokens (bags of words, images)."""
    ids, mask = features.get("input_ids"), features.get("attention_mask")
    if not isinstance(ids, Tensor):
        return None
    if isinstance(mask, Tensor):
        return _Sizes(len(ids), mask.sum(), ids.numel(), ids.numel() * ids.shape[-1])
    if "offsets" in features:  # static embeddings: one text behind the other, nothing attends
        return _Sizes(len(features["offsets"]), ids.numel(), ids.numel(), 0)
    if "position_ids" in features:  # without padding, as flash attention takes it: each text counts from the lowest
        positions = features["position_ids"].flatten()
        starts = (positions == positions.min()).nonzero().flatten()
        lengths = torch.diff(starts, append=starts.new_tensor([ids.numel()]))
        return _Sizes(len(starts), ids.numel(), ids.numel(), int((lengths**2).sum()))
    return None


def _wait_for_device() -> None:
    """Work that is queued on an accelerator belongs to the side of the clock that queued it."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
