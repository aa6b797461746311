"""BEIR's layout: a corpus with distractors, graded judgements, tasks that are only scored."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from spkit.errors import SpkitError
from spkit.evaluation import evaluate
from spkit.searching.probe import Probe
from spkit.tasks import Task, load_tasks
from spkit.training.trainer import train
from tests.real_data import real
from tests.test_data_files import by_hand
from tests.tiny import tiny_encoder

DOCUMENTS = {f"d{n}": f"the {word} text {n}" for n, word in enumerate(["red", "green", "blue", "old"] * 6)}
DOCUMENTS["twin"] = DOCUMENTS["d3"]
DOCUMENTS["empty"] = ""
QUERIES = {f"q{n}": f"where is {word} {n}" for n, word in enumerate(["red", "green", "blue", "old"])}
JUDGED = {"q0": {"d0": 3, "d4": 1, "d9": 0}, "q1": {"d1": 2, "d5": 1, "d9": 1}, "q2": {"twin": 1, "d2": 4}}


def collection(folder: Path, judged: dict = JUDGED, split: str = "test", titled: bool = False) -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as corpus:
        for name, text in DOCUMENTS.items():
            title, _, rest = text.partition(" ") if titled else ("", "", text)
            corpus.write(json.dumps({"_id": name, "title": title, "text": rest}) + "\n")
    lines = [json.dumps({"_id": name, "text": text}) for name, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(lines))
    rows = [f"{query}\t{name}\t{grade}" for query, grades in judged.items() for name, grade in grades.items()]
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return folder


def expected(model, judged: dict = JUDGED) -> float:
    """By hand, over documents as they are, the twin being one of its own."""
    names, texts = list(DOCUMENTS), list(DOCUMENTS.values())
    total = []
    documents = model.encode(texts, normalize_embeddings=True)
    for query, grades in judged.items():
        similarities = documents @ model.encode(QUERIES[query], normalize_embeddings=True)
        # Equal similarities stand in falling order of the names, as in trec_eval.
        falling = sorted(range(len(names)), key=lambda place: names[place], reverse=True)
        gains = [grades.get(names[place], 0) for place in sorted(falling, key=lambda p: -round(similarities[p], 5))]
        best = sorted(grades.values(), reverse=True)
        discounts = 1 / np.log2(np.arange(2, 12))
        total.append(np.dot(gains[:10], discounts) / np.dot(best[:10], discounts[: len(best)]))
    return 100 * float(np.mean(total))


@pytest.mark.parametrize("titled", [False, True])
def test_a_collection_is_scored_with_its_grades_and_distractors(tmp_path, titled):
    folder, model = collection(tmp_path / "mine", titled=titled), tiny_encoder(0)
    (tmp_path / "tasks.toml").write_text('[tasks.x]\nkind = "retrieval"\nbeir = "mine"\ntest = "test"\n')
    for task in (load_tasks(folder)["mine"], load_tasks(tmp_path / "tasks.toml")["x"]):
        assert (task.role, task.trained, len(task.train)) == ("unseen", False, 0)
        table = evaluate(model, task, resamples=10)
        assert table.loc[0, "score"] == pytest.approx(expected(model), abs=0.01)
        assert table.loc[0, "n"] == 3
    assert task.corpus is not None
    assert len(task.corpus) == len(DOCUMENTS)


def test_grades_count(tmp_path):
    model = tiny_encoder(0)
    flat = {
        query: dict.fromkeys([name for name, grade in grades.items() if grade], 1) for query, grades in JUDGED.items()
    }
    graded, equal = (
        evaluate(model, load_tasks(collection(tmp_path / name, judged)), resamples=10).loc[0, "score"]
        for name, judged in {"graded": JUDGED, "flat": flat}.items()
    )
    assert abs(graded - equal) > 0.5


@pytest.mark.parametrize("limit", [1, 12, 100])
def test_a_smaller_corpus_keeps_what_answers_a_query(tmp_path, limit):
    collection(tmp_path / "mine")
    task_file = tmp_path / "tasks.toml"
    task_file.write_text(f'[tasks.x]\nkind = "retrieval"\nbeir = "mine"\ncorpus_limit = {limit}\n')
    task = load_tasks(task_file)["x"]
    answers = {name for grades in JUDGED.values() for name, grade in grades.items() if grade}
    assert answers <= set(task.corpus["id"]) <= set(DOCUMENTS)
    assert len(task.corpus) == min(max(limit, len(answers)), len(DOCUMENTS))
    (row,) = evaluate(tiny_encoder(0), task, resamples=10).to_dict("records")
    assert 0 < row["score"] <= 100


def test_a_limit_of_a_corpus_needs_one(tmp_path):
    collection(tmp_path / "mine")
    (tmp_path / "a.csv").write_text("anchor,positive\nhow?,so.\n")
    for given, message in (
        ('beir = "mine"\ncorpus_limit = 0', "at least 1"),
        ('train = "a.csv"\ncorpus_limit = 3', "belongs to `beir`"),
    ):
        (tmp_path / "tasks.toml").write_text(f'[tasks.x]\nkind = "retrieval"\n{given}\n')
        with pytest.raises(SpkitError, match=message):
            load_tasks(tmp_path / "tasks.toml")


def test_training_and_testing_on_one_corpus(tmp_path):
    folder = collection(tmp_path / "mine")
    collection(folder, {"q3": {"d3": 1, "d7": 1}, "q2": {"d2": 1}}, "train")
    with pytest.warns(UserWarning, match="3 texts stand in train and in test"):
        task = load_tasks(folder)["mine"]
    assert set(task.splits) == {"train", "dev", "test"}
    assert task.trained


def test_what_is_unseen_is_never_trained_on_nor_probed(tmp_path, no_type_check):
    task = load_tasks(collection(tmp_path / "mine"))["mine"]
    for use in (lambda: train(tiny_encoder(0), task, steps=1), lambda: Probe.sample({"mine": task}, size=4)):
        with pytest.raises(SpkitError, match=r"role \"unseen\" are evaluated only\. Found 'mine'"):
            use()
    whole = Dataset.from_dict({"anchor": [f"q{n}" for n in range(9)], "positive": [f"a{n}" for n in range(9)]})
    kept = Task(name="faq", kind="retrieval", train=whole, test=whole, role="unseen")
    assert not kept.trained
    with pytest.raises(SpkitError, match=r"`role` must be one of 'trained', 'training', 'unseen'\. Found 'held'"):
        Task(name="faq", kind="retrieval", train=whole, test=whole, role="held")  # type: ignore[arg-type]


def test_queries_without_a_relevant_document_are_left_out_and_said(tmp_path):
    folder = collection(tmp_path / "mine", {**JUDGED, "q3": {"d1": 0}})
    with pytest.warns(UserWarning, match=r"test\.tsv': 1 queries have no relevant document .* e\.g\. 'q3'"):
        task = load_tasks(folder)["mine"]
    assert evaluate(tiny_encoder(0), task, resamples=10).loc[0, "n"] == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "qrels/test.tsv",
            "query-id\tcorpus-id\tscore\nq0\tnone\t1\n",
            "Found 'none' in line 2, column 'corpus-id' of",
        ),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq9\td0\t1\n", "Found 'q9' in line 2, column 'query-id' of"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq0\td0\t0.5\n", "Found '0.5' in line 2, column 'score' of"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq0\tempty\t1\n", "must not be empty. Found none in line 26"),
        ("qrels/test.tsv", "q0\t0\td0\t1\n", "columns of '.*test.tsv'"),
        ("queries.jsonl", '{"_id": "q0", "text": 3}\n', "Found 3 in line 1, column 'text' of '.*queries.jsonl'"),
        ("queries.jsonl", '{"_id": "q0", "text": "a"}\n{"_id": "q0", "text": "b"}\n', "Found 'q0' again in line 2"),
    ],
)
def test_broken_collections_name_the_line(tmp_path, name, text, message):
    folder = collection(tmp_path / "mine")
    (folder / name).write_text(text)
    with pytest.raises(SpkitError, match=message):
        load_tasks(folder)


def test_collections_without_a_part(tmp_path):
    folder = collection(tmp_path / "mine")
    (folder / "queries.jsonl").unlink()
    with pytest.raises(SpkitError, match=r"must hold queries\.jsonl"):
        load_tasks(folder)
    (folder / "qrels" / "test.tsv").rename(folder / "qrels" / "other.tsv")
    with pytest.raises(SpkitError, match=r"must have judgements of its test split.*Found 'other'"):
        load_tasks(folder)


def test_a_corpus_in_python(no_type_check):
    rows = Dataset.from_dict({"anchor": ["a", "b"], "positive": ["one", "two"], "relevance": [2, 1]})
    corpus = Dataset.from_dict({"text": ["three", "four", "one"]})
    model = tiny_encoder(0)
    task = Task(name="faq", kind="retrieval", test=rows, corpus=corpus)
    score = evaluate(model, task, resamples=10).loc[0, "score"]
    assert score == pytest.approx(
        by_hand(model, {"a": {"one": 2}, "b": {"two": 1}}, ["three", "four", "one", "two"]), abs=1e-4
    )
    assert task.fingerprint() != Task(name="faq", kind="retrieval", test=rows).fingerprint()
    named = rows.add_column("document", ["x", "y"])  # type: ignore[call-arg]
    with pytest.raises(SpkitError, match=r"`document` must be the `id` of a text of the corpus\. Found 'x', 'y'"):
        Task(name="faq", kind="retrieval", test=named, corpus=corpus)
    with pytest.raises(SpkitError, match=r"A corpus must be a datasets\.Dataset with the column 'text'"):
        Task(name="faq", kind="retrieval", test=rows, corpus=Dataset.from_dict({"texts": ["a"]}))
    with pytest.raises(SpkitError, match=r"whole number from 1.*Found 0 in row 1"):
        Task(name="faq", kind="retrieval", test=rows.remove_columns("relevance").add_column("relevance", [1, 0]))  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "queries", "documents"), [("cisi", 76, 1460), ("cosqa", 500, 6267)])
def test_real_collections(name, queries, documents):
    task = load_tasks(real(name))[name]
    table = evaluate(tiny_encoder(0), task, resamples=10)
    assert table.loc[0, "n"] == queries
    assert task.corpus is not None
    assert len(task.corpus) == documents
