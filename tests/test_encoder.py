"""The batches of an evaluation are of texts with as many tokens."""

import numpy as np

from spkit import count_costs
from spkit.evaluation.encoder import RememberingModel
from spkit.models.bases import copy_model


def test_texts_of_as_many_tokens_are_embedded_together(base) -> None:
    """A word that the tokenizer knows is one token, however long; other letters are one each."""
    lengths = range(1, 16)
    texts = [text for count in lengths for text in ("violin " * count, "a b c d " * count)]
    model = copy_model(base)
    with count_costs() as plain:
        expected = model.encode(texts, batch_size=8)
    with count_costs() as cost:
        got = RememberingModel(model).encode(texts, batch_size=8)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert cost.tokens == plain.tokens
    assert cost.padded_tokens - cost.tokens < 0.5 * (plain.padded_tokens - plain.tokens)
    assert "_input_length" not in vars(model)  # the model sorts as before
