"""mergekit's own merge methods, by pass-through to `SentenceTransformer.merge`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from spkit._extras import installed, require
from spkit.errors import SpkitError, quoted
from spkit.hashing import weights_hash
from spkit.merging.experts import check_base, in_json, named_experts
from spkit.merging.registry import PASS_THROUGH, methods
from spkit.models.adapters import fold, load_expert
from spkit.models.agreement import Agreement, apply_use, use_of
from spkit.models.bases import load_model, source_of
from spkit.models.completeness import in_layout_of, without_unheld
from spkit.models.fits import check_fits
from spkit.models.number_types import note_stored_type, stored_type
from spkit.saving.recipe import attach, pass_through_recipe
from spkit.signatures import Parameter, checked, nearest
from spkit.vectors.provenance import Provenance
from spkit.vectors.task_vectors import TaskVectors


def mergekit_methods() -> list[str]:
    """Names of mergekit's methods, behind `mergekit:`; none where it is not installed."""
    if not installed("mergekit"):
        return []
    from mergekit.merge_methods import registered_methods

    return sorted(f"{PASS_THROUGH}{method.spec.name}" for method in registered_methods())


def check_pass_through(method: str, given: Mapping[str, Any], experts: Sequence[str]) -> None:
    """Raise what mergekit would raise, or take for granted, about a method, its parameters and the number of experts.

    Args:
        method: with `mergekit:` before it.
        given: its parameters, by name.
        experts: names of the experts.

    Raises:
        SpkitError: mergekit has no such method or parameter, a value of another type or that is not finite, or experts
            whose number the method does not take.
    """
    require("mergekit", f"The method {method!r}")
    known = mergekit_methods()
    if method not in known:
        raise SpkitError(
            f"`method` must be one of {quoted([*methods(), *known])}.",
            f"Found {method!r}.",
            nearest(method, known, "Pass one of these."),
        )
    from mergekit.merge_methods import get as method_of

    name = method.removeprefix(PASS_THROUGH)
    spec = method_of(name).spec
    of_one = {one.name: Parameter(one.name, one.value_type, None) for one in spec.parameters}
    checked(repr(method), [Parameter(one, Any, None) for one in (*of_one, "seed")], given)
    for key, value in given.items():
        parameter = of_one.get(key, Parameter("seed", int, 0))
        for one in _values(value):
            parameter.check(one)
    takes_base = _takes_base(name)
    base = "the base" if takes_base else experts[0] if name == "slerp" and experts else None
    try:
        spec.contract.validate_ids([*(["the base"] if takes_base else []), *experts], base)
    except ValueError as error:
        raise SpkitError(
            f"The method {method!r} must get as many models as it takes.",
            f"mergekit says: {error}; found the experts {quoted(experts)}{' and the base' if takes_base else ''}.",
            "Choose another method.",
        ) from error


def _values(given: Any) -> Iterator[Any]:
    """The values in what mergekit takes: one for all, or one for each input in a list or by its number."""
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, list | tuple):
        for one in given:
            yield from _values(one)
    else:
        yield given


def _takes_base(name: str) -> bool:
    """Whether the base is one of a method's inputs."""
    from mergekit.merge_methods import BasePolicy
    from mergekit.merge_methods import get as method_of

    # mergekit's SLERP goes from its first input to its second, which are the experts
    return name != "slerp" and method_of(name).spec.contract.base != BasePolicy.IGNORED


def merge_with_mergekit(
    base: Any, experts: Any, method: str, parameters: Mapping[str, Any], check_origin: bool = True
) -> SentenceTransformer:
    """Merge with the method that mergekit has under this name; see `spkit.merge`."""
    theta = without_unheld(fold(load_model(base)))
    if isinstance(experts, TaskVectors):
        check_base(theta, experts)
        provenance = experts.provenance
        models = [experts.at({name: float(name == one) for name in experts.names}) for one in experts.names]
    else:
        provenance = Provenance(source_of(base), {n: source_of(one) for n, one in named_experts(experts).items()})
        agreement, models = Agreement(theta, not isinstance(base, SentenceTransformer)), []
        for name, source in named_experts(experts).items():
            model = agreement.join(name, without_unheld(load_expert(source, agreement.base, name, origin=check_origin)))
            check_fits(agreement.base, model, name, weights_hash(theta), origin=check_origin)
            models.append(model)
        theta = agreement.settled()
        models = [in_layout_of(theta, model) for model in models]
    takes_base = _takes_base(method)
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
    merged = without_unheld(merged)
    apply_use(merged, use_of(theta))  # mergekit's are those of its first input
    note_stored_type(merged, stored_type(theta))
    filled = in_json(_filled(method, given))
    inputs = len(models) + (takes_base and not any(model is theta for model in models))
    recipe = pass_through_recipe(
        f"{PASS_THROUGH}{method}",
        in_json(parameters),
        theta,
        provenance,
        takes_base,
        filled=filled,
        random=_draws(method, filled, inputs, takes_base),
    )
    attach(merged, recipe)
    return merged


def _filled(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with those that sentence-transformers sets; mergekit-yaml asks for these."""
    from mergekit.merge_methods import get as method_of

    filled = dict(parameters)
    if any(parameter.name == "weight" for parameter in method_of(method).spec.parameters):
        filled.setdefault("weight", 1.0)
    if method == "slerp":
        filled.setdefault("t", 0.5)
    return filled


def _draws(method: str, parameters: Mapping[str, Any], inputs: int, takes_base: bool) -> bool:
    """Whether a method draws at random with these parameters: two seeds then give two answers."""
    from mergekit.merge_methods import merge_tensors

    made = torch.Generator().manual_seed(0)
    tensors = [torch.randn(256, 256, generator=made) for _ in range(inputs)]
    base = inputs - 1 if takes_base else 0 if method == "slerp" else None
    answers = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            answers.append(merge_tensors(tensors, method, parameters=dict(parameters), base_index=base))
    return not torch.equal(*answers)
