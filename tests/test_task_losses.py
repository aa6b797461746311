"""The loss of a task: which a kind can take, what InfoNCE reads of each kind, and that all that measures it agrees."""

import gzip
import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import nn

import spkit
from spkit.errors import SpkitError
from spkit.tasks import Task
from spkit.tasks.loss_rows import loss_rows
from spkit.training.batches import TaskBatches
from spkit.training.losses import make_loss, task_loss
from spkit.training.parts import parts_of
from tests.real_data import real
from tests.tiny import COLOURS, PLACES, THINGS, TOPICS, WORDS, tiny_encoder, tiny_tasks

#: Test splits are train splits here, where nothing is scored.
pytestmark = pytest.mark.filterwarnings("ignore:Task .* stand in train and in test")


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder(words=WORDS)


def dataset(**columns: list[Any]) -> Dataset:
    return Dataset.from_dict(columns)


def sts(one: list[str], other: list[str], scores: list[float], **settings: Any) -> Task:
    rows = dataset(sentence1=one, sentence2=other, score=scores)
    test = dataset(sentence1=["t", "u"], sentence2=["v", "w"], score=[0.0, 1.0])
    return Task(name="near", kind="sts", train=rows, dev=rows, test=test, **settings)


def colours(kind: str, **settings: Any) -> Task:
    """A task of each kind, of texts of three words: what names the same thing and place belongs together."""
    names = [(thing, place) for thing in THINGS for place in PLACES]
    one = [f"{COLOURS[n % 6]} {thing} {place}" for n, (thing, place) in enumerate(names)]
    other = [f"{place} and {thing}" for thing, place in names]
    wrong = [f"{place} is {names[n - 1][0]}" for n, (_, place) in enumerate(names)]
    count = len(names)
    rows = {
        "retrieval": dataset(anchor=one, positive=other),
        "reranking": dataset(query=one, positive=[[text] for text in other], negative=[[text] for text in wrong]),
        "sts": dataset(sentence1=one * 2, sentence2=other + wrong, score=[4.0] * count + [1.0] * count),
        "pair": dataset(sentence1=one * 2, sentence2=other + wrong, label=[1] * count + [0] * count),
        "classification": dataset(text=one, label=[place for _, place in names]),
    }[kind]
    thresholds = {"positive_from": 3.0, "negative_to": 2.0} if kind == "sts" and "loss" in settings else {}
    return Task(name=kind, kind=kind, train=rows, dev=rows, test=rows, **thresholds | settings)


TAKES = {
    "retrieval": ["infonce"],
    "reranking": ["infonce"],
    "sts": ["cosent", "infonce"],
    "pair": ["contrastive", "cosent", "infonce"],
    "classification": ["supcon", "infonce"],
}
EACH = [(kind, loss) for kind, losses in TAKES.items() for loss in losses]


@pytest.mark.parametrize(
    ("kind", "loss", "precision"),
    [(*one, "float32") for one in EACH] + [(kind, losses[-1], "bfloat16") for kind, losses in TAKES.items()],
)
def test_training_probe_search_and_conflict_take_the_loss(encoder, kind, loss, precision) -> None:
    temperature = None if loss == "contrastive" else 0.07
    task = colours(kind, loss=loss, temperature=temperature)
    beside = tiny_tasks()["faq"]
    expert = spkit.train(encoder, task, steps=2, batch_size=4, precision=precision, progress=False)
    other = spkit.train(encoder, [beside, task], steps=4, batch_size=4, precision=precision, progress=False)
    vectors = spkit.TaskVectors.from_models(encoder, {kind: expert, "faq": other})
    probe = spkit.Probe.sample({kind: task, "faq": beside}, size=32)
    settings: Any = {"steps": 2, "batch_size": 4, "precision": precision, "progress": False}
    result = spkit.self_position(vectors, probe, path="free", **settings)
    assert result.history[f"loss:{kind}"].map(math.isfinite).all()
    report = spkit.gradient_conflict(encoder, [task, beside], batches=4, batch_size=4, progress=False)
    assert math.isfinite(report.cosine.loc[kind, "faq"])
    # All of them ask one object for the loss, which has the name and the temperature.
    made = TaskBatches(task, task.train, encoder, 4, 0)
    assert type(made.loss) is type(make_loss(loss, encoder))
    if temperature is not None:
        divisor = made.loss.get_config_dict().get("scale", 1 / getattr(made.loss, "temperature", math.nan))
        assert divisor == pytest.approx(1 / 0.07)


@pytest.mark.parametrize(("kind", "loss"), EACH)
def test_fisher_and_loss_weights_take_it_too(encoder, kind, loss) -> None:
    task = colours(kind, loss=loss)
    vectors = spkit.TaskVectors.from_models(encoder, {kind: tiny_encoder(1, WORDS), "faq": tiny_encoder(2, WORDS)})
    for method in ("fisher", "loss_weighted"):
        tasks = {kind: task, "faq": tiny_tasks()["faq"]}
        assert spkit.merge(encoder, vectors, method, tasks=tasks, examples=8, batch_size=4) is not None


@pytest.mark.parametrize("kind", TAKES)
def test_other_losses_are_refused_with_those_there_are(kind) -> None:
    for wrong in {"infonce", "cosent", "supcon", "contrastive", "mse"} - {*TAKES[kind]}:
        with pytest.raises(SpkitError, match=f"must be one of .*{TAKES[kind][-1]}.*Found '{wrong}'"):
            colours(kind, loss=wrong)


def test_temperatures_that_mean_nothing_are_refused() -> None:
    for wrong in (0, -1.0, True, math.inf):
        with pytest.raises(SpkitError, match="must be a positive number"):
            colours("retrieval", temperature=wrong)
    with pytest.raises(SpkitError, match="no meaning for the loss 'contrastive'"):
        colours("pair", temperature=0.1)
    with pytest.raises(SpkitError, match="no meaning for a loss of your own"):
        colours("pair", loss=lambda model: nn.Identity(), temperature=0.1)
    rows = dataset(text=["a", "b"], label=["x", "y"])
    with pytest.raises(SpkitError, match="evaluated only"):
        Task(name="c", kind="clustering", test=rows, loss="infonce")


def test_three_pairs_at_temperature_002_by_hand(encoder) -> None:
    """Cosines 0.9, 0.6 and 0.8 with the own positives; the loss is the mean of log(1 + Σ exp((other − own) / 0.02))."""
    cosines = torch.tensor([[0.90, 0.88, 0.10], [0.59, 0.60, 0.58], [0.0, 0.70, 0.80]], dtype=torch.float64)
    # Queries are the unit vectors, documents have these cosines with them and the rest of their length elsewhere.
    rest = (1 - cosines.square().sum(0)).clamp(min=0)
    scaled = cosines / cosines.norm(dim=0).clamp(min=1)
    documents = torch.cat([scaled, rest.sqrt().diag()]).T
    queries = torch.eye(3, 6, dtype=torch.float64)
    loss: Any = make_loss("infonce", encoder, 0.02)
    found = float(loss.compute_loss_from_embeddings([queries, documents], None))
    near = scaled / documents.norm(dim=1)
    by_hand = [
        math.log(sum(math.exp((float(near[row, column]) - float(near[row, row])) / 0.02) for column in range(3)))
        for row in range(3)
    ]
    assert found == pytest.approx(sum(by_hand) / 3, rel=1e-9)
    # And one number that needs no code: two pairs, cosines 1 and 0.98 with the first query, 0 and 1 with the second.
    two = torch.tensor([[1.0, 0.0], [0.98, math.sqrt(1 - 0.98**2)]], dtype=torch.float64)
    found = float(loss.compute_loss_from_embeddings([torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double(), two], None))
    first, second = math.log(1 + math.exp(-1)), math.log(1 + math.exp(-0.19899748742132 / 0.02))
    assert found == pytest.approx((first + second) / 2, rel=1e-9)


@pytest.mark.parametrize("kind", TAKES)
def test_infonce_is_the_librarys_on_hand_made_pairs_with_its_gradient(encoder, kind) -> None:
    task = colours(kind, loss="infonce", temperature=0.05)
    batches = TaskBatches(task, task.train, encoder, 4, 0)
    rows = next(batches.rows())
    examples = batches.examples(rows)
    encoder.zero_grad(set_to_none=True)
    value = batches.backward(batches.collate(rows))
    ours = {name: one.grad for name, one in encoder.named_parameters() if one.grad is not None}
    encoder.zero_grad(set_to_none=True)
    columns = [[example[column] for example in examples] for column in examples[0]]
    features = [encoder.preprocess(texts) for texts in columns]
    theirs = MultipleNegativesRankingLoss(encoder, scale=20.0)(features, None)
    theirs.backward()
    assert value == pytest.approx(float(theirs.detach()), rel=1e-5)
    for name, one in encoder.named_parameters():
        if one.grad is not None:
            torch.testing.assert_close(ours[name], one.grad, rtol=1e-4, atol=1e-6)
    encoder.zero_grad(set_to_none=True)


def test_sts_pairs_by_thresholds() -> None:
    task = sts(
        ["a", "a", "a", "b", "c", "d", "e"],
        ["A", "A2", "z", "B", "y", "B", "E"],
        [5.0, 4.0, 0.0, 4.5, 1.0, 0.5, 3.9],
        loss="infonce",
        positive_from=4,
        negative_to=1,
    )
    assert loss_rows(task, "train").to_list() == [
        {"sentence1": "a", "sentence2": "A", "negative": "z"},
        {"sentence1": "a", "sentence2": "A2", "negative": "z"},
        {"sentence1": "B", "sentence2": "b", "negative": "d"},  # far from the second sentence, which is the query then
    ]
    kept = sts(["a", "b"], ["A", "B"], [5.0, 4.0], loss="infonce", positive_from=4)
    assert loss_rows(kept, "train").column_names == ["sentence1", "sentence2"]
    prompted = sts(
        ["b", "d"], ["B", "B"], [4.0, 0.0], loss="infonce", positive_from=4, negative_to=1, prompts={"sentence1": "x: "}
    )
    assert loss_rows(prompted, "train").to_list() == [{"sentence1": "b", "sentence2": "B"}]  # sides have their prompts


def test_pairs_of_one_premise_are_each_others_negatives() -> None:
    rows = dataset(
        sentence1=["p", "p", "p", "q"],
        sentence2=["follows", "contradicts", "denies", "follows too"],
        label=[1, 0, 0, 1],
    )
    task = Task(name="inference", kind="pair", train=rows, dev=rows, test=rows.select([0, 1]).map(lambda row: {
        "sentence1": row["sentence1"] + " t", "sentence2": row["sentence2"] + " t"}), loss="infonce")  # fmt: skip
    assert loss_rows(task, "train").to_list() == [
        {"sentence1": "p", "sentence2": "follows", "negative": "contradicts"},
        {"sentence1": "p", "sentence2": "follows", "negative": "denies"},
        {"sentence1": "q", "sentence2": "follows too", "negative": None},
    ]


def test_pairs_of_classes_are_of_one_label_and_share_no_batch(encoder) -> None:
    task = tiny_tasks()["topic"].with_loss("infonce", 0.05)
    rows = loss_rows(task, "train")
    label = dict(zip(task.train["text"], task.train["label"], strict=True))
    assert sorted(rows["text"]) == sorted(task.train["text"])
    assert sorted(rows["positive"]) == sorted(task.train["text"])  # each text once
    assert all(label[row["text"]] == label[row["positive"]] and row["text"] != row["positive"] for row in rows)
    shuffled = task.with_train(task.train.shuffle(seed=1))
    again = loss_rows(shuffled, "train")
    assert {(row["text"], row["positive"]) for row in rows} == {(row["text"], row["positive"]) for row in again}
    stream = TaskBatches(task, task.train, encoder, 8, 0)
    assert stream.batch_size == len(TOPICS)
    for batch in list(stream.rows_of_pass(0)) + list(stream.rows_of_pass(1)):
        labels = [label[example["text"]] for example in stream.examples(batch)]
        assert len(set(labels)) == len(labels)
    with pytest.raises(SpkitError, match=r"full batch of 4.*different examples"):
        spkit.train(encoder, task, steps=1, batch_size=4, progress=False)


def test_a_text_alone_with_its_label_is_told_of() -> None:
    rows = dataset(text=["a", "b", "c"], label=["x", "x", "y"])
    task = Task(name="few", kind="classification", train=rows, dev=rows, loss="infonce",
                test=dataset(text=["d", "e"], label=["x", "y"]))  # fmt: skip
    with pytest.warns(UserWarning, match="1 of 3 examples of 'train' have no other text of their label"):
        assert len(loss_rows(task, "train")) == 2


def test_thresholds_must_be_given_and_leave_enough(encoder) -> None:
    one, other = [f"a {n}" for n in range(20)], [f"b {n}" for n in range(20)]
    scores = [float(n % 6) for n in range(20)]
    with pytest.raises(SpkitError, match=r"scores from 0 to 5 in task 'near'.*`positive_from = 4`"):
        sts(one, other, scores, loss="infonce")
    with pytest.raises(SpkitError, match=r"scores from 0 to 5"):
        sts(one, other, scores).with_loss("infonce", 0.02)
    with pytest.raises(SpkitError, match="`negative_to` must lie below"):
        sts(one, other, scores, loss="infonce", positive_from=3, negative_to=3)
    with pytest.raises(SpkitError, match="from which score"):
        sts(one, other, scores, negative_to=3)
    with pytest.raises(SpkitError, match="must be a finite number"):
        sts(one, other, scores, positive_from=math.nan)
    with pytest.raises(SpkitError, match="divide pairs with scores"):
        colours("retrieval", positive_from=1)
    task = sts(one, other, scores, loss="infonce", positive_from=5.5)
    with pytest.raises(SpkitError, match=r"Found none in 20 examples.*`positive_from` = 5.5.*from 0 to 5"):
        spkit.train(encoder, task, steps=1, batch_size=2, progress=False)
    task = sts(one, other, scores, loss="infonce", positive_from=5)
    with pytest.raises(SpkitError, match="Found 3 pairs of 20 examples in 'near' at batch size 8"):
        spkit.train(encoder, task, steps=1, batch_size=8, progress=False)
    with pytest.raises(SpkitError, match="Found 3 for task 'near'"):
        spkit.Probe.sample([task], size=20)


def test_the_fingerprint_says_what_is_set_of_the_loss() -> None:
    plain = sts(["a", "b"], ["c", "d"], [1.0, 5.0])
    prints = [plain.fingerprint()]
    for settings in (
        {"positive_from": 4},
        {"positive_from": 4, "negative_to": 1},
        {"positive_from": 4, "loss": "infonce"},
        {"positive_from": 4, "loss": "infonce", "temperature": 0.02},
        {"positive_from": 4, "loss": "infonce", "temperature": 0.05},
        {"loss": "cosent"},
    ):
        prints.append(sts(["a", "b"], ["c", "d"], [1.0, 5.0], **settings).fingerprint())
    assert len(set(prints)) == len(prints)
    assert plain.with_loss("cosent").with_loss(None).fingerprint() == prints[0]
    # That of the task before losses had names: records of published studies rest on it.
    assert prints[0] == "3b53c4bd650c3b0bb125430e42641139c557db44c1eece39324e2d0cfa5ddc31"


def with_negatives(count: int, bare: int) -> Task:
    rows = [{"anchor": f"{n} q", "positive": f"{n} d", "negative": f"{n} x"} for n in range(count)]
    rows += [{"anchor": f"{n} p", "positive": f"{n} e", "negative": None} for n in range(bare)]
    test = dataset(anchor=["t"], positive=["u"])
    return Task(name="mixed", kind="retrieval", train=Dataset.from_list(rows), dev=test, test=test)


def test_rows_with_and_without_a_negative_share_no_batch(encoder) -> None:
    task = with_negatives(24, 40)
    stream = TaskBatches(task, task.train, encoder, 8, 0)
    seen = []
    for batch in stream.rows_of_pass(0):
        examples = stream.examples(batch)
        assert len({tuple(example) for example in examples}) == 1
        assert len(stream.features_of(stream.collate(batch))) == len(examples[0])
        seen.append(len(examples[0]))
    assert (seen.count(3), seen.count(2)) == (3, 5)
    assert max(len(list(run)) for run in pairwise(seen)) == 2
    assert seen != sorted(seen)
    assert seen != sorted(seen, reverse=True)  # in turns
    assert spkit.train(encoder, task, epochs=1.0, batch_size=8, progress=False) is not None
    report = spkit.gradient_conflict(encoder, [task, tiny_tasks()["faq"]], batches=4, batch_size=8, progress=False)
    assert report.cosine.notna().to_numpy().all()


def test_negatives_too_few_for_a_batch_are_left_out_with_their_number() -> None:
    with pytest.warns(UserWarning, match=r"'mixed': the negatives of 5 of 45 examples are left out"):
        parts = parts_of(*_of(with_negatives(5, 40)), 8)
    assert [(part.rows.column_names, len(part.rows)) for part in parts] == [(["anchor", "positive"], 45)]
    with pytest.warns(UserWarning, match=r"'mixed': 5 of 45 examples are left out"):
        parts = parts_of(*_of(with_negatives(40, 5)), 8)
    assert [(part.name, len(part.rows)) for part in parts] == [("mixed", 40)]


def _of(task: Task) -> tuple[Task, Dataset]:
    return task, task.train


def test_a_loss_of_ones_own_is_left_alone(encoder) -> None:
    task = sts(["a", "b"], ["c", "d"], [1.0, 5.0], loss=lambda model: nn.Identity())
    assert isinstance(task_loss(task, encoder), nn.Identity)
    assert task.fingerprint() == sts(["a", "b"], ["c", "d"], [1.0, 5.0]).fingerprint()


@pytest.mark.slow
def test_contradictions_of_real_inference_data_are_hard_negatives() -> None:
    with gzip.open(real("conjnli-train.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["label"] != "neutral"]
    given = dataset(
        sentence1=[row["premise"] for row in rows],
        sentence2=[row["hypothesis"] for row in rows],
        label=[int(row["label"] == "entailment") for row in rows],
    )
    task = Task(
        name="inference", kind="pair", role="training", train=given, dev=given.select(range(99)), loss="infonce"
    )
    pairs = loss_rows(task, "train").to_list()
    wrong = {(row["premise"], row["hypothesis"]) for row in rows if row["label"] == "contradiction"}
    right = {(row["premise"], row["hypothesis"]) for row in rows if row["label"] == "entailment"}
    negatives = [row for row in pairs if row["negative"] is not None]
    assert len({(row["sentence1"], row["sentence2"]) for row in pairs}) == len(right)
    assert len(negatives) >= 2189  # so many of the 5,820 entailments have a contradiction of their premise
    assert all((row["sentence1"], row["negative"]) in wrong for row in negatives)
    assert [(len(part.rows.column_names), len(part.rows) > 2000) for part in parts_of(task, given, 32)] == [
        (2, True),
        (3, True),
    ]
