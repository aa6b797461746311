"""Where rounding puts a number on the wrong side: a cosine above 1, a square below 0."""

import numpy as np
import torch

from spkit.diagnostics.conflict.estimates import BLOCKS, estimate
from spkit.searching.paths import SlerpPath


def test_a_start_between_parallel_vectors_is_finite() -> None:
    """Of random parallel vectors about one pair in four has a cosine that is rounded above 1."""
    norms = torch.from_numpy(np.random.default_rng(0).uniform(0.1, 3.0, (200, 2)))
    wanted = torch.tensor([0.3, 0.6], dtype=torch.float64)
    for pair in norms:
        gram = torch.outer(pair, pair)
        parameters = SlerpPath().start(wanted, gram)
        assert torch.isfinite(parameters).all()
        torch.testing.assert_close(SlerpPath().coefficients(parameters, gram), wanted)


def test_gradients_that_cancel_have_a_norm_of_zero() -> None:
    blocks = np.zeros((2, BLOCKS, 2, BLOCKS))
    blocks[0, :, 0, :] = 1.0
    blocks[1, 0, 1, 0] = -1e-18
    found = estimate(blocks, np.ones((2, BLOCKS)), 4 * BLOCKS)
    assert found.norms[1] == 0
    assert np.isnan(found.cosine[0, 1])
    assert found.norms[0] > 0
