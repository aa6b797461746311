"""A merge as a configuration of mergekit, where mergekit can express it: the same weights by another program."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor

from spkit.models.bases import transformer_of
from spkit.models.sources import split_revision
from spkit.saving.mergekit_folders import InexpressibleError, check_folders
from spkit.vectors.provenance import Provenance
from spkit.vectors.task_vectors import TaskVectors

#: A name that transformers knows as an encoder and mergekit has no table of tensors for, so that it reads them off the
#: weights. Its table for BERT does not work in mergekit 0.1.5 (optional tensors that go by several names).
_NOT_IN_A_TABLE = "MPNetModel"


def position_config(vectors: TaskVectors, rows: Float[Tensor, "M N"]) -> dict[str, Any]:
    """The configuration that makes θ0 + V·c: task arithmetic with c as weights, or TIES.

    Args:
        vectors: plain differences, or the TIES basis (trimmed tensor by tensor, elected) at equal coefficients.
        rows: coefficients, one row for the model or one for each module.

    Returns:
        What `mergekit-yaml` reads, as a dictionary.

    Raises:
        InexpressibleError: other operations on the vectors, weights outside the transformer, or models that mergekit
            cannot read.
    """
    operations = vectors.provenance.operations
    names = _tensor_names(vectors.base)
    check_folders(vectors.provenance, names.values() if len(rows) > 1 else ())
    if not operations:
        config = {"merge_method": "task_arithmetic", "parameters": {"normalize": False, "lambda": 1.0}}
        weights = [_setting(column, vectors, names) for column in rows.T.tolist()]
        return _config(config, vectors.provenance, [{"weight": weight} for weight in weights])
    kinds = [one["operation"] for one in operations]
    if kinds == ["trim", "elect"] and operations[0]["scope"] == "tensor" and float(rows.max() - rows.min()) == 0:
        # mergekit divides by the sum of the agreeing weights, as the election does for weights of one.
        config = {"merge_method": "ties", "parameters": {"normalize": True, "lambda": float(rows[0, 0])}}
        each = {"weight": 1.0, "density": operations[0]["density"]}
        return _config(config, vectors.provenance, [each] * len(vectors))
    raise InexpressibleError(
        f"mergekit has no method for these coefficients on vectors after {', '.join(kinds)} (by its rules)."
    )


def pass_through_config(
    method: str,
    base: SentenceTransformer,
    provenance: Provenance,
    parameters: Mapping[str, Any],
    takes_base: bool,
) -> dict[str, Any]:
    """The configuration of one of mergekit's own methods.

    Args:
        method: its name in mergekit.
        base: θ0.
        provenance: of the models.
        parameters: a number for all inputs, or one for each expert in order; all that has no default in mergekit.
        takes_base: whether the base is an input of the method.

    Raises:
        InexpressibleError: a parameter in another form, weights outside the transformer, or models that mergekit cannot
            read.
    """
    _tensor_names(base)
    check_folders(provenance)
    each: list[dict[str, Any]] = [{} for _ in provenance.experts]
    for_all = {}
    for name, value in parameters.items():
        if isinstance(value, int | float | str):
            for_all[name] = value
        elif isinstance(value, Sequence) and len(value) == len(each):
            for place, one in zip(each, value, strict=True):
                place[name] = one
        else:
            raise InexpressibleError(f"The parameter {name!r} is neither one value nor one for each expert.")
    config: dict[str, Any] = {"merge_method": method} | ({"parameters": for_all} if for_all else {})
    whole = _config(config, provenance, each)
    if not takes_base:
        whole.pop("base_model")
    if method == "slerp":  # from its base, which is its first input, to the other
        whole["base_model"] = whole["models"][0]["model"]
    return whole


def _config(config: dict[str, Any], provenance: Provenance, each: list[dict[str, Any]]) -> dict[str, Any]:
    models = [
        {"model": _reference(source)} | ({"parameters": own} if own else {})
        for source, own in zip(provenance.experts.values(), each, strict=True)
    ]
    return config | {"base_model": _reference(provenance.base), "models": models, "dtype": "float32"}


def _reference(source: str | None) -> dict[str, Any]:
    """A model as mergekit reads it from any folder: a path is written whole, a hub id as it is."""
    path, revision = split_revision(source or "")
    model = {"path": os.path.abspath(path) if os.path.isdir(path) else path}
    return {"model": model | ({"revision": revision} if revision else {}), "override_architecture": _NOT_IN_A_TABLE}


def written_as(config: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The same configuration for a folder whose numbers are of a type; mergekit computes in float32, as we do."""
    if dtype == torch.float32:
        return dict(config)
    return {**config, "out_dtype": str(dtype).removeprefix("torch.")}


def _tensor_names(model: SentenceTransformer) -> dict[str, str]:
    """Parameter of the SentenceTransformer to its name in the transformer's own file, which is all mergekit reads."""
    inside = transformer_of(model)
    own = {id(parameter): name for name, parameter in inside.named_parameters()} if inside is not None else {}
    names = {name: own.get(id(parameter), "") for name, parameter in model.named_parameters()}
    outside = [name for name, inner in names.items() if not inner]
    if outside:
        raise InexpressibleError(f"mergekit reads the transformer only, and {outside[0]} stands outside of it.")
    return names


def _setting(column: list[float], vectors: TaskVectors, names: Mapping[str, str]) -> float | list[dict[str, Any]]:
    """An expert's weight: a number, or one for each module behind filters on the names of its tensors."""
    if len(column) == 1:
        return column[0]
    module_by_tensor = {names[name]: module for name, module in vectors.layout.module_by_name.items()}
    values = dict(zip(vectors.modules, column, strict=True))
    filters: dict[str, float] = {}
    for tensor, module in module_by_tensor.items():
        filters.setdefault(_filter(tensor, module_by_tensor), values[module])
    return [{"filter": text, "value": value} for text, value in filters.items()]


def _filter(tensor: str, module_by_tensor: Mapping[str, str]) -> str:
    """The shortest beginning of a tensor's name that stands in no name of another module."""
    parts = tensor.split(".")
    for count in range(1, len(parts)):
        beginning = ".".join(parts[:count]) + "."
        if len({module for name, module in module_by_tensor.items() if beginning in name}) == 1:
            return beginning
    return tensor
