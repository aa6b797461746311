"""What holds for every basis in `spkit/vectors/bases`: it makes new vectors, in little memory, and says what it did."""

from pathlib import Path

import pytest
import torch

import spkit
from spkit.errors import SpkitError
from spkit.hashing import weights_hash
from spkit.vectors.basis import basis_names
from spkit.vectors.task_vectors import TaskVectors
from tests.bench.measuring import AnonymousPeak
from tests.tiny import tiny_tasks

NEEDED = {"trim": {"density": 0.2}, "drop": {"p": 0.5}}


@pytest.fixture(scope="module")
def vectors(two_vectors) -> TaskVectors:
    return two_vectors


@pytest.fixture(scope="module")
def wide() -> TaskVectors:
    base = spkit.load_base("minilm-l3")
    size = sum(parameter.numel() for parameter in base.parameters())
    return TaskVectors(base, ["a", "b"], torch.randn(2, size, generator=torch.Generator().manual_seed(0)))


def made(vectors: TaskVectors, name: str) -> TaskVectors:
    return getattr(vectors, name)(**NEEDED.get(name, {}))


@pytest.mark.parametrize("name", basis_names())
def test_it_makes_new_vectors_over_the_same_base(vectors, name):
    before = vectors.matrix.clone()
    basis = made(vectors, name)
    assert basis.names == vectors.names
    assert basis.base is vectors.base
    assert torch.equal(vectors.matrix, before)
    assert not torch.equal(basis.matrix, before)
    assert torch.equal(made(vectors, name).matrix, basis.matrix)
    assert weights_hash(basis.at([0.0, 0.0])) == vectors.base_hash
    assert [one["operation"] for one in basis.provenance.operations] == [name]


@pytest.mark.parametrize("name", basis_names())
def test_what_was_done_is_saved_and_can_be_done_again(vectors, name, tmp_path):
    made(vectors, name).save(tmp_path / name)
    loaded = TaskVectors.load(tmp_path / name)
    (done,) = loaded.provenance.operations
    given = {key: value for key, value in done.items() if key != "operation"}
    assert torch.equal(getattr(vectors, name)(**given).matrix, loaded.matrix)


@pytest.mark.parametrize("name", basis_names())
def test_a_search_runs_on_it(vectors, name):
    basis, probe = made(vectors, name), spkit.Probe.sample(tiny_tasks(), size=48)
    settings = {"path": "free", "optimizer": "lbfgs", "steps": 3, "batch_size": 8, "mu": 0.0, "progress": False}
    result = spkit.self_position(basis, probe, **settings)
    assert result.history["loss"].min() < result.history["loss"].iloc[0]


@pytest.mark.parametrize("name", basis_names())
def test_bfloat16_stays(vectors, name):
    small = vectors.reweighted(vectors.matrix.bfloat16(), "rounded")
    assert made(small, name).matrix.dtype == torch.bfloat16


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's own memory is read from /proc")
@pytest.mark.parametrize("name", basis_names())
def test_nothing_but_the_result_is_as_large_as_the_matrix(wide, name):
    made(wide, name)  # what is loaded on first use
    with AnonymousPeak() as peak:
        result = made(wide, name).matrix
    assert peak.peak - peak.before < 1.5 * result.nbytes


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("trim", {"density": 0.0}, "`density` must be above 0 and at most 1"),
        ("trim", {"density": 1.01}, "`density` must be above 0 and at most 1"),
        ("trim", {"density": float("nan")}, "`density` must be above 0 and at most 1"),
        ("trim", {"density": 0.5, "scope": "layer"}, "`scope` must be 'tensor' or 'vector'"),
        ("trim", {}, "`trim` needs 'density'"),
        ("drop", {"p": 1.0}, "`p` must be 0 or more and below 1"),
        ("drop", {"p": -0.1}, "`p` must be 0 or more and below 1"),
        ("elect", {"density": 0.5}, "The parameters of `elect` must be among"),
    ],
)
def test_what_is_out_of_range_is_refused(vectors, name, given, said):
    with pytest.raises(SpkitError, match=said):
        getattr(vectors, name)(**given)
