"""What is known of a model in memory: where its weights were loaded from, or the recipe they were merged by.

It lies among the facts that sentence-transformers keeps for the model's card (`model.model_card_data`): copies of a
model take it along, and nothing of it is written to a card. It holds as long as the weights are those it was noted for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.hashing import weights_hash

_KEY = "spkit_origin"


@dataclass(frozen=True)
class _Origin:
    weights: str
    source: str | None = None
    recipe: Mapping[str, Any] | None = None
    unsaid_modules: bool = False


def note_source(model: SentenceTransformer, source: str, weights: str) -> None:
    """Note the folder, hub id or bundled name that a model was loaded from.

    Args:
        model: the model.
        source: where it came from.
        weights: the hash of its weights when it was loaded.
    """
    model.model_card_data[_KEY] = replace(_noted(model, weights), source=source)


def note_recipe(model: SentenceTransformer, recipe: Mapping[str, Any]) -> None:
    """Note how a model was merged; `recipe["sha256"]` is the hash of its weights."""
    model.model_card_data[_KEY] = replace(_noted(model, recipe["sha256"]), recipe=recipe)


def note_modules(model: SentenceTransformer, *, said: bool) -> None:
    """Note whether a file said what follows the transformer; else it is what sentence-transformers takes by itself."""
    model.model_card_data[_KEY] = replace(_noted(model, weights_hash(model)), unsaid_modules=not said)


def says_its_modules(model: SentenceTransformer) -> bool:
    """Whether files, a training or a user said how a model pools; a plain transformers folder does not."""
    origin = _origin(model)
    return origin is None or not origin.unsaid_modules or not _holds(origin, model)


def noted_source(model: SentenceTransformer) -> str | None:
    """Where a model was loaded from; None where nothing is known, or its weights have changed since."""
    origin = _origin(model)
    return origin.source if origin is not None and origin.source is not None and _holds(origin, model) else None


def recipe_of(model: SentenceTransformer) -> Mapping[str, Any] | None:
    """The recipe of a model that `spkit.merge` made: what of, how, and with which versions.

    Args:
        model: any model in memory.

    Returns:
        What `spkit.save_model` writes as `recipe.json`; None for a model that is no merge, or whose weights have
        changed since.

    Example:
        >>> import torch, spkit
        >>> base, expert = spkit.load_base("minilm-l3"), spkit.load_base("minilm-l3")
        >>> with torch.no_grad():
        ...     _ = next(expert.parameters()).add_(0.01)
        >>> recipe_of(spkit.merge(base, {"faq": expert}, "average"))["method"]
        'average'
    """
    origin = _origin(model)
    return origin.recipe if origin is not None and origin.recipe is not None and _holds(origin, model) else None


def _origin(model: SentenceTransformer) -> _Origin | None:
    return model.model_card_data.get(_KEY)


def _noted(model: SentenceTransformer, weights: str) -> _Origin:
    """What is known of these weights already."""
    origin = _origin(model)
    return origin if origin is not None and origin.weights == weights else _Origin(weights)


def _holds(origin: _Origin, model: SentenceTransformer) -> bool:
    return origin.weights == weights_hash(model)
