"""What reading texts with little padding saves: where no gradient is needed, and in evaluation."""

from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import torch

import spkit
from spkit.evaluation import encoder
from spkit.searching.objective import Objective
from tests.bench.measuring import Row, medians, noisy_experts

NAMES = ("headline", "topic", "similarity", "chat")
EXAMPLES, BATCH = 64, 16


def texts() -> list[Row]:
    """The loss of the probe, a step of the search, and scores, on the bundled tasks with minilm-l3."""
    base = spkit.load_base("minilm-l3", max_seq_length=32)
    tasks = spkit.load_tasks("bundled", names=list(NAMES))
    vectors = spkit.TaskVectors.from_models(
        base, dict(zip(NAMES, noisy_experts(base, len(NAMES)).values(), strict=True))
    )
    probe = spkit.Probe.sample(tasks, size=EXAMPLES * len(NAMES))
    at = torch.full((1, len(NAMES)), 0.25, dtype=torch.float64)
    ours, plain = Objective(vectors, probe, BATCH), as_it_is(Objective(vectors, probe, BATCH))
    narrow = Objective(vectors, probe, BATCH, precision="bfloat16")
    once, apart = medians(lambda: ours.task_losses(at), lambda: plain.task_losses(at))
    step, whole, short = medians(lambda: ours.step(at), lambda: plain.step(at), lambda: narrow.step(at))
    tokens, characters = _padded(base, tasks, {}), _padded(base, tasks, {"_sorted_by_tokens": _unsorted})
    return [
        Row("loss of the bundled probe, each text once / batch by batch", once, apart),
        Row("search step on the bundled probe, texts of like length / whole batches", step, whole),
        Row("search step on the bundled probe, bfloat16 / float32", short, step),
        Row("padded tokens of an evaluation, sorted by tokens / by characters", tokens, characters, "tokens"),
    ]


def as_it_is(objective: Objective) -> Objective:
    """The same where the model itself reads every batch in one piece."""
    for part in objective.batches.values():
        loss: Any = part.loss
        loss.model = objective.model
    objective._plain = set()
    return objective


def _unsorted(model: Any, texts: Any) -> Any:
    return nullcontext()


def _padded(base: Any, tasks: Any, changes: dict[str, Any]) -> float:
    with patch.multiple(encoder, **changes) if changes else nullcontext(), spkit.count_costs() as cost:
        spkit.evaluate(base, tasks, resamples=2)
    return float(cost.padded_tokens)
