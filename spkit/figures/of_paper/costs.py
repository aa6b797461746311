"""Hours of training and merging that each way to balance two tasks takes over all ratios: figure 8b."""

from pandas import DataFrame

from spkit.figures.of_paper.base import Base
from spkit.results.frames import distinct
from spkit.results.schema import COSTS, GEOMETRY, PROBE_RATIOS, RESAMPLING

_SEARCH = "search/self_position"
_HOUR = 3600.0


def hours(base: Base) -> DataFrame:
    """A row a way whose stages were all run: way, kind (merging or resampling), training, merging; in hours."""
    means = base[COSTS].groupby("stage", sort=False)["seconds"].mean()
    seconds = {str(stage): float(taken) for stage, taken in means.items()}
    experts = [
        f"train/{name}" for name in dict.fromkeys([*distinct(base[GEOMETRY], "a"), *distinct(base[GEOMETRY], "b")])
    ]
    experts = experts or [stage for stage in seconds if stage.startswith("train/") and stage != "train/joint"]
    ratios = max(_ratios(base, seconds), 1)
    found = []
    for way, trainings, search in (
        ("separate", experts, _SEARCH),
        ("sequential", ["sequential/train"], f"sequential/{_SEARCH}"),
    ):
        if trainings and all(stage in seconds for stage in (*trainings, search)):
            training, merging = sum(seconds[stage] for stage in trainings), ratios * seconds[search]
            found.append({"way": way, "kind": "merging", "training": training / _HOUR, "merging": merging / _HOUR})
    for scheme, way in (("total", "Total Length"), ("max", "Max Length")):
        own = [taken for stage, taken in seconds.items() if stage.startswith(f"resampling/{scheme} ")]
        if own:
            found.append({"way": way, "kind": "resampling", "training": sum(own) / _HOUR, "merging": 0.0})
    return DataFrame(found, columns=["way", "kind", "training", "merging"])


def _ratios(base: Base, seconds: dict[str, float]) -> int:
    """How many ratios were tried."""
    if base.has(PROBE_RATIOS):
        return len(distinct(base[PROBE_RATIOS], "ratio"))
    if base.has(RESAMPLING):
        return len({method for method in distinct(base[RESAMPLING], "method") if method.startswith("total ")})
    return len([stage for stage in seconds if stage.startswith("resampling/total ")])
