"""Speed and memory beside what else there is: ratios of medians within one run, since absolute seconds mean little.

`python -m tests.bench` measures all parts, `python -m tests.bench steps merges` some of: steps, texts, conflict,
merges, memory, large, explorer, and searches-2, searches-4, searches-8, searches-16 (between so many vectors) and
searches-modules. The rows of a part replace its former ones in data/results/bench.csv (searches: searches.csv) as soon
as it is finished, with a description of the machine.
"""

import argparse
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from spkit.environment import processor
from tests.bench.conflict import conflict
from tests.bench.explorer import explorer
from tests.bench.large import large
from tests.bench.measuring import Row
from tests.bench.memory import memory
from tests.bench.merges import merges
from tests.bench.searches import SPANS, table
from tests.bench.steps import steps
from tests.bench.texts import texts

RESULTS = Path("data/results")
PARTS: dict[str, Callable[[], list[Row]]] = {
    "steps": steps,
    "texts": texts,
    "conflict": conflict,
    "merges": merges,
    "memory": memory,
    "large": large,
    "explorer": explorer,
}
PACKAGES = ("spkit", "torch", "transformers", "sentence-transformers", "mergekit", "peft", "optuna", "cma")


def made_with() -> str:
    """The machine and the versions that were measured."""
    about = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
    return "; ".join(f"{name} {value}" for name, value in about.items())


def write_part(part: str, rows: list[Row], target: Path) -> None:
    """Put the rows of a part in place of its former ones; the other parts' stay, with what they were made with."""
    new = pd.DataFrame(rows, columns=list(Row._fields))
    new.insert(0, "part", part)
    new.insert(5, "ratio", new["value"] / new["other"])
    print(new.drop(columns="part").round(3).to_string(index=False), flush=True)
    old = _written(target)
    old = old.reindex(columns=[*new, "made_with"])
    parts = {name: old[old["part"] == name] for name in PARTS} | {part: new.assign(made_with=made_with())}
    _write(pd.concat([table for table in parts.values() if len(table)]), target)


def write_searches(part: str, target: Path) -> None:
    """Put the searches in a span in place of the former ones."""
    new = table(SPANS[part])
    print(new.round(3).to_string(index=False), flush=True)
    new = new.assign(part=part, made_with=made_with())
    old = _written(target)
    others = [old[old["part"] != part]] if "part" in old else []
    order = list(SPANS).index
    _write(pd.concat([*others, new]).sort_values("part", key=lambda names: names.map(order), kind="stable"), target)


def _written(target: Path) -> pd.DataFrame:
    return pd.read_csv(target) if target.is_file() else pd.DataFrame()


def _write(table: pd.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    table.to_csv(unfinished, index=False, float_format="%.4g")
    unfinished.replace(target)
    print(f"Written to {target}", flush=True)


def main() -> None:
    """Measure the parts asked for, one after the other, each written when it is done."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join((*PARTS, *SPANS)))
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    wanted = given.parts or [*PARTS, *SPANS]
    if unknown := set(wanted) - {*PARTS, *SPANS}:
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join((*PARTS, *SPANS))}")
    for part in wanted:
        if part in PARTS:
            write_part(part, PARTS[part](), given.output / "bench.csv")
        else:
            write_searches(part, given.output / "searches.csv")


if __name__ == "__main__":
    main()
