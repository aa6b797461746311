"""The recipe of a merged model: what it was made of, how, and what another program needs to make it again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.errors import check_choice
from spkit.folders import write_folder
from spkit.hashing import weights_hash
from spkit.models.bases import quiet_libraries
from spkit.models.finite import check_finite
from spkit.models.loading import NumberType
from spkit.models.number_types import number_type, rounded, stored_type
from spkit.models.origin import note_recipe, recipe_of
from spkit.models.sources import check_new_model
from spkit.saving.card import model_card, versions
from spkit.saving.mergekit_config import pass_through_config, position_config, written_as
from spkit.saving.mergekit_folders import InexpressibleError
from spkit.vectors.provenance import Provenance
from spkit.vectors.task_vectors import TaskVectors

_MERGEKIT_NOTE = """\
# `mergekit-yaml mergekit.yml FOLDER` makes the same transformer of this. `override_architecture` is not the models'
# architecture: it names one that mergekit reads by the weights' own names, which it does not do for BERT by itself
# (seen with mergekit 0.1.5).
"""


def position_recipe(
    vectors: TaskVectors, rows: Float[Tensor, "M N"], method: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The recipe of a position in the span of task vectors.

    Args:
        vectors: the span.
        rows: coefficients, one row for the model or one for each module.
        method: the name of what gave them.
        settings: its parameters.

    Returns:
        A dictionary in JSON's types: `method`, `settings`, `base` and `experts` with where they came from,
        `base_sha256`, `operations` on the vectors, `coefficients` by module and expert, `mergekit` (its configuration,
        or why it has none), `versions`.
    """
    modules = list(vectors.modules) if len(rows) > 1 else ["model"]
    coefficients = {
        module: dict(zip(vectors.names, row, strict=True)) for module, row in zip(modules, rows.tolist(), strict=True)
    }
    try:
        mergekit = position_config(vectors, rows)
    except InexpressibleError as reason:
        mergekit = str(reason)
    return _recipe(method, settings, vectors.provenance, vectors.base_hash, coefficients, mergekit)


def pass_through_recipe(
    method: str,
    parameters: Mapping[str, Any],
    base: SentenceTransformer,
    provenance: Provenance,
    takes_base: bool,
    *,
    filled: Mapping[str, Any],
    random: bool,
) -> dict[str, Any]:
    """The recipe of a merge that mergekit made; it has no coefficients.

    Args:
        method: its name in `spkit.merge`.
        parameters: as they were given.
        base: θ0.
        provenance: of the models.
        takes_base: whether the base is an input of the method.
        filled: the parameters with those that the library sets where none are given.
        random: whether the method draws at random: another run of mergekit then draws otherwise.
    """
    try:
        if random:
            raise InexpressibleError("The method draws at random, and mergekit-yaml draws in another order.")
        mergekit = pass_through_config(method.partition(":")[2], base, provenance, filled, takes_base)
    except InexpressibleError as reason:
        mergekit = str(reason)
    return _recipe(method, parameters, provenance, weights_hash(base), {}, mergekit)


def _recipe(
    method: str,
    settings: Mapping[str, Any],
    provenance: Provenance,
    base_hash: str,
    coefficients: Mapping[str, Mapping[str, float]],
    mergekit: dict[str, Any] | str,
) -> dict[str, Any]:
    return {
        "method": method,
        "settings": dict(settings),
        "base": provenance.base,
        "base_sha256": base_hash,
        "experts": dict(provenance.experts),
        "operations": list(provenance.operations),
        "coefficients": coefficients,
        "mergekit": mergekit,
        "versions": versions(),
    }


def attach(model: SentenceTransformer, recipe: Mapping[str, Any]) -> None:
    """Let a merged model carry its recipe: `save_model` writes it, and the model's own `save` the card.

    Raises:
        SpkitError: a weight of the model is NaN or infinite.
    """
    check_finite(model, "A merged model", f"Look at the experts and the parameters of {recipe['method']!r}.")
    note_recipe(model, {**recipe, "sha256": weights_hash(model)})
    model._model_card_text = model_card(
        _typed(recipe, number_type(model))
    )  # the library's own field, which it fills from a saved model's card


def save_model(model: SentenceTransformer, folder: str | Path, *, dtype: NumberType = "auto") -> None:
    """Save a model as a sentence-transformers folder, whole or not at all; a merged one with its recipe.

    Beside the model, a merge gets a model card that says how it was made, `recipe.json`, and `mergekit.yml` where
    `mergekit-yaml` can make the same weights. A model that was trained on after the merge is saved without them.

    Args:
        model: any model; one of `spkit.merge` carries its recipe.
        folder: where to; `~` stands for the home folder. What spkit wrote there is replaced; a folder that holds
            anything else, or a link, is refused and left as it is.
        dtype: type of the numbers in the folder. `"auto"` is that of the checkpoint the model stems from, so that what
            is merged or trained from a bfloat16 base is a bfloat16 folder again; each number is rounded once.

    Raises:
        SpkitError: the folder holds something that spkit did not write, or that was changed since; it cannot be
            written; or a number is too large for the type.
    """
    save_with_recipe(model, Path(folder), recipe_of(model), {}, dtype)


def _typed(recipe: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The recipe of a folder whose numbers are of a type."""
    config = recipe["mergekit"]
    return {**recipe, "mergekit": config if isinstance(config, str) else written_as(config, dtype)}


def save_with_recipe(
    model: SentenceTransformer,
    folder: Path,
    recipe: Mapping[str, Any] | None,
    files: Mapping[str, str],
    dtype: NumberType = "auto",
) -> None:
    """Write a model, the files of its recipe, and other text files by name, whole or not at all."""
    folder = folder.expanduser()
    check_choice("dtype", dtype, NumberType)
    check_finite(model, "A model that is saved", "Train or merge it again, with a lower learning rate or length.")
    model = rounded(model, stored_type(model) if dtype == "auto" else getattr(torch, dtype))
    check_new_model(folder, sum(value.numel() * value.element_size() for value in model.state_dict().values()))
    texts = dict(files)
    if recipe is not None:
        recipe = _typed({**recipe, "sha256": weights_hash(model)}, number_type(model))
        texts |= {"README.md": model_card(recipe), "recipe.json": json.dumps(recipe, indent=2) + "\n"}
        if isinstance(recipe["mergekit"], Mapping):
            texts["mergekit.yml"] = _MERGEKIT_NOTE + yaml.safe_dump(recipe["mergekit"], sort_keys=False)

    def fill(unfinished: Path) -> None:
        with quiet_libraries():
            model.save(str(unfinished))
        for name, text in texts.items():
            (unfinished / name).write_text(text, encoding="utf-8")

    write_folder(folder, fill, "A model")
