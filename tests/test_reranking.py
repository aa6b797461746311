"""Reranking: scores by hand and against scikit-learn, triplets, files, and every use of a loss."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from sklearn.metrics import average_precision_score

import spkit
from spkit.errors import SpkitError
from spkit.evaluation import bootstrap, evaluate, measure
from spkit.explorer.quick_scores import QuickScores
from spkit.tasks import Task, load_tasks
from spkit.tasks.kinds import kinds
from spkit.tasks.statistics import average_precision_rows
from spkit.training.batches import TaskBatches
from spkit.training.samplers import training_view
from tests.tiny import COLOURS, PLACES, THINGS, WORDS, tiny_encoder, tiny_tasks, tiny_tokenizer

KIND = kinds()["reranking"]


def rows(first: int, last: int) -> list[dict]:
    """A question for a thing; answers name it, the others name another thing. Lists of unequal length."""
    examples = []
    for number in range(first, last):
        thing, other = THINGS[number % 8], THINGS[(number + 3) % 8]
        place, colour = PLACES[number // 8 % 6], COLOURS[number // 48 % 6]
        examples.append(
            {
                "query": f"where is the {colour} {thing} {place}",
                "positive": [f"{thing} found {place} and {colour}", f"{colour} {thing} {place} is"][: 1 + number % 2],
                "negative": [f"{other} found {place} and {colour} {part}" for part in ("is", "and", "where")],
            }
        )
    return examples


def task_of(**extra) -> Task:
    splits = {"train": rows(0, 64), "dev": rows(64, 88), "test": rows(88, 118)}
    return Task(name="rerank", kind="reranking", **{k: Dataset.from_list(v) for k, v in splits.items()}, **extra)


@pytest.fixture(scope="module")
def task() -> Task:
    return task_of()


def precisions(model: SentenceTransformer, data: list[dict]) -> np.ndarray:
    values = []
    for row in data:
        texts = [*row["positive"], *row["negative"]]
        embeddings = model.encode([row["query"], *texts], normalize_embeddings=True).astype(float)
        labels = np.repeat([1, 0], [len(row["positive"]), len(row["negative"])])
        values.append(average_precision_score(labels, embeddings[1:] @ embeddings[0]))
    return np.array(values)


def spelling_model() -> SentenceTransformer:
    """A bag of words: the embedding counts each word."""
    tokenizer = tiny_tokenizer(WORDS)
    weights = np.eye(len(tokenizer), dtype=np.float32)
    weights[:5] = 0  # special tokens
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")


def test_average_precision_of_a_ranking_known_by_hand() -> None:
    """One-hot words: cosines are shares of common words, so that the ranking can be read off the texts."""
    model = spelling_model()
    data = [
        # Cosines with "red apple": positives 1 and 1/2, negatives 1/√2 and 0 -> ranks 1 and 3.
        {"query": "red apple", "positive": ["apple red", "red stone"], "negative": ["red", "river"]},
        # One positive behind both negatives -> rank 3.
        {"query": "blue cloud", "positive": ["paper blue horse"], "negative": ["blue cloud is", "blue river"]},
    ]
    task = replace(task_of(), test=Dataset.from_list(data))
    (measurement,) = measure(model, task)
    np.testing.assert_allclose(measurement.values, [(1 / 1 + 2 / 3) / 2, 1 / 3], atol=1e-7)
    assert measurement.metric == "map_at_1000"
    assert measurement.score == pytest.approx(100 * (5 / 6 + 1 / 3) / 2, abs=1e-4)


def test_the_score_is_scikit_learns_mean_average_precision(model, task) -> None:
    (measurement,) = measure(model, task)
    expected = precisions(model, task.test.to_list())
    np.testing.assert_allclose(measurement.values, expected, atol=1e-6)
    assert measurement.score == pytest.approx(100 * expected.mean(), abs=1e-3)
    assert 0.2 < expected.mean() < 0.999


def test_rows_of_one_query_are_one_query(model, task) -> None:
    """sentence-transformers' triplets, with a text a cell, score as the lists they come from."""
    triplets = [
        {"query": row["query"], "positive": positive, "negative": negative}
        for row in task.test.to_list()
        for positive in row["positive"]
        for negative in row["negative"]
    ]
    (lists,) = measure(model, task)
    (apart,) = measure(model, replace(task, test=Dataset.from_list(triplets)))
    np.testing.assert_allclose(apart.values, lists.values)


def test_a_model_that_embeds_all_texts_alike_gains_nothing_by_it(task) -> None:
    collapsed = tiny_encoder(0, WORDS)
    with torch.no_grad():
        for name, parameter in collapsed.named_parameters():
            if "bias" not in name:
                parameter.zero_()
            else:
                parameter.fill_(1.0)
    (measurement,) = measure(collapsed, task)
    chance = []
    for row in task.test.to_list():  # the mean over all orders, by drawing them
        labels = np.repeat([1, 0], [len(row["positive"]), len(row["negative"])])
        orders = np.random.default_rng(0).random((200, len(labels)))
        chance.append(average_precision_rows(orders, np.tile(labels, (200, 1)).astype(float)).mean())
    assert abs(measurement.score / 100 - np.mean(chance)) < 0.12  # four standard errors of 30 queries


def test_the_interval_is_over_queries(model, task) -> None:
    (measurement,) = measure(model, task)
    samples = bootstrap(measurement, 2000)
    assert samples.mean() == pytest.approx(measurement.score, abs=0.5)
    assert samples.std() == pytest.approx(100 * measurement.values.std() / np.sqrt(30), rel=0.1)
    row = evaluate(model, task).iloc[0]
    assert row["low"] < row["score"] < row["high"]


def test_triplets_hold_each_candidate(task) -> None:
    view = training_view(task, task.train)
    assert view.column_names == ["query", "positive", "negative"]
    assert len(view) == 3 * 64
    for name in ("positive", "negative"):
        assert {(q, text) for q, text in zip(view["query"], view[name], strict=True)} == {
            (row["query"], text) for row in task.train.to_list() for text in row[name]
        }
    first = view.select(range(3, 6)).to_list()  # of the second row, which has two positives
    positives = task.train[1]["positive"]
    assert [row["positive"] for row in first] == [positives[0], positives[1], positives[0]]


def test_the_loss_is_the_softmax_over_all_candidates_of_the_batch(model, task) -> None:
    batches = TaskBatches(task, task.train, model, 8, seed=0)
    rows = next(batches.rows())
    batch = batches.collate(rows)
    with torch.no_grad():
        loss = float(batches.loss_of(batch))
        sides = [
            torch.nn.functional.normalize(model(features)["sentence_embedding"].double(), dim=1)
            for features in batches.features_of(batch)
        ]
    similarities = sides[0] @ torch.cat(sides[1:]).T / 0.05
    expected = (similarities.logsumexp(1) - similarities[:, :8].diagonal()).mean()
    assert loss == pytest.approx(float(expected), rel=1e-4)
    view = training_view(task, task.train).select(rows)
    texts = [text for name in view.column_names for text in view[name]]
    assert len(set(texts)) == len(texts) == 24  # no text is its own negative


def test_training_raises_the_score(model, task) -> None:
    trained = spkit.train(model, task, steps=60, learning_rate=1e-3, progress=False)
    before, after = (measure(one, task)[0].score for one in (model, trained))
    assert after > before + 5


def test_probe_search_conflict_and_explorer(model, task) -> None:
    tasks = {"rerank": task, "topic": tiny_tasks()["topic"]}
    experts = {
        name: spkit.train(model, one, steps=4, learning_rate=1e-3, batch_size=8, progress=False)
        for name, one in tasks.items()
    }
    vectors = spkit.TaskVectors.from_models(model, experts)
    probe = spkit.Probe.sample(tasks, size=48)
    assert {name: len(rows) for name, rows in probe.examples.items()} == {"rerank": 24, "topic": 24}
    result = spkit.self_position(vectors, probe, steps=3, batch_size=8, progress=False)
    assert np.isfinite(result.history["loss"]).all()
    report = spkit.gradient_conflict(model, tasks, batches=4, batch_size=8, progress=False)
    assert np.isfinite(report.cosine.loc["rerank", "topic"])
    table = spkit.imbalance(tasks)
    assert table.loc["rerank", "words"] == sum(
        len(text.split()) for name in KIND.texts for text in training_view(task, task.train)[name]
    )
    quick = QuickScores(vectors, tasks, examples=16)
    scores = quick.at([0.5, 0.5])["score"]
    assert 0 < scores["rerank"] <= 100


def test_the_quick_score_is_average_precision_among_all_candidates() -> None:
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(3, 6, 4))
    sides /= np.linalg.norm(sides, axis=2, keepdims=True)
    similarities = sides[0] @ np.concatenate([sides[1], sides[2]]).T
    expected = [average_precision_score(np.eye(6, 12)[i], similarities[i]) for i in range(6)]

    def inner(one, other):
        return one @ other.T

    assert KIND.quick_score(list(sides), None, inner) == pytest.approx(np.mean(expected))
    alike = np.ones((3, 6, 4)) / 2
    assert KIND.quick_score(list(alike), None, inner) == pytest.approx(1 / 12)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_task_file(tmp_path, form, task) -> None:
    data = Dataset.from_list(rows(0, 118))
    if form == "jsonl":
        data.to_json(tmp_path / "data.jsonl")
    else:
        with (tmp_path / "data.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(data.column_names)
            for number, row in enumerate(data.to_list()):
                lists = [json.dumps(row["positive"]), json.dumps(row["negative"])]
                if number % 2 == 0:  # one positive may stand there as it is
                    lists[0] = row["positive"][0]
                writer.writerow([row["query"], *lists])
    (tmp_path / "tasks.toml").write_text(f'[tasks.rerank]\nkind = "reranking"\ntrain = "data.{form}"\nunique = true\n')
    loaded = load_tasks(tmp_path / "tasks.toml")["rerank"]
    sizes = {name: len(part) for name, part in loaded.splits.items()}
    assert sum(sizes.values()) == 118
    known = {row["query"]: row for row in rows(0, 118)}
    for part in loaded.splits.values():
        assert all(known[row["query"]] == row for row in part.to_list())


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('["a", 1]', r"JSON list of strings. Found '\[\"a\", 1\]' in line 2, column 'negative' of"),
        ("[deleted]", r"must be a JSON list of strings"),
        ("[]", r"or lists of such. Found \[\] in line 2, column 'negative' of"),
    ],
)
def test_cells_that_hold_no_texts_are_refused(tmp_path, cell, message) -> None:
    quoted = cell.replace('"', '""')
    lines = ["query,positive,negative", f'q,a,"{quoted}"', *(f"q{i},a{i},b{i}" for i in range(40))]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    (tmp_path / "tasks.toml").write_text('[tasks.r]\nkind = "reranking"\ntrain = "data.csv"\ntest = "data.csv"\n')
    with pytest.raises(SpkitError, match=message):
        load_tasks(tmp_path / "tasks.toml")


def test_prompts_of_both_candidates_must_be_equal(model) -> None:
    with pytest.raises(SpkitError, match=r"must be equal.*Found 'stone ' and '' in task 'rerank'"):
        task_of(prompts={"positive": "stone "})
    prompted = task_of(prompts={"query": "apple ", "positive": "stone ", "negative": "stone "})
    by_hand = [
        {"query": f"apple {row['query']}"} | {name: [f"stone {text}" for text in row[name]] for name in KIND.lists}
        for row in prompted.test.to_list()
    ]
    (measurement,) = measure(model, prompted)
    np.testing.assert_allclose(measurement.values, precisions(model, by_hand), atol=1e-6)
