"""What an objective knows: each variant against the library's own loss, ranks against scipy, regret by hand."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sentence_transformers import util

from spkit.models.bases import copy_model
from spkit.searching.objective import Objective
from spkit.searching.probe import Probe
from spkit.searching.scores import ProbeScores
from spkit.study import load_profile, run_study
from spkit.study.analyses import analysis
from spkit.study.analyses._positions import length_of, named_count, places_of, shares
from spkit.study.analyses._probed import Probed, probe_for
from spkit.study.analyses._ranked import chosen, rank
from spkit.study.analyses._variants import OWN, PAIRS, RANKS, SCORE, WHOLE, Factors, Quantity, Variant, variants
from spkit.study.analysis_settings.objectives import ObjectiveSettings
from spkit.training.batches import TaskBatches
from spkit.vectors.task_vectors import TaskVectors
from tests.tiny import WORDS, tiny_encoder, tiny_tasks
from tests.tiny_study import NAMES

SIZE, SEED = 96, 5
ROW = [0.7, 0.2, -0.3]


@pytest.fixture(scope="module")
def tasks():
    return tiny_tasks((64, 40, 24))


@pytest.fixture(scope="module")
def vectors(tasks):
    """Random models, whose embeddings are as far apart as those of trained ones."""
    base = tiny_encoder(0, WORDS)
    return TaskVectors.from_models(base, {name: tiny_encoder(seed, WORDS) for seed, name in enumerate(tasks, 1)})


@pytest.fixture
def model(vectors):
    moved = copy_model(vectors.base).requires_grad_(False)
    vectors.write(ROW, moved)
    return moved


def spearman(x, y):
    return float(np.asarray(stats.spearmanr(x, y))[0])


def measured(model, tasks, *wanted):
    probed = Probed(model, tasks, wanted, SIZE, SEED)
    return {(quantity, name): value for quantity, name, value in probed.at_present()}


# Each quantity


@pytest.mark.parametrize("batch", [8, 16, WHOLE])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_an_own_loss_is_that_of_a_search(vectors, model, tasks, batch, split):
    probe = Probe.sample(tasks, size=SIZE, split=split, seed=SEED)
    got = measured(model, tasks, Quantity(OWN, split, SIZE, batch))
    rows = torch.tensor([ROW], dtype=torch.float64)
    expected = Objective(vectors, probe, batch or SIZE, "mean", SEED).task_losses(rows)
    assert {name: value for (_, name), value in got.items()} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("batch", "temperature"), [(8, 0.02), (8, 0.1), (WHOLE, 0.05)])
def test_infonce_is_that_of_a_search_on_tasks_with_this_loss(vectors, model, tasks, batch, temperature):
    with_pairs = {name: task.on_pairs(temperature) for name, task in tasks.items()}
    probe = Probe.sample(with_pairs, size=SIZE, seed=SEED)
    got = measured(model, tasks, Quantity(PAIRS, "train", SIZE, batch, temperature))
    rows = torch.tensor([ROW], dtype=torch.float64)
    expected = Objective(vectors, probe, batch or SIZE, "mean", SEED).task_losses(rows)
    assert {name: value for (_, name), value in got.items()} == pytest.approx(expected, rel=1e-5)


def test_a_smaller_probe_is_contained_in_a_larger_one(tasks):
    small, large = (probe_for(PAIRS, tasks, "train", size, SIZE, SEED).examples for size in (48, SIZE))
    for name, rows in small.items():
        assert len(rows) < len(large[name])
        assert {json.dumps(row) for row in rows} <= {json.dumps(row) for row in large[name]}


@pytest.mark.parametrize(("split", "size"), [("dev", SIZE), ("train", 48)])
def test_a_score_is_that_of_a_search_by_score(vectors, model, tasks, split, size):
    got = measured(model, tasks, Quantity(SCORE, split, size))
    expected = ProbeScores(vectors, probe_for(SCORE, tasks, split, size, SIZE, SEED)).at(ROW)
    assert {name: value for (_, name), value in got.items()} == pytest.approx(expected, rel=1e-5)


def pairs_by_hand(model, task, batch):
    """The batches of pairs, their queries and documents as texts, and the cosines of these."""
    rows = probe_for(PAIRS, {task.name: task}, "train", 32, 32, SEED).examples[task.name]
    stream = TaskBatches(task.on_pairs(), rows, model, batch, SEED)
    texts = [list(row.values())[:2] for row in stream.examples([*range(stream.row_count)])]
    queries, documents = ([pair[side] for pair in texts] for side in (0, 1))
    close = util.cos_sim(*(model.encode(part, convert_to_tensor=True) for part in (queries, documents)))
    return stream, queries, documents, close


def test_smooth_ranks_and_hard_negatives_by_hand(model, tasks):
    task = tasks["faq"]
    stream, queries, documents, close = pairs_by_hand(model, task, 8)
    ranks = Quantity(RANKS, "train", 32)
    hard = Quantity(PAIRS, "train", 32, 8, 0.05, "average")
    probed = Probed(model, {"faq": task}, [ranks], 32, SEED)
    mined = probed.mine(hard)["faq"]
    right = np.array([[one == other for other in documents] for one in documents])
    away = np.where(right, -np.inf, close.numpy())
    assert mined == away.argmax(1).tolist()

    gains = []
    for number in range(len(queries)):
        ahead = 1 / (1 + np.exp(-(close[number].numpy() - float(close[number, number])) / 0.01))
        gains.append(1 / np.log2(2 + ahead[~right[number]].sum()))
    assert next(iter(probed.at_present()))[2] == pytest.approx(100 * np.mean(gains), rel=1e-4)

    losses = []
    for rows in stream.rows_of_pass(0):
        for row in rows:
            candidates = [close[row, other] for other in rows]
            candidates += [close[row, mined[other]] for other in rows if not right[row, mined[other]]]
            losses.append(float(torch.logsumexp(torch.stack(candidates) / 0.05, 0) - close[row, row] / 0.05))
    again = Probed(model, {"faq": task}, [hard], 32, SEED, {("average", "train"): {"faq": mined}})
    assert next(iter(again.at_present()))[2] == pytest.approx(np.mean(losses), rel=1e-4)


def test_no_text_of_a_label_is_a_hard_negative(model, tasks):
    task = tasks["topic"]
    hard = Quantity(PAIRS, "train", 32, 8, 0.05, "average")
    mined = Probed(model, {"topic": task}, [], 32, SEED).mine(hard)["topic"]
    label = {row["text"]: row["label"] for row in task.train}
    _, queries, documents, _ = pairs_by_hand(model, task, 8)
    assert all(label[documents[found]] != label[query] for found, query in zip(mined, queries, strict=True))


def test_each_text_is_read_once_a_position(model, tasks, monkeypatch):
    wanted = [one.quantity for one in variants(Factors([8, 16], [SIZE, 48], [0.05, 0.1], 0.05))]
    probed = Probed(model, tasks, [one for one in dict.fromkeys(wanted) if not one.mined], SIZE, SEED)
    read: Counter[tuple[int, ...]] = Counter()
    forward = type(model).forward

    def counted(self, features, **options):
        for ids, mask in zip(features["input_ids"], features["attention_mask"], strict=True):
            read[tuple(ids[mask.bool()].tolist())] += 1
        return forward(self, features, **options)

    monkeypatch.setattr(type(model), "forward", counted)
    assert len(list(probed.at_present())) == 3 * len([one for one in dict.fromkeys(wanted) if not one.mined])
    assert set(read.values()) == {1}
    assert len(read) > 3 * 64


# Variants of it


def test_variants_have_names_of_their_own_and_the_usual_one_comes_first():
    factors = Factors([32, 16, 128], [64, 256, 1024], [0.02, 0.05, 0.1], 0.05)
    made = variants(factors)
    names = [one.name_beside(factors.usual) for one in made]
    assert names[0] == "own loss, train"
    assert len(set(names)) == len(names) == len(set(made))
    assert {"own loss, train, scale relative", "InfoNCE 0.02, train, one batch", "score, dev, 64 examples",
            "own loss, train, μ 0.05", "score, dev, in the hull", "smooth ranks, dev"} <= set(names)  # fmt: skip


def test_the_value_of_each_variant_by_hand():
    measured = pd.DataFrame({"a": [2.0, 1.0, 4.0], "b": [10.0, 11.0, 5.0]}, index=["start", "near", "far"])
    lengths = np.array([0.0, 1.0, 2.0])
    usual = Variant(Quantity(OWN, "train", 64, 8))

    def values(variant, divisors=None):
        return variant.values(measured, divisors or {}, lengths, "start").tolist()

    assert values(usual) == [6.0, 6.0, 4.5]
    assert values(replace(usual, mu=0.5)) == [6.0, 6.5, 5.5]
    assert values(replace(usual, scale="gap"), {"b": 5.0, "a": 2.0}) == pytest.approx([1.5, 1.35, 1.5])
    # Half better and a tenth worse; twice as bad and half better.
    assert values(replace(usual, scale="relative")) == pytest.approx([0.0, (-0.5 + 10) / 2, (100 - 0.5) / 2])
    score = Variant(Quantity(SCORE, "dev", 64))
    assert values(score) == [-6.0, -6.0, -4.5]
    assert values(replace(score, scale="relative")) == pytest.approx([0.0, (50 - 0.1) / 2, (-1 + 50) / 2])
    inside = np.array([True, False, True])
    assert usual.allowed(inside).all()
    assert replace(usual, hull=True).allowed(inside).tolist() == inside.tolist()


# Ranks


def test_correlations_are_scipys_and_regret_is_by_hand():
    random = np.random.default_rng(0)
    scores = random.normal(70, 3, 40)
    values = -scores + random.normal(0, 3, 40)
    inside = random.random(40) < 0.5
    everywhere = np.full(40, True)
    ranked = rank(values, scores, inside, everywhere, resamples=300)
    best = scores >= np.median(scores)
    for got, part in ((ranked.correlation, everywhere), (ranked.correlation_hull, inside),
                      (ranked.correlation_half, best)):  # fmt: skip
        assert got == pytest.approx(spearman(-values[part], scores[part]))
    assert ranked.regret == pytest.approx(scores.max() - scores[values.argmin()])
    # The usual large-sample error of a rank correlation.
    assert ranked.correlation_error == pytest.approx((1 - ranked.correlation**2) / np.sqrt(40), rel=0.6)
    within = rank(values, scores, inside, inside, resamples=10)
    assert within.regret == pytest.approx(scores.max() - scores[inside][values[inside].argmin()])
    assert within.correlation == pytest.approx(ranked.correlation_hull)


def test_a_perfect_objective_loses_nothing_and_one_that_knows_nothing_the_mean():
    scores = np.array([60.0, 64.0, 62.0, 70.0])
    everywhere = np.full(4, True)
    assert rank(-scores, scores, everywhere, everywhere, 50).regret == 0
    nothing = rank(np.zeros(4), scores, everywhere, everywhere, 50)
    assert nothing.regret == pytest.approx(70 - 64)
    assert np.isnan(nothing.correlation)
    assert chosen(np.array([np.nan, 1.0, 1.0]), np.full(3, True)).tolist() == [False, True, True]


# Positions


def test_positions_are_rules_mixes_and_points_spread_over_the_span(vectors):
    names = [*vectors.names[:2], "joint"]
    span = TaskVectors.from_models(vectors.base, {name: vectors.at(np.eye(3)[n]) for n, name in enumerate(names)})
    found = {names[0]: 0.4, names[1]: 0.3}
    places = places_of(span, found, 60, SEED)
    by_name = {one.name: one for one in places}
    assert len(by_name) == len(places) == 60
    groups = Counter(one.group for one in places)
    assert 60 - named_count(2) <= groups["hull"] + groups["beyond"] + groups["neighbour"]
    assert groups["neighbour"] >= groups["hull"] >= groups["beyond"] >= groups["neighbour"] - 1
    assert by_name["search"].coefficients == {**found, "joint": 0.0}
    assert list(by_name["average"].coefficients.values()) == pytest.approx([1 / 3] * 3)
    assert by_name["0.75 joint + 0.25 each"].coefficients == {names[0]: 0.25, names[1]: 0.25, "joint": 0.75}
    assert by_name["joint alone"].coefficients == {names[0]: 0.0, names[1]: 0.0, "joint": 1.0}
    for one in places:
        values = np.array(list(one.coefficients.values()))
        inside = bool((values >= 0).all() and values.sum() <= 1 + 1e-9)
        assert one.in_hull == inside
        if one.group in ("hull", "beyond"):
            assert values.min() >= 0
            assert values.max() <= 1.5 + 1e-9
            assert (values.sum() <= 1 + 1e-9) == (one.group == "hull")
        if one.group == "neighbour":
            mix = by_name[one.name.removeprefix("near ").rpartition(":")[0]].coefficients.values()
            assert np.abs(values - np.array(list(mix))).max() < 0.5
    assert places_of(span, found, 40, SEED) == places[:40]
    assert places_of(span, found, 60, SEED + 1) != places


def test_shares_are_spread_evenly_over_the_simplex():
    rows = np.array([shares(row) for row in np.random.default_rng(0).random((4000, 3))])
    assert rows.sum(1) == pytest.approx(np.ones(4000))
    # Of a uniform point on a triangle each share is above one half with probability 1/4.
    assert (rows > 0.5).mean(0) == pytest.approx([0.25] * 3, abs=0.03)


def test_a_length_is_measured_in_the_mean_length_of_the_vectors(vectors):
    moved = vectors.at(ROW)
    pairs = zip(moved.parameters(), vectors.base.parameters(), strict=True)
    far = sum(float(((new - old) ** 2).sum().detach()) for new, old in pairs)
    assert length_of(ROW, vectors.gram()) == pytest.approx(np.sqrt(far) / vectors.norms().mean(), rel=1e-4)


# The analysis


def test_the_tables_agree_with_each_other_and_with_the_study(tiny_run):
    count = load_profile(tiny_run.parent / "all.toml").analyses["objectives"].positions
    positions, table = (pd.read_csv(tiny_run / name) for name in ("objectives_positions.csv", "objectives.csv"))
    scores = pd.read_csv(tiny_run / "scores.csv").set_index(["method", "task"])["score"]
    at = positions.set_index("position")
    for position, method in (("joint alone", "joint"), ("faq alone", "expert:faq"), ("search", "self_position")):
        assert at.loc[position, "mean"] == pytest.approx(scores[method, "mean"], abs=1e-4), position
        assert at.loc[position, "unseen_mean"] == pytest.approx(scores[method, "unseen mean"], abs=1e-4), position
    assert len(positions) == count
    assert {f"coefficient:{name}" for name in (*NAMES, "joint")} <= set(positions.columns)
    assert table["usual"].sum() == 1
    for row in table.to_dict("records"):
        part = positions[positions["in_hull"]] if row["hull"] else positions
        values = part[f"value:{row['variant']}"]
        for before, mean in (("", "mean"), ("unseen_", "unseen_mean")):
            order = spearman(-values, part[mean])
            assert row[f"{before}correlation"] == pytest.approx(order, abs=1e-3), row["variant"]
            best = part[mean][values == values.min()].mean()
            assert row[f"{before}regret"] == pytest.approx(positions[mean].max() - best, abs=1e-3), row["variant"]
    summary = (tiny_run / "summary.md").read_text(encoding="utf-8")
    assert f"Of {len(table)} objectives at {count} positions" in summary


def test_what_is_measured_of_some_positions_is_not_measured_again(tiny_home, tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    before = (tmp_path / "run" / "objectives.csv").read_text(encoding="utf-8")
    shutil.rmtree(tmp_path / "run" / "seed3" / "objectives" / "values-8")
    said: list[str] = []
    run_study(load_profile(tiny_home / "all.toml"), tmp_path / "run", said.append)
    assert [line for line in said if line.startswith("  seed") and line.endswith("…")] == [
        "  seed3/objectives/values-8 …"
    ]
    assert (tmp_path / "run" / "objectives.csv").read_text(encoding="utf-8") == before


def test_words_name_the_best_and_the_default_with_numbers():
    table = pd.DataFrame(
        {
            "variant": ["own loss, train", "score, dev"],
            "usual": [True, False],
            "regret": [2.0, 0.25],
            "unseen_regret": [1.0, 0.5],
            "correlation": [0.1, 0.8],
            "unseen_correlation": [-0.2, 0.6],
        }
    )
    positions = pd.DataFrame({"position": ["a", "b"], "seed": 0})
    words = analysis("objectives").words
    (said,) = words({"objectives.csv": table, "objectives_positions.csv": positions})
    assert "“score, dev” ranks best (rank correlation +0.80 with" in said
    assert "0.2 points below the best there is on trained tasks and 0.5 on unseen ones" in said
    assert "“own loss, train”, has rank correlation +0.10" in said
    known = table.assign(unseen_regret=np.nan, unseen_correlation=np.nan)
    (said,) = words({"objectives.csv": known, "objectives_positions.csv": positions})
    assert "unseen" not in said
    assert "nan" not in said


def test_stages_hold_a_few_positions_each():
    settings = ObjectiveSettings.model_validate({"positions": 21})
    assert settings.chunks == [(0, 8), (8, 16), (16, 21)]
