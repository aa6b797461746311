"""What every test can afford: an encoder of width 32 with random weights, and three tasks of short texts."""

import random
import string
import tempfile
from collections.abc import Iterable

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from spkit.tasks import Task

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WIDTH = 32


def tiny_tokenizer(words: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """A lower-casing WordPiece tokenizer over single characters and the words given: no Latin text is unknown."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*SPECIAL, *characters, *(f"##{character}" for character in characters), *words]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def tiny_encoder(seed: int = 0, words: Iterable[str] = (), layers: int = 2) -> SentenceTransformer:
    """A SentenceTransformer with random weights of its own seed: BERT of width 32, mean pooling, on the CPU.

    Args:
        seed: of the weights; equal seeds give equal models. torch's global random state is left as it was.
        words: whole words the vocabulary has beside the single characters. Models that are to be merged need the same.
        layers: number of BERT layers.
    """
    tokenizer = tiny_tokenizer(words)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bert = BertModel(config)
    # Transformer reads a folder, as it does for any real model.
    with tempfile.TemporaryDirectory() as folder:
        bert.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(folder)
    transformer.model.config._name_or_path = ""
    return SentenceTransformer(modules=[transformer, Pooling(WIDTH, pooling_mode="mean")], device="cpu")


COLOURS = ("red", "green", "blue", "white", "black", "brown")
THINGS = ("apple", "river", "stone", "cloud", "horse", "paper", "table", "violin")
PLACES = ("north", "south", "garden", "city", "harbour", "forest")
TOPICS = {"colours": COLOURS, "things": THINGS, "places": PLACES}

#: The whole vocabulary of `tiny_tasks`: `tiny_encoder(words=WORDS)` knows each as one token.
WORDS = (*COLOURS, *THINGS, *PLACES, "where", "is", "found", "and")


def tiny_tasks(sizes: tuple[int, int, int] = (64, 24, 24)) -> dict[str, Task]:
    """Three small tasks that a tiny encoder can learn in some tens of steps; the same ones at every call.

    `faq` (retrieval): the question and the answer name the same colour, thing and place in other words' company.
    `topic` (classification): most words of a text belong to the topic that is its label. `likeness` (sts): the score is
    the number of words that two texts share.

    Args:
        sizes: examples of train, dev and test. No text stands in two splits.
    """
    return {task.name: task for task in (_tiny_faq(sizes), _tiny_topic(sizes), _tiny_likeness(sizes))}


def _tiny_faq(sizes: tuple[int, int, int]) -> Task:
    rows = [
        {"anchor": f"where is the {colour} {thing} {place}", "positive": f"{thing} found {place} and {colour}"}
        for colour in COLOURS
        for thing in THINGS
        for place in PLACES
    ]
    random.Random(1).shuffle(rows)
    return Task(name="faq", kind="retrieval", **_tiny_splits(rows, sizes))


def _tiny_topic(sizes: tuple[int, int, int]) -> Task:
    rng, rows, seen = random.Random(2), [], set()
    while len(rows) < sum(sizes):
        label = list(TOPICS)[len(rows) % 3]
        words = [*rng.sample(TOPICS[label], 3), rng.choice(WORDS)]
        rng.shuffle(words)
        if (text := " ".join(words)) not in seen:
            seen.add(text)
            rows.append({"text": text, "label": label})
    return Task(name="topic", kind="classification", **_tiny_splits(rows, sizes))


def _tiny_likeness(sizes: tuple[int, int, int]) -> Task:
    rng, rows, seen = random.Random(3), [], set()
    while len(rows) < sum(sizes):
        words, shared = rng.sample(WORDS, 8), rng.randrange(5)
        one, other = " ".join(words[:4]), " ".join(words[4 - shared : 8 - shared])
        if seen.isdisjoint((one, other)) and one != other:
            seen.update((one, other))
            rows.append({"sentence1": one, "sentence2": f"{other} is", "score": float(shared)})
    return Task(name="likeness", kind="sts", **_tiny_splits(rows, sizes))


def _tiny_splits(rows: list[dict[str, object]], sizes: tuple[int, int, int]) -> dict[str, Dataset]:
    train, dev, _ = sizes
    ends = (0, train, train + dev, sum(sizes))
    return {
        split: Dataset.from_list(rows[ends[number] : ends[number + 1]])
        for number, split in enumerate(("train", "dev", "test"))
    }
