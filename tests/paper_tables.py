"""Tables of a study of the paper's setting as they may come out: made up, seeded, for one or several bases."""

from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spkit.results.schema import TABLES

BASES = ("minilm-l3", "minilm-l6")
#: Task -> metric, role, group, and the levels of base, STS expert, retrieval expert and joint model.
TASKS: dict[str, tuple[str, str, str, tuple[float, float, float, float]]] = {
    "stsb": ("cosine_spearman", "trained", "sts", (66, 79, 70, 77)),
    "medquad": ("ndcg_at_10", "trained", "retrieval", (35, 34, 60, 58)),
    "sts12": ("cosine_spearman", "unseen", "", (62, 70, 66, 69)),
    "sts13": ("cosine_spearman", "unseen", "", (64, 76, 71, 74)),
    "cisi": ("ndcg_at_10", "unseen", "", (30, 28, 36, 33)),
    "cosqa": ("ndcg_at_10", "unseen", "", (22, 18, 27, 25)),
    "mqp": ("cosine_ap", "unseen", "", (63, 70, 72, 71)),
    "stackoverflow": ("v_measure", "unseen", "", (51, 55, 49, 54)),
    "banking77": ("accuracy", "unseen", "", (70, 76, 73, 75)),
}
PIPELINES = ("separate", "sequential")
#: Two weights, as "first:second" and the share of the second.
WEIGHTS = [(f"weights {6 - second}:{second}", second / 6) for second in range(1, 6)]
RULES = {
    "average": WEIGHTS,
    "slerp": WEIGHTS,
    "fisher": WEIGHTS,
    "ties": [(f"λ {value}", value) for value in (0.8, 1.0, 1.2, 1.4, 1.6)],
    "regmean": [(f"off-diagonal {value}", value) for value in (0.0, 0.1, 0.2, 0.3, 0.4)],
}
RATIOS = ("3:1", "3:2", "3:3", "2:3", "1:3")
MUS = (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30)


def write_paper(folder: Path, bases: tuple[str, ...] = BASES, rename: dict[str, str] | None = None) -> Path:
    """Write a folder of tables for each base.

    Args:
        folder: what holds them.
        bases: their names.
        rename: other names of tasks and pools, for those that are odd.
    """
    for place, base in enumerate(bases):
        (folder / base).mkdir(parents=True, exist_ok=True)
        for file, table in tables(place).items():
            if rename:
                names = {f"expert:{old}": f"expert:{new}" for old, new in rename.items()} | rename
                table = table.replace(names)
            TABLES[file].write(table, folder / base)
    return folder


def tables(place: int) -> dict[str, pd.DataFrame]:
    """The tables of the base at this place."""
    random = np.random.default_rng(place)
    made: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    lift = 3.0 * place

    def level(task: str, towards: float, *, length: float = 1.0) -> float:
        """Between the two experts at 0 and 1, with a maximum inside; longer is better up to 1.1."""
        _, sts, retrieval, _ = TASKS[task][3]
        bend = 10 * towards * (1 - towards) - 14 * (length - 1.1) ** 2
        return (1 - towards) * sts + towards * retrieval + bend + lift

    def scored(file: str, keys: dict[str, Any], of: Any, *, seed: int = 0, noise: float = 0.15) -> None:
        """A row a task, and both means."""
        found = {}
        for task, (metric, role, group, _) in TASKS.items():
            value = float(np.clip(of(task) + random.normal(0, noise), 1, 99))
            found[task] = value
            more = {"group": group} if file == "scores.csv" else {}
            made[file].append(
                {**keys, "task": task, "metric": metric, "role": role, **more, **around(value), "seed": seed}
            )
        for name, role in (("mean", "trained"), ("unseen mean", "unseen")):
            value = float(np.mean([found[task] for task in TASKS if TASKS[task][1] == role]))
            more = {"group": ""} if file == "scores.csv" else {}
            made[file].append(
                {**keys, "task": name, "metric": "mean", "role": role, **more, **around(value, 0.9), "seed": seed}
            )

    def around(value: float, half: float = 1.6) -> dict[str, float]:
        return {"score": value, "low": value - half * random.uniform(0.9, 1.1), "high": value + half}

    for seed in range(3):
        for at, method in enumerate(("base", "expert:sts", "expert:retrieval", "joint")):
            scored("scores.csv", {"method": method}, lambda task, at=at: TASKS[task][3][at] + lift, seed=seed)
        scored("scores.csv", {"method": "self_position"}, lambda task: level(task, 0.55, length=1.08), seed=seed)
        for pipeline, shift in zip(PIPELINES, (0.0, -0.3), strict=True):
            grid(made, scored, level, pipeline, shift, seed)
    made["grids.csv"] = with_ahead(made["grids.csv"])
    comparisons(made, random)
    for seed in range(3):
        norm = {"sts": 1.9, "retrieval": 2.6}
        for a, b in (("sts", "sts"), ("sts", "retrieval"), ("retrieval", "retrieval")):
            row = {"a": a, "b": b, "cosine": 1.0 if a == b else 0.18 + 0.01 * seed, "seed": seed}
            made["geometry.csv"].append({**row, "norm_a": norm[a], "norm_b": norm[b]})
        measured = {"corrected": -0.21, "low": -0.27, "high": -0.15, "batches": 16, "batch_size": 32, "seed": seed}
        made["conflict.csv"].append({"a": "sts", "b": "retrieval", "cosine": -0.17, **measured})
        for task, count in (("sts", 23500), ("retrieval", 10000)):
            share = {"example_share": count / 33500, "step_share": count / 33500}
            made["imbalance.csv"].append({"task": task, "examples": count, **share, "seed": seed})
    norms(made, random)
    angles(made, random)
    for pipeline in PIPELINES:
        for method in ("average", "slerp"):
            for share in np.linspace(0, 1, 7):
                best = 0.95 if method == "average" else 1.1
                keys = {"pipeline": pipeline, "method": method, "share": share, "direction": share**1.1, "length": best}
                scored("directions.csv", keys, lambda task, s=share, best=best: level(task, s, length=best))
        star = {"direction": 0.57 - 0.1 * (pipeline == "sequential"), "length": 1.06 + 0.02 * place, "mu": 0.05}
        for over, values in (("direction", np.arange(7) / 6), ("length", np.arange(7) / 10 + 0.7), ("mu", MUS)):
            for value, marked in [*((value, False) for value in values), (star[over], True)]:
                keys = {"pipeline": pipeline, "over": over, "value": round(float(value), 6), "marked": marked}
                where = star | {over: value}
                direction, length = where["direction"], where["length"] - (where["mu"] if over == "mu" else 0)
                scored("around.csv", keys, lambda t, d=direction, h=length: level(t, d, length=h), noise=0.05)
        plane(made, pipeline)
        for at, ratio in enumerate(RATIOS):
            scored(
                "probe_ratios.csv", {"pipeline": pipeline, "ratio": ratio}, lambda t, at=at: level(t, 0.4 + 0.05 * at)
            )
    for value, task in product(MUS, TASKS):
        row = {"over": "mu", "value": value, "length": 1.1 - value, "pair": "", "marked": value == 0.05, "seed": 0}
        metric, role, group, _ = TASKS[task]
        row |= {"task": task, "metric": metric, "role": role, "group": group}
        made["sweeps.csv"].append({**row, **around(level(task, 0.55, length=1.1 - value))})
    for scheme, (at, ratio) in product(("total", "max"), enumerate(RATIOS)):
        cost = {"examples": 9600, "flops": 2e13, "seconds": 900.0 if scheme == "total" else 1300.0, "search_flops": 0}
        keys = {"method": f"{scheme} {ratio.replace(':', '-')}", "group": scheme, **cost}
        scored("resampling.csv", keys, lambda t, at=at: TASKS[t][3][3] + lift - 0.2 * abs(at - 2))
    costs(made)
    clusters(made, scored, level)
    examples(made)
    return {file: pd.DataFrame(found) for file, found in made.items()}


def grid(made: Any, scored: Any, level: Any, pipeline: str, shift: float, seed: int) -> None:
    """Every rule at every setting on both splits, and which of them were picked on which."""

    def at(method: str, value: float) -> Any:
        bonus = {"average": 0.0, "slerp": 0.5, "fisher": 0.1, "ties": -0.3, "regmean": 0.2, "self_position": 0.6}[
            method
        ]
        place = {"ties": 0.5, "regmean": 0.3 + value, "self_position": 0.55 - value}.get(method, value)
        length = {"ties": value, "average": 0.95, "fisher": 0.95}.get(method, 1.1)
        return lambda task: level(task, place, length=length) + bonus + shift

    settings = [(method, name, value) for method, given in RULES.items() for name, value in given]
    settings += [("self_position", f"μ {value:g}", value) for value in (0.0, 0.05, 0.1)]
    lift = level("stsb", 0) - TASKS["stsb"][3][1] + 14 * 0.1**2  # of this base
    for split in ("dev", "test"):
        for method, name, value in settings:
            best = {"ties": ("λ 1.2", "λ 1.0"), "regmean": ("off-diagonal 0.2", "off-diagonal 0.2"),
                    "self_position": ("μ 0.05", "μ 0")}.get(method, ("weights 3:3", "weights 4:2"))  # fmt: skip
            pick = " ".join(
                part for part, chosen in zip(("dev", "test"), reversed(best), strict=True) if chosen == name
            )
            keys = {
                "pipeline": pipeline,
                "method": method,
                "setting": name,
                "split": split,
                "value": value,
                "pick": pick,
            }
            scored("grids.csv", keys, at(method, value), seed=seed)
        for place, method in enumerate(("base", "expert:sts", "expert:retrieval", "joint")):
            keys = {"pipeline": pipeline, "method": method, "setting": "", "split": split}
            keys |= {"value": np.nan, "pick": "dev test"}
            scored("grids.csv", keys, lambda task, place=place: TASKS[task][3][place] + lift, seed=seed)


def with_ahead(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row's score minus that of joint training on the same split, with a paired interval."""
    where = ("pipeline", "split", "task", "seed")
    joint = {tuple(row[key] for key in where): row["score"] for row in rows if row["method"] == "joint"}
    for row in rows:
        ahead = row["score"] - joint[tuple(row[key] for key in where)]
        row |= {"ahead": ahead, "ahead_low": ahead - 0.8, "ahead_high": ahead + 0.8}
    return rows


def comparisons(made: Any, random: np.random.Generator) -> None:
    """Every method against joint training, from the scores."""
    scores = pd.DataFrame(made["scores.csv"])
    joint = scores[scores["method"] == "joint"].set_index(["task", "seed"])["score"]
    for row in scores[scores["method"] != "joint"].to_dict("records"):
        difference = row["score"] - joint[row["task"], row["seed"]]
        bounds = {"low": difference - 0.8, "high": difference + 0.8 + random.uniform(0, 0.1)}
        keys = {"method": row["method"], "against": "joint"} | {
            key: row[key] for key in ("task", "role", "group", "seed")
        }
        made["comparisons.csv"].append({**keys, "difference": difference, **bounds})
    table = pd.DataFrame(made["comparisons.csv"])
    over = table.groupby(["method", "against", "task", "role", "group"], sort=False)[
        ["difference", "low", "high"]
    ].mean()
    made["comparisons_mean.csv"] += over.reset_index().to_dict("records")


def norms(made: Any, random: np.random.Generator) -> None:
    """Single data sets, either task, and all."""
    sizes = {"stsb": (1000, 3000, 5700), "conjnli": (2000, 5800), "clinc150": (4000, 9000), "sts": (4000, 10000, 21000),
             "retrieval": (3000, 8000, 12500), "all tasks": (8000, 16000, 33500)}  # fmt: skip
    for group, given in sizes.items():
        for size in given:
            for schedule in ("epochs", "steps"):
                norm = 1.1 + 4.4e-5 * size * (schedule == "epochs") + random.normal(0, 0.06)
                row = {
                    "group": group,
                    "examples": size,
                    "schedule": schedule,
                    "steps": size // 21,
                    "norm": norm,
                    "seed": 0,
                }
                made["norms.csv"].append(row)
    for schedule, scale in product(("epochs", "steps"), ("linear", "log")):
        part = pd.DataFrame(made["norms.csv"]).query("schedule == @schedule")
        x, y = part["examples"].to_numpy(float), part["norm"].to_numpy(float)
        x, y = (np.log(x), np.log(y)) if scale == "log" else (x, y)
        slope, intercept = np.polyfit(x, y, 1)
        fit = {"slope": slope, "low": slope * 0.9, "high": slope * 1.1, "intercept": intercept, "n": len(part)}
        keys = {"group": "all groups", "schedule": schedule, "scale": scale}
        made["norms_fit.csv"].append({**keys, **fit, "r_squared": np.corrcoef(x, y)[0, 1] ** 2})


def angles(made: Any, random: np.random.Generator) -> None:
    """Joint vectors of two sets in several proportions; the fit is made up to go through them."""
    for share in (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9):
        ratio = share / (1 - share)
        quotient = (0.5 / (ratio + 0.45) + 0.6) * (1 + random.normal(0, 0.02))
        total = 84.0
        first = total * quotient / (1 + quotient)
        for task, own, angle in (("sts", share, first), ("retrieval", 1 - share, total - first)):
            row = {"a": "sts", "b": "retrieval", "task": task, "share": own, "schedule": "epochs", "seed": 0}
            made["angles.csv"].append({**row, "examples": round(12000 * own), "angle": angle})
    made["angles_fit.csv"].append({"schedule": "epochs", "a": 0.5, "b": 0.45, "c": 0.6, "r_squared": 0.97, "n": 7})


def plane(made: Any, pipeline: str) -> None:
    """A bowl beyond the middle of the two vectors, which stand symmetrically about the diagonal."""
    half = np.arccos(0.18 if pipeline == "separate" else 0.4) / 2
    ends = {"sts": np.pi / 4 + half, "retrieval": np.pi / 4 - half}
    vectors = {name: 2.2 * np.array([np.cos(angle), np.sin(angle)]) for name, angle in ends.items()}

    def row(x: float, y: float) -> dict[str, float]:
        b, a = np.linalg.solve(np.column_stack([vectors["retrieval"], vectors["sts"]]), [x, y])
        loss = 0.98 + 0.16 * (x - 1.85) ** 2 + 0.16 * (y - 1.75) ** 2 + 0.1 * (x - 1.85) * (y - 1.75)
        return {"x": x, "y": y, "a": a, "b": b, "loss": loss}

    for x, y in product(np.linspace(-0.4, 3.0, 20), np.linspace(-0.4, 3.0, 20)):
        made["plane.csv"].append({"pipeline": pipeline, **row(x, y), "seed": 0})
    points = [
        ("base", "base", np.zeros(2)),
        *((f"expert:{name}", "expert", vector) for name, vector in vectors.items()),
    ]
    for share in (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6):
        straight = (1 - share) * vectors["sts"] + share * vectors["retrieval"]
        points.append((f"average {share:.2f}", "average", straight))
        points.append((f"slerp {share:.2f}", "slerp", straight * 2.2 / np.linalg.norm(straight)))
    grid_rows = [one for one in made["plane.csv"] if one["pipeline"] == pipeline]
    lowest = min(grid_rows, key=lambda one: one["loss"])
    points += [("lowest", "lowest", np.array([lowest["x"], lowest["y"]]))]
    points += [("self_position", "self_position", np.array([1.78, 1.6]))]
    for name, group, place in points:
        made["plane_points.csv"].append({"pipeline": pipeline, "point": name, "group": group, **row(*place), "seed": 0})


def costs(made: Any) -> None:
    """Seconds of each stage that figure 8b adds up."""
    seconds = {"train/sts": 620.0, "train/retrieval": 480.0, "train/joint": 1090.0, "search/self_position": 240.0,
               "sequential/train": 1100.0, "sequential/search/self_position": 235.0,
               **{f"resampling/total {ratio.replace(':', '-')}": 1080.0 for ratio in RATIOS},
               **{f"resampling/max {ratio.replace(':', '-')}": 1500.0 for ratio in RATIOS}}  # fmt: skip
    for stage, taken in seconds.items():
        row = {"examples": 1000, "texts": 2000, "tokens": 9e4, "flops": 1e12 * taken, "seed": 0}
        made["costs.csv"].append({"stage": stage, "seconds": taken, **row})


def clusters(made: Any, scored: Any, level: Any) -> None:
    """Two and three clusters of the data sets, and what their experts merge to."""
    names = ("stsb", "conjnli", "clinc150", "medquad", "headline", "topic", "similarity", "chat", "banking77", "hwu64")
    for count in (2, 3):
        for place, name in enumerate(names):
            made["clusters.csv"].append(
                {"clusters": count, "dataset": name, "cluster": place % count, "examples": 1000 + place}
            )
        for place, method in enumerate(("joint", "ties", "fisher", "regmean", "self_position")):
            scored(
                "cluster_scores.csv", {"clusters": count, "method": method}, lambda t, p=place: level(t, 0.5) + 0.1 * p
            )


def examples(made: Any) -> None:
    """An example of each data set."""
    long = "When one blocks a duct, a sudden and rapidly rising pain is felt in the upper right part of the abdomen. "
    rows = [
        ("stsb", 5749, "training", "sts", "sts", "A man is playing a large flute.", "A man is playing a flute.", ""),
        ("conjnli", 15000, "training", "sts", "pair", "He died in Rome in 1901.", "He died.", "He never left Milan."),
        ("clinc150", 15000, "training", "sts", "sts", "what is my balance", "how much do i have in the bank", ""),
        ("medquad", 12500, "trained", "retrieval", "retrieval", "What are symptoms of gallstones?", 2 * long, ""),
        ("sts12", 2358, "unseen", "", "sts", "The problem will mean changes.", "He said it needs to be changed.", ""),
        ("cosqa", 500, "unseen", "", "retrieval", "is a file writable", "def is_writable(path):\n    return True", ""),
    ]
    columns = ("dataset", "examples", "role", "group", "kind", "query", "positive", "negative")
    made["examples.csv"] += [dict(zip(columns, row, strict=True)) for row in rows]
