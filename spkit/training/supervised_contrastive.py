"""The supervised contrastive loss for classes, which sentence-transformers does not have."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn


class SupervisedContrastiveLoss(nn.Module):
    """Moves texts of one label together: each other text of the batch is a candidate, those of the label are right.

    Batch-hard triplet losses look at one pair a text and were seen to collapse small encoders at short trainings; this
    loss looks at all pairs, and is smooth, which a search by gradient needs.

    Args:
        model: whose embeddings it reads.
        temperature: cosines are divided by it; 0.05 to 0.5 are common.

    References:
        Khosla et al., "Supervised Contrastive Learning", arXiv 2004.11362, eq. 2.
    """

    def __init__(self, model: SentenceTransformer, temperature: float = 0.1) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        """Mean loss over the texts that have a partner of their label in the batch."""
        (features,) = sentence_features
        return self.compute_loss_from_embeddings([self.model(features)["sentence_embedding"]], labels)

    def compute_loss_from_embeddings(
        self, embeddings: list[Float[Tensor, "B D"]], labels: Int[Tensor, " B"]
    ) -> Float[Tensor, ""]:
        """The same from the embeddings of the one column, under the name that sentence-transformers has for it."""
        directions = nn.functional.normalize(embeddings[0], dim=1)
        itself = torch.eye(len(labels), dtype=torch.bool, device=directions.device)
        logits = (directions @ directions.T / self.temperature).masked_fill(itself, -torch.inf)
        log_shares = logits.log_softmax(1).masked_fill(itself, 0.0)
        partners = (labels[:, None] == labels[None, :]) & ~itself
        counts = partners.sum(1)
        per_text = -(log_shares * partners).sum(1) / counts.clamp(min=1)
        return per_text[counts > 0].mean()

    def get_config_dict(self) -> dict[str, float]:
        """Settings for the model card."""
        return {"temperature": self.temperature}
