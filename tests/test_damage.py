"""Files that lie are noticed: flipped bits, cut files, other names, tokenizers or poolings, and replaced models."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback

import spkit
from spkit.costs import Cost, count_costs
from spkit.errors import SpkitError
from spkit.models.bases import load_base, load_model
from spkit.saving.recipe import save_model
from spkit.training.checkpoints import remove_checkpoints
from spkit.vectors.folder import read, written
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A base, two experts and their vectors, each in a folder."""
    root = tmp_path_factory.mktemp("made")
    base = tiny_encoder(0, WORDS, layers=1)
    save_model(base, root / "base")
    for number, name in enumerate(("faq", "sts")):
        save_model(noisy(base, number + 1), root / name)
    TaskVectors.from_models(root / "base", {name: root / name for name in ("faq", "sts")}).save(root / "vectors")
    return root


@pytest.fixture
def copied(made, tmp_path) -> Path:
    """A copy of the vectors' folder, which holds as much where it stands now."""
    shutil.copytree(made / "vectors", tmp_path / "vectors")
    assert TaskVectors.load(tmp_path / "vectors").names == ("faq", "sts")
    return tmp_path / "vectors"


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place // 8 % len(content)] ^= 1 << place % 8
    path.write_bytes(content)


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_no_flipped_bit_in_vectors_is_missed(copied) -> None:
    rng = random.Random(7)
    for path in sorted(path for path in copied.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for _ in range(4):
            flip(path, rng.randrange(8 * len(whole)))
            with pytest.raises(SpkitError):
                TaskVectors.load(copied)
            path.write_bytes(whole)
    TaskVectors.load(copied)


def renamed(folder: Path) -> None:
    path = folder / "vectors.safetensors"
    with safe_open(path, framework="pt") as file:
        about, matrix = read(file.metadata()), file.get_tensor("vectors").clone()
    save_file({"vectors": matrix}, path, metadata=written({**about, "names": json.dumps(["sts", "faq"])}))


OTHER = {
    "names": renamed,
    "configuration": lambda folder: edit(folder / "base" / "config.json", hidden_act="relu"),
    "pooling": lambda folder: edit(folder / "base" / "1_Pooling" / "config.json", pooling_mode="cls"),
    "tokenizer": lambda folder: edit(
        folder / "base" / "tokenizer_config.json", do_lower_case=False, model_max_length=8
    ),
    "missing": lambda folder: (folder / "base" / "tokenizer.json").unlink(),
    "list": lambda folder: (folder / ".spkit.json").write_text(""),
}


@pytest.mark.parametrize("what", OTHER)
def test_vectors_whose_parts_were_changed_beside_them_are_refused(copied, what) -> None:
    OTHER[what](copied)
    with pytest.raises(SpkitError, match="must hold what spkit wrote there" if what != "list" else "must be whole"):
        TaskVectors.load(copied)


def test_vectors_of_a_former_version_say_that_damage_is_not_noticed(copied) -> None:
    (copied / ".spkit.json").unlink()
    with pytest.warns(UserWarning, match="damage is not noticed"):
        assert TaskVectors.load(copied).names == ("faq", "sts")


def test_no_flipped_bit_in_a_model_is_missed(made, tmp_path) -> None:
    shutil.copytree(made / "faq", tmp_path / "faq")
    rng = random.Random(3)
    for name in ("model.safetensors", "1_Pooling/config.json", "config.json", "tokenizer.json"):
        path = tmp_path / "faq" / name
        whole = path.read_bytes()
        for load in (load_base, load_model, lambda folder: TaskVectors.from_models(made / "base", {"faq": folder})):
            flip(path, rng.randrange(8 * len(whole)))
            with pytest.raises(SpkitError, match="if you changed it yourself and mean it, remove"):
                load(tmp_path / "faq")
            path.write_bytes(whole)
    (tmp_path / "faq" / "README.md").write_text("# My own card")  # a card may be edited
    load_base(tmp_path / "faq")


def test_a_model_that_is_replaced_says_which_vectors_were_made_of_it(made, tmp_path) -> None:
    for name in ("base", "faq", "sts"):
        shutil.copytree(made / name, tmp_path / name)
    vectors = TaskVectors.from_models(tmp_path / "base", {name: tmp_path / name for name in ("faq", "sts")})
    vectors.save(tmp_path / "vectors")
    vectors.select(["sts"]).save(tmp_path / "other")
    save_model(load_base(tmp_path / "faq"), tmp_path / "faq")  # the same again
    TaskVectors.load(tmp_path / "vectors")
    with pytest.warns(UserWarning, match=rf"refused from now on: '{tmp_path / 'vectors'}'\. Make them again"):
        save_model(noisy(load_base(tmp_path / "base"), 9), tmp_path / "faq")
    with pytest.raises(SpkitError, match=r"'faq', 'sts'.*and '.*faq' replaced by another model since"):
        TaskVectors.load(tmp_path / "vectors")
    TaskVectors.load(tmp_path / "other")  # of the other expert alone
    shutil.rmtree(tmp_path / "faq")  # a folder that is gone takes nothing with it
    TaskVectors.load(tmp_path / "vectors")


def test_a_merge_of_numbers_that_are_none_is_refused(made, tmp_path) -> None:
    experts = {name: made / name for name in ("faq", "sts")}
    with pytest.raises(SpkitError, match=r"A merged model must have finite weights.*mergekit:task_arithmetic"):
        spkit.merge(made / "base", experts, "mergekit:task_arithmetic", weight=1e300)
    broken = load_base(made / "faq")
    with torch.no_grad():
        next(broken.parameters())[0] = float("nan")
    with pytest.raises(SpkitError, match="A model that is saved must have finite weights"):
        save_model(broken, tmp_path / "broken")
    assert not any(tmp_path.iterdir())


DAMAGED = {
    "empty state": lambda folder: (folder / "trainer_state.json").write_text(""),
    "no state": lambda folder: (folder / "trainer_state.json").unlink(),
    "strange state": lambda folder: (folder / "trainer_state.json").write_text("[1]"),
    "cut weights": lambda folder: flip(folder / "model.safetensors", 999),
    "empty optimizer": lambda folder: (folder / "optimizer.pt").write_bytes(b""),
    "no list": lambda folder: (folder / ".spkit.json").unlink(),
    "empty list": lambda folder: (folder / ".spkit.json").write_text(""),
}


class StopAt(TrainerCallback):
    """Ctrl-C in one step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


LONG: dict[str, Any] = {"steps": 54, "batch_size": 2, "progress": False, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def learner() -> tuple[SentenceTransformer, spkit.Task]:
    return tiny_encoder(0, WORDS, layers=1), tiny_tasks((64, 16, 16))["faq"]


@pytest.fixture(scope="module")
def trainings(learner, tmp_path_factory) -> tuple[Path, SentenceTransformer, Cost]:
    """Checkpoints of a training that was stopped and of a whole one, the model of the latter and what it cost."""
    base, task = learner
    folder = tmp_path_factory.mktemp("trainings")
    with pytest.raises(KeyboardInterrupt):
        spkit.train(base, task, checkpoints=folder / "stopped", callbacks=[StopAt(52)], **LONG)
    with count_costs() as alone:
        right = spkit.train(base, task, checkpoints=folder / "alone", **LONG)
    return folder, right, alone


@pytest.mark.parametrize("what", [None, *DAMAGED])
def test_a_stopped_training_goes_on_whatever_its_checkpoint_holds_and_costs_what_one_alone_does(
    learner, trainings, tmp_path, what
) -> None:
    base, task = learner
    folder, right, alone = trainings
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (checkpoint,) = (tmp_path / "stopped").glob("*/checkpoint-50")
    if what is not None:
        DAMAGED[what](checkpoint)
    with count_costs() as cost:
        resumed = spkit.train(base, task, checkpoints=tmp_path / "stopped", **LONG)
    with count_costs() as again:  # stopped between its last checkpoint and what was to be made of it
        finished = spkit.train(base, task, checkpoints=tmp_path / "stopped", **LONG)
    for model in (resumed, finished):
        for mine, other in zip(model.parameters(), right.parameters(), strict=True):
            assert torch.equal(mine, other)
    keys = ("texts", "tokens", "padded_tokens", "flops", "examples", "notes")
    for other in (cost, again):
        assert [getattr(other, key) for key in keys] == [getattr(alone, key) for key in keys]
        assert 0.3 * alone.seconds < other.seconds < 5 * alone.seconds
    (tmp_path / "stopped" / "mine.txt").write_text("mine")
    for name in ("alone", "stopped"):
        remove_checkpoints(tmp_path / name)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["stopped", "stopped/mine.txt"]


def test_what_a_model_was_saved_with_loads_elsewhere(made, tmp_path) -> None:
    shutil.move(shutil.copytree(made / "faq", tmp_path / "one"), tmp_path / "moved")
    assert isinstance(load_base(tmp_path / "moved"), SentenceTransformer)
