"""Experts of a tiny base for tests of vectors and merges: the base plus reproducible noise, which costs no training."""

from copy import deepcopy

import torch
from sentence_transformers import SentenceTransformer


def noisy(base: SentenceTransformer, seed: int, size: float = 0.02) -> SentenceTransformer:
    """A copy of the base with normal noise of standard deviation `size` on every parameter."""
    generator = torch.Generator().manual_seed(seed)
    model = deepcopy(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return model


def flat(model: SentenceTransformer) -> torch.Tensor:
    """All parameters one behind the other, in float64 on the CPU."""
    return torch.cat([parameter.detach().flatten().double().cpu() for parameter in model.parameters()])
