"""One batch, embedded by all processes together: a training by several processes is the training by one.

Losses compare the texts of a batch with each other, so that the mean of the losses of parts is not the loss of the
whole. Every process has the whole batch, embeds its part of the rows, and computes the loss on the embeddings of all;
its backward pass goes through its own rows, and the gradients of the processes add up to that of the batch.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from accelerate.data_loader import prepare_data_loader
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from torch import Tensor, cat, nn
from torch.utils.data import DataLoader

from spkit.launcher import process_count
from spkit.processes import own_part, put_together

_EMBEDDING = "sentence_embedding"


class SharedModel(nn.Module):
    """Stands in a loss for the model: takes the features of a whole batch, and gives the embeddings of all its rows.

    Args:
        model: as the trainer has wrapped it, which means the gradients of the processes before a step.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # what a loss asks of a model beside its forward pass
            return getattr(super().__getattr__("model"), name)

    def forward(self, features: Mapping[str, Any], **given: Any) -> dict[str, Any]:
        """The features, and the embeddings of all rows, of which this process's have a gradient."""
        rows = _rows(features)
        if rows < process_count():  # bags of words and the like have no rows to cut: each process embeds all
            return self.model(dict(features), **given)
        part = own_part(rows)
        own = {key: value[part] if _has_rows(value, rows) else value for key, value in features.items()}
        embedded: Tensor = self.model(own, **given)[_EMBEDDING]
        everything = put_together(embedded, rows)
        if embedded.requires_grad:
            # The processes' gradients are averaged afterwards, where their sum is the gradient of the batch.
            embedded.register_hook(lambda gradient: gradient * process_count())
        return {
            **features,
            _EMBEDDING: cat([everything[: part.start], embedded, everything[part.stop :]]),
        }


def _rows(features: Mapping[str, Any]) -> int:
    """The texts of a batch that has a row for each; 0 where it has none."""
    mask = features.get("attention_mask")
    return len(mask) if isinstance(mask, Tensor) and mask.ndim == 2 else 0


def _has_rows(value: Any, rows: int) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == rows


@contextmanager
def quiet_launch() -> Iterator[None]:
    """Without a warning of torch's about a setting that the library passes on to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
        yield


class SharingTrainer(SentenceTransformerTrainer):
    """The library's trainer, whose batch is one batch, whatever the number of processes.

    The library's own takes a batch for each process, so that a step with several is a step on several batches.
    """

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The same batches in every process."""
        if process_count() == 1:
            return super().get_train_dataloader()
        assert self.train_dataset is not None
        loader = self._build_dataloader(self.train_dataset, self.args.train_batch_size, dataset_kind="train")
        settings = self.accelerator.dataloader_config
        self._train_dataloader = prepare_data_loader(
            loader,
            self.accelerator.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
            even_batches=False,
            use_seedable_sampler=settings.use_seedable_sampler,
            data_seed=settings.data_seed,
        )
        return self._train_dataloader

    def override_model_in_loss(self, loss: nn.Module, model: nn.Module) -> nn.Module:
        """Put the model of all processes into a loss and the losses within it."""
        if process_count() == 1:
            return super().override_model_in_loss(loss, model)  # pyright: ignore[reportArgumentType]
        for name, child in loss.named_children():
            if name == "model" and isinstance(child, SentenceTransformer):
                loss.model = SharedModel(model)
            elif not isinstance(child, SharedModel):
                setattr(loss, name, self.override_model_in_loss(child, model))
        return loss
