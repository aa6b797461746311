"""How the tasks' losses are best put on one scale: searches over seeds, measured on dev splits and on other tasks.

`python -m tests.bench.scales` leaves each bundled task out in turn: experts and probe of the other three, measured by
the mean score on their dev splits and by that of the task left out. With `--data FOLDER` it reads real data instead
(STS-B, MedQuAD, Banking77, in the files that `real_tasks` names), measured outside the probe by STS 2012, STS 2013 and
two sources of MedQuAD. What is done is kept in runs/scales, and a second call goes on. Writes data/results/scales.csv,
a row a search, and prints the mean differences to the plain mean.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import spkit
from spkit.saving.recipe import save_model
from spkit.tasks.files import read_split

RUNS, TABLE = Path("runs/scales"), Path("data/results/scales.csv")
KEYS = ["data", "seed", "outside", "variant"]
BY_MODULE = {"path": "free", "granularity": "module", "optimizer": "adam", "learning_rate": 0.1, "steps": 45}
BY_MODEL = {"path": "slerp", "granularity": "model", "optimizer": "adam", "learning_rate": 0.15, "steps": 30}
#: Each is compared with the first of its granularity.
VARIANTS: dict[str, dict[str, Any]] = {
    "model, mean": BY_MODEL,
    "model, gap": BY_MODEL | {"scale": "gap"},
    "model, gradient": BY_MODEL | {"scale": "gradient"},
    "model, mean, sgd": BY_MODEL | {"optimizer": "sgd", "learning_rate": None},
    "module, mean": BY_MODULE,
    "module, gap": BY_MODULE | {"scale": "gap"},
    "module, gradient": BY_MODULE | {"scale": "gradient"},
    "module, mean, spread penalty": BY_MODULE | {"spread_penalty": 0.05},
}


def settings_of(folder: Path | None) -> Iterator[tuple[str, dict[str, spkit.Task], dict[str, spkit.Task], int]]:
    """Name, tasks of the experts and the probe, tasks outside, and steps of an expert's training."""
    if folder is not None:
        inside, outside = real_tasks(folder)
        yield "other sources", inside, outside, 150
        return
    tasks = spkit.load_tasks("bundled")
    for left in tasks:
        yield left, {name: task for name, task in tasks.items() if name != left}, {left: tasks[left]}, 64


def real_tasks(folder: Path) -> tuple[dict[str, spkit.Task], dict[str, spkit.Task]]:
    """STS-B, MedQuAD and Banking77; and what is outside their probe, of which only `test` is read."""
    sts = {part: read_split(folder / f"stsb-{part}.jsonl.gz", "sts") for part in ("train", "dev", "test")}
    pairs = pd.read_json(folder / "medquad.jsonl.gz", lines=True).drop_duplicates("passage")
    sources = sorted(pairs["source"].unique(), key=lambda name: -(pairs["source"] == name).sum())
    others = sources[1:3]  # neither the largest, which would leave little, nor the smallest
    RUNS.mkdir(parents=True, exist_ok=True)
    text = ""
    for name, rows in (("medquad", pairs[~pairs["source"].isin(others)]), ("medquad-other", None)):
        rows = pairs[pairs["source"].isin(others)] if rows is None else rows
        rows[["query", "passage"]].to_json(RUNS / f"{name}.jsonl", orient="records", lines=True)
        text += f'[tasks.{name}]\nkind = "retrieval"\ntrain = "{name}.jsonl"\nlimit = 2000\n'
        text += 'columns = {query = "anchor", passage = "positive"}\n'
    for part in ("train", "test"):
        (RUNS / f"banking77-{part}.jsonl.gz").write_bytes((folder / f"banking77-{part}.jsonl.gz").read_bytes())
    text += '[tasks.banking77]\nkind = "classification"\ntrain = "banking77-train.jsonl.gz"\n'
    text += 'test = "banking77-test.jsonl.gz"\n'
    (RUNS / "real.toml").write_text(text)
    tasks = spkit.load_tasks(RUNS / "real.toml")
    stsb = spkit.Task(name="stsb", kind="sts", **_on_one_scale(sts))
    # STS-B was put together from the STS of several years.
    known = {text for part in ("train", "dev") for column in ("sentence1", "sentence2") for text in sts[part][column]}
    years = {}
    for year in ("sts2012", "sts2013"):
        test = read_split(folder / f"{year}-test.jsonl.gz", "sts").remove_columns("subset")
        test = test.filter(lambda row: not known & {row["sentence1"], row["sentence2"]})
        years[year] = spkit.Task(name=year, kind="sts", train=stsb.train, dev=stsb.dev, **_on_one_scale({"test": test}))
    inside = {"stsb": stsb, "medquad": tasks["medquad"], "banking77": tasks["banking77"]}
    return inside, years | {"medquad-other": tasks["medquad-other"]}


def _on_one_scale(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: part.map(lambda row: {"score": row["score"] / 5}) for name, part in parts.items()}


def searches(folder: Path | None, seeds: list[int], variants: list[str]) -> None:
    """Every search that is not yet in the table of runs, each written as soon as it is measured."""
    base = spkit.load_base("minilm-l3", max_seq_length=32 if folder is None else 64)
    done_file, data = RUNS / "rows.jsonl", "bundled" if folder is None else "real"
    RUNS.mkdir(parents=True, exist_ok=True)
    done = {tuple(row[key] for key in KEYS) for row in _rows(done_file)}
    settings = list(settings_of(folder))
    for seed in seeds:
        for left, inside, outside, steps in settings:
            wanted = [name for name in variants if (data, seed, left, name) not in done]
            if not wanted:
                continue
            vectors = spkit.TaskVectors.from_models(
                base, {name: _expert(base, task, steps, seed, data) for name, task in inside.items()}
            )
            probe = spkit.Probe.sample(inside, size=128 * len(inside), seed=seed)
            for name in wanted:
                result = spkit.self_position(
                    vectors, probe, batch_size=16, mu=0.01, seed=seed, progress=False, **VARIANTS[name]
                )
                model = result.model()
                model.max_seq_length = base.max_seq_length
                scores = {
                    "inside": spkit.evaluate(model, inside, split="dev", resamples=2),
                    "outside": spkit.evaluate(model, outside, split="dev" if folder is None else "test", resamples=2),
                }
                row = dict(zip(KEYS, (data, seed, left, name), strict=True))
                for where, table in scores.items():
                    row |= {f"score:{where}": table["score"].mean()}
                    row |= {f"score:{task}": score for task, score in zip(table["task"], table["score"], strict=True)}
                row["largest_coefficient"] = float(result.rows.abs().max())
                with done_file.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def _expert(base: Any, task: spkit.Task, steps: int, seed: int, data: str) -> Path:
    folder = RUNS / f"{data}-{task.name}-{seed}"
    if not (folder / "modules.json").is_file():
        save_model(spkit.train(base, task, steps=steps, learning_rate=1e-4, seed=seed, progress=False), folder)
    return folder


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean score of each variant, and its difference to the plain mean of its granularity, paired by seed and tasks."""
    rows = []
    for (data, variant), part in table.groupby(["data", "variant"], sort=False):
        plain = table[(table["data"] == data) & (table["variant"] == f"{variant.split(', ')[0]}, mean")]
        row: dict[str, Any] = {"data": data, "variant": variant, "searches": len(part)}
        for where in ("inside", "outside"):
            row[where] = part[f"score:{where}"].mean()
            pairs = part.merge(plain, on=KEYS[:3], suffixes=("", ":mean"))
            change = pairs[f"score:{where}"] - pairs[f"score:{where}:mean"]
            row |= {f"{where}_change": change.mean(), f"{where}_standard_error": change.sem()}
        row["largest_coefficient"] = part["largest_coefficient"].max()
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Search what is missing, then write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the real data; the bundled tasks without it")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--variants", default=";".join(VARIANTS), help="separated by semicolons")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    searches(given.data, [int(seed) for seed in given.seeds.split(",")], given.variants.split(";"))
    table = pd.DataFrame(_rows(RUNS / "rows.jsonl"))
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(TABLE, index=False)
    print(summary(table).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
