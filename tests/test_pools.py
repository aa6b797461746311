"""Pools: several data sets as one task: rows, batches, probe, training, task files, and what is refused."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

import spkit
from spkit.errors import SpkitError
from spkit.searching.probe_parts import part_of
from spkit.study.chosen import chosen_tasks
from spkit.study.profile_tables import Loss
from spkit.tasks import Task
from spkit.training.batches import TaskBatches
from spkit.training.parts import full_batches, parts_of
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder(words=WORDS)


def rows_of(name: str, start: int, stop: int) -> Dataset:
    return Dataset.from_dict(
        {
            "anchor": [f"{name} red {n}" for n in range(start, stop)],
            "positive": [f"{name} of {n}" for n in range(start, stop)],
        }
    )


def retrieval(name: str, count: int, **settings: Any) -> Task:
    splits: dict[str, Any] = {"train": rows_of(name, 0, count), "dev": rows_of(name, count, count + 8)}
    return Task(name=name, kind="retrieval", **splits, **{"role": "training"} | settings)


def inference(count: int = 48, **settings: Any) -> Task:
    """Every third premise has a contradiction, too."""
    parts: dict[str, Any] = {}
    for split, numbers in (("train", range(count)), ("dev", range(count, count + 12)), ("test", range(90, 96))):
        pairs = [(f"premise {n}", f"so {n}", 1) for n in numbers]
        pairs += [(f"premise {n}", f"not {n}", 0) for n in numbers if n % 3 == 0]
        columns = zip(*pairs, strict=True)
        parts[split] = Dataset.from_dict(
            dict(zip(("sentence1", "sentence2", "label"), map(list, columns), strict=True))
        )
    return Task(name="inference", kind="pair", **parts, **settings)


def pool(**settings: Any) -> Task:
    return spkit.pool_tasks("both", [retrieval("large", 96), inference(), retrieval("small", 16)], **settings)


def test_a_pool_is_one_retrieval_task_of_all_pairs() -> None:
    task = pool(temperature=0.02)
    assert (task.kind, task.role, task.loss, task.temperature) == ("retrieval", "training", "infonce", 0.02)
    assert task.members == ("large", "inference", "small")
    assert Counter(task.train["dataset"]) == {"large": 96, "inference": 48, "small": 16}
    assert Counter(task.dev["dataset"]) == {"large": 8, "inference": 12, "small": 8}
    assert not task.scored
    given = [row["dataset"] for row in task.train if row["negative"] is not None]
    assert given == ["inference"] * 16
    assert task.fingerprint() == pool(temperature=0.02).fingerprint() != pool().fingerprint()


def test_batches_hold_one_data_set_in_proportion_to_its_size(encoder) -> None:
    task = pool()
    parts = parts_of(task, task.train, 8)
    assert [(part.name, part.dataset, len(part.rows)) for part in parts] == [
        ("both: large", "large", 96),
        ("both: inference", "inference", 32),
        ("both: inference with negative", "inference", 16),
        ("both: small", "small", 16),
    ]
    stream = TaskBatches(task, task.train, encoder, 8, 0)
    counts: Counter[str] = Counter()
    order = list(stream.rows_of_pass(0))
    for batch in order:
        examples = stream.examples(batch)
        words = {example["anchor"].split()[0] for example in examples}
        assert len(words) == 1
        assert len({len(example) for example in examples}) == 1
        counts[f"{words.pop()} {len(examples[0])}"] += 1
    assert counts == {"large 2": 12, "premise 2": 4, "premise 3": 2, "small 2": 2}
    assert full_batches(task, 8, 0, 99) == 20
    assert full_batches(task, 8, 0, 7) == 7
    again = TaskBatches(pool(), task.train, encoder, 8, 0)
    assert list(again.rows_of_pass(0)) == order != list(stream.rows_of_pass(1))


def test_the_loss_of_a_batch_is_that_of_its_own_data_set(encoder) -> None:
    """What stands beside it changes no batch of a data set: the same rows give the same loss alone and in a pool."""
    task, alone = pool(temperature=0.02), retrieval("large", 96, loss="infonce", temperature=0.02)
    stream, other = (TaskBatches(one, one.train, encoder, 8, 0) for one in (task, alone))
    rows = list(range(8))
    ours, theirs = stream.loss_of(stream.collate(rows)), other.loss_of(other.collate(rows))
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-6)


def test_a_probe_holds_the_data_sets_in_proportion(encoder) -> None:
    task = pool()
    probe = spkit.Probe.sample([task, tiny_tasks()["faq"]], size=80)
    assert Counter(probe.examples["both"]["dataset"]) == {"large": 24, "inference": 12, "small": 4}
    half, rest = probe.hold_back(0.5)
    for side in (half, rest, part_of(probe, 40, seed=0)):
        found = Counter(side.examples["both"]["dataset"])
        assert found["large"] == pytest.approx(12, abs=1)
        assert found["inference"] == pytest.approx(6, abs=1)
        assert found["small"] == pytest.approx(2, abs=1)
    assert spkit.Probe.sample([task], size=40).fingerprint() == spkit.Probe.sample([pool()], size=40).fingerprint()


def test_training_search_conflict_and_resampling_see_one_task(encoder) -> None:
    task, faq = pool(temperature=0.05), tiny_tasks()["faq"]
    expert = spkit.train(encoder, task, epochs=1.0, batch_size=8, progress=False)
    other = spkit.train(encoder, [faq, task], steps=4, batch_size=8, mixing="step", sampling="uniform", progress=False)
    vectors = spkit.TaskVectors.from_models(encoder, {"both": expert, "faq": other})
    probe = spkit.Probe.sample([task, faq], size=256)
    result = spkit.self_position(vectors, probe, path="free", steps=2, batch_size=8, progress=False)
    assert result.history["loss:both"].map(math.isfinite).all()
    report = spkit.gradient_conflict(encoder, [task, faq], batches=4, batch_size=8, progress=False)
    assert report.cosine.notna().to_numpy().all()
    assert spkit.imbalance([task, faq], model=encoder)["examples"].to_dict() == {"both": 160, "faq": 64}
    fewer = spkit.resample([task, faq], [1, 1])["both"]
    assert len(fewer.train) == 112
    assert set(fewer.train["dataset"]) == {"large", "inference", "small"}


def test_a_killed_training_on_a_pool_goes_on(encoder, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class Killer(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_save = state.global_step == 5
            if state.global_step == 7:
                raise KeyboardInterrupt

    settings: Any = {"steps": 12, "batch_size": 8, "mini_batch_size": 4, "progress": False}
    straight = spkit.train(encoder, pool(), **settings)
    with pytest.raises(KeyboardInterrupt):
        spkit.train(encoder, pool(), checkpoints=tmp_path, callbacks=[Killer()], **settings)
    resumed = spkit.train(encoder, pool(), checkpoints=tmp_path, **settings)
    for one, two in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_data_set_that_fills_no_batch_is_named(encoder) -> None:
    told = pytest.warns(UserWarning, match=r"data set 'inference': the negatives of 16 of 48 examples are left out")
    refused = pytest.raises(SpkitError, match=r"full batch of 24 in the 16 training examples of task 'both: small'")
    with told, refused:
        spkit.train(encoder, pool(), steps=1, batch_size=24, progress=False)


def test_classes_of_a_pool_share_no_batch(encoder) -> None:
    topic = tiny_tasks()["topic"]
    task = spkit.pool_tasks("all", [topic, retrieval("large", 32)])
    label = dict(zip(topic.train["text"], topic.train["label"], strict=True))
    stream = TaskBatches(task, task.train, encoder, 8, 0)
    batches = [[example["anchor"] for example in stream.examples(batch)] for batch in stream.rows_of_pass(0)]
    seen = [[label[text] for text in batch] for batch in batches if batch[0] in label]
    assert len(seen) > 10
    assert all(len(set(labels)) == len(labels) == 3 for labels in seen)


def test_members_that_cannot_be_are_refused() -> None:
    near = tiny_tasks()["likeness"]
    unseen = retrieval("u", 8).with_train(rows_of("u", 0, 8))
    object.__setattr__(unseen, "role", "unseen")
    clusters = Task(name="c", kind="clustering", test=Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]}))
    for members, said in (
        ([], "different names"),
        ([retrieval("a", 8), retrieval("a", 8)], "different names"),
        ([pool()], "no other pool"),
        ([unseen], "'u' in 'p', which is only scored"),
        ([clusters], "'c' in 'p', which is only scored"),
        ([near], r"scores from 0 to 3.*positive_from"),
        ([retrieval("a", 8, prompts={"anchor": "q: "}), retrieval("b", 8)], "'a' has 'q: ' and '', 'b' has none"),
    ):
        with pytest.raises(SpkitError, match=said):
            spkit.pool_tasks("p", members)
    same: dict[str, Any] = {"prompts": {"anchor": "q: ", "positive": "d: "}}
    task = spkit.pool_tasks("p", [retrieval("a", 8, **same), retrieval("b", 8, **same)])
    assert task.prompts == {"anchor": "q: ", "positive": "d: "}


def test_texts_of_another_member_are_told_of() -> None:
    shared = retrieval("large", 16)
    other = Task(name="other", kind="retrieval", train=rows_of("o", 0, 8), dev=rows_of("large", 12, 20),
                 test=rows_of("large", 0, 3))  # fmt: skip
    with pytest.warns(UserWarning, match="another") as told:
        task = spkit.pool_tasks("p", [shared, other])
    said = [str(one.message) for one in told]
    assert any("4 dev examples have texts that another member trains on" in one for one in said)
    assert any("6 of 6 texts of 'other' in 'large', e.g. 'large of 0'" in one for one in said)
    assert Counter(task.dev["dataset"]) == {"large": 8, "other": 4}


def test_dev_of_a_pool_is_that_of_the_members_that_have_any_left() -> None:
    """Matches, and texts that no other member trains on."""
    lone = {"sentence1": ["p", "q"], "sentence2": ["r", "s"], "label": [0, 0]}
    none = inference().with_parts(train=inference().train, dev=Dataset.from_dict(lone))
    large = retrieval("large", 16)
    copied = Task(name="copied", kind="retrieval", train=rows_of("c", 0, 8), dev=rows_of("large", 0, 8),
                  role="training")  # fmt: skip
    with pytest.warns(UserWarning, match="8 dev examples have texts that another member trains on"):
        task = spkit.pool_tasks("p", [large, none, copied])
    assert Counter(task.dev["dataset"]) == {"large": 8}
    assert "dev" not in task.from_train
    assert Counter(task.train["dataset"]) == {"large": 16, "inference": 48, "copied": 8}
    swapped = Task(name="swapped", kind="retrieval", train=rows_of("large", 16, 24), dev=rows_of("large", 0, 8),
                   role="training")  # fmt: skip
    with pytest.warns(UserWarning, match="16 dev examples"):  # each chooses on what the other trains on
        assert spkit.pool_tasks("p", [large, swapped]).from_train == ("dev",)
    with pytest.raises(SpkitError, match="needs positives"):  # what is trained on must make pairs
        spkit.pool_tasks("p", [large, none.with_train(none.dev)])
    alone = spkit.pool_tasks("p", [none])  # nothing is left to choose on: a part of what is trained on is kept apart
    assert alone.from_train == ("dev",)
    assert len(alone.train) + len(alone.dev) == 48


def written(folder: Path, text: str) -> Path:
    lines = [{"premise": f"p {n}", "hypothesis": f"h {n}", "label": 1} for n in range(24)]
    lines += [{"premise": f"p {n}", "hypothesis": f"c {n}", "label": 0} for n in range(24)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    faq = [{"anchor": f"a {n}", "positive": f"b {n}"} for n in range(40)]
    (folder / "faq.jsonl").write_text("\n".join(map(json.dumps, faq)))
    file = folder / "tasks.toml"
    file.write_text(
        """
[tasks.inference]
kind = "pair"
role = "training"
train = "pairs.jsonl"
columns = {premise = "sentence1", hypothesis = "sentence2"}
[tasks.faq]
kind = "retrieval"
train = "faq.jsonl"
"""
        + text
    )
    return file


def test_a_task_file_has_losses_and_pools(tmp_path: Path) -> None:
    text = '[tasks.both]\npool = ["inference", "faq"]\ntemperature = 0.02\n[tasks.soft]\nkind = "retrieval"\n'
    file = written(tmp_path, text + 'train = "faq.jsonl"\nloss = "infonce"\ntemperature = 0.1\n')
    tasks = spkit.load_tasks(file)
    assert list(tasks) == ["inference", "faq", "both", "soft"]
    assert tasks["both"].members == ("inference", "faq")
    assert tasks["both"].temperature == 0.02
    assert (tasks["soft"].loss, tasks["soft"].temperature) == ("infonce", 0.1)
    alone = spkit.load_tasks(file, ["both"])["both"]
    assert alone.fingerprint() == tasks["both"].fingerprint()
    known = {row["anchor"]: row for row in alone.train}
    assert {known[anchor]["negative"] for anchor in known if anchor.startswith("p")} <= {f"c {n}" for n in range(24)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tasks.p]\npool = ["faq", "inferenc"]', "Did you mean 'inference'"),
        ('[tasks.p]\npool = ["faq", "faq"]', "each once"),
        ('[tasks.p]\npool = "faq"', "must list names"),
        ("[tasks.p]\npool = []", "must list names"),
        ('[tasks.p]\npool = ["faq"]\nkind = "retrieval"', "keys of a pool"),
        ('[tasks.p]\npool = ["faq"]\n[tasks.q]\npool = ["p"]', "no other pool"),
        ('[tasks.p]\npool = ["faq"]\ntemperature = "low"', "positive number|must be"),
        ('[tasks.p]\nkind = "retrieval"\ntrain = "faq.jsonl"\nloss = "cosent"', "one of 'infonce'"),
        ('[tasks.p]\nkind = "retrieval"\ntrain = "faq.jsonl"\nloss = 3', "`loss` must be of type str"),
        ('[tasks.p]\nkind = "retrieval"\ntrain = "faq.jsonl"\npositive_from = 3', "divide pairs with scores"),
    ],
)
def test_wrong_pools_and_losses_in_files(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpkitError, match=said):
        spkit.load_tasks(written(tmp_path, text))


def profiled(folder: Path, loss: str, training: str = "") -> Path:
    file = folder / "study.toml"
    file.write_text(
        f"""
base = "minilm-l3"
tasks = "tasks.toml"
names = ["inference", "faq"]
[training]
steps = 4
batch_size = 8
{training}
[loss]
{loss}
"""
    )
    return file


def test_a_profile_puts_all_that_is_trained_on_one_loss(tmp_path: Path) -> None:
    written(tmp_path, "")
    profile = spkit.load_profile(profiled(tmp_path, 'name = "infonce"\ntemperature = 0.02', "mini_batch_size = 4"))
    assert profile.training.arguments()["mini_batch_size"] == 4
    trained, scored = chosen_tasks(profile)
    own, _ = chosen_tasks(profile.model_copy(update={"loss": Loss()}))
    assert {(task.loss, task.temperature) for task in trained.values()} == {("infonce", 0.02)}
    assert {(task.loss, task.temperature) for task in own.values()} == {(None, None)}
    assert all(trained[name].fingerprint() != own[name].fingerprint() for name in own)
    assert scored["faq"] is trained["faq"]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ('name = "infonc"', "must be one of 'infonce'"),
        ("temperature = 0.02", r"\[loss\].*must be that of a loss"),
        ('name = "infonce"\ntemperature = 0', "`loss.temperature` must be above 0"),
        ('name = "cosent"', "must be one of 'infonce'.*Found 'cosent' in task 'faq'"),
        ('name = "contrastive"\ntemperature = 0.1', "no meaning for the loss 'contrastive'"),
    ],
)
def test_wrong_losses_of_a_profile(tmp_path: Path, loss: str, said: str) -> None:
    written(tmp_path, "")
    with pytest.raises(SpkitError, match=said):
        chosen_tasks(spkit.load_profile(profiled(tmp_path, loss)))


@pytest.mark.parametrize(
    ("names", "unseen", "said"),
    [
        (["inference"], [], r"two tasks to train on\. Found 'inference'"),
        (["inference", "news"], [], r"two tasks to train on\. Found 'inference'"),  # who is unseen is not trained on
        (["inference", "more"], [], r"score its models on\. Found no test split in 'inference', 'more'"),
        (["inference", "faq"], ["more"], r"must have a test split\. Found none in 'more'"),
    ],
)
def test_studies_without_tasks_to_train_or_to_score_are_refused(
    tmp_path: Path, names: list[str], unseen: list[str], said: str
) -> None:
    more = '[tasks.more]\nkind = "retrieval"\ntrain = "faq.jsonl"\nrole = "training"\n'
    written(tmp_path, more + '[tasks.news]\nkind = "retrieval"\ntest = "faq.jsonl"\n')
    profile = spkit.load_profile(profiled(tmp_path, ""))
    with pytest.raises(SpkitError, match=said):
        chosen_tasks(profile.model_copy(update={"names": names, "unseen": unseen}))
