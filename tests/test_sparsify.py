"""Trim, elect and drop: what stays, what it is divided by, and what is expected of chance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spkit.vectors.sparsify import drop, elect, trim
from tests.bench.measuring import AnonymousPeak

# Whole numbers: sums are exact, and equal magnitudes, zeros and cancelling columns are frequent.
matrices = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.integers(-9, 9))
densities = st.floats(0.01, 1.0)


@settings(deadline=None)
@given(matrices, densities)
def test_trim_keeps_the_largest_magnitudes_and_at_least_the_share(values, density):
    matrix = torch.from_numpy(values)
    width = matrix.shape[1]
    trimmed = trim(matrix, density, [slice(0, width)])
    share = max(1, int(density * width))
    for before, after in zip(matrix, trimmed, strict=True):
        stays = after != 0
        assert torch.equal(after[stays], before[stays])
        largest = before.abs().sort(descending=True).values
        threshold = largest[share - 1]
        assert torch.equal(stays, (before.abs() >= threshold) & (before != 0))
        if largest[share:].numel() == 0 or largest[share] < threshold:  # no ties at the threshold: exactly the share
            assert int(stays.sum()) == min(share, int((before != 0).sum()))


def test_trim_keeps_the_share_in_each_place_or_over_the_whole_vector():
    matrix = torch.cat([torch.arange(1.0, 11.0), 100 + torch.arange(10.0)])[None]
    places = [slice(0, 10), slice(10, 20)]
    assert (trim(matrix, 0.3, places)[0].nonzero().flatten() == torch.tensor([7, 8, 9, 17, 18, 19])).all()
    whole = trim(matrix, 0.3, [slice(0, 20)])
    assert (whole[0].nonzero().flatten() == torch.arange(14, 20)).all()


def test_trim_changes_nothing_at_density_one_and_never_its_input():
    matrix = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    before = matrix.clone()
    assert torch.equal(trim(matrix, 1.0, [slice(0, 50)]), before)
    trim(matrix, 0.1, [slice(0, 50)])
    assert torch.equal(matrix, before)


def wide(dtype: torch.dtype, shape: tuple[int, int] = (3, 70_001)) -> torch.Tensor:
    """Numbers of very different sizes, among them zeros, the smallest there are, and many that are equal."""
    generator = torch.Generator().manual_seed(3)
    sizes = torch.randint(-149, 20, shape, generator=generator).float().exp2()
    values = (torch.randn(shape, generator=generator) * sizes).to(dtype)
    values[:, ::7] = values[:, 5:6]
    values[:, ::11] = 0.0
    return values


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("density", [0.001, 0.2, 0.5, 0.9, 0.97, 1.0])
def test_the_threshold_is_that_of_a_full_sort(dtype, density):
    """Over more numbers than are worked on at a time, and to the last bit."""
    matrix = wide(dtype)
    width = matrix.shape[1]
    trimmed = trim(matrix, density, [slice(0, 1000), slice(1000, width)])
    for before, after in zip(matrix, trimmed, strict=True):
        for place in (slice(0, 1000), slice(1000, width)):
            magnitudes = before[place].abs()
            threshold = magnitudes.sort(descending=True).values[int(density * len(magnitudes)) - 1]
            assert torch.equal(after[place], before[place] * (magnitudes >= threshold))


def test_how_many_columns_are_worked_on_at_a_time_changes_nothing(monkeypatch):
    matrix = wide(torch.bfloat16, (4, 3000))
    places = [slice(0, 10), slice(10, 3000)]
    expected = trim(matrix, 0.3, places), elect(matrix), drop(matrix, 0.4, 1)
    monkeypatch.setattr("spkit.vectors.sparsify._AT_A_TIME", 7)
    for got, before in zip((trim(matrix, 0.3, places), elect(matrix), drop(matrix, 0.4, 1)), expected, strict=True):
        assert torch.equal(got, before)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own memory is read from /proc")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_but_the_result_is_as_large_as_the_matrix(dtype):
    matrix = torch.randn(2, 3_000_000, generator=torch.Generator().manual_seed(0)).to(dtype)
    whole = [slice(0, matrix.shape[1])]
    for work in (lambda: trim(matrix, 0.2, whole), lambda: elect(matrix), lambda: drop(matrix, 0.5, 0)):
        with AnonymousPeak() as peak:
            result = work()
        # The kernel's counter is rough by some megabytes: half of the result shows that it was watched at all.
        assert result.nbytes / 2 < peak.peak - peak.before < 1.3 * result.nbytes
        del result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_election_and_dropping_are_their_formulas_on_the_whole_matrix(dtype):
    matrix = wide(dtype)
    agreeing = (matrix.sign() == matrix.sum(0).sign()) & (matrix.sum(0) != 0)
    assert torch.equal(elect(matrix), matrix * agreeing / agreeing.sum(0).clamp(min=1))
    kept = torch.rand(matrix.shape, generator=torch.Generator().manual_seed(8)) >= 0.3
    assert torch.equal(drop(matrix, 0.3, 8), matrix * kept / (1 - 0.3))


@settings(deadline=None)
@given(matrices)
def test_elected_vectors_sum_to_the_disjoint_mean(values):
    total = elect(torch.from_numpy(values)).sum(0).numpy()
    for column, got in zip(values.T, total, strict=True):
        agreeing = column[np.sign(column) == np.sign(column.sum())] if column.sum() != 0 else column[:0]
        assert got == pytest.approx(agreeing.mean() if len(agreeing) else 0.0, abs=1e-6)


@settings(deadline=None)
@given(matrices)
def test_elect_keeps_no_entry_against_the_sign_of_the_sum(values):
    matrix = torch.from_numpy(values)
    elected = elect(matrix)
    assert (elected * matrix.sum(0) >= 0).all()
    assert torch.equal(elect(-matrix), -elected)


def test_elect_leaves_a_single_vector_as_it_is():
    matrix = torch.tensor([[1.0, -2.0, 0.0]])
    assert torch.equal(elect(matrix), matrix)


def test_drop_is_unbiased():
    matrix = torch.tensor([[2.0, -1.0, 0.5]])
    p, draws = 0.7, 4000
    mean = torch.stack([drop(matrix, p, seed) for seed in range(draws)]).double().mean(0)
    error = matrix.abs().double() * (p / (1 - p) / draws) ** 0.5  # standard error of the mean
    assert ((mean - matrix).abs() < 4 * error).all()


def test_drop_removes_the_share_rescales_the_rest_and_is_decided_by_the_seed():
    matrix = torch.ones(2, 50_000)
    dropped = drop(matrix, 0.9, 3)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.9, abs=0.005)
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([10.0]))
    assert not torch.equal(dropped[0], dropped[1])  # each vector has its own mask
    assert torch.equal(drop(matrix, 0.9, 3), dropped)
    assert not torch.equal(drop(matrix, 0.9, 4), dropped)
    assert torch.equal(drop(matrix, 0.0, 3), matrix)


def test_drop_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    drop(torch.ones(1, 10), 0.5, 0)
    assert torch.equal(torch.rand(1), expected)
