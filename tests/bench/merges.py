"""What a merge costs: beside a plain copy, mergekit, SentenceTransformer.merge and PEFT, with equal results."""

import torch
from jaxtyping import Bool, Float
from mergekit.merge_methods import merge_state_dicts
from peft.utils.merge_utils import ties as peft_ties
from sentence_transformers import SentenceTransformer
from torch import Tensor

import spkit
from tests.bench.measuring import Row, medians, noisy_experts

DENSITY = 0.2


def merges() -> list[Row]:
    """Merging five MiniLM-sized models, and TIES of three."""
    base = spkit.load_base("minilm-l6")
    experts = noisy_experts(base, 5)
    vectors = spkit.TaskVectors.from_models(base, experts)
    models = list(experts.values())
    states = [
        {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
        for model in (base, *models)
    ]
    return [*_linear(vectors, models, states), *_ties(vectors.select(vectors.names[:3]), states[:4])]


def _linear(
    vectors: spkit.TaskVectors, models: list[SentenceTransformer], states: list[dict[str, Tensor]]
) -> list[Row]:
    def ours() -> SentenceTransformer:
        return vectors.at([0.2] * 5)

    def mergekit() -> dict[str, Tensor]:
        return merge_state_dicts(states, "task_arithmetic", base=0, parameters={"weight": 0.2})

    def library() -> SentenceTransformer:
        return SentenceTransformer.merge(models, "task_arithmetic", base_model=vectors.base, parameters={"weight": 0.2})

    expected = vectors.layout.flatten(dict(ours().named_parameters()))
    for merged in (mergekit(), dict(library().named_parameters())):
        torch.testing.assert_close(vectors.layout.flatten(merged), expected, atol=1e-6, rtol=0)
    seconds, others, whole, copied = medians(ours, mergekit, library, lambda: vectors.matrix.clone())
    return [
        Row("at(), 5 models / plain copy of the vectors", seconds, copied),
        Row("at(), 5 models / mergekit task_arithmetic", seconds, others),
        Row("at(), 5 models / SentenceTransformer.merge", seconds, whole),
    ]


def _ties(three: spkit.TaskVectors, states: list[dict[str, Tensor]]) -> list[Row]:
    places = list(three.layout.slices.values())
    tensors = [[row[place] for row in three.matrix] for place in places]

    def ours() -> SentenceTransformer:
        return three.trim(DENSITY, scope="tensor").elect().at([1.0] * 3)

    def mergekit() -> dict[str, Tensor]:
        return merge_state_dicts(states, "ties", base=0, parameters={"weight": 1.0, "density": DENSITY})

    def peft() -> list[Tensor]:
        return [peft_ties(parts, torch.ones(3), DENSITY) for parts in tensors]

    start, alike = three.flat([0.0] * 3), _alike(three.trim(DENSITY, scope="tensor").matrix, places)
    expected = three.layout.flatten(dict(ours().named_parameters()))[alike]
    for merged in (three.layout.flatten(mergekit()), start + torch.cat(peft())):
        torch.testing.assert_close(merged[alike], expected, atol=1e-6, rtol=0)
    seconds, others, fewer = medians(ours, mergekit, peft)
    return [
        Row("TIES per tensor, 3 models / mergekit ties", seconds, others),
        Row("TIES per tensor, 3 models / PEFT ties", seconds, fewer),
    ]


def _alike(trimmed: Float[Tensor, "N P"], places: list[slice]) -> Bool[Tensor, " P"]:
    """The columns on which the conventions agree, nearly all of them.

    We keep every entry at the threshold, the others some of them; where the signs cancel we keep nothing, the others
    what is positive.
    """
    alike = (trimmed.sum(0) != 0) | (trimmed == 0).all(0)
    for place in places:
        magnitudes = trimmed[:, place].abs()
        threshold = magnitudes.where(magnitudes > 0, torch.inf).min(1, keepdim=True).values
        alike[place] &= (magnitudes != threshold).all(0)
    assert alike.float().mean() > 0.999
    return alike
