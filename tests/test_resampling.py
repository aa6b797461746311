"""Resampling: sizes in both schemes, fair repetition, and batches that a training can fill."""

import inspect
from collections import Counter

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from spkit.errors import SpkitError
from spkit.tasks import Task
from spkit.training import fitting
from spkit.training.resampling import _divided, resample
from spkit.training.samplers import batch_sampler, training_view
from spkit.training.sampling import ShareBatchSampler
from spkit.training.trainer import train
from tests.tiny import WORDS, tiny_encoder, tiny_tasks

RATIOS = [(3, 1), (3, 2), (3, 3), (2, 3), (1, 3)]


def retrieval(name: str, size: int) -> Task:
    rows = [{"anchor": f"{name} q{n}", "positive": f"{name} a{n}"} for n in range(size + 4)]
    splits = {"train": rows[:size], "dev": rows[size : size + 2], "test": rows[size + 2 :]}
    return Task(name=name, kind="retrieval", **{split: Dataset.from_list(part) for split, part in splits.items()})


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {"large": retrieval("large", 120), "small": retrieval("small", 30)}


def sizes(tasks: dict[str, Task]) -> tuple[int, ...]:
    return tuple(len(task.train) for task in tasks.values())


@pytest.mark.parametrize(
    ("ratio", "expected"),
    list(zip(RATIOS, [(113, 37), (90, 60), (75, 75), (60, 90), (38, 112)], strict=True)),  # of two halves the first up
)
def test_total_length_keeps_the_total(tasks, ratio, expected) -> None:
    assert sizes(resample(tasks, ratio, "total")) == expected
    assert sum(expected) == 150


@pytest.mark.parametrize(
    ("ratio", "expected"), list(zip(RATIOS, [(120, 40), (120, 80), (120, 120), (120, 180), (120, 360)], strict=True))
)
def test_max_length_keeps_the_largest_whole(tasks, ratio, expected) -> None:
    resampled = resample(tasks, ratio, "max")
    assert sizes(resampled) == expected
    assert resampled["large"] is tasks["large"]
    # The largest by its examples, wherever it stands, and by name as in order.
    swapped = resample([tasks["small"], tasks["large"]], {"large": ratio[0], "small": ratio[1]}, "max")
    assert list(swapped) == ["small", "large"]
    assert sizes(swapped) == expected[::-1]


def test_more_than_two_tasks(tasks) -> None:
    three = {**tasks, "middle": retrieval("middle", 60)}
    assert sizes(resample(three, [1, 1, 1])) == (70, 70, 70)
    assert sizes(resample(three, [2, 1, 4], "max")) == (120, 60, 240)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10_000), st.lists(st.floats(0.01, 100), min_size=2, max_size=6))
def test_division_is_exact_and_nowhere_off_by_one(total, parts) -> None:
    sizes_given = _divided(total, {str(number): part for number, part in enumerate(parts)})
    assert sum(sizes_given.values()) == total
    assert all(abs(sizes_given[str(n)] - total * part / sum(parts)) < 1 + 1e-6 for n, part in enumerate(parts))


@pytest.mark.parametrize("scheme", ["total", "max"])
@pytest.mark.parametrize("ratio", [*RATIOS, (1, 9), (9, 1)])
def test_no_example_is_seen_twice_more_than_another(tasks, ratio, scheme) -> None:
    for name, resampled in resample(tasks, ratio, scheme).items():
        counts = Counter(resampled.train["anchor"])
        counts.update({text: 0 for text in tasks[name].train["anchor"]})
        assert max(counts.values()) - min(counts.values()) <= 1
        assert set(counts) == set(tasks[name].train["anchor"])
        pairs = dict(zip(tasks[name].train["anchor"], tasks[name].train["positive"], strict=True))
        assert all(pairs[row["anchor"]] == row["positive"] for row in resampled.train)
        assert (resampled.name, resampled.kind) == (name, "retrieval")
        assert resampled.dev is tasks[name].dev
        assert resampled.test is tasks[name].test


def test_the_seed_decides_the_choice_and_smaller_parts_stand_in_larger_ones(tasks) -> None:
    half, other, more = (
        set(resample(tasks, ratio, "total", seed)["large"].train["anchor"])
        for ratio, seed in [((1, 1), 0), ((1, 1), 1), ((2, 1), 0)]
    )
    assert half == set(resample(tasks, (2, 2), "total", 0)["large"].train["anchor"])
    assert half != other
    assert half < more
    # Each task draws for itself: another companion changes nothing.
    beside = {"large": tasks["large"], "third": retrieval("third", 30)}
    assert half == set(resample(beside, (1, 1), "total", 0)["large"].train["anchor"])


def test_repeated_rows_raise_no_warning_and_change_the_fingerprint(tasks) -> None:
    resampled = resample(tasks, (1, 3), "max")["small"]  # twelve copies; a warning would be an error
    assert resampled.fingerprint() != tasks["small"].fingerprint()
    assert resampled.fingerprint() == resample(tasks, (1, 3), "max")["small"].fingerprint()


@pytest.mark.parametrize("size", [8, 24, 30])
def test_batches_of_repeated_rows_are_full_and_hold_no_copies(tasks, size) -> None:
    task = resample(tasks, (1, 3), "max")["small"]  # 30 examples, 12 times each
    batches = list(batch_sampler(training_view(task, task.train), size, drop_last=True))
    assert len(batches) == 360 // size
    assert all(len(set(task.train.select(batch)["anchor"])) == size for batch in batches)


def test_joint_training_gets_its_batches_in_the_ratio(monkeypatch) -> None:
    """12 questions copied up to the 48 of the other task: as many batches, all of them full."""
    whole = tiny_tasks((48, 24, 24))
    few = Task(**{**vars(whole["faq"]), "train": whole["faq"].train.select(range(12))})
    resampled = resample([few, whole["likeness"]], (1, 1), "max")
    seen: list[list[int]] = []

    class Noted(ShareBatchSampler):
        def __iter__(self):
            for batch in super().__iter__():
                seen.append(batch)
                yield batch

    monkeypatch.setattr(fitting, "ShareBatchSampler", Noted)
    train(tiny_encoder(0, WORDS), resampled, epochs=1.0, batch_size=8, progress=False)
    assert Counter(min(batch) < 48 for batch in seen) == {True: 6, False: 6}
    assert {len(batch) for batch in seen} == {8}
    anchors = resampled["faq"].train["anchor"]
    assert all(len({anchors[row] for row in batch}) == 8 for batch in seen if min(batch) < 48)


def test_copies_alone_fill_no_batch_and_training_says_so(tasks) -> None:
    resampled = resample(tasks, (1, 3), "max")["small"]
    with pytest.raises(SpkitError, match=r"only once in a batch.*no full batch of 32 in the 360.*'small'.*different"):
        train(tiny_encoder(0), resampled, steps=1, batch_size=32, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": [1, 2, 3]}, r"one positive number for each task. Found \[1, 2, 3\] for tasks 'large', 'small'"),
        ({"ratio": [1, 0]}, r"positive number.*Found \[1, 0\].*Pass \{'large': 1, 'small': 1\}"),
        ({"ratio": [1, float("nan")]}, "positive number"),
        ({"ratio": [1, float("inf")]}, "positive number"),
        ({"ratio": {"large": 1, "tiny": 2}}, r"Found \{'large': 1, 'tiny': 2\}"),
        ({"scheme": "min"}, "'total' or 'max'. Found 'min'"),
        ({"ratio": [1000, 1]}, r"at least one example.*none left for 'small'.*\(.total.\)"),
        ({"tasks": ["large"], "ratio": [1]}, "at least two tasks of different names. Found 'large'"),
        ({"tasks": ["large", "large"]}, "different names. Found 'large', 'large'"),
    ],
)
def test_bad_input(tasks, change, message) -> None:
    chosen = [tasks[name] for name in change.pop("tasks", ["large", "small"])]
    with pytest.raises(SpkitError, match=message):
        # Unwrapped: the annotations themselves refuse some of these in tests, where types are checked.
        inspect.unwrap(resample)(chosen, **({"ratio": [1, 1]} | change))
