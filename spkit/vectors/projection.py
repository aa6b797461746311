"""Gradients of the parameters as gradients of the coefficients: ∂L/∂c_i = ⟨∂L/∂θ, V_i⟩."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from spkit.errors import SpkitError, quoted
from spkit.models.layout import Layout
from spkit.vectors.matrix import inner_products


def project_by_module(
    matrix: Float[Tensor, "N P"],
    layout: Layout,
    gradients: Mapping[str, Tensor | None],
) -> Float[Tensor, "M N"]:
    """Inner products of a gradient with each task vector, module by module; see `TaskVectors.project`.

    Args:
        matrix: the task vectors.
        layout: of the base's parameters.
        gradients: from the name in `named_parameters()` to its gradient; a missing one counts as zero.

    Returns:
        Float64, modules in the layout's order.

    Raises:
        SpkitError: an unknown name or another shape.
    """
    unknown = [name for name in gradients if name not in layout.slices]
    if unknown:
        raise SpkitError(
            "`gradients` must be named as in the base's `named_parameters()`.",
            f"Found the unknown names {quoted(unknown[:3])}.",
            "Pass {name: parameter.grad for name, parameter in model.named_parameters()}.",
        )
    products = {module: torch.zeros(len(matrix), dtype=torch.float64) for module in layout.modules}
    for (name, place), shape in zip(layout.slices.items(), layout.shapes, strict=True):
        gradient = gradients.get(name)
        if gradient is None:
            continue
        if tuple(gradient.shape) != shape:
            raise SpkitError(
                "Each gradient must have its parameter's shape.",
                f"Found {tuple(gradient.shape)} for {name!r} of shape {shape}.",
                "Pass `parameter.grad` as it is.",
            )
        products[layout.module_by_name[name]] += inner_products(matrix, place, gradient.detach())
    return torch.stack(list(products.values()))
