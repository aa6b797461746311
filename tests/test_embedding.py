"""One answer to how a model embeds a column of a task: every asker gives the model the texts that `encode` gives it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from mteb.models.abs_encoder import get_prompt_name
from mteb.types import PromptType
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.nn.modules.module import register_module_forward_hook

import spkit
from spkit.errors import SpkitError
from spkit.explorer.quick_scores import QuickScores
from spkit.models.embedding import cut_texts, reading, settings_of, shorten_texts
from spkit.tasks import Task
from spkit.tasks.mteb_task import mteb_task
from spkit.training.batches import TaskBatches
from tests.experts import noisy
from tests.families import FAMILIES
from tests.tiny import tiny_tasks

#: What stands before anchors, positives, and the texts of pairs, by family.
PROMPTS = {
    "bert_prompts": ("query: ", "passage: ", ""),
    "bert_dot": ("", "", ""),
    "bert_matryoshka": ("", "", "text: "),
    "gemma": ("search: query: ", "title: none text: ", "text: "),
    "qwen3": ("instruct: search query: ", "", ""),
    "router": ("", "", ""),
}


@pytest.fixture(scope="module")
def two_tasks() -> dict[str, Task]:
    every = tiny_tasks((32, 12, 12))
    return {name: every[name] for name in ("faq", "likeness")}


@pytest.fixture(scope="module", params=PROMPTS)
def family(request) -> tuple[str, SentenceTransformer]:
    return request.param, FAMILIES[request.param](0)


def by_the_model(model: SentenceTransformer, column: str) -> Callable[[list[str]], np.ndarray]:
    """The model's own method for the texts of a column."""
    return {"anchor": model.encode_query, "positive": model.encode_document}.get(column, model.encode)


def rows_read(model: SentenceTransformer, work: Callable[[], Any]) -> set[tuple[int, ...]]:
    """The tokens of each text that goes through a model, or a copy of it, while some work is done."""
    seen: set[tuple[int, ...]] = set()

    def note(module: Any, given: tuple[Any, ...], output: Any) -> None:
        if not isinstance(module, SentenceTransformer):
            return
        ids, offsets = given[0]["input_ids"], given[0].get("offsets")
        if offsets is not None:
            ends = [*offsets.tolist()[1:], len(ids)]
            seen.update(tuple(ids[a:b].tolist()) for a, b in zip(offsets.tolist(), ends, strict=True))
        else:
            seen.update(
                tuple(row[kept.bool()].tolist()) for row, kept in zip(ids, given[0]["attention_mask"], strict=True)
            )

    hook = register_module_forward_hook(note)
    try:
        work()
    finally:
        hook.remove()
    return seen


def whole(task: Task, column: str) -> list[str]:
    return [text for rows in task.splits.values() for text in rows[column]]


def evaluates(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    spkit.evaluate(model, tasks, resamples=10)


def trains(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    spkit.train(model, tasks["faq"], steps=2, batch_size=8, progress=False)
    spkit.train(model, tasks["likeness"], steps=1, batch_size=8, progress=False)


def trains_jointly(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    spkit.train(model, tasks, steps=4, batch_size=8, progress=False)


def searches(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    spkit.self_position(vectors, spkit.Probe.sample(tasks, 16), steps=1, batch_size=4, progress=False)


def measures_conflict(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    spkit.gradient_conflict(model, tasks, batches=4, batch_size=4, progress=False)


def merges(method: str) -> Callable[..., None]:
    def work(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
        spkit.merge(model, vectors, method, tasks=tasks, examples=8, batch_size=4)

    return work


def explores(model: SentenceTransformer, tasks: dict[str, Task], vectors: spkit.TaskVectors) -> None:
    QuickScores(vectors, tasks, examples=8).at([0.5, 0.5])


ASKERS = {
    "evaluation": evaluates,
    "train": trains,
    "joint training": trains_jointly,
    "search": searches,
    "conflict": measures_conflict,
    "fisher": merges("fisher"),
    "regmean": merges("regmean"),
    "loss-weighted": merges("loss_weighted"),
    "explorer": explores,
}


def test_every_asker_reads_the_texts_that_the_models_own_methods_read(family, two_tasks) -> None:
    name, model = family
    prompts = dict(zip(("anchor", "positive", "sentence1"), PROMPTS[name], strict=True))
    known: dict[str, set[tuple[int, ...]]] = {}
    for task, column in (("faq", "anchor"), ("faq", "positive"), ("likeness", "sentence1"), ("likeness", "sentence2")):
        read = partial(by_the_model(model, column), whole(two_tasks[task], column))
        known[column] = rows_read(model, partial(read, prompt=prompts.get(column, prompts["sentence1"])))
        if (name, task) != ("gemma", "likeness"):  # prompts by type of task are mteb's, `encode` knows none
            assert known[column] == rows_read(model, read)
    vectors = spkit.TaskVectors.from_models(model, {task: noisy(model, n) for n, task in enumerate(two_tasks)})
    for asker, work in ASKERS.items():
        seen = rows_read(model, lambda work=work: work(model, two_tasks, vectors))
        assert seen <= set.union(*known.values()), asker
        assert all(seen & rows for rows in known.values()), asker


def test_the_loss_is_that_of_the_encoded_texts(family, two_tasks) -> None:
    """In-batch softmax of the model's own similarities, of as many numbers as the model gives."""
    name, model = family
    task = two_tasks["faq"]
    stream = TaskBatches(task, task.train, model, 8, 0)
    rows = next(stream.rows())
    texts = [[row[column] for row in stream.examples(rows)] for column in ("anchor", "positive")]
    anchors, positives = model.encode_query(texts[0]), model.encode_document(texts[1])
    batch = stream.collate(rows)
    with torch.no_grad():
        for given, expected in zip(stream.embeddings(batch), (anchors, positives), strict=True):
            np.testing.assert_allclose(given.numpy(), expected, atol=1e-5)
    similarities = model.similarity(anchors, positives) / (1.0 if name == "bert_dot" else 0.05)
    expected = float(torch.nn.functional.cross_entropy(similarities, torch.arange(8)))
    assert float(stream.loss_of(batch).detach()) == pytest.approx(expected, rel=1e-4)


def test_the_explorer_measures_what_evaluation_scores(family, two_tasks) -> None:
    """On all examples of a split both are one number: nDCG@10 among its positives, and the rank correlation."""
    _, model = family
    vectors = spkit.TaskVectors.from_models(model, {"one": noisy(model, 1)})
    measured = QuickScores(vectors, two_tasks, examples=12, max_tokens=64).at([1.0])["score"]
    scores = spkit.evaluate(vectors.at([1.0]), two_tasks, split="dev", resamples=10)["score"]
    np.testing.assert_allclose(measured.to_numpy(), scores.to_numpy(), atol=0.05)


def test_a_training_reads_as_many_numbers_as_the_model_gives(two_tasks) -> None:
    widths = []

    class Noted(MultipleNegativesRankingLoss):
        def compute_loss_from_embeddings(self, embeddings, labels):
            widths.extend(one.shape[1] for one in embeddings)
            return super().compute_loss_from_embeddings(embeddings, labels)

    model = FAMILIES["bert_matryoshka"](0)
    trained = spkit.train(model, replace(two_tasks["faq"], loss=Noted), steps=2, batch_size=8, progress=False)
    assert set(widths) == {16}
    assert not trained._forward_hooks


@pytest.mark.parametrize(
    "prompts",
    [
        {},
        {"query": "q: ", "document": "d: "},
        {"Retrieval": "r: ", "STS": "s: ", "query": "q: "},
        {"Retrieval-query": "rq: ", "Retrieval": "r: ", "faq-document": "fd: ", "STS-query": "never: "},
        {"faq": "f: ", "faq-query": "fq: ", "query": "q: "},
    ],
)
def test_the_models_prompts_are_taken_in_mtebs_order(model, tasks, prompts) -> None:
    own = FAMILIES["bert_cls"](0)
    own.prompts = {"query": "", "document": "", **prompts}
    for name, columns in (("faq", ("anchor", "positive")), ("likeness", ("sentence1", "sentence2"))):
        metadata = mteb_task(tasks[name], "test", 0).metadata
        for column, kind in zip(columns, (PromptType.query, PromptType.document), strict=True):
            found = get_prompt_name(own.prompts, metadata, kind if name == "faq" else None)
            assert reading(own, tasks[name], column).prompt == (own.prompts[found] if found else "")


def test_a_passage_prompt_and_a_default_prompt_are_those_of_the_models_methods(tasks) -> None:
    own = FAMILIES["bert_cls"](0)
    own.prompts, own.default_prompt_name = {"passage": "p: ", "usual": "u: "}, "usual"
    assert [reading(own, tasks["faq"], column).prompt for column in ("anchor", "positive")] == ["u: ", "p: "]
    assert reading(own, tasks["topic"], "text").prompt == "u: "


def test_a_tasks_prompts_come_before_the_models_and_negatives_take_that_of_documents(tasks) -> None:
    own, faq = FAMILIES["bert_prompts"](0), tasks["faq"]
    splits = {name: rows.add_column("negative_1", ["none"] * len(rows)) for name, rows in faq.splits.items()}
    task = Task(name="faq", kind="retrieval", prompts={"positive": "text: "}, **splits)
    assert [reading(own, task, column).prompt for column in task.text_columns] == ["", "text: ", "text: "]
    with pytest.raises(SpkitError, match="`positive` and `negative_1` must be equal"):
        replace(task, prompts={"positive": "text: ", "negative_1": "none: "})


def test_a_router_without_a_route_for_a_column_is_refused_by_it(two_tasks) -> None:
    both = FAMILIES["router"](0)
    routes = both[0].sub_modules
    strict = SentenceTransformer(
        modules=[Router({name: [*route] for name, route in routes.items()}, allow_empty_key=False)], device="cpu"
    )
    TaskBatches(two_tasks["faq"], two_tasks["faq"].train, strict, 8, 0)
    for work in (
        lambda: spkit.train(strict, two_tasks["likeness"], steps=1, batch_size=8, progress=False),
        lambda: spkit.evaluate(strict, two_tasks["likeness"]),
    ):
        with pytest.raises(
            SpkitError, match=r"neither query nor document.*'query', 'document'.*'sentence1'.*'likeness'"
        ):
            work()


def test_lengths_are_set_where_texts_are_cut() -> None:
    with pytest.raises(SpkitError, match="StaticEmbedding, which reads whole texts"):
        cut_texts(FAMILIES["static"](0), 16)
    model = FAMILIES["router"](0)
    shorten_texts(model, 8)
    assert model[0].sub_modules["document"][0].max_seq_length == 8
    cut_texts(model, 12)
    assert model[0].sub_modules["document"][0].max_seq_length == 12
    shorten_texts(model, 64)
    assert model[0].sub_modules["document"][0].max_seq_length == 12
    shorten_texts(FAMILIES["static"](0), 8)


def test_what_is_kept_of_a_model_is_kept_by_all_that_its_embeddings_depend_on() -> None:
    keys = [settings_of(FAMILIES["bert_prompts"](0))]
    for name, value in (("truncate_dim", 8), ("similarity_fn_name", "dot"), ("prompts", {}), ("max_seq_length", 9)):
        model = FAMILIES["bert_prompts"](0)
        setattr(model, name, value)
        keys.append(settings_of(model))
    model = FAMILIES["bert_prompts"](0)
    model[1].pooling_mode = "cls"
    keys += [settings_of(model), settings_of(FAMILIES["router"](0)), settings_of(FAMILIES["static"](0))]
    assert len(set(keys)) == len(keys)
    assert settings_of(FAMILIES["router"](1)) == settings_of(FAMILIES["router"](0))


def test_scores_of_another_similarity_are_not_taken_from_the_cache(two_tasks, tmp_path) -> None:
    model = FAMILIES["bert_dot"](0)
    with torch.no_grad():  # lengths that differ, so that the two orders do
        model[0].model.embeddings.LayerNorm.weight.mul_(torch.linspace(0, 4, 32))
    scores = []
    for similarity in ("dot", "cosine", "dot"):
        model.similarity_fn_name = similarity
        scores.append(spkit.evaluate(model, {"faq": two_tasks["faq"]}, cache=tmp_path)["score"].item())
    assert scores[0] == scores[2]
    assert len(list(tmp_path.iterdir())) == 2


def test_each_column_has_its_own_features() -> None:
    """A column that further names begin like is not taken for a part of it."""
    rows = [
        {"anchor": f"red {n}", "positive": f"blue {n}", "negative": f"a {n}", "negative_1": f"b {n}"} for n in range(24)
    ]
    parts = [Dataset.from_list(rows[start : start + 8]) for start in (0, 8, 16)]
    task = Task(name="faq", kind="retrieval", train=parts[0], dev=parts[1], test=parts[2])
    model = FAMILIES["bert_cls"](0)
    stream = TaskBatches(task, task.train, model, 4, 0)
    features = stream.features_of(next(iter(stream)))
    assert len({tuple(sorted(one)) for one in features}) == 1
