"""How soon the explorer answers: interpolated while a slider is dragged, measured once it rests."""

import statistics
import time

import numpy as np

import spkit
from tests.bench.measuring import Row, noisy_experts

NAMES = ("headline", "topic", "similarity", "chat")
DRAGS, RESTS = 200, 12


def explorer() -> list[Row]:
    """Milliseconds and seconds on the bundled tasks with minilm-l3 and four vectors, beside what is asked for.

    An answer is complete when status line, table, bars and map are changed; what the browser then takes is not in it.
    """
    base = spkit.load_base("minilm-l3", max_seq_length=32)
    experts = dict(zip(NAMES, noisy_experts(base, len(NAMES)).values(), strict=True))
    vectors = spkit.TaskVectors.from_models(base, experts)
    tasks = spkit.load_tasks("bundled", names=list(NAMES))
    opened = spkit.explore(vectors, tasks, progress=False)
    random = np.random.default_rng(0)
    drags = []
    for number, value in enumerate(random.uniform(0, 1, DRAGS)):
        began = time.perf_counter()
        opened._controls[number % len(NAMES)].slider.value = round(float(value), 2)
        drags.append(1000 * (time.perf_counter() - began))
    opened.exploration.wait()
    rests = []
    for value in random.uniform(0, 1, RESTS):
        began = time.perf_counter()
        opened._controls[0].slider.value = round(float(value), 3)
        opened.exploration.wait()
        rests.append(time.perf_counter() - began)
    assert opened.reading.measured
    opened.close()
    return [
        Row("explorer, interpolated answer, 95th percentile / 50 ms", float(np.quantile(drags, 0.95)), 50.0, "ms"),
        Row("explorer, measured answer, median / 1 s", statistics.median(rests), 1.0),
        Row("explorer, measured answer, 95th percentile / 1 s", float(np.quantile(rests, 0.95)), 1.0),
    ]
