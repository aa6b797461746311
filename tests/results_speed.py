"""The page about speed and memory, written from the tables of `make bench`."""

from pathlib import Path

import pandas as pd

from spkit.results import to_markdown

#: Parts of bench.csv that compare seconds a user waits for, and those that compare memory.
_TIMED, _MEMORY = ("steps", "conflict", "merges"), ("memory", "large")
_TITLE = "spkit / the other"


def speed_page(results: Path) -> str:
    """Ratios of medians, memory, and what each search needs.

    Args:
        results: the folder of all published results.

    Returns:
        Markdown that ends with a line break.
    """
    bench = pd.read_csv(results / "bench.csv")
    machine = bench["made_with"].iloc[-1].partition("; python")[0]
    timed = bench[bench["part"].isin(_TIMED) & ~bench["what"].str.contains("mapped file")]
    memory = bench[bench["part"].isin(_MEMORY) & ~bench["what"].str.contains("limit")].copy()
    memory.loc[memory["unit"] == "GB", ["value", "other"]] *= 1000
    return (
        "# Speed and memory\n\n"
        "`make bench` measures medians within one run; a ratio below 1 means that spkit takes less "
        f"([bench.csv](../../data/results/bench.csv), {machine}). Autograd through the merge is the direct way, which "
        "builds the merged weights as a part of the graph; `at()` builds the model at given coefficients.\n\n"
        f"{_ratios(timed, 's')}\n\n"
        "## Memory\n\n"
        "Vectors stay on disk, so that a search holds one model, one gradient and one block of 64 MB, however many "
        "experts there are. With 0.6 billion parameters, *the other* is the sum of these three.\n\n"
        f"{_ratios(memory, 'MB')}\n\n"
        "## Which search needs the fewest passes\n\n"
        "Passes over the probe until the loss is within 1 % of the lowest that any search saw, a backward pass counted "
        "as two; `sgd` and `adam` draw batches, all others take the whole probe at each point; `not in 60`: not "
        "within a budget of 60 passes "
        f"([searches.csv](../../data/results/searches.csv), one seed):\n\n{to_markdown(_passes(results))}\n\n"
        "`adam` is what the paper's experiments and the demo use; `sgd` is the default; `lbfgs` suits probes that are "
        "small enough to be read whole at each step.\n"
    )


def _ratios(bench: pd.DataFrame, unit: str) -> str:
    columns = {"what": _TITLE, "value": f"spkit, {unit}", "other": f"the other, {unit}", "ratio": "ratio"}
    return to_markdown(bench[list(columns)].rename(columns=columns).set_index(_TITLE))


def _passes(results: Path) -> pd.DataFrame:
    searches = pd.read_csv(results / "searches.csv")
    if "by" in searches:  # of each number of vectors, the searches of one number a vector
        searches = searches[(searches["by"] == "loss") & (searches["numbers"] == searches["vectors"])].copy()
    needed = searches["passes"].map("{:g}".format)
    within = "not in " + searches["passes_in_all"].map("{:g}".format)
    searches["cell"] = needed.where(searches["passes"].notna(), within)
    searches.loc[searches["passes_in_all"].isna(), "cell"] = "too many points"
    table = searches.pivot(index="search", columns="vectors", values="cell").loc[searches["search"].unique()]
    return table.rename(columns=lambda count: f"{count} vectors")
