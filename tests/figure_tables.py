"""Tables of a study's analyses as they may come out: made up, with several seeds, and undetermined entries."""

from collections import defaultdict
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd

TASKS = ("headline", "topic", "similarity", "chat")
METRICS = {"similarity": "cosine_spearman", "topic": "accuracy", "mean": "mean"}
MODULES = ("embeddings", "layer.0.attention", "layer.0.mlp", "pooler")
MERGES = ("average", "task_arithmetic", "slerp", "ties", "task_arithmetic_tuned", "self_position")
STEPS = (0, 64, 128)


def write_analyses(
    folder: Path,
    seeds: tuple[int, ...] = (0, 1, 2),
    tasks: tuple[str, ...] = TASKS,
    modules: tuple[str, ...] = MODULES,
    draws: tuple[int, ...] = (0, 1),
) -> Path:
    """Write every analysis's table, and the headline tables that figures read beside them.

    The first and the third task have no cosine in any seed (in the modules and along the training: in attention, and
    from the third step on); the first two have none in the first of several seeds; the pooler has no gradient.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    first, second, third = tasks[:3]
    pairs = list(combinations(tasks, 2))

    def cosine(a: str, b: str, seed: int, unknown: bool, module: str = "") -> dict[str, object]:
        if module == "pooler":
            return {"a": a, "b": b, "verdict": "no gradient", "seed": seed}
        partly = (a, b) == (first, second) and len(seeds) > 1 and seed == seeds[0]
        value = np.nan if unknown or partly else (lean_of(a, b) + random.normal(0, 0.08))
        verdict = "undetermined" if np.isnan(value) else "agree" if value > 0.1 else "conflict"
        ends = {"low": value - random.uniform(0.05, 0.3), "high": value + random.uniform(0.05, 0.3)}
        return {"a": a, "b": b, "cosine": 0.8 * lean_of(a, b), "corrected": value, **ends} | {
            "ceiling_a": 0.8, "ceiling_b": 0.6, "verdict": verdict, "seed": seed,
        }  # fmt: skip

    def lean_of(a: str, b: str) -> float:
        place = pairs.index((a, b))
        return float(np.clip(0.62 * np.cos(2.4 * place + 0.3), -0.95, 0.95))

    def score(mean: float) -> dict[str, float]:
        value = float(np.clip(mean + random.normal(0, 0.8), 5, 97))
        return {"score": value, "low": value - random.uniform(1.5, 4), "high": value + random.uniform(1.5, 3)}

    def metric(task: str) -> str:
        return METRICS.get(task, "ndcg_at_10")

    def scored(keys: dict[str, object], names: tuple[str, ...], level: float) -> list[dict[str, object]]:
        rows = [
            {**keys, "task": task, "metric": metric(task), **score(level + 6 * place)}
            for place, task in enumerate(names)
        ]
        parts = [{**row, "metric": "cosine_spearman:words"} for row in rows if row["metric"] == "cosine_spearman"]
        return rows + parts + [{**keys, "task": "mean", "metric": "mean", **score(level + 3 * len(names))}]

    measured = {"batches": 16, "batch_size": 32}
    tables: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for seed, (a, b) in product(seeds, pairs):
        none = (a, b) == (first, third)
        whole = cosine(a, b, seed, none)
        tables["conflict"].append({**whole, **measured})
        for module in modules:
            part = cosine(a, b, seed, none and "attention" in module, module)
            tables["conflict_by_module"].append({"module": module, **part})
        for step in STEPS:
            late = (a, b) == (first, third) and step >= STEPS[2]
            tables["conflict_along_training"].append({"step": step, **cosine(a, b, seed, late), **measured})
            for module in modules:
                part = cosine(a, b, seed, late and "attention" in module, module)
                tables["conflict_along_training_by_module"].append({"step": step, "module": module, **part, **measured})
        change = 3 * lean_of(a, b) - 1.5 + random.normal(0, 1.2)
        more = {"change_a": change - 1, "change_b": change + 1, "change": change}
        bounds = {"change_low": change - random.uniform(0.5, 2), "change_high": change + random.uniform(0.5, 2)}
        tables["pairs"].append({**whole, **more, **bounds, **measured, "steps": 24})
    for seed in seeds:
        methods = ("base", *(f"expert:{task}" for task in tasks), "joint", "average", "self_position")
        for place, method in enumerate(methods):
            tables["scores"] += scored({"method": method, "seed": seed}, tasks, 45 + 2 * place)
        for pipeline, shift in (("separate", 0.0), ("sequential", 1.5)):
            for place, method in enumerate((*MERGES, *(("last",) if shift else ()))):
                keys = {"pipeline": pipeline, "method": method, "seed": seed}
                tables["pipelines"] += scored(keys, tasks, 50 + shift + place)
        for one, other in product(tasks, tasks):
            value = 0.03 if one == other else random.normal(0, 0.002)
            row = {"from": one, "onto": other, "affinity": value, "error": 0.0008, "verdict": "measured", "seed": seed}
            if (one, other) == (third, first):
                row |= {"affinity": np.nan, "error": np.nan, "verdict": "no loss"}
            tables["affinity"].append({**row, **measured, "learning_rate": 1e-4})
        weight = [2.0**-place for place in range(len(tasks))]
        for place, task in enumerate(tasks):
            share = weight[place] / sum(weight)
            tables["imbalance"].append(
                {
                    "task": task, "examples": int(1000 * share), "example_share": share, "tokens": int(9000 * share),
                    "token_share": 0.5 * share + 0.5 / len(tasks), "step_share": 1 / len(tasks),
                    "gradient_norm": 1.0 + place, "gradient_share": share if seed == 0 else share * 0.9, "seed": seed,
                }
            )  # fmt: skip
            tables["effective_weights"].append(
                {
                    "task": task, "weight": 0.9 - 0.3 * place + random.normal(0, 0.05), "cosine": 0.6 - 0.1 * place,
                    "norm": 1.0, "explained": 0.61 + 0.02 * seed, "joint_norm": 2.0, "seed": seed,
                }
            )  # fmt: skip
        for place, group in enumerate((*tasks, "all tasks")):
            for size, schedule in product((64, 128, 256, 512)[: 2 if group == "chat" else 4], ("epochs", "steps")):
                exponent = 0.45 if schedule == "epochs" else 0.08
                norm = (0.05 + 0.01 * place) * size**exponent * np.exp(random.normal(0, 0.03))
                steps = 64 if schedule == "steps" else size // 16
                tables["norms"].append(
                    {"group": group, "examples": size, "schedule": schedule, "steps": steps, "norm": norm, "seed": seed}
                )
        for (a, b), (left, right) in product(pairs[:: len(pairs) - 1], ((3, 1), (2, 1), (1, 1), (1, 2), (1, 3))):
            for task, share in ((a, left / (left + right)), (b, right / (left + right))):
                angle = 70 - 45 * share + 10 * (task == b) + random.normal(0, 1)
                if (task, share, seed) == (tasks[-1], 0.25, seeds[0]):
                    angle = np.nan
                row = {
                    "a": a,
                    "b": b,
                    "task": task,
                    "examples": round(384 * share),
                    "share": share,
                    "schedule": "epochs",
                }
                verdict = "zero vector" if np.isnan(angle) else "measured"
                more = {"cosine": np.cos(np.radians(angle)), "angle": angle, "verdict": verdict}
                tables["angles"].append({**row, **more, "norm": 1, "joint_norm": 1, "seed": seed})
        ways = [
            (f"{scheme} {a}-{b}", scheme)
            for scheme in ("total", "max")
            for a, b in ((3, 1), (3, 2), (3, 3), (2, 3), (1, 3))
        ]
        ways += [(way, "sampling") for way in ("proportional", "uniform", "temperature 2")]
        ways += [("mixed batches", "mixed"), ("surgery upgrad", "surgery"), ("surgery pcgrad", "surgery")]
        for place, (way, group) in enumerate([*ways, ("self_position", "self_position")]):
            factor = 1.0 + 0.3 * (place % 5) if group == "max" else 1.3 if group == "self_position" else 1.0
            cost = {
                "examples": 4096 * factor,
                "flops": 2.1e13 * factor,
                "seconds": 61.0 * factor + random.uniform(0, 4),
            }
            cost["search_flops"] = 6e12 if group == "self_position" else 0
            for row in scored({"method": way, "group": group, "seed": seed}, (first, third), 60 + place % 5):
                tables["resampling"].append({**row, **cost})
        for pair in [f"{a}+{b}" for a, b in pairs]:
            a, b = pair.split("+")
            for value, marked in [(step / 10, False) for step in range(0, 11, 2)] + [(0.3 + 0.1 * seed, True)]:
                for task in tasks:
                    level = 75 - 25 * value if task == a else 50 + 20 * value if task == b else 55
                    row = {"over": "direction", "pair": pair, "value": value, "task": task, "metric": metric(task)}
                    tables["sweeps"].append({**row, **score(level), "length": 1.2, "marked": marked, "seed": seed})
        for over, values, searched in (
            ("length", (0, 0.4, 0.8, 1.2, 1.6, 2.0), 1.1 + 0.1 * seed),
            ("mu", (0, 0.003, 0.01, 0.03, 0.1), 0.01),
            ("probe_size", (64, 128, 256, 512), 512),
        ):
            for (value, marked), task in product([*((value, False) for value in values), (searched, True)], tasks):
                level = 70 - 20 * (value - 1.2) ** 2 if over == "length" else 70 - 50 * value if over == "mu" else 70
                row = {"over": over, "pair": "", "value": value, "task": task, "metric": metric(task), **score(level)}
                row |= {"length": value if over == "length" else 1.4, "marked": marked, "seed": seed}
                for draw in draws if over == "probe_size" and not marked and value < 512 else (0,):
                    drawn = {"probe_seed": draw, "score": row["score"] + draw} if over == "probe_size" else {}
                    tables["sweeps"].append({**row, **drawn})
        for place, (ratio, task) in enumerate(product((0.125, 0.5, 1.0, 2.0, 8.0), tasks)):
            lean = {first: np.log2(ratio), second: -np.log2(ratio)}.get(task, 0)
            row = {"first": first, "second": second, "ratio": ratio, "on_front": ratio != 1.0, "task": task}
            loss = float(np.exp(-0.15 * lean) + 0.01 * place + 0.02 * random.normal())
            middle = 65 + 3 * lean - 0.2 * lean**2
            bounds = {"score": middle, "low": middle - 1.5 - place, "high": middle + 2}
            tables["trade_off"].append({**row, "loss": loss, **bounds, "coefficient": 0.5, "seed": seed})
        cells = [(1, 3.0), (3, 3.0), (10, 3.0), (10, 0.5), (10, 6.0)]
        for (ratio, epochs), method, mean in product(
            cells, ("joint: uniform", "average", "ties"), ("mean", "unseen mean")
        ):
            ahead = 1.5 * np.log2(epochs) - np.log2(ratio) + (2 if mean == "unseen mean" else 0) + 0.2 * random.normal()
            about = {"ratio": ratio, "epochs": epochs, "method": method, "against": "joint: proportional", "task": mean}
            ends = {"low": ahead - 1, "high": ahead + 1, "flops": 1e12 * epochs, "seed": seed}
            verdict = "ahead" if ahead > 1 else "behind" if ahead < -1 else "open"
            tables["imbalance_map"].append({**about, "difference": ahead, **ends, "verdict": verdict})
        for place, variant in enumerate(("own loss, train", "own loss, dev", "InfoNCE 0.05, train", "score, dev")):
            ranked = {"correlation": 0.1 + 0.2 * place, "regret": 4.0 - place}
            row = {f"{mean}{name}": value + 0.1 * random.normal() for mean in ("", "unseen_")
                   for name, value in ranked.items()}  # fmt: skip
            row |= {f"{name}_error": 0.2 for name in row}
            row |= {f"{mean}correlation_{part}": 0.1 for mean in ("", "unseen_") for part in ("hull", "half")}
            about = {"measure": variant.split(",")[0], "split": variant.split(", ")[1], "mined": "", "scale": "mean"}
            about |= {"size": 64, "batch": 8, "temperature": np.nan, "mu": 0.0, "hull": False, "usual": not place}
            tables["objectives"].append({"variant": variant, **row, **about, "chosen": "average", "seed": seed})
        for place, position in enumerate(("average", "hull: 0", "beyond: 0")):
            where = {"position": position, "group": "rule", "in_hull": place < 2, "length": 1.0 + place}
            tables["objectives_positions"].append({**where, "mean": 60.0, "unseen_mean": 50.0 + place, "seed": seed})
    made = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    made["norms_fit"] = lines_through(made["norms"])
    made["pairs_fit"] = correlations(made["pairs"])
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def lines_through(norms: pd.DataFrame) -> pd.DataFrame:
    """A fit for each group, schedule and scale, none where a group has fewer than three sizes."""
    rows = []
    for group, scale in product([*dict.fromkeys(norms["group"]), "all groups"], ("linear", "log")):
        part = norms if group == "all groups" else norms[norms["group"] == group]
        for schedule, points in part.groupby("schedule", sort=False):
            row: dict[str, object] = {"group": group, "schedule": schedule, "scale": scale, "n": len(points)}
            names = ("slope", "low", "high", "intercept", "r_squared")
            if points["examples"].nunique() < 3:
                rows.append({**row, **dict.fromkeys(names, np.nan), "verdict": "fewer than three sizes"})
                continue
            x, y = points["examples"].to_numpy(float), points["norm"].to_numpy(float)
            x, y = (np.log(x), np.log(y)) if scale == "log" else (x, y)
            slope, intercept = np.polyfit(x, y, 1)
            values = (slope, slope - 0.05, slope + 0.05, intercept, np.corrcoef(x, y)[0, 1] ** 2)
            rows.append({**row, **dict(zip(names, values, strict=True)), "verdict": "measured"})
    return pd.DataFrame(rows)


def correlations(pairs: pd.DataFrame) -> pd.DataFrame:
    """Both statistics of each seed, without a number where the tasks are too few for one."""
    rows = []
    for seed, part in pairs.groupby("seed"):
        known = part.dropna(subset="corrected")
        tasks = len({*known["a"], *known["b"]})
        about = {"pairs": len(known), "undetermined": len(part) - len(known), "tasks": tasks, "seed": seed}
        for statistic in ("pearson", "spearman"):
            fit = {"r": 0.41, "low": -0.05, "high": 0.87, "verdict": ""}
            if tasks < 5:
                fit = {"r": None, "low": None, "high": None, "verdict": "too few pairs, or no spread among them"}
            rows.append({"statistic": statistic, **fit, **about})
    return pd.DataFrame(rows)
