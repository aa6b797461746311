"""mergekit's own merge methods, by pass-through to `SentenceTransformer.merge`."""

from collections.abc import Mapping
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from spkit._extras import installed, require
from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.merging.experts import check_base, in_json, named_experts
from spkit.merging.registry import PASS_THROUGH, methods
from spkit.models.bases import copy_model, cut_like, load_model, source_of
from spkit.models.fits import check_fits
from spkit.saving.recipe import attach, pass_through_recipe
from spkit.signatures import nearest
from spkit.vectors.provenance import Provenance
from spkit.vectors.task_vectors import TaskVectors


def mergekit_methods() -> list[str]:
    """Names of mergekit's methods, behind `mergekit:`; none where it is not installed."""
    if not installed("mergekit"):
        return []
    from mergekit.merge_methods import registered_methods

    return sorted(f"{PASS_THROUGH}{method.spec.name}" for method in registered_methods())


def check_pass_through(method: str) -> None:
    """Raise where mergekit has no method of this name."""
    require("mergekit", f"The method {method!r}")
    known = mergekit_methods()
    if method not in known:
        raise SpkitError(
            f"`method` must be one of {quoted([*methods(), *known])}.",
            f"Found {method!r}.",
            nearest(method, known, "Pass one of these."),
        )


def _as_the_base(base: SentenceTransformer, model: SentenceTransformer) -> SentenceTransformer:
    """The base with the weights of an expert that fits it: equal configurations are asked for.

    A training notes in its model's configuration what changes no embedding (ids of tokens, as the tokenizer has them).
    """
    dressed, weights = copy_model(base), dict(model.named_parameters())
    for name, parameter in dressed.named_parameters():
        parameter.data = weights[name].data
    return dressed


def merge_with_mergekit(base: Any, experts: Any, method: str, parameters: Mapping[str, Any]) -> SentenceTransformer:
    """Merge with the method that mergekit has under this name; see `spkit.merge`."""
    from mergekit.merge_methods import BasePolicy
    from mergekit.merge_methods import get as method_of

    theta = load_model(base)
    if isinstance(experts, TaskVectors):
        check_base(theta, experts)
        provenance = experts.provenance
        models = [experts.at({name: float(name == one) for name in experts.names}) for one in experts.names]
    else:
        provenance = Provenance(source_of(base), {n: source_of(one) for n, one in named_experts(experts).items()})
        named = {name: load_model(model) for name, model in named_experts(experts).items()}
        for name, model in named.items():
            check_fits(theta, model, name, weights_hash(theta))
        models = [_as_the_base(theta, model) for model in named.values()]
        if not isinstance(base, SentenceTransformer):
            cut_like(theta, [model.max_seq_length for model in models])
    takes_base = method_of(method).spec.contract.base != BasePolicy.IGNORED
    if method == "slerp":
        takes_base = False  # mergekit's SLERP goes from its first input to its second, which are the experts
    if takes_base and len(models) == 1:
        models = [theta, *models]  # it asks for two inputs, of which the base may be one
    given = dict(parameters)
    try:
        with torch.random.fork_rng(devices=[]):  # mergekit draws from torch's global generator
            torch.manual_seed(given.pop("seed", 0))
            merged = SentenceTransformer.merge(
                models, method, base_model=theta if takes_base else None, parameters=given
            )
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise SpkitError(
            f"mergekit's method {method!r} must accept the models and parameters.",
            f"It answered: {(str(error) or type(error).__name__).splitlines()[0].rstrip('.')}.",
            "See mergekit's documentation of the method.",
        ) from error
    if merged.max_seq_length != theta.max_seq_length:  # mergekit's is that of its first input
        merged.max_seq_length = theta.max_seq_length
    base_hash = experts.base_hash if isinstance(experts, TaskVectors) else weights_hash(theta)
    name = f"{PASS_THROUGH}{method}"
    attach(merged, pass_through_recipe(name, in_json(parameters), provenance, base_hash, takes_base))
    return merged
