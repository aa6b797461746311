"""Scores of a probe: those of the field's own implementations on all of its examples, each text read once."""

import numpy as np
import pytest
from datasets import Dataset
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, ndcg_score

import spkit
from spkit import Probe, TaskVectors, count_costs
from spkit.errors import SpkitError
from spkit.searching.pools import pools_of
from spkit.searching.scores import ProbeScores
from spkit.tasks import Task

AT = [0.4, 0.3, 0.6]


def whole(*tasks: Task, split: str = "dev") -> Probe:
    """A probe of all examples of a split."""
    return Probe({task.name: task for task in tasks}, {task.name: task.splits[split] for task in tasks}, split, 0)


def retrieval(rows: dict[str, list], name: str = "faq") -> Task:
    given = Dataset.from_dict(rows)
    return Task(name=name, kind="retrieval", role="training", train=given, dev=given)


def several_answers() -> Task:
    """Two queries have two answers each, one document answers two queries, and some rows have a hard negative."""
    rows = {
        "anchor": ["where is apple", "where is apple", "find stone", "find stone", "is river", "the cloud"],
        "positive": ["apple north", "red apple", "stone city", "white stone", "river city", "stone city"],
        "negative": [None, "green apple", None, "black stone", "brown river", None],
        "relevance": [1, 3, 1, 1, 2, 1],
    }
    return retrieval(rows)


def test_every_kind_has_the_score_that_evaluation_gives(trained, tasks) -> None:
    """On a whole split the pool is what mteb scores: nDCG@10 of all queries, Spearman's correlation of all pairs."""
    scores = ProbeScores(trained, whole(tasks["faq"], tasks["likeness"])).at(AT)
    table = spkit.evaluate(trained.at(AT), [tasks["faq"], tasks["likeness"]], split="dev").set_index("task")["score"]
    assert scores == pytest.approx(table.to_dict(), abs=1e-3)


def test_labels_are_given_by_the_nearest_mean_of_the_others(trained, tasks) -> None:
    scores = ProbeScores(trained, whole(tasks["topic"])).at(AT)
    rows = tasks["topic"].splits["dev"]
    texts, labels = trained.at(AT).encode(rows["text"][:], normalize_embeddings=True), np.array(rows["label"][:])
    right = 0
    for row, text in enumerate(texts):
        others = np.arange(len(texts)) != row
        means = {label: texts[others & (labels == label)].mean(0) for label in set(labels)}
        right += max(means, key=lambda label: means[label] @ text / np.linalg.norm(means[label])) == labels[row]
    assert scores["topic"] == pytest.approx(100 * right / len(texts))


def test_a_search_knows_all_its_answers(vectors) -> None:
    """Distinct queries among distinct documents, hard negatives included, with the relevances as gains."""
    task = several_answers()
    queries = ["where is apple", "find stone", "is river", "the cloud"]
    documents = ["apple north", "red apple", "stone city", "white stone", "river city"]
    documents += ["green apple", "black stone", "brown river"]
    gains = np.zeros((4, 8))
    for row, column, gain in [(0, 0, 1), (0, 1, 3), (1, 2, 1), (1, 3, 1), (2, 4, 2), (3, 2, 1)]:
        gains[row, column] = gain
    model = vectors.at(AT)
    sides = [model.encode(texts, normalize_embeddings=True) for texts in (queries, documents)]
    scores = ProbeScores(vectors, whole(task))
    assert scores.at(AT)["faq"] == pytest.approx(100 * ndcg_score(gains, sides[0] @ sides[1].T, k=10), rel=1e-4)
    assert scores.examples == {"faq": 6}


def test_answers_outside_the_probe_count(vectors) -> None:
    """A document of the probe may answer a query by an example that was not drawn."""
    task = several_answers()
    (pool,) = pools_of(task, task.splits["dev"].select([0, 3, 5]))  # row 2 says that "stone city" answers "find stone"
    known = {
        (query, document) for query, document in zip(task.train["anchor"][:], task.train["positive"][:], strict=True)
    }
    for row, query in enumerate(pool.texts["anchor"]):
        for column, document in enumerate(pool.texts["positive"]):
            assert (pool.labels[row, column] > 0) == ((query, document) in known)
    assert (pool.labels > 0).sum() == 4  # three drawn, and that one


def test_pairs_are_ranked_by_their_similarity(vectors) -> None:
    given = Dataset.from_dict(
        {
            "sentence1": ["red apple", "river", "stone city", "cloud", "table and violin"],
            "sentence2": ["apple", "horse", "city", "cloud north", "paper"],
            "label": [1, 0, 1, 0, 1],
        }
    )
    task = Task(name="match", kind="pair", role="training", train=given, dev=given)
    model = vectors.at(AT)
    one, other = (model.encode(given[c][:], normalize_embeddings=True) for c in ("sentence1", "sentence2"))
    expected = average_precision_score(given["label"][:], (one * other).sum(1))
    assert ProbeScores(vectors, whole(task)).at(AT)["match"] == pytest.approx(100 * expected)


def test_pairs_of_infonce_are_scored_as_a_search(vectors, tasks) -> None:
    """Texts of one label answer each other; of examples with scores, the pairs above the threshold."""
    likeness = Task(
        **{split: tasks["likeness"].splits[split] for split in ("train", "dev", "test")},
        **{"name": "likeness", "kind": "sts", "loss": "infonce", "positive_from": 3, "negative_to": 0},
    )
    for name, task in {"topic": tasks["topic"].with_loss("infonce"), "likeness": likeness}.items():
        probe = Probe.sample({name: task}, size=48)
        (pool,) = pools_of(task, probe.examples[name])
        assert pool.kind.name == "retrieval"
        assert (pool.labels > 0).sum(1).min() >= 1
        assert 0 < ProbeScores(vectors, probe).at(AT)[name] <= 100
    labels = dict(zip(tasks["topic"].train["text"][:], tasks["topic"].train["label"][:], strict=True))
    task = tasks["topic"].with_loss("infonce")
    (pool,) = pools_of(task, Probe.sample({"topic": task}, size=48).examples["topic"])
    queries, documents = pool.texts.values()
    same = np.array([[labels[query] == labels[document] for document in documents] for query in queries])
    assert ((pool.labels > 0) == same).all()


def test_the_data_sets_of_a_pool_are_scored_apart(vectors) -> None:
    first = retrieval({"anchor": ["red", "blue", "white"], "positive": ["apple", "river", "stone"]}, "one")
    second = retrieval({"anchor": ["north", "garden"], "positive": ["cloud", "paper"]}, "other")
    both = spkit.pool_tasks("both", [first, second])
    alone = ProbeScores(vectors, whole(first, second)).at(AT)
    together = ProbeScores(vectors, whole(both)).at(AT)["both"]
    assert together == pytest.approx((3 * alone["one"] + 2 * alone["other"]) / 5)


def test_each_text_is_read_once_a_position(vectors) -> None:
    scores = ProbeScores(vectors, whole(several_answers()))
    with count_costs() as cost:
        scores.at(AT)
        scores.at([0.0, 0.0, 0.0])
    assert cost.texts == 2 * (4 + 8)
    assert scores.examples == {"faq": 12}


def test_it_moves_with_the_position_and_with_a_model(trained, tasks) -> None:
    scores = ProbeScores(trained, whole(*tasks.values()))
    first, other, again = scores.at(AT), scores.at([0.0, 0.0, 0.0]), scores.at(AT)
    assert first == again != other
    assert scores.of(trained.base) == other
    assert scores.of(trained.at(AT)) == pytest.approx(first)
    by_module = dict.fromkeys(trained.modules, AT)
    assert scores.at(by_module) == pytest.approx(first)


def test_the_mean_is_weighted(vectors, tasks, no_type_check) -> None:
    probe = whole(tasks["faq"], tasks["topic"])
    assert ProbeScores(vectors, probe).mean({"faq": 10.0, "topic": 30.0}) == 20.0
    weighted = ProbeScores(vectors, probe, weights={"topic": 1, "faq": 3})
    assert weighted.mean({"faq": 10.0, "topic": 30.0}) == 15.0
    with pytest.raises(SpkitError, match="`weights` must name each task"):
        ProbeScores(vectors, probe, weights={"faq": 1})


def test_narrow_numbers_are_near(trained, tasks) -> None:
    probe = whole(tasks["likeness"], split="train")
    exact, near = (ProbeScores(trained, probe, precision=name) for name in ("float32", "bfloat16"))
    assert near.at(AT) == pytest.approx(exact.at(AT), abs=2)
    one, other = (next(scores._texts["likeness"].embeddings())[0] for scores in (exact, near))
    assert 0 < np.abs(one - other).max() < 0.01  # though their order may be the same


def test_texts_that_cannot_be_cut_are_read_as_they_are(trained, tasks, monkeypatch) -> None:
    probe = whole(*tasks.values())
    expected = ProbeScores(trained, probe).at(AT)
    monkeypatch.setattr("spkit.searching.scores.can_be_cut", lambda features: False)
    assert ProbeScores(trained, probe).at(AT) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ({"anchor": ["a", "b", "c"], "positive": ["same", "other", "same"]}, "retrieval", "2 of 1 document"),
        ({"text": ["a", "b", "c"], "label": ["x", "y", "x"]}, "classification", "2 that all have the label 'x'"),
        ({"text": ["a", "b"], "label": ["x", "y"]}, "classification", "only 1 for task 'few'"),
    ],
)
def test_examples_without_a_score_are_refused(vectors: TaskVectors, rows, kind, message) -> None:
    given = Dataset.from_dict(rows)
    task = Task(name="few", kind=kind, role="training", train=given, dev=given)
    with pytest.raises(SpkitError, match=message):
        ProbeScores(vectors, Probe({"few": task}, {"few": given.select(range(0, len(given), 2))}, "dev", 0))


def test_spearman_by_hand(trained, tasks) -> None:
    rows = tasks["likeness"].train
    model = trained.at(AT)
    one, other = (model.encode(rows[c][:], normalize_embeddings=True) for c in ("sentence1", "sentence2"))
    expected = 100 * spearmanr((one * other).sum(1), rows["score"][:]).statistic
    assert ProbeScores(trained, whole(tasks["likeness"], split="train")).at(AT)["likeness"] == pytest.approx(
        expected, abs=1e-2
    )
