"""Experts given as LoRA adapters (PEFT): added into the weights, they are task vectors like any others."""

import os
from pathlib import Path

from sentence_transformers import SentenceTransformer
from torch import nn

from spkit._extras import require
from spkit.errors import SpkitError
from spkit.models.bases import copy_model, load_model, quiet_libraries, transformer_of


def load_expert(source: SentenceTransformer | str | Path, base: SentenceTransformer, name: str) -> SentenceTransformer:
    """An expert with ordinary weights, from a model, a folder, a hub id, or a folder of an adapter over the base.

    Args:
        source: a model that may carry adapters; or where one lies.
        base: what a folder of an adapter alone is laid over.
        name: what the expert is called, for the errors.

    Returns:
        The model itself where it carries no adapter, else a copy with the adapter's changes in its weights.

    Raises:
        SpkitError: a folder that cannot be loaded, an adapter that does not fit the base, or one that comes with
            weights beside it.

    References:
        Hu et al., "LoRA", arXiv 2106.09685, eq. 3: W + (α/r) B A.
    """
    if isinstance(source, str | Path):
        folder = Path(os.path.expanduser(source))
        if (folder / "adapter_config.json").is_file():
            require("peft", f"The adapter of {name!r}")
            return _folded(_over_base(folder, base, name))
    return _folded(load_model(source))


def _over_base(folder: Path, base: SentenceTransformer, name: str) -> SentenceTransformer:
    beside = sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.safetensors"))
    if beside:
        raise SpkitError(
            "A folder of an adapter must hold no other weights.",
            f"Found {', '.join(beside)} for {name!r}.",
            "Load it with SentenceTransformer(folder) and pass the model.",
        )
    model = copy_model(base)
    transformer = transformer_of(model)
    try:
        if transformer is None:
            raise ValueError("the base has no transformer")
        with quiet_libraries():
            transformer.load_adapter(str(folder))
    except (ValueError, RuntimeError, KeyError, ImportError, OSError) as error:
        raise SpkitError(
            "An adapter must fit the base.",
            f"Found {name!r} in {folder}: {(str(error) or type(error).__name__).splitlines()[0].rstrip('.')}.",
            "Pass the base it was trained over.",
        ) from error
    return model


def _folded(model: SentenceTransformer) -> SentenceTransformer:
    if not any(_is_adapter(part) for part in model.modules()):
        return model
    folded = copy_model(model)
    for place, layer in [(place, part) for place, part in folded.named_modules() if _is_adapter(part)]:
        layer.merge(safe_merge=True)  # pyright: ignore[reportCallIssue]
        owner, _, attribute = place.rpartition(".")
        setattr(folded.get_submodule(owner), attribute, layer.get_base_layer())  # pyright: ignore[reportCallIssue]
    transformer = transformer_of(folded)
    if transformer is not None:
        transformer._hf_peft_config_loaded = False  # nothing is left that an adapter would be saved from
    for parameter in folded.parameters():
        parameter.requires_grad_(True)  # training an adapter freezes the weights below it
    return folded


def _is_adapter(part: nn.Module) -> bool:
    if not type(part).__module__.startswith("peft."):  # without peft there are none, and it is not imported
        return False
    from peft.tuners.tuners_utils import BaseTunerLayer

    return isinstance(part, BaseTunerLayer)
