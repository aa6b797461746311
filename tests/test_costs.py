"""Costs: the stated formula against torch's counter and by hand, and everything the kit does on one account."""

import json
import threading
from copy import deepcopy
from dataclasses import asdict

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import LSTM, BoW, Pooling, StaticEmbedding, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules import module as torch_module
from torch.utils.flop_counter import FlopCounterMode
from transformers.pytorch_utils import Conv1D

from spkit.costs import Cost, count_costs
from spkit.diagnostics.conflict import gradient_conflict
from spkit.evaluation import evaluate
from spkit.models.bases import load_base
from spkit.models.reading import parameters_read
from spkit.searching.probe import Probe
from spkit.searching.self_position import self_position
from spkit.training.trainer import train
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import noisy
from tests.tiny import WIDTH, WORDS, tiny_tasks, tiny_tokenizer

TEXTS = ["where is the red apple", "stone", "found the river and the cloud"]
#: Of `tiny_encoder`: four attention matrices and two of the MLP in each of two layers; the pooler sees a text once.
LAYERS, POOLER = 2 * (4 * WIDTH**2 + 2 * WIDTH * 2 * WIDTH), WIDTH**2


def loss_of(model: SentenceTransformer, texts: list[str] = TEXTS) -> torch.Tensor:
    return model(model.preprocess(texts))["sentence_embedding"].square().sum()


def counted_by_torch(model: SentenceTransformer, texts: list[str], backward: bool) -> tuple[Cost, int]:
    # The mathematical backend shows attention to torch's counter as the matrix products it is.
    with count_costs() as cost, FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        if backward:
            loss_of(model, texts).backward()
        else:
            with torch.no_grad():
                loss_of(model, texts)
    model.zero_grad(set_to_none=True)
    return cost, counter.get_total_flops()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("texts", [TEXTS, ["stone"], TEXTS * 5])
def test_formula_is_what_torch_counts(model, texts, backward) -> None:
    cost, expected = counted_by_torch(model, texts, backward)
    # The pooler's output is not used, so that its backward pass is in neither count.
    assert cost.flops == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("frozen", ["embeddings", "layer.0", "encoder"])
def test_frozen_weights_cost_no_backward_pass(model, frozen) -> None:
    part = deepcopy(model)
    for name, parameter in part.named_parameters():
        # What stands below the frozen part is frozen too, so that no gradient passes through it.
        below = "embeddings" in name or ("layer.0" in name and frozen == "encoder")
        parameter.requires_grad_(not (frozen in name or (below and frozen != "embeddings")))
    if frozen == "encoder":
        part.append(Dense(WIDTH, WIDTH))
    cost, expected = counted_by_torch(part, TEXTS, backward=True)
    # Attention counts its backward pass for all layers or for none; here torch leaves out that of the frozen layer.
    tolerance = 0.08 if frozen == "layer.0" else 0.02
    assert cost.flops == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("backward", [False, True])
def test_formula_is_what_torch_counts_on_a_real_encoder(backward) -> None:
    texts = ["A question of some length, as people ask it.", "short", "An answer. " * 12]
    cost, expected = counted_by_torch(load_base("minilm-l3"), texts, backward)
    assert cost.flops == pytest.approx(expected, rel=0.02)
    assert cost.notes == []


def test_formula_by_hand(model) -> None:
    rows, length = 3, model.preprocess(TEXTS)["input_ids"].shape[1]
    forward = 2 * LAYERS * rows * length + 2 * POOLER * rows + 4 * 2 * WIDTH * rows * length * length
    with count_costs() as off, torch.no_grad():
        loss_of(model)
    with count_costs() as on:
        loss = loss_of(model)
    with count_costs() as late:
        loss.backward()
    model.zero_grad(set_to_none=True)
    assert off.flops == on.flops == forward  # gradients that nobody asked for cost nothing
    assert late.flops == 0  # what began outside of the block is not in it
    with count_costs() as whole:
        loss_of(model).backward()
    model.zero_grad(set_to_none=True)
    assert whole.flops == 3 * forward - 2 * 2 * POOLER * rows


def test_texts_are_rows_and_tokens_are_what_the_mask_keeps(model) -> None:
    batch = model.preprocess(TEXTS)
    with count_costs() as cost, torch.no_grad():
        model(batch)
    assert cost.texts == 3
    assert cost.tokens == int(batch["attention_mask"].sum()) < cost.padded_tokens == batch["input_ids"].numel()
    assert cost.seconds > 0
    assert cost.notes == []


def test_rows_without_padding_count_as_the_texts_they_hold(model) -> None:
    """As flash attention takes them: one row, positions that start again, and no attention between texts."""
    lengths = [5, 1, 7]
    packed = {
        "input_ids": torch.full((1, 13), 7),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
    }
    encoder = SentenceTransformer(modules=[model[0]], device="cpu")
    with count_costs() as cost, torch.no_grad():
        encoder(packed)
    pairs = sum(length * length for length in lengths)
    assert (cost.texts, cost.tokens, cost.padded_tokens) == (3, 13, 13)
    assert cost.flops == 2 * LAYERS * 13 + 2 * POOLER + 4 * 2 * WIDTH * pairs


def test_training_costs_three_forward_passes_for_each_batch(model) -> None:
    task = tiny_tasks()["faq"]
    with count_costs() as cost:
        train(model, task, steps=3, batch_size=8, progress=False)
    assert cost.texts == 3 * 8 * 2  # an example of a retrieval task is two texts
    by_linear = 3 * 2 * LAYERS * cost.padded_tokens
    assert by_linear < cost.flops < 1.3 * by_linear


def test_searches_and_measurements_are_counted(model) -> None:
    tasks = {name: task for name, task in tiny_tasks().items() if name != "topic"}
    vectors = TaskVectors.from_models(model, {name: noisy(model, seed) for seed, name in enumerate(tasks)})
    probe = Probe.sample(tasks, size=32)
    with count_costs() as everything:
        with count_costs() as searched:
            self_position(vectors, probe, steps=2, batch_size=8, progress=False)
        with count_costs() as measured:
            gradient_conflict(model, tasks, batches=4, batch_size=8, progress=False)
    assert searched.texts >= 2 * 2 * 8
    assert measured.texts == 2 * 4 * 8 * 2
    both = searched + measured
    assert (everything.texts, everything.tokens, everything.flops) == (both.texts, both.tokens, both.flops)
    with count_costs() as embedded:
        model.encode(tasks["faq"].train["anchor"])
    # With a backward pass, and without.
    assert measured.flops / measured.padded_tokens > 2.5 * embedded.flops / embedded.padded_tokens


@pytest.mark.slow  # mteb takes seconds to import
def test_evaluation_is_counted(model) -> None:
    task = tiny_tasks()["likeness"]
    with count_costs() as cost:
        evaluate(model, [task])
    assert cost.texts == len({text for column in task.text_columns for text in task.test[column]})
    assert cost.notes == []


def test_the_block_ends_with_its_hooks_removed_and_its_costs_filled(model) -> None:
    cost = Cost()

    def stopped() -> None:
        nonlocal cost
        with count_costs() as cost, torch.no_grad():
            loss_of(model)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert cost.texts == 3
    assert not torch_module._global_forward_hooks
    before = asdict(cost)
    loss_of(model)
    assert asdict(cost) == before


def test_checks_of_what_was_loaded_are_not_counted(model) -> None:
    with count_costs() as cost:
        parameters_read(model)
        model.encode(["red"], show_progress_bar=False)
    assert cost.texts == 1


def test_other_threads_do_not_count(model) -> None:
    def elsewhere() -> None:
        model.encode(TEXTS)
        with count_costs() as cost:
            model.encode(TEXTS[:1])
        others.append(cost)

    others: list[Cost] = []
    with count_costs() as cost:
        model.encode(TEXTS[:2])
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert (cost.texts, others[0].texts) == (2, 1)


def test_costs_add_up_and_survive_json(model) -> None:
    with count_costs() as one, torch.no_grad():
        loss_of(model)
    other = Cost(texts=1, tokens=2, padded_tokens=3, flops=4, seconds=5.0, notes=["a note"])
    total = sum([one, other, other], Cost())
    assert total.texts == 5
    assert total.flops == one.flops + 8
    assert total.seconds == pytest.approx(one.seconds + 10)
    assert total.notes == ["a note"]
    assert Cost(**json.loads(json.dumps(asdict(total)))) == total


def test_an_encoder_that_only_looks_rows_up_has_no_flops() -> None:
    static = SentenceTransformer(
        modules=[StaticEmbedding(tiny_tokenizer(WORDS)._tokenizer, embedding_dim=8)], device="cpu"
    )
    with count_costs() as cost:
        static.encode(TEXTS)
    assert (cost.texts, cost.flops) == (3, 0)
    assert cost.tokens == cost.padded_tokens == 18
    assert cost.notes == ["No linear layer ran: FLOPs are 0, and texts, tokens and seconds are what it cost."]


def test_what_cannot_be_counted_is_named() -> None:
    words = {word: index for index, word in enumerate(WORDS)}
    bag = SentenceTransformer(modules=[BoW(vocab=list(words))], device="cpu")
    with count_costs() as cost:
        bag.encode(TEXTS)
    assert (cost.texts, cost.notes) == (0, ["The texts and tokens of BoW are not counted."])
    embeddings = WordEmbeddings(WhitespaceTokenizer(WORDS), torch.ones(len(WORDS), 6))
    recurrent = SentenceTransformer(modules=[embeddings, LSTM(6, 4), Pooling(8)], device="cpu")
    with count_costs() as cost:
        recurrent.encode(TEXTS)
    assert cost.texts == 3
    assert "The FLOPs of LSTM are not counted." in cost.notes
    with count_costs() as cost:
        pass
    assert cost.notes == ["No text went through a SentenceTransformer."]


def test_gpt2s_linear_layer_is_one() -> None:
    layer, inputs = Conv1D(6, 4), torch.ones(2, 3, 4, requires_grad=True)
    with count_costs() as cost, FlopCounterMode(display=False) as counter:
        layer(inputs).sum().backward()
    assert cost.flops == counter.get_total_flops() == 3 * 2 * 24 * 6
