"""Folders of adapters (PEFT): finding them, and adding what they hold into the weights they were trained over."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import Tensor
from transformers import PreTrainedModel

from spkit._extras import require
from spkit.errors import SpkitError, quoted
from spkit.files import parse_json
from spkit.folders import LIST, check_unchanged
from spkit.models.sources import BUNDLED_BASES, Source

_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class AdapterFolder:
    """Where an adapter lies.

    Attributes:
        root: the folder that was named: the adapter's own, or that of a model of sentence-transformers.
        adapter: the folder with `adapter_config.json`.
    """

    root: Path
    adapter: Path


def adapter_folder(source: Source) -> AdapterFolder | None:
    """Where the adapter lies that a folder or hub id stands for; None where it stands for a whole model.

    Args:
        source: what a name stands for; of a hub id the files are fetched, if it is an adapter's.

    Raises:
        SpkitError: a folder of several adapters, or one with whole weights beside the adapter.
    """
    if source.name in BUNDLED_BASES:
        return None
    root = Path(source.name)
    if not root.is_dir():
        fetched = _fetched(source)
        if fetched is None:
            return None
        root = fetched
    places = [place for place in (root, root / _transformer_path(root)) if (place / _CONFIG).is_file()]
    if not places and not (root / "modules.json").is_file() and not (root / "config.json").is_file():
        places = sorted(path.parent for path in root.glob(f"*/{_CONFIG}"))
        if len(places) > 1:
            raise SpkitError(
                "An expert must be one adapter.",
                f"Found {quoted(place.name for place in places)} in {root}.",
                f"Pass the folder of one, such as '{places[0]}', or each under a name of its own.",
            )
        root = places[0] if places else root
    if not places:
        return None
    _check_alone(root, places[0])
    return AdapterFolder(root, places[0])


def _fetched(source: Source) -> Path | None:
    """The files of a hub id that is an adapter's."""
    from transformers.utils.peft_utils import find_adapter_config_file

    place: dict[str, Any] = {"revision": source.revision, "local_files_only": source.cached}
    try:
        config = find_adapter_config_file(source.name, **place)
    except (OSError, ValueError):  # no id, or none that can be reached: said when the model is loaded
        return None
    if config is None:
        return None
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source.name, **place))


def _transformer_path(root: Path) -> str:
    """The folder of a model's first module, which is the transformer where there is one."""
    try:
        modules = parse_json((root / "modules.json").read_text(encoding="utf-8"))
        return str(modules[0]["path"])
    except (OSError, ValueError, LookupError, TypeError):  # what is wrong with it is said when the model is loaded
        return ""


def _check_alone(root: Path, adapter: Path) -> None:
    beside = [path for pattern in ("*.safetensors", "*.bin") for path in adapter.glob(pattern)]
    if not (root / "modules.json").is_file():  # nothing says what weights in other folders are for
        beside += [path for pattern in ("*.safetensors", "*.bin") for path in adapter.glob(f"*/{pattern}")]
    whole = [path for path in beside if not path.name.startswith(("adapter_", "training_args"))]
    if whole:
        raise SpkitError(
            "A folder of an adapter must hold no other weights.",
            f"Found {', '.join(str(path.relative_to(adapter)) for path in sorted(whole))} in {adapter}.",
            "Move the adapter's own files to a folder of their own, or pass the model in memory.",
        )


def base_named(where: AdapterFolder) -> str | None:
    """Name of the model that an adapter says it was trained over, if it says."""
    try:
        about = parse_json((where.adapter / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpkitError(
            f"{_CONFIG} must be a JSON file.", f"Found {where.adapter / _CONFIG}: {error}.", "Save the adapter again."
        ) from error
    return about.get("base_model_name_or_path") or None if isinstance(about, dict) else None


def base_of(where: AdapterFolder) -> str:
    """Name of the model that an adapter says it was trained over.

    Raises:
        SpkitError: it does not say.
    """
    named = base_named(where)
    if named is None:
        raise SpkitError(
            "An adapter on its own must name the model it was trained over.",
            f"Found no `base_model_name_or_path` in {where.adapter / _CONFIG}.",
            "Pass it as an expert, with the base beside it.",
        )
    return named


def with_own_modules(
    where: AdapterFolder, transformer: PreTrainedModel, load: Callable[[Path], SentenceTransformer]
) -> SentenceTransformer | None:
    """The model that a folder describes, with the transformer under its adapter; None where it names no modules.

    Pooling, normalisation, prompts, length and tokenizer are the folder's own, as of any model of
    sentence-transformers; they decide the embeddings as much as the adapter does.

    Args:
        where: the adapter.
        transformer: what it was trained over.
        load: reads a folder of a whole model.
    """
    check_unchanged(where.root, "A model")
    if not (where.root / "modules.json").is_file():
        return None
    with TemporaryDirectory(prefix="spkit-") as scratch:
        whole = Path(scratch) / where.root.name
        inner = whole / where.adapter.relative_to(where.root)
        inner.mkdir(parents=True)
        for folder, target in {where.root: whole, where.adapter: inner}.items():
            for path in folder.iterdir():
                other = path.name == LIST or path.name.startswith(("adapter_", "checkpoint-"))
                if not other and not (target / path.name).exists():
                    (target / path.name).symlink_to(path.resolve())
        (inner / "config.json").unlink(missing_ok=True)  # the base's configuration belongs to the base's weights
        transformer.save_pretrained(inner)
        return load(whole)


def fold_files(where: AdapterFolder, transformer: PreTrainedModel, name: str) -> None:
    """Add an adapter's changes into a transformer's weights, in place, as PEFT's `merge_and_unload` does.

    Args:
        where: the adapter.
        transformer: what it was trained over.
        name: what the expert is called, for the errors.

    Raises:
        SpkitError: an adapter that changes no weights, or of which some keys do not fit the transformer.
    """
    require("peft", f"The adapter of {name!r}")
    from peft import PeftConfig, PeftModel
    from peft.utils import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    try:
        config = PeftConfig.from_pretrained(str(where.adapter))
        if config.is_prompt_learning:
            raise SpkitError(
                "An expert's adapter must change weights.",
                f"Found {name!r}, which adds tokens instead ({config.peft_type}).",
                "Pass a LoRA adapter, or another one that PEFT can merge.",
            )
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "`is_gradient_checkpointing`", FutureWarning
            )  # PEFT asks transformers for it
            adapted = PeftModel(transformer, config)
        given = _fitting(load_peft_weights(str(where.adapter), device="cpu"), transformer)
        needed = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
        known = needed | set(get_peft_model_state_dict(adapted, save_embedding_layers=True))
        _check_keys(needed - set(given), set(given) - known, name, where)
        set_peft_model_state_dict(adapted, given)
        adapted.merge_and_unload(safe_merge=True)
    except SpkitError:
        raise
    except Exception as error:  # PEFT, safetensors and torch raise many kinds
        raise SpkitError(
            "An adapter must fit the base.",
            f"Found {name!r} in {where.adapter}: {(str(error) or type(error).__name__).splitlines()[0].rstrip('.')}.",
            "Pass the base it was trained over.",
        ) from error


def _fitting(given: dict[str, Tensor], transformer: PreTrainedModel) -> dict[str, Tensor]:
    """An adapter's tensors under the transformer's names: one trained inside a larger model has a prefix more."""
    outer = "base_model.model."
    for prefix in (f"{transformer.base_model_prefix}.", "0.auto_model.", "0.model."):
        if prefix != "." and not hasattr(transformer, prefix.partition(".")[0]):
            given = {
                outer + key.removeprefix(outer).removeprefix(prefix) if key.startswith(outer) else key: tensor
                for key, tensor in given.items()
            }
    return given


def _check_keys(missing: set[str], unknown: set[str], name: str, where: AdapterFolder) -> None:
    if not missing and not unknown:
        return
    said = []
    if unknown:
        said.append(f"{len(unknown)} that nothing in the base goes by, such as {min(unknown)!r}")
    if missing:
        said.append(f"and lacking {len(missing)} such as {min(missing)!r}" if said else f"none for {min(missing)!r}")
    raise SpkitError(
        "Every tensor of an adapter must have its place in the base.",
        f"Found in {name!r} ({where.adapter}) {' '.join(said)}.",
        "Pass the base it was trained over, with layers of the same names.",
    )
