"""Task files that are guessed from data files: what is guessed, what is refused, and that what is written loads."""

import csv
import json
import random
from pathlib import Path

import pytest

from spkit.errors import SpkitError
from spkit.tasks import load_tasks
from spkit.tasks.guess import column_of, guess
from spkit.tasks.guessed_files import guess_tasks
from spkit.tasks.new_file import write_task_file
from spkit.tasks.tables import of_columns

WORDS = [f"{one}{two}" for one in ("al", "be", "gam", "del", "eps") for two in ("pha", "ta", "ma", "lon")]


def texts(count: int, words: int, seed: int) -> list[str]:
    draw = random.Random(f"{seed}/{words}")
    return [" ".join(draw.choices(WORDS, k=words)) + f" {number}" for number in range(count)]


def table_of(**columns):
    return of_columns(columns, "mine.jsonl")


ONE, TWO, THREE = texts(40, 6, 1), texts(40, 12, 2), texts(40, 9, 3)
NUMBERS = [number / 8 for number in range(40)]
TRUTHS = [number % 2 for number in range(40)]
FIVE = [number % 5 for number in range(40)]
FEW = [("shop", "post", "bank")[number % 3] for number in range(40)]

#: Columns, the kind, and our name of each of theirs that is read.
GUESSED = [
    ({"anchor": ONE, "positive": TWO, "negative": THREE}, "retrieval", {"anchor", "positive", "negative"}),
    ({"query": ONE, "pos": TWO}, "retrieval", {"query": "anchor", "pos": "positive"}),
    ({"question": ONE, "answer": TWO}, "retrieval", {"question": "anchor", "answer": "positive"}),
    ({"answer": TWO, "question": ONE}, "retrieval", {"question": "anchor", "answer": "positive"}),
    ({"foo": ONE, "bar": TWO}, "retrieval", {"foo": "anchor", "bar": "positive"}),
    ({"id": NUMBERS, "topic": FEW, "title": ONE, "body": TWO}, "retrieval", {"title": "anchor", "body": "positive"}),
    ({"title": ONE, "body": TWO, "other": THREE}, "retrieval", {"title": "anchor", "body": "positive"}),
    ({"q": ONE, "a": TWO, "neg_1": THREE}, "retrieval", {"q": "anchor", "a": "positive", "neg_1": "negative"}),
    ({"left": ONE, "right": TWO, "sim": NUMBERS}, "sts", {"left": "sentence1", "right": "sentence2", "sim": "score"}),
    ({"q1": ONE, "q2": TWO, "dup": TRUTHS}, "pair", {"q1": "sentence1", "q2": "sentence2", "dup": "label"}),
    ({"sentence1": ONE, "sentence2": TWO, "label": TRUTHS}, "pair", {"sentence1", "sentence2", "label"}),
    ({"utterance": ONE, "intent": FEW}, "classification", {"utterance": "text", "intent": "label"}),
    (
        {"utterance": ONE, "label": FIVE},
        "classification",
        {"utterance": "text", "label": "label"},
    ),
    ({"utterance": ONE, "flag": TRUTHS}, "classification", {"utterance": "text", "flag": "label"}),
]


@pytest.mark.parametrize(("columns", "kind", "read"), GUESSED, ids=[", ".join(one[0]) for one in GUESSED])
def test_the_kind_and_the_columns_follow_from_names_and_values(columns, kind, read) -> None:
    guessed = guess(table_of(**columns))
    assert guessed.kind == kind
    assert dict(guessed.columns) == (read if isinstance(read, dict) else {name: name for name in read})


def test_two_words_for_belonging_together_become_one_and_zero() -> None:
    said = ["yes" if number % 2 else "no" for number in range(40)]
    guessed = guess(table_of(one=ONE, two=TWO, label=said))
    assert (guessed.kind, guessed.values) == ("pair", {"label": {"yes": 1, "no": 0}})


REFUSED = [
    ({"text": ONE}, "beside the texts 'text' no column holds few different values"),
    ({"text": ONE, "price": NUMBERS}, "which would be labels"),
    ({"a1": ONE, "b1": TWO, "c1": THREE}, "'a1', 'b1', 'c1' are more than two columns of texts"),
    ({"one": ONE, "two": TWO, "x": NUMBERS, "y": TRUTHS}, "'x', 'y' could each be the score or the label"),
    ({"one": ONE, "two": TWO, "label": [("a", "b", "c")[n % 3] for n in range(40)]}, "says something of each pair"),
    ({"text": ONE, "x": FEW, "z": TRUTHS}, "'x', 'z' could each be the label"),
    ({"price": NUMBERS}, "no column holds texts"),
]


@pytest.mark.parametrize(("columns", "why"), REFUSED, ids=[", ".join(one[0]) for one in REFUSED])
def test_what_does_not_follow_is_refused_with_the_columns_and_the_way_out(columns, why) -> None:
    with pytest.raises(SpkitError) as refused:
        guess(table_of(**columns))
    assert why in str(refused.value)
    assert all(repr(name) in str(refused.value) for name in columns)
    assert "retrieval: anchor, positive" in str(refused.value)


def test_a_column_is_what_its_cells_are() -> None:
    assert column_of("x", ["1", "0", "true"], True).holds == "truths"
    assert column_of("x", ["1", "0.5", "-2e3"], True).holds == "numbers"
    assert column_of("x", ["4", "5", "6"], True).holds == "identifiers"  # it counts the rows
    assert column_of("row_id", ["d7", "d2", "d2"], True).holds == "identifiers"
    assert column_of("x", ['["a", "b"]', '["c"]'], True).holds == "lists"
    assert column_of("x", ["", " "], True).holds == "nothing"
    assert column_of("x", [{"a": 1}], False).holds == "something else"


def write(path: Path, **columns) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(columns), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_files_that_differ_in_the_name_of_a_split_are_one_task(tmp_path) -> None:
    names = ["faq-train.csv", "faq.valid.csv", "test_faq.csv", "sts/train.csv", "sts/test.csv", "other.csv",
             "big-train-00000-of-00002.csv", "big-train-00001-of-00002.csv", "only-test.csv"]  # fmt: skip
    files = [write(tmp_path / name, question=ONE, answer=TWO) for name in names]
    made = {one.name: {split: len(its.files) for split, its in one.splits.items()} for one in guess_tasks(files)}
    assert made == {
        "faq": {"train": 1, "dev": 1, "test": 1},
        "sts": {"train": 1, "test": 1},
        "other": {"train": 1},
        "big": {"train": 2},
        "only": {"test": 1},
    }
    assert [one.name for one in guess_tasks([tmp_path / "sts"])] == ["sts"]  # a folder is the files in it


def test_two_files_for_one_split_and_a_dev_split_alone_are_refused(tmp_path) -> None:
    files = [write(tmp_path / name, question=ONE, answer=TWO) for name in ("faq.csv", "faq-train.csv")]
    with pytest.raises(SpkitError, match="for the train split of 'faq'"):
        guess_tasks(files)
    with pytest.raises(SpkitError, match="whose name says dev"):
        guess_tasks([write(tmp_path / "chat-dev.csv", question=ONE, answer=TWO)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpkitError, match="Found none in"):
        guess_tasks([tmp_path / "empty"])
    with pytest.raises(SpkitError, match="must have rows"):
        guess_tasks([write(tmp_path / "nothing.csv", question=[], answer=[])])


@pytest.fixture
def folder(tmp_path) -> Path:
    """Data of four kinds: with an empty row, repeated rows, tested texts in train, and names that TOML must quote."""
    data = tmp_path / "data"
    questions, answers = texts(200, 6, 4), texts(200, 12, 5)
    write(
        data / "faq train.csv",
        id=range(132), question=[*questions[:120], "", *questions[:11]], answer=[*answers[:120], "", *answers[:11]],
    )  # fmt: skip
    write(data / "faq test.csv", id=range(85), question=questions[115:], answer=answers[115:])
    write(data / "near.tsv", left=texts(80, 5, 6), right=texts(80, 5, 7), stars=[n / 16 for n in range(80)])
    write(data / "dup.csv", q1=texts(80, 5, 8), q2=texts(80, 5, 9), same=[n % 2 for n in range(80)])
    write(data / "intent.jsonl", utterance=texts(90, 6, 10), intent=[("a", "b", "c")[n % 3] for n in range(90)])
    return data


def test_what_is_written_loads_as_it_was_guessed(folder, tmp_path, recwarn) -> None:
    made = write_task_file([folder], tmp_path / "my.toml", "test")
    tasks = load_tasks(str(tmp_path / "my.toml"))
    assert {name: task.kind for name, task in tasks.items()} == {
        "dup": "pair", "faq": "retrieval", "intent": "classification", "near": "sts",
    }  # fmt: skip
    assert {name: task.fingerprint() for name, task in tasks.items()} == {
        name: task.fingerprint() for name, task in made.tasks.items()
    }
    assert not recwarn.list  # no text of test is left in train
    assert len(tasks["faq"].train) + len(tasks["faq"].dev) == 131 - 5  # the empty row, and five that are tested
    rows = made.table.set_index(["task", "split"])["rows"]
    assert rows["faq", "test"] == 85
    assert (made.table["in train"] == 0).all()


def test_what_is_met_in_the_data_is_said(folder, tmp_path) -> None:
    made = write_task_file([folder], tmp_path / "my.toml", "test")
    said = "\n".join(made.notes)
    assert "faq: 1 of 132 rows of train have an empty cell" in said
    assert "faq: 5 texts of the test of faq stood in train or dev" not in said  # ten: each row has two
    assert "faq: 10 texts of the test of faq stood in train or dev" in said
    assert "rows of train repeat another" in said
    text = (tmp_path / "my.toml").read_text()
    assert 'kind = "retrieval"  # guessed: two columns of texts' in text
    assert 'apart_from = ["faq"]' in text
    assert "not read: 'id'" in text
    constant = write(tmp_path / "flat.csv", anchor=["why?"] * 40, positive=TWO)
    with pytest.raises(SpkitError, match="all on one side"):
        write_task_file([constant], tmp_path / "flat.toml", "test")
    assert not (tmp_path / "flat.toml").exists()


def test_one_label_and_a_constant_column_are_told(tmp_path) -> None:
    train = write(tmp_path / "one-train.csv", sentence1=ONE, sentence2=TWO, label=[1] * 40)
    test = write(tmp_path / "one-test.csv", sentence1=texts(40, 6, 20), sentence2=["same"] * 40, label=TRUTHS)
    made = write_task_file([train, test], tmp_path / "one.toml", "test")
    said = "\n".join(made.notes)
    assert "all rows of train have the same 'label'" in said
    assert "all rows of test have the same 'sentence2'" in said
    assert "'sentence2' of test has one word at the median" in said
    assert "the test has 40 rows" in said


def test_a_task_without_train_is_only_scored(tmp_path) -> None:
    made = write_task_file([write(tmp_path / "x-test.csv", question=ONE, answer=TWO)], tmp_path / "x.toml", "test")
    assert made.tasks["x"].role == "unseen"
    assert "models are only scored on it" in "\n".join(made.notes)


def test_tested_texts_of_another_task_are_dropped_from_train(tmp_path) -> None:
    write(tmp_path / "a.csv", question=ONE, answer=TWO)
    write(tmp_path / "b-test.csv", question=ONE[:4], answer=THREE[:4])
    write_task_file([tmp_path / "a.csv", tmp_path / "b-test.csv"], tmp_path / "both.toml", "test")
    assert 'apart_from = ["b"]' in (tmp_path / "both.toml").read_text()
    tasks = load_tasks(str(tmp_path / "both.toml"))
    trained = tasks["a"].texts("train") | tasks["a"].texts("dev")
    assert not trained & set(ONE[:4])


def test_only_a_file_of_our_own_is_replaced(folder, tmp_path) -> None:
    path = tmp_path / "my.toml"
    write_task_file([folder], path, "test")
    write_task_file([folder], path, "test")
    path.write_text(path.read_text() + "# mine\n")
    with pytest.raises(SpkitError, match="changed since"):
        write_task_file([folder], path, "test")
    assert path.read_text().endswith("# mine\n")
