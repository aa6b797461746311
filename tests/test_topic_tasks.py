"""The bundled tasks of one topic: parts of `headline` and `topic` in the same splits, pinned."""

import re
from collections import Counter
from pathlib import Path

import pytest
from datasets import ClassLabel

from spkit.errors import SpkitError
from spkit.tasks import Task, load_tasks
from spkit.tasks.bundled import BUNDLED, DEFAULT, ONE_TOPIC, TOPICS
from spkit.tasks.names import UNSEEN
from spkit.training.samplers import batch_sampler, training_view

ROOT = Path(__file__).parent.parent

# Train, dev, test of `headline-...`; `topic-...` has as many of the topic and as many others.
SIZES = {
    "business": (297, 66, 135),
    "entertainment": (236, 39, 87),
    "politics": (247, 52, 89),
    "sport": (313, 59, 115),
    "tech": (212, 34, 77),
}
FINGERPRINTS = {
    "headline-business": "ddcf8bec5b8893bc",
    "headline-entertainment": "12db953997f069ce",
    "headline-politics": "15f54bd0b06c5c3e",
    "headline-sport": "c46553477bee2bba",
    "headline-tech": "fe24fe9f2477c625",
    "topic-business": "9a9608582b97df12",
    "topic-entertainment": "b8de05eadf9ee76a",
    "topic-politics": "377a463a84012cb6",
    "topic-sport": "f7030e30b1c7df33",
    "topic-tech": "a0b572c53eef65fa",
}


@pytest.fixture(scope="module")
def whole(bundled_tasks) -> dict[str, Task]:
    return bundled_tasks


@pytest.fixture(scope="module")
def parts() -> dict[str, Task]:
    names = [f"{task}-{name}" for task in ("headline", "topic") for name in SIZES]
    return load_tasks("bundled", names=names)


def sizes(task: Task) -> tuple[int, ...]:
    return tuple(len(part) for part in task.splits.values())


def test_they_come_by_name_and_not_by_default(whole, parts) -> None:
    assert tuple(whole) == DEFAULT == ("headline", "topic", "similarity", "chat")
    assert list(BUNDLED) == [*whole, *parts, *UNSEEN]
    assert [task.name for task in parts.values()] == list(parts)
    assert list(load_tasks(["topic-tech", "chat"])) == ["topic-tech", "chat"]


@pytest.mark.parametrize("name", list(SIZES))
def test_sizes(parts, name) -> None:
    assert sizes(parts[f"headline-{name}"]) == SIZES[name]
    assert sizes(parts[f"topic-{name}"]) == tuple(2 * size for size in SIZES[name])


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_topics_share_out_the_splits_of_the_whole_tasks(whole, parts, split) -> None:
    """So no test text of any of these tasks, whole or of one topic, is in the training of another."""
    assert tuple(SIZES) == ONE_TOPIC
    label_of = dict(zip(whole["topic"].splits[split]["text"], whole["topic"].splits[split]["label"], strict=True))
    rows = list(whole["headline"].splits[split])
    for number, name in enumerate(ONE_TOPIC):
        part = parts[f"headline-{name}"].splits[split]
        assert list(part) == [row for row in rows if label_of[row["anchor"]] == number]
        labelled = parts[f"topic-{name}"].splits[split]
        assert [row["text"] for row in labelled if row["label"] == 1] == list(part["anchor"])
        assert all((label_of[row["text"]] == number) == (row["label"] == 1) for row in labelled)
        positions = [list(label_of).index(text) for text in labelled["text"]]
        assert positions == sorted(set(positions))  # each once, in the order of the whole


@pytest.mark.parametrize("name", list(SIZES))
def test_the_rest_is_balanced_and_of_all_other_topics(whole, parts, name) -> None:
    task = parts[f"topic-{name}"]
    label_of = dict(zip(whole["topic"].train["text"], whole["topic"].train["label"], strict=True))
    for part in task.splits.values():
        label = part.features["label"]
        assert isinstance(label, ClassLabel)
        assert label.names == ["other", name]
        assert Counter(part["label"]) == {0: len(part) // 2, 1: len(part) // 2}
    others = Counter(label_of[row["text"]] for row in task.train if row["label"] == 0)
    expected = {
        number: count / (len(label_of) - SIZES[name][0]) * SIZES[name][0]
        for number, count in Counter(label_of.values()).items()
        if number != TOPICS.index("sports" if name == "sport" else name)
    }
    assert others.keys() == expected.keys()
    assert all(abs(others[number] - share) < 4 * share**0.5 for number, share in expected.items())


@pytest.mark.parametrize("name", list(SIZES))
def test_any_first_part_is_a_fair_sample(parts, name) -> None:
    labels = parts[f"topic-{name}"].train["label"]
    for first in (labels[: len(labels) // 4], labels[-len(labels) // 4 :]):
        assert abs(sum(first) / len(first) - 0.5) < 0.2  # 0.5 ± 0.05 of a hundred or more


@pytest.mark.parametrize("name", list(SIZES))
def test_training_uses_nearly_every_example(parts, name) -> None:
    """What the balance is for: labels are drawn in equal numbers, and a surplus of one would fill no batch."""
    task = parts[f"topic-{name}"]
    assert len(batch_sampler(training_view(task, task.train), 32, drop_last=True)) == (len(task.train) - 2) // 32


def test_pinned_contents(parts) -> None:
    assert {name: task.fingerprint()[:16] for name, task in parts.items()} == FINGERPRINTS


def test_the_card_states_the_sizes(parts) -> None:
    card = (ROOT / "data" / "cards" / "by-topic.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:headline|topic)-\w+) \| (\d+) \| (\d+) \| (\d+) \|$", card, re.MULTILINE)
    assert {name: tuple(map(int, counts)) for name, *counts in rows} == {
        name: sizes(task) for name, task in parts.items()
    }
    assert "by-topic.md" in (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_an_unknown_topic_gets_the_names() -> None:
    with pytest.raises(SpkitError, match=r"'headline-sport'.*Found 'headline-sports'. Did you mean 'headline-sport'\?"):
        load_tasks("bundled", names=["headline-sports"])


def test_a_task_file_may_name_them(tmp_path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text("[tasks.topic-tech]\nbundled = true\n", encoding="utf-8")
    assert sizes(load_tasks(path)["topic-tech"]) == (424, 68, 154)
