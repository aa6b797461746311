"""One search in each of several processes; writes coefficients, losses, and what travelled between them.

Started by tests/test_processes.py with torch's launcher; its `main` alone is the same search in one process.
"""

import json
import sys
from pathlib import Path

import torch

from spkit import Probe, TaskVectors, self_position
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


def main(folder: Path) -> None:
    """Search by module with three batches of each of three tasks a step, and look at a validation."""
    sent: list[int] = []
    plain = torch.distributed.all_reduce

    def counted(tensor: torch.Tensor, *given: object, **named: object) -> object:
        sent.append(tensor.numel())
        return plain(tensor, *given, **named)

    torch.distributed.all_reduce = counted
    base = tiny_encoder(0, WORDS)
    vectors = TaskVectors.from_models(base, {name: noisy(base, seed) for seed, name in enumerate("abc")})
    tasks = tiny_tasks()
    result = self_position(
        vectors,
        Probe.sample(tasks, size=96),
        path="free",
        granularity="module",
        optimizer="adam",
        steps=6,
        batch_size=8,
        batches_per_step=3,
        validation=Probe.sample(tasks, size=48, split="dev"),
        validate_every=6,
        progress=False,
    )
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else -1
    answer = {
        "rows": result.rows.tolist(),
        "loss": result.history["loss"].tolist(),
        "validation": result.history["validation"].dropna().tolist(),
        "sent": sent,
        "modules": len(vectors.modules),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
