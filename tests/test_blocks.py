"""Vectors a block at a time: the same numbers whatever the block, on disk or in memory, in float32 or bfloat16."""

from pathlib import Path

import pytest
import torch

from spkit import Probe, SpkitError, TaskVectors
from spkit.hashing import weights_hash
from spkit.searching.objective import Objective
from spkit.searching.token_rows import TokenRows
from tests.experts import flat
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

C = [0.3, -0.2, 0.7]


def gradients_of(base):
    generator = torch.Generator().manual_seed(9)
    return {name: torch.randn(value.shape, generator=generator) for name, value in base.named_parameters()}


@pytest.mark.parametrize("size", [64, 4096, 1 << 26])
def test_block_size_changes_nothing(base, vectors, monkeypatch, size):
    exact = flat(base) + vectors.matrix.double().T @ torch.tensor(C, dtype=torch.float64)
    gradients = gradients_of(base)
    inner = vectors.matrix.double() @ torch.cat([one.flatten().double() for one in gradients.values()])
    monkeypatch.setattr("spkit.vectors.matrix.BLOCK_BYTES", size)
    torch.testing.assert_close(flat(vectors.at(C)), exact, atol=3e-7, rtol=0)
    torch.testing.assert_close(vectors.project(gradients), inner, atol=1e-4, rtol=1e-5)


def test_vectors_made_on_disk_are_those_made_in_memory(base, experts, vectors, tmp_path):
    for name, expert in experts.items():
        expert.save(str(tmp_path / name))
    folders = {name: tmp_path / name for name in experts}
    made = TaskVectors.from_models(base, folders, folder=tmp_path / "vectors")
    assert torch.equal(made.matrix, vectors.matrix)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faq", "likeness", "topic", "vectors"]
    assert weights_hash(made.at(C)) == weights_hash(vectors.at(C))


def test_bfloat16_is_rounded_and_nothing_else(base, experts, vectors, tmp_path):
    short = TaskVectors.from_models(base, experts, folder=tmp_path / "vectors", dtype="bfloat16")
    assert short.matrix.dtype == torch.bfloat16
    assert torch.equal(short.matrix, vectors.matrix.bfloat16())
    same = TaskVectors(base, short.names, short.matrix.float())
    torch.testing.assert_close(flat(short.at(C)), flat(same.at(C)), atol=1e-7, rtol=0)
    gradients = gradients_of(base)
    torch.testing.assert_close(short.project(gradients), same.project(gradients), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(short.gram(), same.gram(), rtol=1e-12, atol=0)
    change = (flat(short.at([1.0, 0.0, 0.0])) - flat(experts["faq"])).abs()
    assert bool((change <= 2**-8 * (flat(experts["faq"]) - flat(base)).abs() + 1e-6).all())


def test_an_unknown_dtype_is_refused(no_type_check, base, experts):
    with pytest.raises(SpkitError, match="`dtype` must be"):
        TaskVectors.from_models(base, experts, dtype="float16")


def test_a_loaded_base_lies_on_the_files(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    loaded = TaskVectors.load(tmp_path / "vectors")
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path / "vectors") in line]
    assert any("base" in line for line in mapped)
    assert any("vectors.safetensors" in line for line in mapped)
    assert weights_hash(loaded.base) == vectors.base_hash
    moved = loaded.at(C)
    with torch.no_grad():
        next(moved.parameters()).add_(1)  # a position is a model of its own
    assert weights_hash(TaskVectors.load(tmp_path / "vectors").base) == vectors.base_hash


def test_only_the_rows_that_a_batch_reads_are_moved_and_projected(vectors):
    """From the second step on; the losses and gradients are those of the whole matrix."""
    probe = Probe.sample(tiny_tasks(), size=96)
    few, all_rows = Objective(vectors, probe, 8), Objective(vectors, probe, 8)
    all_rows._token_rows._name = None
    written = []
    plain = TaskVectors.write
    for number in range(4):
        at = torch.tensor([[0.1 * number, 0.4, 0.2]], dtype=torch.float64)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                TaskVectors, "write", lambda self, c, m, rows=None: (written.append(rows), plain(self, c, m, rows))[1]
            )
            evaluation = few.step(at)
        other = all_rows.step(at)
        assert evaluation.loss == pytest.approx(other.loss, rel=1e-6)
        torch.testing.assert_close(evaluation.gradient, other.gradient, rtol=1e-4, atol=1e-6)
    assert [bool(one) for one in written] == [False, True, True, True, True]  # the whole matrix once, to begin with
    name, rows = next(iter(written[2].items()))
    assert name.endswith("word_embeddings.weight")
    assert 0 < len(rows) < len(vectors.base.get_parameter(name))


def test_rows_are_not_trusted_when_another_row_gets_a_gradient(base):
    model = tiny_encoder(0, WORDS)
    watched = TokenRows(model)
    table = model[0].model.embeddings.word_embeddings.weight  # pyright: ignore
    table.grad = torch.zeros_like(table)
    table.grad[[3, 5]] = 1.0
    watched.watch([{"anchor_input_ids": torch.tensor([[3, 4]])}])
    assert watched.of([{"anchor_input_ids": torch.tensor([[3, 4]])}]) == {}
    assert not watched.trusted
    watched = TokenRows(model)
    watched.watch([{"anchor_input_ids": torch.tensor([[3, 5, 4]])}])
    assert next(iter(watched.of([{"text_input_ids": torch.tensor([[7, 3, 7]])}]).values())).tolist() == [3, 7]
