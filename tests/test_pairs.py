"""The kind `pair`: its quick score is scikit-learn's, and mteb's `max_ap` takes the similarity that separates best."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spkit.tasks.kinds.pair import KIND


def test_the_quick_score_is_the_average_precision_of_the_cosines() -> None:
    rng = np.random.default_rng(0)
    left, right = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in rng.normal(size=(2, 40, 8)))
    labels = rng.integers(0, 2, 40)
    expected = average_precision_score(labels, np.einsum("nd,nd->n", left, right))

    def inner(one, other):
        return one @ other.T

    assert KIND.quick_score([left, right], labels, inner) == pytest.approx(expected)
    assert KIND.quick_score([left, left], np.ones(40, dtype=int), inner) == 1.0


@pytest.mark.parametrize(
    ("best", "sign"),
    [("dot_scores", 1), ("similarity_scores", 1), ("euclidean_distances", -1), ("manhattan_distances", -1)],
)
def test_max_ap_takes_the_similarity_that_separates_best(best, sign) -> None:
    labels = np.array([1, 0, 1, 0])
    names = ("cosine_scores", "similarity_scores", "dot_scores", "euclidean_distances", "manhattan_distances")
    # Distances grow where similarities fall: what is no use has them the wrong way round.
    scores = {name: (-1.0 if name.endswith("distances") else 1.0) * np.array([0.1, 0.9, 0.2, 0.8]) for name in names}
    scores[best] = sign * np.array([0.9, 0.1, 0.8, 0.3])

    def values(main_score: str) -> np.ndarray:
        return KIND.values(SimpleNamespace(metadata=SimpleNamespace(main_score=main_score)), scores, labels)

    np.testing.assert_allclose(values("max_ap"), np.column_stack([[0.9, 0.1, 0.8, 0.3], labels]))
    np.testing.assert_allclose(values("cosine_ap"), np.column_stack([scores["cosine_scores"], labels]))


def test_mtebs_class_is_its_pair_classification() -> None:
    from mteb.abstasks import AbsTaskPairClassification

    assert KIND.mteb_class() is AbsTaskPairClassification
