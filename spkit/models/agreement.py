"""What a merged model takes of its experts beside their weights: modules, prompts, similarity, length.

A base that people start from is often a plain transformer: how texts are pooled, which prompts stand before them and
how vectors are compared was decided when the experts were trained. What all of them agree on is kept, and it is said.
"""

import math
import warnings
from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

from sentence_transformers import SentenceTransformer

from spkit.models.origin import note_modules, says_its_modules

#: What a model says of its use, by attribute; the words for it.
_WORDS = {
    "prompts": "prompts",
    "default_prompt_name": "the default prompt",
    "similarity_fn_name": "the similarity function",
    "truncate_dim": "the number of dimensions",
    "max_seq_length": "the length at which texts are cut",
}


class Agreement:
    """Collects what the experts of one base say of their use, and gives it to the base where they agree.

    Args:
        base: θ0. It is left as it is; `base` of the agreement is a view of it with the same weights where something
            changes.
        named: whether the base was given by its name. A model in memory keeps the length that its user gave it.
    """

    def __init__(self, base: SentenceTransformer, named: bool) -> None:
        self.base = base
        self._named = named
        self._use: dict[str, dict[str, Any]] = {}
        self._unsaid: list[str] = []
        self._taken: str | None = None

    def join(self, name: str, expert: SentenceTransformer) -> SentenceTransformer:
        """Add an expert; where only one of it and the base says which modules follow the transformer, both take these.

        Returns:
            The expert, or a view of it with the base's modules.
        """
        self._use[name] = use_of(expert)
        said = says_its_modules(self.base), says_its_modules(expert)
        if not said[1]:
            self._unsaid.append(name)
        if _described(self.base) == _described(expert):
            return expert
        if said == (False, True):
            changed = _with_modules(self.base, expert)
            if changed is not self.base:
                self.base, self._taken = changed, name
        elif said == (True, False):
            return _with_modules(expert, self.base)
        return expert

    def settled(self) -> SentenceTransformer:
        """The base with what all experts agree on; a warning names it, and what they differ in."""
        said = self._modules_said()
        mine = use_of(self.base)
        mine["similarity_fn_name"] = mine["similarity_fn_name"] or "cosine"  # what sentence-transformers takes then
        changes: dict[str, Any] = {}
        for key, words in _WORDS.items():
            if key == "max_seq_length" and not self._named:
                continue
            values = {name: use[key] for name, use in self._use.items()}
            stated = [value for value in values.values() if value is not None]
            if all(value == mine[key] for value in stated):
                continue
            if len(stated) == len(values) and all(value == stated[0] for value in stated):
                changes[key] = stated[0]
                said.append(f"{words} {stated[0]!r} of all experts stays (the base's: {_shown(mine[key])})")
            else:
                shown = ", ".join(f"{name!r}: {_shown(value)}" for name, value in values.items())
                said.append(f"experts differ in {words} ({shown}), and the base's stays: {_shown(mine[key])}")
        if changes:
            self.base = _view(self.base)
            apply_use(self.base, changes)
        if said:
            warnings.warn(f"What is merged has settings of its experts: {'; '.join(said)}.", stacklevel=4)
        return self.base

    def _modules_said(self) -> list[str]:
        modules = _described(self.base)
        unsaid = ", ".join(repr(name) for name in self._unsaid)
        said = []
        if self._taken is not None:
            said.append(f"the base is a plain transformer, so that the experts' modules are taken ({modules})")
        if unsaid and says_its_modules(self.base):
            said.append(
                f"{unsaid} as plain transformers say nothing of pooling, so that it is that of others ({modules})"
            )
        elif unsaid:
            said.append(f"base and {unsaid} as plain transformers say nothing of pooling, which is {modules}")
        return said


def use_of(model: SentenceTransformer) -> dict[str, Any]:
    """What a model says of its use, by attribute; None where it says nothing."""
    length = model.max_seq_length
    return {
        "prompts": {name: prompt for name, prompt in model.prompts.items() if prompt} or None,
        "default_prompt_name": model.default_prompt_name,
        "similarity_fn_name": model._similarity_fn_name,  # the public name would set it to "cosine" where it is not set
        "truncate_dim": model.truncate_dim,
        "max_seq_length": None if length is None or math.isinf(length) else int(length),
    }


def apply_use(model: SentenceTransformer, use: Mapping[str, Any]) -> None:
    """Give a model what another one says of its use, in place; None leaves a setting as it is."""
    for key, value in use.items():
        if value is None:
            continue
        if key == "default_prompt_name" and value not in model.prompts:
            continue  # the prompts it is a name of have stayed behind
        setattr(model, key, {**model.prompts, **value} if key == "prompts" else value)


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


def _described(model: SentenceTransformer) -> str:
    """What follows the transformer, in words."""
    modes = [(type(module).__name__, getattr(module, "pooling_mode", None)) for module in list(model.children())[1:]]
    return ", ".join(name if mode is None else f"{name} by {mode}" for name, mode in modes) or "nothing"


def _view(model: SentenceTransformer) -> SentenceTransformer:
    """A model with the same modules and settings of its own."""
    view = copy(model)
    view._modules = dict(model._modules)
    view.prompts = dict(model.prompts)
    view.model_card_data = copy(model.model_card_data)
    view.model_card_data.register_model(view)
    return view


def _with_modules(model: SentenceTransformer, other: SentenceTransformer) -> SentenceTransformer:
    """A view of a model with the modules that follow another's transformer, if they need no weights."""
    own, (first, *rest) = next(model.named_children()), other.named_children()
    fits = own[0] == first[0] and type(own[1]) is type(first[1])
    if not fits or any(list(part.parameters()) for _, part in rest):
        return model
    view = _view(model)
    view._modules = dict([own, *((name, deepcopy(part)) for name, part in rest)])
    note_modules(view, said=True)
    return view
