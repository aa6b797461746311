"""Scores against oracles, prompts, merges that must not be mixed up, and mteb left without side effects."""

import logging
import random
from copy import copy
from dataclasses import replace

import datasets
import numpy as np
import pytest
import torch
from datasets import Dataset
from scipy.stats import ConstantInputWarning, spearmanr
from sentence_transformers import SentenceTransformer
from sklearn.metrics import average_precision_score, ndcg_score

from spkit.errors import SpkitError
from spkit.evaluation import evaluate, mean_interval, measure
from spkit.evaluation.quiet import quietly
from spkit.hashing import file_hash, text_hash, weights_hash
from spkit.tasks import Task
from spkit.tasks.kinds import kinds
from tests.tiny import tiny_encoder

WORDS = ("apple", "river", "stone", "cloud", "music", "paper", "light", "horse", "ocean", "metal", "green", "seven")


def texts(seed: int, n: int) -> list[str]:
    """Distinct texts of a few words; the number keeps splits apart."""
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.choice(WORDS, size=rng.integers(2, 6)))} {seed}{index}" for index in range(n)]


def split_of(kind: str, seed: int, n: int) -> Dataset:
    rng = np.random.default_rng(seed)
    one, other = texts(seed, n), texts(seed + 1, n)
    if kind == "retrieval":
        one[1], other[3] = one[0], other[2]  # a query with two answers, and an answer to two queries
        return Dataset.from_dict({"anchor": one, "positive": other})
    if kind == "classification":
        return Dataset.from_dict({"text": one, "label": [("x", "y", "z")[i % 3] for i in range(n)]})
    if kind == "pair":
        return Dataset.from_dict({"sentence1": one, "sentence2": other, "label": rng.integers(0, 2, n).tolist()})
    return Dataset.from_dict(
        {
            "sentence1": one,
            "sentence2": other,
            "score": rng.random(n).tolist(),
            "subset": [("words", "documents")[i % 2] for i in range(n)],
        }
    )


def task_of(kind: str, n: int = 30, **extra) -> Task:
    train, dev, test = split_of(kind, 10, 40), split_of(kind, 20, 15), split_of(kind, 30, n)
    return Task(name=f"my {kind}", kind=kind, train=train, dev=dev, test=test, **extra)


KINDS = ("retrieval", "sts", "pair", "classification")


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    """Of the words of these tasks."""
    return tiny_encoder(0, WORDS)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {kind: task_of(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def measured(model, tasks):
    return dict(zip(KINDS, measure(model, tasks), strict=True))


def cosines(model: SentenceTransformer, one: list[str], other: list[str]) -> np.ndarray:
    a, b = (model.encode(list(side), normalize_embeddings=True).astype(float) for side in (one, other))
    return a @ b.T


def test_retrieval_is_ndcg_at_10_over_distinct_texts(model, tasks, measured) -> None:
    test, measurement = tasks["retrieval"].test, measured["retrieval"]
    queries, documents = list(dict.fromkeys(test["anchor"])), list(dict.fromkeys(test["positive"]))
    relevant = np.zeros((len(queries), len(documents)))
    for anchor, positive in zip(test["anchor"], test["positive"], strict=True):
        relevant[queries.index(anchor), documents.index(positive)] = 1
    assert relevant.shape == (29, 29)
    scores = cosines(model, queries, documents)
    expected = [ndcg_score(relevant[[i]], scores[[i]], k=10) for i in range(len(queries))]
    np.testing.assert_allclose(measurement.values, expected, atol=1e-6)
    assert measurement.metric == "ndcg_at_10"
    assert measurement.score == pytest.approx(100 * np.mean(expected), abs=1e-4)
    # Closed form where one document is right: 1/log2(1 + rank), or 0 below the tenth place.
    for i in np.flatnonzero(relevant.sum(axis=1) == 1):
        rank = 1 + (scores[i] > scores[i, relevant[i].argmax()]).sum()
        assert measurement.values[i] == pytest.approx(1 / np.log2(1 + rank) if rank <= 10 else 0.0, abs=1e-6)


def test_sts_is_the_spearman_correlation_together_and_per_subset(model, tasks, measured) -> None:
    test, measurement = tasks["sts"].test, measured["sts"]
    cosine = np.diag(cosines(model, test["sentence1"], test["sentence2"]))
    gold = np.array(test["score"][:])
    np.testing.assert_allclose(measurement.values, np.column_stack([cosine, gold]), atol=1e-6)
    assert measurement.score == pytest.approx(100 * spearmanr(cosine, gold)[0], abs=1e-6)
    table = evaluate(model, tasks["sts"], resamples=50)
    assert table["metric"].tolist() == ["cosine_spearman", "cosine_spearman:words", "cosine_spearman:documents"]
    parts = (slice(None), slice(0, None, 2), slice(1, None, 2))
    expected = [100 * spearmanr(cosine[rows], gold[rows])[0] for rows in parts]
    np.testing.assert_allclose(table["score"], expected, atol=1e-6)


def test_pair_is_the_average_precision_of_cosines(model, tasks, measured) -> None:
    test, measurement = tasks["pair"].test, measured["pair"]
    cosine = np.diag(cosines(model, test["sentence1"], test["sentence2"]))
    assert measurement.metric == "cosine_ap"
    assert measurement.score == pytest.approx(100 * average_precision_score(test["label"][:], cosine), abs=1e-6)


def test_classification_is_mtebs_protocol(model, tasks, measured) -> None:
    """mteb's class on the same data without anything of ours gives the same accuracy."""
    from mteb.abstasks import AbsTaskClassification
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import SentenceTransformerEncoderWrapper

    class Plain(AbsTaskClassification):
        metadata = TaskMetadata(
            name="Plain",
            description="an oracle",
            dataset={"path": "none", "revision": "none"},
            type="Classification",
            category="t2c",
            eval_langs=["eng-Latn"],
            main_score="accuracy",
        )

    with quietly():
        plain = Plain()
        plain.dataset, plain.data_loaded = datasets.DatasetDict(tasks["classification"].splits), True
        wrapped = SentenceTransformerEncoderWrapper(model)
        kwargs = {"batch_size": 64, "show_progress_bar": False}
        scores = plain.evaluate(wrapped, "test", encode_kwargs=kwargs)["default"]
    assert len(scores["scores_per_experiment"]) == 10
    assert measured["classification"].score == pytest.approx(100 * scores["accuracy"], abs=1e-9)
    assert measured["classification"].values.shape == (30,)
    assert set(np.round(10 * measured["classification"].values, 9)) <= set(range(11))


def test_evaluate_twice_gives_equal_tables(model, tasks) -> None:
    tables = [evaluate(model, tasks, resamples=50).drop(columns="seconds") for _ in range(2)]
    assert tables[0].equals(tables[1])
    assert tables[0].columns.tolist() == ["task", "role", "metric", "score", "low", "high", "n"]
    assert (tables[0]["low"] <= tables[0]["score"]).all()
    assert (tables[0]["score"] <= tables[0]["high"]).all()


def test_each_role_has_a_mean_and_its_rows_stand_together(model, tasks, tmp_path) -> None:
    alone = Task(name="alone", kind="retrieval", test=tasks["retrieval"].test)
    mixed = [alone, tasks["classification"], tasks["retrieval"]]
    plain = evaluate(model, mixed, resamples=50, cache=tmp_path)
    assert plain["task"].tolist() == [task.name for task in mixed]
    assert plain["role"].tolist() == ["unseen", "trained", "trained"]
    table = evaluate(model, mixed, resamples=50, cache=tmp_path, means=True).set_index("task")
    first, second = tasks["classification"].name, tasks["retrieval"].name
    assert table.index.tolist() == [first, second, "mean", "alone", "unseen mean"]
    assert table.loc["mean", "score"] == pytest.approx(table.loc[[first, second], "score"].mean())
    assert table.loc["unseen mean", ["score", "low", "high"]].equals(table.loc["alone", ["score", "low", "high"]])
    measurements = [one for one in measure(model, mixed, cache=tmp_path) if one.role == "trained"]
    assert table.loc["mean", ["score", "low", "high"]].tolist() == pytest.approx(mean_interval(measurements, 50))
    # What is kept is of the task's data: its role is that of the task which is asked for.
    unseen = copy(tasks["retrieval"])
    object.__setattr__(unseen, "role", "unseen")
    (again,) = measure(model, [unseen], cache=tmp_path)
    assert again.role == "unseen"


def test_the_order_and_company_of_tasks_do_not_matter(model, tasks, measured) -> None:
    for measurement in measure(model, [tasks["classification"], tasks["retrieval"]], batch_size=7):
        assert measurement.score == pytest.approx(measured[measurement.task.removeprefix("my ")].score, abs=1e-6)


def test_dev_split(model, tasks) -> None:
    (measurement,) = measure(model, tasks["sts"], split="dev")
    assert measurement.examples == 15
    with pytest.raises(SpkitError, match=r"Found 'validation' for task 'my sts', which has 'train', 'dev', 'test'"):
        measure(model, tasks["sts"], split="validation")


@pytest.mark.parametrize(
    ("kind", "prompts"),
    [
        ("retrieval", {"anchor": "query apple: "}),
        ("retrieval", {"anchor": "query apple: ", "positive": "stone "}),
        ("retrieval", {"anchor": "stone ", "positive": "stone "}),
        ("sts", {"sentence1": "metal "}),
        ("sts", {"sentence1": "metal ", "sentence2": "metal "}),
        ("pair", {"sentence2": "horse "}),
        ("classification", {"text": "topic of: "}),
    ],
)
def test_prompts_are_put_in_front(model, tasks, kind, prompts) -> None:
    task = tasks[kind]

    def prefixed(row):
        return {column: prompt + row[column] for column, prompt in prompts.items()}

    by_hand = replace(task, **{split: rows.map(prefixed) for split, rows in task.splits.items()})
    (with_prompts,) = measure(model, replace(task, prompts=prompts))
    (expected,) = measure(model, by_hand)
    np.testing.assert_allclose(with_prompts.values, expected.values, atol=1e-6)
    (plain,) = measure(model, task)
    assert not np.allclose(with_prompts.values, plain.values, atol=1e-4)


def test_a_tasks_prompts_replace_the_models_own(tasks) -> None:
    with_own, without = tiny_encoder(0, WORDS), tiny_encoder(0, WORDS)
    with_own.prompts = {"query": "river river ", "document": ""}
    task = tasks["retrieval"]
    (own,), (plain,) = measure(with_own, task), measure(without, task)
    assert not np.allclose(own.values, plain.values)
    silent = replace(task, prompts={"anchor": ""})
    np.testing.assert_allclose(measure(with_own, silent)[0].values, plain.values, atol=1e-6)


def test_models_in_memory_are_never_mixed_up(tasks, tmp_path) -> None:
    one, other = tiny_encoder(1, WORDS), tiny_encoder(2, WORDS)
    fresh = [evaluate(model, tasks, resamples=5)["score"].tolist() for model in (one, other)]
    assert fresh[0] != fresh[1]
    for _ in range(2):  # the second time out of the cache
        cached = [evaluate(model, tasks, resamples=5, cache=tmp_path)["score"].tolist() for model in (one, other)]
        assert cached == fresh
    assert len(list(tmp_path.iterdir())) == 2 * len(tasks)


def test_the_cache_is_read_and_knows_settings_and_data(model, tasks, tmp_path, monkeypatch) -> None:
    task = tasks["sts"]
    (measurement,) = measure(model, task, cache=tmp_path)

    def refuse(*_, **__):
        raise AssertionError("embedded again")

    with monkeypatch.context() as patch:
        patch.setattr(SentenceTransformer, "encode", refuse)
        (again,) = measure(model, task, cache=tmp_path)
        np.testing.assert_array_equal(again.values, measurement.values)
        np.testing.assert_array_equal(again.subset, measurement.subset)
        shorter = replace(task, test=task.test.select(range(20)))
        for change in (dict(tasks=shorter), dict(tasks=replace(task, prompts={"sentence1": "a "})), dict(split="dev")):
            with pytest.raises(AssertionError, match="embedded again"):
                measure(model, **{"tasks": task, "cache": tmp_path, **change})
        other = tiny_encoder(0, WORDS)
        assert weights_hash(other) == weights_hash(model)
        other.max_seq_length = 5
        with pytest.raises(AssertionError, match="embedded again"):
            measure(other, task, cache=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_that_are_no_numbers_are_refused(tasks, kind) -> None:
    broken = tiny_encoder(0, WORDS)
    with torch.no_grad():
        next(broken.parameters())[:] = float("nan")
    with pytest.raises(SpkitError, match=f"Model 'merge 7' gave NaN or infinity for .* of task 'my {kind}'"):
        evaluate(broken, tasks[kind], name="merge 7")


def test_a_collapsed_model_has_no_correlation(tasks) -> None:
    collapsed = tiny_encoder(0, WORDS)
    with torch.no_grad():
        for parameter in collapsed.parameters():
            parameter.zero_()
    with pytest.warns(ConstantInputWarning):
        table = evaluate(collapsed, tasks["sts"], resamples=5)
    assert table[["score", "low", "high"]].isna().all(axis=None)


def test_values_that_do_not_give_mtebs_score_are_refused(model, tasks, monkeypatch) -> None:
    kind = type(kinds()["pair"])
    original = kind.values
    monkeypatch.setattr(kind, "values", lambda *args: -original(*args))
    with pytest.raises(SpkitError, match="must give the score that mteb reports"):
        measure(model, tasks["pair"])


def test_equal_texts_are_embedded_once(model, tasks, monkeypatch) -> None:
    embedded: list[str] = []
    encode = SentenceTransformer.encode

    def counting(self, inputs, *args, **kwargs):
        embedded.extend(inputs)
        return encode(self, inputs, *args, **kwargs)

    monkeypatch.setattr(SentenceTransformer, "encode", counting)
    words = Dataset.from_dict({"sentence1": ["apple"] * 6, "sentence2": list(WORDS[:6]), "score": [5.0, 1, 2, 3, 4, 0]})
    measure(model, [replace(tasks["sts"], test=words), replace(tasks["sts"], name="again", test=words)])
    assert sorted(embedded) == sorted(WORDS[:6])


def test_nothing_global_is_left_changed(tasks) -> None:
    model = tiny_encoder(0, WORDS).train()
    model[1].eval()
    states = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    levels = [logging.getLogger(name).level for name in ("mteb", "datasets", "sentence_transformers")]
    bars = datasets.are_progress_bars_disabled()
    before = weights_hash(model)
    measure(model, tasks)
    assert states == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert levels == [logging.getLogger(name).level for name in ("mteb", "datasets", "sentence_transformers")]
    assert bars == datasets.are_progress_bars_disabled()
    assert weights_hash(model) == before
    assert [model.training, model[0].training, model[1].training] == [True, True, False]


def test_pythons_random_state_is_put_back() -> None:
    # By itself: beartype, which checks types in these tests, draws from the same generator.
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with quietly():
        random.seed(5)
    assert random.random() == expected


def test_no_line_is_printed(model, tasks, capfd) -> None:
    measure(model, tasks)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""


def test_mtebs_own_tasks_and_ours_in_one_list(model, tasks) -> None:
    from mteb.mocks import mock_tasks as mocks

    types = ("Retrieval", "STS", "PairClassification", "Classification", "Reranking")
    own = [getattr(mocks, f"Mock{kind}Task")() for kind in types]
    splits = [list(task.eval_splits) for task in own]
    table = evaluate(model, [tasks["sts"], *own], resamples=20).set_index("task")
    assert table.loc["MockRetrievalTask", "metric"] == "ndcg_at_10"
    assert table.loc["MockPairClassificationTask", "metric"].endswith("ap")
    assert len(table) == 3 + len(own)
    assert table[["score", "low", "high"]].notna().all(axis=None)
    assert [list(task.eval_splits) for task in own] == splits
    assert not any(task.data_loaded for task in own)


@pytest.mark.parametrize("name", ["MockMultilingualSTSTask", "MockMultilabelClassification"])
def test_an_mteb_task_that_cannot_be_taken_apart_has_no_interval(model, name) -> None:
    from mteb.mocks import mock_tasks as mocks

    with pytest.warns(UserWarning, match="No interval for task"):
        table = evaluate(model, [getattr(mocks, name)()])
    assert np.isfinite(table.loc[0, "score"])
    assert np.isnan(table.loc[0, ["low", "high"]].astype(float)).all()


def test_names_of_mteb_tasks(model) -> None:
    with pytest.raises(SpkitError, match=r"Found 'STSBenchmrk'. Did you mean 'STSBenchmark'"):
        evaluate(model, "STSBenchmrk")
    with pytest.raises(SpkitError, match=r"Task 'STSBenchmark' could not be loaded"):
        evaluate(model, ["STSBenchmark"])
    with pytest.raises(SpkitError, match=r"Pass e.g. `split='dev'`"):
        evaluate(model, "MSMARCO", split="validation")


def test_lists_that_make_no_sense_are_refused(model, tasks) -> None:
    with pytest.raises(SpkitError, match="at least one"):
        evaluate(model, {})
    with pytest.raises(SpkitError, match="Found 'my sts', 'my sts'"):
        evaluate(model, [tasks["sts"], tasks["sts"]])
    with pytest.raises(SpkitError, match="Found int"):
        evaluate(model, [7])
    with pytest.raises(SpkitError, match="Task 'CIFAR10' holds 'image'"):
        evaluate(model, "CIFAR10")
    with pytest.raises(SpkitError, match="batch_size"):
        evaluate(model, tasks, batch_size=0)


def test_weights_hash_sees_every_number_and_nothing_else() -> None:
    one = tiny_encoder(3)
    assert weights_hash(one) == weights_hash(tiny_encoder(3))
    assert weights_hash(one) != weights_hash(tiny_encoder(4))
    for name, parameter in one.named_parameters():
        before = weights_hash(one)
        with torch.no_grad():
            parameter.view(-1)[-1] += 1
        assert weights_hash(one) != before, name
    assert weights_hash(one.to(torch.bfloat16)) != weights_hash(tiny_encoder(3))


def test_weights_hash_sees_buffers_names_and_shapes() -> None:
    norm = torch.nn.BatchNorm1d(2)
    before = weights_hash(norm)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    assert weights_hash(norm) != before
    wide, tall = torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        wide.weight.fill_(1)
        tall.weight.fill_(1)
    assert weights_hash(wide) != weights_hash(tall)
    assert weights_hash(torch.nn.ModuleDict({"a": wide})) != weights_hash(torch.nn.ModuleDict({"b": wide}))


def test_text_and_file_hashes_are_pinned(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_hash(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert text_hash("a", "b") != text_hash("b", "a")
    assert text_hash("ä\ud800") != text_hash("ä")
