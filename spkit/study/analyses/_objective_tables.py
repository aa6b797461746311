"""The tables of [objectives]: every variant of the objective at every position, and how well it ranks them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.evaluation.paired import Samples
from spkit.results.schema import OBJECTIVES, OBJECTIVES_POSITIONS
from spkit.study.analyses._positions import START
from spkit.study.analyses._ranked import Ranked, chosen, rank
from spkit.study.analyses._series import points_of
from spkit.study.analyses._variants import Variant
from spkit.study.records import Record

#: Resamples of the positions behind a standard error.
_RESAMPLES = 200


def measured(records: Iterable[Record]) -> dict[str, pd.DataFrame]:
    """What the stages measured of each quantity, by its name: positions × tasks."""
    parts = [pd.read_csv(record.folder / "values.csv") for record in records]
    table = pd.concat(parts, ignore_index=True)
    return {
        str(name): part.pivot(index="position", columns="task", values="value")
        for name, part in table.groupby("quantity")
    }


def scored(positions: pd.DataFrame, records: Iterable[Record]) -> pd.DataFrame:
    """The positions with their true means, from the stages that scored them; NaN where there is no unseen task."""
    points = {about["position"]: measured["test"] for record in records for about, measured in points_of(record)}
    samples = Samples({0: points}, {})
    means = {"mean": MEAN, "unseen_mean": UNSEEN_MEAN}
    columns = {
        column: [samples.score(name, mean) if mean in samples.means else np.nan for name in positions["position"]]
        for column, mean in means.items()
    }
    return positions.assign(**columns)


def values_of(
    variant: Variant, measured: Mapping[str, pd.DataFrame], scales: pd.DataFrame, table: pd.DataFrame
) -> Float[np.ndarray, " P"]:
    """A variant at each position.

    Args:
        variant: which.
        measured: as `measured` gives it.
        scales: what the losses of each split are divided by: the columns split, scale, task, value.
        table: the positions.
    """
    own = scales[(scales["split"] == variant.quantity.split) & (scales["scale"] == variant.scale)]
    divisors = dict(zip(own["task"], own["value"], strict=True))
    quantity = measured[variant.quantity.name].reindex(table["position"])
    return variant.values(quantity, divisors, table["length"].to_numpy(dtype=float), START)


def about(variant: Variant) -> dict[str, Any]:
    """What a variant is, as columns of the table."""
    quantity = variant.quantity
    return {
        "measure": quantity.measure,
        "split": quantity.split,
        "size": quantity.size,
        "batch": quantity.batch,
        "temperature": np.nan if quantity.temperature is None else quantity.temperature,
        "mined": quantity.mined,
        "scale": variant.scale,
        "mu": variant.mu,
        "hull": variant.hull,
    }


def ranks(variant: Variant, table: pd.DataFrame, values: Float[np.ndarray, " P"]) -> dict[str, Any]:
    """How a variant ranks the positions, by both means, and the one that it calls best."""
    in_hull = table["in_hull"].to_numpy(dtype=bool)
    allowed = variant.allowed(in_hull)
    best = table["position"].to_numpy()[chosen(values, allowed)]
    row: dict[str, Any] = {"chosen": best[0] if len(best) else ""}
    for column, before in (("mean", ""), ("unseen_mean", "unseen_")):
        scores = table[column].to_numpy(dtype=float)
        known = not np.isnan(scores).any() and not np.isnan(values).any()
        ranked = rank(values, scores, in_hull, allowed, _RESAMPLES) if known else Ranked(*[np.nan] * 6)
        row |= {f"{before}{name}": value for name, value in asdict(ranked).items()}
    return row


def words(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Which objective ranks best, and what the default one does."""
    table = tables[OBJECTIVES.file]
    numbers = ["regret", "unseen_regret", "correlation", "unseen_correlation"]
    means = table.groupby(["variant", "usual"], sort=False)[numbers].mean().reset_index()
    nearest = means.iloc[int(means[["regret", "unseen_regret"]].mean(axis=1).argmin())]
    ranks = means.iloc[int(means[["correlation", "unseen_correlation"]].mean(axis=1).argmax())]
    usual = means[means["usual"]].iloc[0]
    count = int(tables[OBJECTIVES_POSITIONS.file].groupby("seed").size().iloc[0])
    first = f"Of {len(means)} objectives at {count} positions in the span of the experts and the joint model, "
    if nearest["variant"] == ranks["variant"]:
        first += f"“{ranks['variant']}” ranks best ({_ranking(ranks)}), and the position it calls best {_cost(nearest)}"
    else:
        first += (
            f"“{ranks['variant']}” ranks best ({_ranking(ranks)}), and the position that “{nearest['variant']}” calls "
            f"best {_cost(nearest)}"
        )
    return [
        f"{first}. The default one, “{usual['variant']}”, has {_ranking(usual)}, and the position it calls best "
        f"{_cost(usual)}."
    ]


def _ranking(row: Any) -> str:
    unseen = row["unseen_correlation"]
    beside = f" and {unseen:+.2f} with their mean on unseen ones" if unseen == unseen else ""
    return f"rank correlation {row['correlation']:+.2f} with the positions' mean on trained tasks{beside}"


def _cost(row: Any) -> str:
    unseen = row["unseen_regret"]
    beside = f" and {unseen:.1f} on unseen ones" if unseen == unseen else ""
    return f"is {row['regret']:.1f} points below the best there is on trained tasks{beside}"
