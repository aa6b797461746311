"""Tiny random models in the shape of each family that people use, made on the spot: nothing is downloaded."""

import tempfile
from collections.abc import Callable
from typing import Any

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import nn

from tests.tiny import WIDTH, WORDS, tiny_tokenizer

#: Words of the prompts below, beside those of the tasks.
_PROMPT_WORDS = ("query", "passage", "title", "none", "text", "search", "instruct")

QUERY_AND_PASSAGE = {"query": "query: ", "document": "passage: "}

_SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 2 * WIDTH,
    "max_position_embeddings": 80,
    "pad_token_id": 0,
}
_DECODER: dict[str, Any] = {"num_key_value_heads": 1, "head_dim": 16, "bos_token_id": 2, "eos_token_id": 3}


def _saved(config: Any, seed: int, model_class: Any = transformers.AutoModel, side: str = "right") -> Transformer:
    """A transformer with random weights, through a folder as any real one."""
    tokenizer = tiny_tokenizer((*WORDS, *_PROMPT_WORDS))
    tokenizer.padding_side = side
    config.vocab_size = len(tokenizer)
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(seed)
        make = getattr(model_class, "from_config", None) or model_class._from_config
        make(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(folder)
    transformer.model.config._name_or_path = ""
    return transformer


def _model(modules: list[nn.Module], **settings: Any) -> SentenceTransformer:
    return SentenceTransformer(modules=modules, device="cpu", **settings).eval()


def _dense(features: int, out: int, seed: int) -> Dense:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Dense(features, out, bias=False, activation_function=nn.Identity())


def _bert(seed: int) -> Transformer:
    return _saved(transformers.BertConfig(**_SHAPE), seed)


def bert_cls(seed: int) -> SentenceTransformer:
    """BGE: the first token, unit length."""
    return _model([_bert(seed), Pooling(WIDTH, pooling_mode="cls"), Normalize()])


def bert_prompts(seed: int) -> SentenceTransformer:
    """E5: mean pooling, a prompt for queries and one for passages."""
    return _model([_bert(seed), Pooling(WIDTH), Normalize()], prompts=QUERY_AND_PASSAGE)


def bert_dot(seed: int) -> SentenceTransformer:
    """multi-qa and msmarco models: inner products of embeddings of any length."""
    return _model([_bert(seed), Pooling(WIDTH, pooling_mode="cls")], similarity_fn_name="dot")


def bert_matryoshka(seed: int) -> SentenceTransformer:
    """mxbai and others that are used at a part of their length; prompts that pooling leaves out."""
    pooling = Pooling(WIDTH, include_prompt=False)
    return _model([_bert(seed), pooling], truncate_dim=16, prompts={"all": "text: "}, default_prompt_name="all")


def xlm_roberta(seed: int) -> SentenceTransformer:
    """multilingual-e5: positions that begin after the padding's number."""
    return _model([_saved(transformers.XLMRobertaConfig(**_SHAPE), seed), Pooling(WIDTH)])


def mpnet(seed: int) -> SentenceTransformer:
    """all-mpnet-base: a relative position bias that all layers share."""
    return _model([_saved(transformers.MPNetConfig(**_SHAPE), seed), Pooling(WIDTH), Normalize()])


def modernbert(seed: int) -> SentenceTransformer:
    """ModernBERT and gte-modernbert: no biases, local attention."""
    ends = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    return _model([_saved(transformers.ModernBertConfig(**_SHAPE, **ends, local_attention=16), seed), Pooling(WIDTH)])


def distilbert(seed: int) -> SentenceTransformer:
    """DistilBERT with position-weighted pooling."""
    shape = {"dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 2 * WIDTH, "max_position_embeddings": 80}
    config = transformers.DistilBertConfig(**shape, pad_token_id=0)
    return _model([_saved(config, seed), Pooling(WIDTH, pooling_mode="weightedmean")])


def t5(seed: int) -> SentenceTransformer:
    """sentence-t5, GTR: an encoder of T5, a projection, unit length."""
    shape = {"d_model": WIDTH, "d_kv": 16, "d_ff": 2 * WIDTH, "num_layers": 2, "num_heads": 2}
    config = transformers.T5Config(**shape, pad_token_id=0, eos_token_id=3, tie_word_embeddings=False)
    encoder = _saved(config, seed, transformers.T5EncoderModel)
    return _model([encoder, Pooling(WIDTH), _dense(WIDTH, 24, seed), Normalize()])


def qwen3(seed: int) -> SentenceTransformer:
    """Qwen3-Embedding: a decoder, padded on the left, the last token, an instruction for queries alone."""
    decoder = _saved(transformers.Qwen3Config(**_SHAPE, **_DECODER, tie_word_embeddings=True), seed, side="left")
    prompts = {"query": "instruct: search query: ", "document": ""}
    return _model([decoder, Pooling(WIDTH, pooling_mode="lasttoken"), Normalize()], prompts=prompts)


def gemma(seed: int) -> SentenceTransformer:
    """EmbeddingGemma: mean pooling, two projections, unit length, prompts by task."""
    config = transformers.Gemma3TextConfig(**_SHAPE, **_DECODER, sliding_window=16)
    dense = [_dense(WIDTH, 48, seed), _dense(48, WIDTH, seed + 1)]
    prompts = {
        "query": "search: query: ",
        "document": "title: none text: ",
        "STS": "text: ",
        "Classification": "text: ",
    }
    return _model([_saved(config, seed), Pooling(WIDTH), *dense, Normalize()], prompts=prompts)


def static(seed: int) -> SentenceTransformer:
    """model2vec, potion, static-retrieval-mrl: no transformer."""
    tokenizer = tiny_tokenizer((*WORDS, *_PROMPT_WORDS)).backend_tokenizer
    weights = torch.randn(tokenizer.get_vocab_size(), WIDTH, generator=torch.Generator().manual_seed(seed))
    return _model([StaticEmbedding(tokenizer, embedding_weights=weights.numpy())])


def router(seed: int) -> SentenceTransformer:
    """Queries by static embeddings, documents by a transformer; each has a vocabulary of its own."""
    tokenizer = tiny_tokenizer((*WORDS, *_PROMPT_WORDS, *(f"more{number}" for number in range(50)))).backend_tokenizer
    weights = torch.randn(tokenizer.get_vocab_size(), WIDTH, generator=torch.Generator().manual_seed(seed))
    queries = [StaticEmbedding(tokenizer, embedding_weights=weights.numpy())]
    both = Router.for_query_document(query_modules=queries, document_modules=[_bert(seed), Pooling(WIDTH)])
    return _model([both, Normalize()])


#: A function from a seed to a model, by the family's name. Equal seeds give equal models.
FAMILIES: dict[str, Callable[[int], SentenceTransformer]] = {
    "bert_cls": bert_cls,
    "bert_prompts": bert_prompts,
    "bert_dot": bert_dot,
    "bert_matryoshka": bert_matryoshka,
    "xlm_roberta": xlm_roberta,
    "mpnet": mpnet,
    "modernbert": modernbert,
    "distilbert": distilbert,
    "t5": t5,
    "qwen3": qwen3,
    "gemma": gemma,
    "static": static,
    "router": router,
}
