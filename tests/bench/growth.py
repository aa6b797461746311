"""How memory, disk, time and traffic grow with the size of the model and the number of vectors, and what that means.

`python -m tests.bench.growth --output FOLDER` measures encoders of BERT's shape with random weights, from 4 to 41
million parameters, with 2 to 8 vectors, each in a process of its own. Each quantity is fitted by a + b·P + c·N·P with
coefficients that are not negative, and taken on to 0.1, 0.6 and 8 billion parameters and 2 to 100 vectors. Writes
growth.csv (what was measured, with the fit beside it) and growth_large.csv, and prints the latter.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.optimize import nnls
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertConfig, BertModel

import spkit
from spkit.models.bases import quiet_libraries
from tests.bench.measuring import AnonymousPeak, in_own_process, noisy_experts
from tests.tiny import WORDS, tiny_tasks, tiny_tokenizer

#: Width and layers.
SHAPES = ((128, 2), (256, 4), (384, 6), (512, 8))
VECTORS = (2, 4, 8)
LARGE = (1e8, 6e8, 8e9)
MANY = (2, 10, 30, 100)
STEPS, BATCH = 4, 8
#: What one machine is taken to have: 24 GiB of memory, 1 TB of disk; and a day.
LIMITS = {"GB": 25.8, "GB on disk": 1000.0, "s": 86400.0}


def encoder(width: int, layers: int) -> SentenceTransformer:
    """Random weights, and the vocabulary of BERT."""
    tokenizer = tiny_tokenizer(WORDS)
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as plain:
        BertModel(config).save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        modules = [Transformer(plain), Pooling(width, pooling_mode="mean")]
        return SentenceTransformer(modules=modules, device="cpu")


def measure(width: int, layers: int, count: int, folder: Path) -> dict[str, float]:
    """Every quantity at one size and number; "|" stands between its name and its unit."""
    base = encoder(width, layers)
    base.save(str(folder / "base"))
    for name, expert in noisy_experts(base, count).items():
        expert.save(str(folder / name))
        del expert
    models = {f"expert{number}": folder / f"expert{number}" for number in range(count)}
    tasks = tiny_tasks()
    quantities: dict[str, float] = {}

    def watched(name: str, work: Callable[[], object], repeats: int = 1) -> None:
        with AnonymousPeak() as peak:
            began = time.perf_counter()
            work()
            quantities[f"{name}|s"] = (time.perf_counter() - began) / repeats
        quantities[f"{name}|GB"] = (peak.peak - peak.before) / 1e9

    watched("making vectors", lambda: spkit.TaskVectors.from_models(base, models, folder=folder / "vectors"))
    on_disk = sum(path.stat().st_size for path in (folder / "vectors").rglob("*") if path.is_file())
    quantities["vectors|GB on disk"] = on_disk / 1e9
    vectors = spkit.TaskVectors.load(folder / "vectors")
    probe = spkit.Probe.sample(tasks, size=96)
    settings = {"granularity": "module", "batch_size": BATCH, "progress": False}
    spkit.self_position(vectors, probe, steps=1, **settings)  # the first step is slower than all others
    watched("a step of a search", lambda: spkit.self_position(vectors, probe, steps=STEPS, **settings), STEPS)
    watched("the Gram matrix", vectors.gram)
    for method in ("average", "ties"):
        watched(f"merging by {method}", lambda method=method: spkit.merge(base, vectors, method))
    pair = {name: tasks[name] for name in ("faq", "likeness")}
    one_step = {"batch_size": BATCH, "progress": False}
    watched("conflict of two tasks", lambda: spkit.gradient_conflict(base, pair, batches=4, **one_step))
    watched("a step of a training", lambda: spkit.train(base, tasks["faq"], steps=STEPS, **one_step), STEPS)
    parameters = vectors.num_parameters
    # Counted, not measured: what tests/test_processes.py and spkit.training.sharing say travels, float32.
    quantities["sent in a step of a search|GB"] = 8 * (len(vectors.modules) * count + len(tasks)) / 1e9
    quantities["sent in a step of a training|GB"] = 4 * (parameters + 2 * BATCH * width) / 1e9
    quantities["sent for conflict of two tasks|GB"] = 4 * 4 * 2 * parameters / 1e9
    return quantities | {"parameters": parameters}


def fit(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The coefficients a, b and c of each quantity; sizes in billions of parameters."""
    fits = {}
    for name, part in table.groupby("quantity"):
        size = part["parameters"].to_numpy() / 1e9
        columns = np.stack([np.ones(len(part)), size, part["vectors"].to_numpy() * size], axis=1)
        # Relative errors count, so that the small models have a say.
        weight = 1 / np.maximum(part["value"].to_numpy(), 1e-9)
        fits[str(name)] = nnls(columns * weight[:, None], part["value"].to_numpy() * weight)[0]
    return fits


def extrapolated(fits: dict[str, np.ndarray]) -> pd.DataFrame:
    """Each quantity at large sizes and many vectors, and whether one machine has that."""
    rows = []
    for name, (a, b, c) in fits.items():
        unit = name.partition("|")[2]
        for size in LARGE:
            row = {"quantity": name, "parameters": size, "per parameter": b, "per parameter and vector": c}
            for count in MANY:
                value = a + b * size / 1e9 + c * count * size / 1e9
                row[f"N = {count}"] = f"{value:.3g}{' !' if value > LIMITS[unit] else ''}"
            rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, fit, and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the two tables")
    given = parser.parse_args()
    rows = []
    for width, layers in SHAPES:
        for count in VECTORS:
            with tempfile.TemporaryDirectory(prefix="spkit-growth-") as folder:
                answer = in_own_process("tests.bench.growth", str(width), str(layers), str(count), folder)
            parameters = answer.pop("parameters")
            about = {"parameters": parameters, "vectors": count}
            rows += [about | {"quantity": name, "value": value} for name, value in answer.items()]
            print(f"{parameters / 1e6:.1f} million parameters, N = {count}: done", flush=True)
    table = pd.DataFrame(rows)
    fits = fit(table)
    size = table["parameters"] / 1e9
    each = np.array([fits[name] for name in table["quantity"]])
    table["fitted"] = each[:, 0] + each[:, 1] * size + each[:, 2] * table["vectors"] * size
    given.output.mkdir(parents=True, exist_ok=True)
    table.to_csv(given.output / "growth.csv", index=False, float_format="%.4g")
    large = extrapolated(fits)
    large.to_csv(given.output / "growth_large.csv", index=False, float_format="%.4g")
    print(large.round(3).to_string(index=False))


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1].isdigit():
        with quiet_libraries():
            print(json.dumps(measure(*map(int, sys.argv[1:4]), Path(sys.argv[4]))))
    else:
        main()
