"""What a task is for: trained on and scored, only trained on, only scored; roles that its splits contradict."""

import pytest
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.evaluation import evaluate
from spkit.searching.probe import Probe
from spkit.tasks import Task, load_tasks
from spkit.training.trainer import train
from tests.tiny import tiny_encoder


def retrieval(first: int, last: int) -> Dataset:
    numbers = range(first, last)
    return Dataset.from_dict({"anchor": [f"q{n}" for n in numbers], "positive": [f"a{n}" for n in numbers]})


def classes(first: int, last: int) -> Dataset:
    numbers = range(first, last)
    return Dataset.from_dict({"text": [f"t{n}" for n in numbers], "label": [n % 2 for n in numbers]})


def test_what_is_only_trained_on_has_no_test_and_is_never_scored() -> None:
    task = Task(name="faq", kind="retrieval", role="training", train=retrieval(0, 60))
    assert (task.trained, task.scored, list(task.splits)) == (True, False, ["train", "dev"])
    assert len(task.train) + len(task.splits["dev"]) == 60
    assert len(task.test) == 0
    assert task.texts("test") == set()
    whole = Task(name="faq", kind="retrieval", train=task.train, dev=task.dev, test=retrieval(90, 99))
    assert whole.fingerprint() != task.fingerprint()
    assert train(tiny_encoder(0), task, steps=1, progress=False) is not None
    assert len(Probe.sample({"faq": task}, size=8).examples["faq"]) == 8
    with pytest.raises(
        SpkitError, match=r"role \"training\" is trained on and never scored\. Found 'faq'\. Leave it out"
    ):
        evaluate(tiny_encoder(0), task, resamples=10)
    # On dev, choices are made.
    assert evaluate(tiny_encoder(0), task, split="dev", resamples=10).loc[0, "n"] == len(task.splits["dev"])


@pytest.mark.parametrize("kind", ["sts", "pair", "classification"])
def test_of_every_kind_that_is_trained(kind) -> None:
    rows = {"sentence1": [f"a{n}" for n in range(60)], "sentence2": [f"b{n}" for n in range(60)]}
    data = {
        "sts": Dataset.from_dict({**rows, "score": [n / 60 for n in range(60)]}),
        "pair": Dataset.from_dict({**rows, "label": [n % 2 for n in range(60)]}),
        "classification": classes(0, 60),
    }[kind]
    assert list(Task(name="x", kind=kind, role="training", train=data).splits) == ["train", "dev"]


def test_the_role_where_none_is_given() -> None:
    both = {"train": retrieval(0, 60), "test": retrieval(60, 70)}
    assert Task(name="x", kind="retrieval", **both).role == "trained"
    assert Task(name="x", kind="retrieval", test=retrieval(0, 9)).role == "unseen"
    texts = classes(0, 9)
    assert Task(name="x", kind="clustering", test=texts).role == "unseen"
    assert Task(name="x", kind="clustering", train=classes(20, 29), test=texts).role == "unseen"
    assert Task(name="x", kind="classification", train=classes(20, 90), test=texts).role == "trained"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"role": "training", "test": retrieval(0, 9)}, r"role 'training' needs 'train'\. Task 'faq' has no 'train'"),
        ({"role": "training"}, r"role 'training' needs 'train'\. Task 'faq' has no 'train'"),
        (
            {"role": "training", "train": retrieval(0, 60), "test": retrieval(60, 70)},
            r"\"training\" is never scored, and has no `test`\. Found one for task 'faq'\. Leave it out",
        ),
        ({"role": "unseen", "train": retrieval(0, 9)}, r"role 'unseen' needs 'test'\. Task 'faq' has no 'test'"),
        ({"train": retrieval(0, 60)}, r"role 'trained' needs 'train', 'test'\. Task 'faq' has no 'test'.*\"training\""),
        ({"role": "trained", "test": retrieval(0, 9)}, r"needs 'train', 'test'\. Task 'faq' has no 'train'"),
        ({}, r"role 'unseen' needs 'test'"),
        ({"role": "held", "test": retrieval(0, 9)}, r"one of 'trained', 'training', 'unseen'\. Found 'held'"),
        (
            {"kind": "clustering", "role": "training", "train": classes(0, 9)},
            r"A clustering task is evaluated only\. Found the role 'training' for task 'faq'",
        ),
        (
            {"kind": "clustering", "role": "trained", "test": classes(0, 9)},
            r"clustering task is evaluated only.*'trained'",
        ),
        (
            {"kind": "classification", "role": "unseen", "test": classes(0, 9)},
            r"classification task of the role 'unseen' needs 'test', 'train'\. Task 'faq' has no 'train'",
        ),
    ],
)
def test_roles_that_contradict_the_splits(given, message, no_type_check) -> None:
    with pytest.raises(SpkitError, match=message):
        Task(**{"name": "faq", "kind": "retrieval", **given})


def write(folder, text: str):
    lines = "".join(f"q{n},a{n}\n" for n in range(60))
    (folder / "a.csv").write_text(f"anchor,positive\n{lines}")
    (folder / "b.csv").write_text("anchor,positive\nq,a\n")
    (folder / "c.csv").write_text("text,label\none,1\ntwo,2\n")
    (folder / "tasks.toml").write_text(f"[tasks.faq]\n{text}")
    return folder / "tasks.toml"


FAQ = 'kind = "retrieval"\ntrain = "a.csv"\n'


def test_a_task_file_says_so_explicitly(tmp_path) -> None:
    assert list(load_tasks(write(tmp_path, f'{FAQ}role = "training"\ndev_share = 0.5\n'))["faq"].splits) == [
        "train",
        "dev",
    ]
    # Without the role a quarter is kept apart.
    assert list(load_tasks(write(tmp_path, FAQ))["faq"].splits) == ["train", "dev", "test"]
    assert load_tasks(write(tmp_path, 'kind = "clustering"\ntest = "c.csv"\n'))["faq"].role == "unseen"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{FAQ}role = "training"\ntest = "b.csv"\n', r"never scored, and has no `test`\. Found one for task 'faq'"),
        (f'{FAQ}role = "training"\ntest_share = 0.2\n', r"a split that is taken from train\. Found 'test_share'"),
        (f'{FAQ}role = "unseen"\n', r"must have 'test'"),
        ('kind = "retrieval"\nrole = "training"\n', r"must have 'train'"),
        ('kind = "retrieval"\nrole = "training"\ntest = "b.csv"\n', r"role 'training' needs 'train'"),
        ('kind = "clustering"\ntest = "c.csv"\nrole = "training"\n', r"A clustering task is evaluated only"),
        (f'{FAQ}role = "test"\n', r"one of 'trained', 'training', 'unseen'\. Found 'test' in task 'faq'"),
        (f"{FAQ}role = 3\n", r"`role` must be of type str\. Found 3"),
    ],
)
def test_wrong_roles_in_a_task_file(tmp_path, no_type_check, text, message) -> None:
    with pytest.raises(SpkitError, match=message):
        load_tasks(write(tmp_path, text))
