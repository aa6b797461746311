"""The estimators behind the conflict report, on gradients whose true cosines and noise are known."""

import warnings

import numpy as np
import pytest

from spkit.diagnostics.conflict.estimates import BLOCKS, Estimate, estimate, summary


def measured(gradients: np.ndarray) -> Estimate:
    """The estimate from gradients [T, M, P] held at once."""
    count, batches, size = gradients.shape
    blocked = gradients.reshape(count, BLOCKS, batches // BLOCKS, size)
    flat = blocked.sum(2).reshape(count * BLOCKS, size)
    return estimate((flat @ flat.T).reshape(count, BLOCKS, count, BLOCKS), (blocked**2).sum((2, 3)), batches)


def noisy(rng: np.random.Generator, cosine: float, noise: float, size: int, batches: int = 16) -> np.ndarray:
    """Two tasks' gradients: unit means at a cosine, and noise of so many times their squared length."""
    means = np.zeros((2, 1, size))
    means[0, 0, 0], means[1, 0, :2] = 1, (cosine, np.sqrt(1 - cosine**2))
    return means + rng.normal(size=(2, batches, size)) * np.sqrt(noise / size)


def signal(gradients: np.ndarray) -> float:
    """‖E g‖², from every pair of micro-batches written out."""
    count = len(gradients)
    pairs = [gradients[i] @ gradients[j] for i in range(count) for j in range(count) if i != j]
    return float(np.mean(pairs))


@pytest.mark.parametrize("cosine", [-1.0, -0.5, 0.0, 0.6, 1.0])
def test_corrected_cosine_is_right_on_the_mean_where_the_raw_one_is_not(cosine) -> None:
    """200 draws under noise of nine times the squared length: the raw cosine stands at 16 / (16 + 9) of the truth.

    A quotient of unbiased parts is itself off by the order of the noise's variance, here below 0.01.
    """
    rng = np.random.default_rng(0)
    estimates = [measured(noisy(rng, cosine, 9, 400)) for _ in range(200)]
    raw, corrected, ceiling = (np.array([get(one) for one in estimates]) for get in (_raw, _corrected, _ceiling))
    assert raw.mean() == pytest.approx(cosine * 16 / 25, abs=0.02)
    assert ceiling.mean() == pytest.approx(16 / 25, abs=0.02)
    assert corrected.mean() == pytest.approx(cosine, abs=0.01 + 3 * corrected.std() / np.sqrt(200))


def _raw(one: Estimate) -> float:
    return one.cosine[0, 1]


def _corrected(one: Estimate) -> float:
    return one.corrected[0, 1]


def _ceiling(one: Estimate) -> float:
    return one.ceiling[0]


@pytest.mark.parametrize(
    ("cosine", "noise", "size"),
    [(0.0, 1, 5), (1.0, 1, 5), (0.3, 9, 5), (0.0, 9, 400), (0.3, 40, 400), (-0.95, 40, 400)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(cosine, noise, size) -> None:
    """Few and many directions, little and much noise; where a cosine is given at all.

    Over 2,000 draws each the share was 0.95 to 0.99: with four blocks and much noise the intervals are wide.
    """
    rng = np.random.default_rng(1)
    estimates = [measured(noisy(rng, cosine, noise, size)) for _ in range(250)]
    given = [one for one in estimates if not np.isnan(_corrected(one))]
    inside = np.mean([one.low[0, 1] <= cosine <= one.high[0, 1] for one in given])
    assert inside > 0.92
    if noise == 1:
        assert inside < 0.995  # nor are they wide at any price


def test_words_follow_the_interval_and_are_seldom_wrong() -> None:
    rng = np.random.default_rng(2)
    shares = {}
    for cosine in (-0.9, 0.0, 0.9):
        words = [measured(noisy(rng, cosine, 9, 400)).verdict[0][1] for _ in range(100)]
        shares[cosine] = {word: words.count(word) / 100 for word in set(words)}
    assert shares[-0.9] == {"conflict": 1}
    assert shares[0.9] == {"agree": 1}
    assert shares[0.0]["neither shown"] > 0.9


def test_interval_carries_what_changes_without_each_block() -> None:
    """⟨ḡ_A, ḡ_B⟩ / √(s_A s_B) to first order in its three parts, each measured without one block at a time."""
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(2, 8, 30)) * 0.3 + rng.normal(size=(2, 1, 30))

    def parts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([a.mean(0) @ b.mean(0), signal(a), signal(b)])

    whole = parts(*gradients)
    value = whole[0] / np.sqrt(whole[1] * whole[2])
    slope = value * np.array([1 / whole[0], -1 / whole[1] / 2, -1 / whole[2] / 2])
    left_out = [slope @ parts(*np.delete(gradients, [2 * b, 2 * b + 1], axis=1)) for b in range(BLOCKS)]
    error = np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    estimate = measured(gradients)
    assert estimate.corrected[0, 1] == pytest.approx(value)
    assert estimate.low[0, 1] == pytest.approx(value - 3.182 * error)
    assert estimate.high[0, 1] == pytest.approx(value + 3.182 * error)


def test_little_noise_gives_the_plain_jackknife() -> None:
    rng = np.random.default_rng(3)
    gradients = noisy(rng, 0.4, 0.01, 50)
    values = [_quotient(np.delete(gradients, np.arange(4 * b, 4 * b + 4), axis=1)) for b in range(BLOCKS)]
    error = np.sqrt(3 * np.var(values))
    estimate = measured(gradients)
    assert estimate.high[0, 1] - estimate.corrected[0, 1] == pytest.approx(3.182 * error, rel=1e-2)


def _quotient(gradients: np.ndarray) -> float:
    a, b = gradients
    return float(a.mean(0) @ b.mean(0) / np.sqrt(signal(a) * signal(b)))


def test_pure_noise_is_undetermined_and_never_clipped() -> None:
    """Gradients that cancel: s is negative, and nothing is divided by its root."""
    gradients = np.ones((2, 8, 4))
    gradients[1] *= np.array([1, -1] * 4)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = measured(gradients)
    assert estimate.verdict == [["agree", "undetermined"], ["undetermined", "undetermined"]]
    for table in (estimate.corrected, estimate.low, estimate.high):
        assert np.isnan(table).tolist() == [[False, True], [True, True]]
    assert estimate.corrected[0, 0] == 1
    assert estimate.ceiling[0] == pytest.approx(1)


def test_a_task_without_gradient_has_a_name_for_it() -> None:
    gradients = noisy(np.random.default_rng(4), 0.5, 0.1, 20)
    gradients[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = measured(gradients)
    assert estimate.verdict == [["agree", "no gradient"], ["no gradient", "no gradient"]]
    assert estimate.norms[1] == 0
    assert np.isnan(estimate.cosine[0, 1])


def test_summaries_leave_out_what_has_no_direction() -> None:
    cosine = np.array([[1, 0.2, np.nan], [0.2, 1, np.nan], [np.nan] * 3])
    count, directional, alignment, magnitude = summary(cosine, np.array([1.0, 3.0, 0.0]))
    assert (count, directional) == (2, pytest.approx(0.2))
    assert alignment**2 == pytest.approx(1 / 2 + 1 / 2 * 0.2)  # Mueller, Andrews, Dredze: ‖mean u‖²
    assert magnitude == pytest.approx(0.5)
    assert summary(cosine, np.array([1.0, 0.0, 0.0])) == (1, 1.0, 1.0, 0.0)
    assert summary(np.full((2, 2), np.nan), np.zeros(2)) == (0, 1.0, 1.0, 0.0)
    opposite = np.array([[1, -1 - 1e-15], [-1 - 1e-15, 1]])
    assert summary(opposite, np.ones(2))[2] == 0
