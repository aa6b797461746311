"""The variants of the objective that [objectives] compares: what is measured of each task, and how that becomes one
number a position.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

OWN, PAIRS, SCORE, RANKS = "own loss", "InfoNCE", "score", "smooth ranks"

#: How the numbers of several tasks are put on one scale; "relative" is the change against the start, a worsening
#: counted more.
Scaling = Literal["mean", "gap", "gradient", "relative"]

#: In place of a number of examples: as many of a task's as can share a batch.
WHOLE = 0

#: How often CABS+ counts the worsening of a task.
WORSENING = 100.0

#: A start of zero has no relative change.
_SMALLEST = 1e-9

#: Whose embeddings hard negatives are mined with.
Miner = Literal["base", "average"]


@dataclass(frozen=True)
class Quantity:
    """What is measured of each task at a position.

    Attributes:
        measure: "own loss"; "InfoNCE" on pairs, whatever the task's own loss is; "score", as the kind scores a few
            examples; "smooth ranks" of the positives among the documents of all pairs.
        split: whose examples, "train" or "dev".
        size: examples of all tasks together.
        batch: examples in a batch; 0 takes as many of a task's as can share one (all, or one of each label).
        temperature: of InfoNCE; None for what has its own or none.
        mined: whose embeddings gave each pair a hard negative; "" for in-batch negatives alone.
    """

    measure: str
    split: Literal["train", "dev"]
    size: int
    batch: int = WHOLE
    temperature: float | None = None
    mined: Miner | Literal[""] = ""

    @property
    def higher_is_better(self) -> bool:
        """Whether it is a score, not a loss."""
        return self.measure in (SCORE, RANKS)

    @property
    def name(self) -> str:
        """All of it; unique.

        Example:
            >>> Quantity(PAIRS, "dev", 256, 32, 0.05, "average").name
            'InfoNCE 0.05, dev, 256 examples, batch 32, hard negatives (average)'
        """
        return ", ".join(self._parts())

    def name_beside(self, usual: "Quantity") -> str:
        """What it is, and where it differs from the usual one.

        Example:
            >>> Quantity(PAIRS, "dev", 256, temperature=0.05).name_beside(Quantity(OWN, "train", 256, 32))
            'InfoNCE 0.05, dev, one batch'
        """
        same = [name for name in ("size", "batch") if getattr(self, name) == getattr(usual, name)]
        return ", ".join(self._parts(*same))

    def _parts(self, *without: str) -> Iterator[str]:
        yield self.measure + ("" if self.temperature is None else f" {self.temperature:g}")
        yield self.split
        if "size" not in without:
            yield f"{self.size} examples"
        if not self.higher_is_better and "batch" not in without:
            yield f"batch {self.batch}" if self.batch else "one batch"
        if self.mined:
            yield f"hard negatives ({self.mined})"


@dataclass(frozen=True)
class Variant:
    """An objective: a quantity of each task, and what makes one number of them.

    Attributes:
        quantity: what is measured of each task.
        scale: how the tasks' numbers come on one scale.
        mu: weight of the position's length, which is added.
        hull: whether only positions in the convex hull of base and vectors may be chosen.
    """

    quantity: Quantity
    scale: Scaling = "mean"
    mu: float = 0.0
    hull: bool = False

    def name_beside(self, usual: Quantity) -> str:
        """What it is, and where it differs from the usual objective; unique among all."""
        parts = [self.quantity.name_beside(usual)]
        parts += [f"scale {self.scale}"] if self.scale != "mean" else []
        parts += [f"μ {self.mu:g}"] if self.mu else []
        return ", ".join(parts + ["in the hull"] * self.hull)

    def values(
        self, measured: pd.DataFrame, divisors: Mapping[str, float], lengths: Float[np.ndarray, " P"], start: str
    ) -> Float[np.ndarray, " P"]:
        """The objective at each position; smaller is better.

        Args:
            measured: the quantity, positions × tasks.
            divisors: of the scale, a number a task, where it has any.
            lengths: of the positions.
            start: the position that "relative" compares with.

        Returns:
            NaN where no task has the quantity.
        """
        losses = -measured if self.quantity.higher_is_better else measured
        if self.scale == "relative":
            change = (losses - losses.loc[start]) / measured.loc[start].abs().clip(lower=_SMALLEST)
            losses = change.where(change <= 0, WORSENING * change)
        elif self.scale != "mean":
            losses = losses / pd.Series(divisors)[losses.columns]
        return losses.mean(axis=1).to_numpy(dtype=float) + self.mu * lengths

    def allowed(self, in_hull: Bool[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """The positions among which it chooses."""
        return in_hull if self.hull else np.ones_like(in_hull)


@dataclass(frozen=True)
class Factors:
    """The values of each factor; the usual objective has the first batch and the largest size.

    Attributes:
        batches: examples of each task in a batch.
        sizes: examples of all tasks together.
        temperatures: of InfoNCE.
        mu: weight of the length.
    """

    batches: Sequence[int]
    sizes: Sequence[int]
    temperatures: Sequence[float]
    mu: float

    @property
    def usual(self) -> Quantity:
        """What a search minimises by default: each task's own loss on training examples, in batches."""
        return Quantity(OWN, "train", max(self.sizes), self.batches[0])

    @property
    def middle(self) -> float:
        """The temperature at which other factors of InfoNCE are varied."""
        return sorted(self.temperatures)[len(self.temperatures) // 2]


def variants(factors: Factors) -> list[Variant]:
    """The usual objective first, then each factor by itself, then the products that matter.

    Products are the temperature of InfoNCE × its batch, and a score × split × size.
    """
    return list(dict.fromkeys(_variants(factors)))


def _variants(factors: Factors) -> Iterator[Variant]:
    usual = factors.usual
    dev, pairs = replace(usual, split="dev"), replace(usual, measure=PAIRS, temperature=factors.middle)
    score = Quantity(SCORE, "dev", usual.size)
    yield Variant(usual)
    for scale in ("gap", "gradient", "relative"):
        yield Variant(usual, scale)
    for scale in ("mean", "gradient"):
        yield Variant(dev, scale)
    for batch in (*factors.batches, WHOLE):
        yield Variant(replace(usual, batch=batch))
        for temperature in factors.temperatures:
            yield Variant(replace(pairs, batch=batch, temperature=temperature))
    for size in factors.sizes:
        yield Variant(replace(usual, size=size))
    yield Variant(usual, mu=factors.mu)
    for one in (usual, score):
        yield Variant(one, hull=True)
    yield Variant(replace(pairs, split="dev"))
    yield Variant(replace(pairs, split="dev", batch=WHOLE))
    for temperature in factors.temperatures:
        yield Variant(replace(pairs, temperature=temperature, mined="average"))
    yield Variant(replace(pairs, mined="base"))
    yield Variant(replace(pairs, split="dev", mined="average"))
    for split in ("dev", "train"):
        for size in factors.sizes:
            yield Variant(replace(score, split=split, size=size))
        yield Variant(replace(score, split=split, measure=RANKS))
    yield Variant(score, "relative")


def quantities(chosen: Iterable[Variant]) -> list[Quantity]:
    """What has to be measured for some variants, each once."""
    return list(dict.fromkeys(one.quantity for one in chosen))
