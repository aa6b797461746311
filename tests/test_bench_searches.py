"""The table of searches that `make bench` writes: passes until near the best, medians, ratios to the default."""

import math

import numpy as np
import pytest

from tests.bench import searches as bench
from tests.bench.searches import SPANS, Curve, Span, table


def test_a_curve_reaches_its_limit_at_its_first_cost_below_it() -> None:
    curve = Curve([3.0, 2.0, 2.5, 1.0], [0, 3, 6, 9], [0.0, 0.1, 0.2, 0.3])
    assert curve.reached(2.0) == (3, 0.1)
    assert curve.reached(1.0) == (9, 0.3)
    assert curve.reached(0.9) == (math.inf, math.inf)


def test_rows_are_medians_over_seeds_with_ratios_to_the_default(monkeypatch) -> None:
    """The best of all is 1.0 by the loss and 90 by the score; a curve falls to it after so many passes."""

    def searched(span, seed, budget):
        loss = {name: _falling(2.0, 1.0, 10 + seed) for name in ("sgd", "adam", "lbfgs", "random", "tpe", "cma")}
        loss["gp"] = _falling(2.0, 1.02, 5)  # 2 % above the best: never near it
        score = {name: _falling(-50.0, -90.0, 4 if name == "gp" else 8) for name in loss}
        return bench._Found(20, {"loss": loss, "score": score})

    monkeypatch.setattr(bench, "_searched", searched)
    found = table(Span(4, by_module=True), seeds=(0, 1, 2)).to_dict("records")
    rows = {(row["by"], row["search"]): row for row in found}

    def of(by: str, search: str) -> list[float]:
        return [rows[by, search][column] for column in ("passes", "passes_ratio", "start", "best")]

    assert of("loss", "sgd") == [11, 1.0, 2.0, 1.0]
    assert of("score", "cma") == [8, 2.0, 50.0, 90.0]
    assert of("score", "gp") == [4, 1.0, 50.0, 90.0]
    assert np.isnan(rows["loss", "gp"]["passes"])
    assert rows["loss", "gp"]["best"] == 1.02
    assert rows["loss", "gp"]["gain_passes"] == 5  # it gains 98 % of what the best does
    assert rows["loss", "grid"]["note"] == "two values of 20 numbers are 1,048,576 passes"
    assert {row["numbers"] for row in found} == {20}


def _falling(high: float, low: float, after: int) -> Curve:
    return Curve([high, low], [0, after], [0.0, after / 10])


@pytest.mark.slow
def test_the_smallest_span_is_searched_by_everything() -> None:
    rows = table(SPANS["searches-2"], seeds=(0,), budget=12)
    assert len(rows) == 16
    near = rows[rows["passes"].notna()]
    assert {"loss", "score"} == set(near["by"])  # the best itself is within 1 % of the best
    assert (near["passes"] <= near["passes_in_all"]).all()
    assert rows["best"].notna().all()
