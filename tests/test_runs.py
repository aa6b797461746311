"""Task vectors of a trainer's output folder: which checkpoints are read, in which order, and what is refused."""

import pytest
import torch
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from spkit.errors import SpkitError
from spkit.models.bases import copy_model, load_model
from spkit.models.runs import checkpoints_of
from spkit.vectors.task_vectors import TaskVectors


@pytest.fixture(scope="module")
def runs(base, tasks, tmp_path_factory):
    """Two runs of sentence-transformers' own trainer, as its users leave them."""
    root = tmp_path_factory.mktemp("runs")
    for name, seed in (("first", 1), ("second", 2)):
        model = copy_model(base)
        model.model_card_data.generate_widget_examples = False
        arguments = SentenceTransformerTrainingArguments(
            str(root / name), max_steps=10, save_steps=4, per_device_train_batch_size=8, learning_rate=1e-2, seed=seed,
            use_cpu=True, report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        loss = MultipleNegativesRankingLoss(model)
        SentenceTransformerTrainer(model, arguments, tasks["faq"].train, loss=loss).train()
    return root


def test_checkpoints_are_vectors_in_the_order_of_their_steps(base, runs):
    vectors = TaskVectors.from_runs(base, runs / "first")
    assert vectors.names == ("checkpoint-4", "checkpoint-8", "checkpoint-10")  # not as text is ordered
    norms = vectors.norms()
    assert 0 < norms["checkpoint-4"] < norms["checkpoint-10"]
    at_last = vectors.at([0.0, 0.0, 1.0])
    ends = zip(at_last.parameters(), load_model(runs / "first" / "checkpoint-10").parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in ends)


def test_several_runs_stand_in_one_span(base, runs, tmp_path):
    vectors = TaskVectors.from_runs(base, runs, last=2, folder=tmp_path / "vectors", dtype="bfloat16")
    assert vectors.names == (
        "first/checkpoint-8", "first/checkpoint-10", "second/checkpoint-8", "second/checkpoint-10",
    )  # fmt: skip
    assert TaskVectors.load(tmp_path / "vectors").names == vectors.names
    assert len(TaskVectors.from_runs(base, str(runs / "second"), last=9)) == 3


def test_other_folders_and_files_are_no_checkpoints(runs, tmp_path):
    for name in ("checkpoint-best", "checkpoint-7", "checkpoint-12", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-9").write_text("a file")
    assert list(checkpoints_of(tmp_path)) == ["checkpoint-7", "checkpoint-12"]


def test_a_folder_without_checkpoints_says_what_it_holds(base, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(SpkitError, match=r"folders such as checkpoint-500.*Found 'logs/', 'model.safetensors' in .*"):
        TaskVectors.from_runs(base, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpkitError, match=r"Found nothing in .*empty"):
        TaskVectors.from_runs(base, tmp_path / "empty")
    with pytest.raises(SpkitError, match=r"must be a folder. Found no .*gone"):
        TaskVectors.from_runs(base, tmp_path / "gone")
    with pytest.raises(SpkitError, match=r"must be a folder. Found the file .*safetensors"):
        TaskVectors.from_runs(base, tmp_path / "model.safetensors")
    with pytest.raises(SpkitError, match=r"`last` must be 1 or more. Found 0"):
        TaskVectors.from_runs(base, tmp_path, last=0)
