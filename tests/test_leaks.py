"""Texts on both sides: what counts, what is refused, and what is left out on purpose."""

import time
import warnings

import pytest
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.tasks import Task, load_tasks, tables
from spkit.tasks.leaks import check_leaks, leaks, scored_texts, trained_texts
from tests.real_data import FOLDER, real

#: Of the real data; `real` skips where it is absent.
FILES = """
[tasks.stsb]
kind = "sts"
train = "stsb-train.jsonl.gz"
dev = "stsb-dev.jsonl.gz"
role = "training"
{apart}

[tasks.sts12]
kind = "sts"
test = "sts2012-test.jsonl.gz"

[tasks.sts13]
kind = "sts"
test = "sts2013-test.jsonl.gz"
"""
#: Texts shared with STS-B's train and dev, and all texts.
SHARED = {"sts12": (1241, 3691), "sts13": (1299, 2631)}


def rows(**columns: list) -> Dataset:
    return Dataset.from_dict(columns)


def trained(**more) -> Task:
    """Trained on six texts in two splits, with one negative."""
    train = rows(anchor=["Red apple?", "green pear"], positive=["an apple", "a pear"], negative=["a stone", "a stone"])
    dev = rows(anchor=["blue plum"], positive=["a plum"], negative=["a wall"])
    return Task(name="fruit", kind="retrieval", role="training", train=train, dev=dev, **more)


def pairs(*texts: str, **more) -> Task:
    """Scored on pairs: each text beside one that nobody else has."""
    own = [f"own {number}" for number in range(len(texts))]
    return Task(
        name="pairs", kind="sts", test=rows(sentence1=list(texts), sentence2=own, score=[*range(len(texts))]), **more
    )


@pytest.mark.parametrize(
    "text",
    ["Red apple?", "red  APPLE", "«Red apple»", "an apple", "a pear", "blue plum", "A plum!", "a stone", "a wall"],
)
def test_every_text_that_is_read_counts_in_any_spelling(text) -> None:
    (leak,) = leaks({"fruit": trained()}, {"pairs": pairs("unlike", text)})
    assert (leak.trained, leak.tested, leak.texts, leak.beside) == ("fruit", "pairs", (text,), 4)
    assert not leaks({"fruit": trained()}, {"pairs": pairs("unlike", text + " pie")})


def test_every_text_that_a_score_reads_counts() -> None:
    test = rows(anchor=["a query"], positive=["an answer"], negative=["no answer"])
    corpus = rows(text=["a document", "an answer"])
    assert scored_texts(Task(name="x", kind="retrieval", test=test, corpus=corpus)) == {
        "a query", "an answer", "no answer", "a document",
    }  # fmt: skip
    candidates = rows(query=["a query"], positive=[["one", "two"]], negative=[["three"]])
    assert scored_texts(Task(name="x", kind="reranking", test=candidates)) == {"a query", "one", "two", "three"}
    labelled = rows(text=["a", "b"], label=[0, 1]), rows(text=["c", "d"], label=[0, 1])
    fitted = Task(name="x", kind="classification", role="unseen", train=labelled[0], test=labelled[1])
    assert scored_texts(fitted) == {"a", "b", "c", "d"}  # the classifiers are fitted on train
    own = Task(name="x", kind="classification", train=labelled[0], dev=labelled[0], test=labelled[1])
    assert (scored_texts(own), trained_texts(own)) == ({"c", "d"}, {"a", "b"})


def test_a_pool_hides_nothing_of_its_members() -> None:
    pool = trained(members=("faq", "pairs"))
    assert not leaks({"pool": pool}, {"pairs": pairs("red apple", "x")})  # its own test, of which its task has warned
    with pytest.raises(SpkitError, match=r"1 of 4 texts of 'other' in 'pool', e\.g\. 'red apple'"):
        check_leaks({"pool": pool}, {"other": pairs("red apple", "x")})
    with pytest.raises(SpkitError, match=r"must not be trained on\. Found 'pairs' among what is trained on, or in a p"):
        check_leaks({"pool": pool}, {"pairs": pairs("nothing", "shared")})
    with pytest.raises(SpkitError, match=r"must not be trained on\. Found 'fruit'"):
        check_leaks({"fruit": trained()}, {"fruit": pairs("nothing", "shared")})


def test_what_is_shared_is_refused_with_numbers_examples_and_two_ways_out() -> None:
    texts = ["red apple", "a stone", "blue plum", "nothing"]
    with pytest.raises(SpkitError) as error:
        check_leaks({"fruit": trained()}, {"pairs": pairs(*texts), "clean": pairs("x", "y")})
    assert str(error.value) == (
        "Texts of an unseen task must not be trained on, nor chosen by. Found 3 of 8 texts of 'pairs' in 'fruit', "
        "e.g. 'a stone', 'blue plum'. In the task file, `apart_from = [\"pairs\"]` in the table of 'fruit' drops such "
        "rows from what is trained on; `allow_leak = true` in a profile goes on all the same."
    )
    with pytest.warns(UserWarning, match=r"share texts with what is trained on: 3 of 8 texts of 'pairs' in 'fruit'"):
        check_leaks({"fruit": trained()}, {"pairs": pairs(*texts)}, allow=True)
    check_leaks({"fruit": trained()}, {"clean": pairs("x", "y")})  # a warning would be an error


def test_many_pairs_of_tasks_are_counted_not_listed() -> None:
    with pytest.raises(SpkitError, match=r"'p5' in 'fruit'.*; and 4 more pairs of tasks\. In"):
        check_leaks({"fruit": trained()}, {f"p{number}": pairs("a stone", "x") for number in range(10)})


def test_the_time_grows_as_the_number_of_texts_does() -> None:
    def seconds(count: int) -> float:
        texts = [f"This is text number {number}, with some words more." for number in range(count)]
        train = rows(anchor=texts, positive=[f"{text} And its answer." for text in texts])
        task = Task(name="many", kind="retrieval", role="training", train=train, dev=rows(anchor=["x"], positive=["y"]))
        started = time.process_time()
        (leak,) = leaks(
            {"many": task}, {"pairs": pairs(f"this is text number {count - 1} with some words MORE", "unlike")}
        )
        assert len(leak.texts) == 1
        return time.process_time() - started

    seconds(1000)
    assert seconds(50_000) < 40 * seconds(5000)  # ten times where it is linear, a hundred where each meets each


# --- rows that are left out on purpose


def files(folder, text: str):
    for name, lines in {
        "train": [("red apple", "an apple"), ("a STONE!", "a rock"), ("blue plum", "a plum"), ("what?", "a cat")],
        "dev": [("a dog", "a cat"), ("old", "new")],
        "test": [("a stone", "x"), ("y", "a cat")],
        "own": [("an old dog", "a young cat"), ("Blue plum", "z")],
    }.items():
        (folder / f"{name}.csv").write_text("anchor,positive\n" + "".join(f"{a},{b}\n" for a, b in lines))
    (folder / "tasks.toml").write_text(text)
    return folder / "tasks.toml"


FAQ = '[tasks.faq]\nkind = "retrieval"\ntrain = "train.csv"\ndev = "dev.csv"\n'
MAIL = '[tasks.mail]\nkind = "retrieval"\ntest = "test.csv"\n'


def test_rows_that_another_task_is_scored_by_are_left_out_and_counted(tmp_path) -> None:
    path = files(tmp_path, f'{FAQ}role = "training"\napart_from = ["mail"]\n{MAIL}')
    task = load_tasks(path, ["faq"])["faq"]  # the other is read where it is asked for by this key alone
    assert task.train["anchor"][:] == ["red apple", "blue plum"]
    assert task.splits["dev"]["anchor"][:] == ["old"]
    assert task.notes == (
        "2 of 4 rows of train and 1 of 2 rows of dev left out, whose texts stand in the test of 'mail'",
    )
    tasks = load_tasks(path)
    check_leaks({"faq": tasks["faq"]}, {"mail": tasks["mail"]})
    assert load_tasks(files(tmp_path, f'{FAQ}role = "training"\n{MAIL}'))["faq"].notes == ()


def test_nothing_is_said_where_nothing_is_left_out(tmp_path) -> None:
    text = f'{FAQ}role = "training"\napart_from = ["letter"]\n[tasks.letter]\nkind = "retrieval"\ntest = "one.csv"\n'
    path = files(tmp_path, text)
    (tmp_path / "one.csv").write_text("anchor,positive\nnothing,shared\n")
    assert load_tasks(path)["faq"].notes == ()


def test_a_pool_says_what_was_left_out_of_its_members(tmp_path) -> None:
    pool = '[tasks.all]\npool = ["faq"]\n'
    tasks = load_tasks(files(tmp_path, f'{FAQ}role = "training"\napart_from = ["mail"]\n{MAIL}{pool}'))
    assert tasks["all"].notes == (f"faq: {tasks['faq'].notes[0]}",)
    check_leaks({"all": tasks["all"]}, {"mail": tasks["mail"]})
    wrong = f'{FAQ}role = "training"\napart_from = ["all"]\n{pool}'  # of which it is a part: no end otherwise
    with pytest.raises(SpkitError, match=r"only trained on is not scored\. Found 'all'"):
        load_tasks(files(tmp_path, wrong))


def test_each_data_file_is_read_once(tmp_path, monkeypatch) -> None:
    read = []
    monkeypatch.setattr(
        tables, "_read", lambda path, split, own=tables._read: read.append(path.name) or own(path, split)
    )
    text = f'{FAQ}role = "training"\napart_from = ["mail"]\n{MAIL}[tasks.all]\npool = ["faq"]\n'
    load_tasks(files(tmp_path, text))
    assert sorted(read) == ["dev.csv", "test.csv", "train.csv"]
    load_tasks(files(tmp_path, text))  # another time it may have changed
    assert len(read) == 6


def test_of_its_own_test_too(tmp_path) -> None:
    text = f'{FAQ}test = "own.csv"\napart_from = ["faq", "mail"]\n{MAIL}'
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = load_tasks(files(tmp_path, text))["faq"]
    assert task.train["anchor"][:] == ["red apple"]
    assert len(task.test) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f'{FAQ}role = "training"\napart_from = ["male"]\n{MAIL}',
            r"`apart_from` of task 'faq'.*Found 'male'.*'mail'\?",
        ),
        (f'{FAQ}role = "training"\napart_from = "mail"\n{MAIL}', r"`apart_from` must be of type list\. Found 'mail'"),
        (f'{FAQ}role = "training"\napart_from = [3]\n{MAIL}', r"must list names of tasks\. Found \[3\] in task 'faq'"),
        (f'{FAQ}role = "training"\napart_from = ["faq"]\n', r"only trained on is not scored\. Found 'faq'"),
        (f'{MAIL}apart_from = ["faq"]\n{FAQ}', r"Only what is trained on is kept apart.*in task 'mail'"),
        (f'{FAQ}role = "unseen"\ntest = "own.csv"\napart_from = ["mail"]\n{MAIL}', r"Only what is trained on"),
        (
            '[tasks.faq]\nkind = "retrieval"\ntrain = "test.csv"\ndev = "dev.csv"\nrole = "training"\n'
            f'apart_from = ["mail"]\n{MAIL}',
            r"must leave examples\. Found none left in 'train' of task 'faq'",
        ),
    ],
)
def test_wrong_keys(tmp_path, text, message) -> None:
    with pytest.raises(SpkitError, match=message):
        load_tasks(files(tmp_path, text), ["mail" if text.startswith(MAIL) else "faq"])


@pytest.mark.slow
def test_real_data(tmp_path) -> None:
    """STS-B is drawn from the older years' sets: the numbers of texts that stand in both."""
    real("sts2012-test.jsonl.gz")
    path = tmp_path / "tasks.toml"
    path.write_text(FILES.format(apart=""))
    tasks = load_tasks(path, folder=FOLDER)
    found = leaks({"stsb": tasks["stsb"]}, {name: tasks[name] for name in ("sts12", "sts13")})
    assert {leak.tested: (len(leak.texts), leak.beside) for leak in found} == SHARED
    path.write_text(FILES.format(apart='apart_from = ["sts12", "sts13"]'))
    apart = load_tasks(path, folder=FOLDER)
    assert (len(apart["stsb"].train), len(apart["stsb"].splits["dev"])) == (4628, 1295)
    check_leaks({"stsb": apart["stsb"]}, {name: apart[name] for name in ("sts12", "sts13")})
