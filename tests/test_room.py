"""Room for large matrices: files without a name, the same numbers as in memory, and nothing that grows with N."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from spkit.errors import SpkitError
from spkit.merging.methods import point
from spkit.vectors import room as rooms
from spkit.vectors.room import chosen_rows, room, room_like
from spkit.vectors.task_vectors import TaskVectors
from tests.bench.measuring import AnonymousPeak

QUICK = {"examples": 16, "batch_size": 8}
METHODS = {
    "ties": {},
    "breadcrumbs": {},
    "cabs": {},
    "neuro": {},
    "dare": {},
    "fisher": QUICK,
    "regmean": QUICK,
}


@pytest.fixture
def mapped(monkeypatch, tmp_path) -> list[int]:
    """Everything stands in a mapped file; the sizes in bytes."""
    sizes, memmap = [], np.memmap
    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(np, "memmap", lambda *args, **given: sizes.append(given["shape"][0]) or memmap(*args, **given))
    return sizes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_mapped_matrix_is_zeros_that_can_be_written(mapped, tmp_path, dtype) -> None:
    matrix = room(3, 1000, dtype)
    assert (tuple(matrix.shape), matrix.dtype, bool(matrix.any())) == ((3, 1000), dtype, False)
    matrix[1, 10:20] = 2.5
    assert (mapped, float(matrix.double().sum())) == ([3000 * dtype.itemsize], 25.0)
    assert not list(tmp_path.iterdir())  # nothing that a killed process would leave behind


def test_rooms_are_apart_and_like_what_they_are_for(mapped) -> None:
    one = room(2, 5).fill_(1.0)
    other = room_like(one, torch.float64)
    assert (other.dtype, float(other.sum()), float(one.sum())) == (torch.float64, 0.0, 10.0)


def test_chosen_rows_are_copies_in_the_order_given() -> None:
    matrix = torch.arange(6.0).view(3, 2)
    chosen = chosen_rows(matrix, [2, 0])
    assert chosen.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    chosen.zero_()
    assert float(matrix.sum()) == 15.0


def test_what_fits_into_a_block_stays_in_memory(monkeypatch) -> None:
    monkeypatch.setattr(np, "memmap", None)
    assert not room(4, 1000).any()


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_memory_stands_in_and_is_said(monkeypatch) -> None:
    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.warns(UserWarning, match=r"No space left on device.*in memory instead; set TMPDIR"):
        assert not room(2, 5).any()


def test_what_no_memory_should_stand_in_for_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(SpkitError, match=r"Found none for 8.0 GB .*No space left on device.*Set TMPDIR"):
        room(2, 1_000_000_000)


@pytest.mark.parametrize("method", METHODS)
def test_mapped_files_change_no_bit_of_a_merge(vectors, tasks, method, monkeypatch, tmp_path) -> None:
    given = METHODS[method] | ({"tasks": tasks} if method in ("fisher", "regmean") else {})
    expected, coefficients = point(vectors, method, **given)
    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    again, same = point(vectors, method, **given)
    assert torch.equal(again.matrix, expected.matrix)
    assert torch.equal(same, coefficients)
    assert torch.equal(again.flat(same), expected.flat(coefficients))


def test_vectors_are_the_same_in_a_mapped_file(base, experts, vectors, mapped) -> None:
    made = TaskVectors.from_models(base, experts)
    assert mapped == [4 * vectors.matrix.numel()]
    assert torch.equal(made.matrix, vectors.matrix)
    assert torch.equal(made.select(["likeness", "faq"]).matrix, vectors.matrix[[2, 0]])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own memory is read from /proc")
@pytest.mark.parametrize("method", ["trim", "elect", "drop"])
def test_memory_does_not_grow_with_the_number_of_vectors(monkeypatch, method) -> None:
    from spkit.vectors import sparsify

    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    columns = 1_000_000
    whole = [slice(0, columns)]
    work = {
        "trim": lambda matrix: sparsify.trim(matrix, 0.2, whole),
        "elect": sparsify.elect,
        "drop": lambda matrix: sparsify.drop(matrix, 0.5, 0),
    }[method]
    matrix = room(16, columns)
    matrix.copy_(torch.randn(columns))
    work(matrix[:2])
    with AnonymousPeak() as peak:
        work(matrix)
    assert peak.peak - peak.before < 0.3 * matrix.nbytes  # some megabytes of pieces, where the result has 64
