"""The kinds: found by a scan that costs nothing, complete, and named nowhere else in the code."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spkit
from spkit.errors import SpkitError
from spkit.evaluation.watching import watched
from spkit.results.frames import METRIC_LABELS
from spkit.tasks.kinds import Kind, kind_named, kinds
from spkit.tasks.losses import BATCHING
from spkit.training.losses import LOSSES, make_loss
from spkit.training.samplers import BATCHES
from tests.tiny import tiny_encoder

PACKAGE = Path(spkit.__file__).parent


def test_listing_the_kinds_imports_nothing_heavy() -> None:
    code = """
import sys
from spkit.tasks.kinds import Kind, kinds
print(list(kinds()))
print([name for name in ("torch", "mteb", "datasets", "sentence_transformers", "sklearn") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = run.stdout.splitlines()
    assert first == "['retrieval', 'sts', 'pair', 'classification', 'reranking', 'clustering']"
    assert second == "[]"


def test_a_kind_is_a_file() -> None:
    files = {path.stem for path in (PACKAGE / "tasks" / "kinds").glob("*.py") if not path.stem.startswith("_")}
    assert files == set(kinds())


@pytest.mark.parametrize("kind", kinds().values(), ids=str)
def test_what_a_kind_says_is_complete(kind: Kind) -> None:
    assert set(kind.lists) <= set(kind.texts)
    assert kind.columns[: len(kind.texts)] == kind.texts
    assert all(kind.knows(column) for column in kind.columns)
    assert METRIC_LABELS[kind.metric.name] == kind.metric.label
    if kind.trained:
        assert kind.losses[0] == kind.loss
        assert set(kind.losses) <= set(LOSSES)
        assert kind.quick_score_name
    if kind.metric.pooled is not None:
        assert kind.metric.name.endswith(kind.metric.ending)
    from mteb.abstasks import AbsTask

    assert issubclass(kind.mteb_class(), AbsTask)


def test_every_loss_says_what_batches_it_needs() -> None:
    assert BATCHING.keys() == LOSSES.keys()
    for name, form in BATCHING.items():
        assert form.batches in BATCHES
        assert form.takes_batch(form.smallest_batch)
        assert form.takes_batch(form.smallest_batch - 1) is False
        assert form.has_temperature is (LOSSES[name].temperature is not None)
        assert any(name in kind.losses for kind in kinds().values())


def test_places_and_metrics_are_each_ones_own() -> None:
    for of in (lambda kind: kind.place, lambda kind: kind.metric.name, lambda kind: kind.metric.label):
        assert len({of(kind) for kind in kinds().values()}) == len(kinds())


def test_no_other_code_asks_for_a_kind_by_its_name() -> None:
    """Data may name its kind (`kind="sts"` of a bundled task); no condition and no table may.

    Guessing the kind of a user's file goes the other way: it must end with a name.
    """
    names = set(kinds()) - {"pair"}  # which is also a pair of tasks, in sweeps
    mentions = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "kinds" or path.name == "guess.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            values: list[ast.expr | None] = []
            if isinstance(node, ast.Compare):
                values = [node.left, *node.comparators]
            elif isinstance(node, ast.Dict):
                values = list(node.keys)
            elif isinstance(node, ast.Subscript):
                values = [node.slice]
            named = [one.value for one in values if isinstance(one, ast.Constant) and one.value in names]
            mentions += [f"{path.name}:{node.lineno} {name}" for name in named]
    assert mentions == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SpkitError, match=r"must be one of 'retrieval', .*'clustering'\. Found 'ranking' in task 'faq'"):
        kind_named("ranking", "in task 'faq'")


def test_losses_by_name_take_a_temperature() -> None:
    model = tiny_encoder()
    assert make_loss("infonce", model).get_config_dict()["scale"] == pytest.approx(20)
    assert make_loss("infonce", model, 0.02).get_config_dict()["scale"] == pytest.approx(50)
    assert make_loss("supcon", model).get_config_dict()["temperature"] == 0.1
    assert make_loss("cosent", model, 0.1).get_config_dict()["scale"] == pytest.approx(10)
    for name, temperature, message in (
        ("contrastive", 0.1, "no meaning for the loss 'contrastive'"),
        ("infonce", 0.0, "must be positive. Found 0.0"),
        ("triplet", None, "must be one of 'infonce', 'cosent', 'contrastive', 'supcon'. Found 'triplet'"),
    ):
        with pytest.raises(SpkitError, match=message):
            make_loss(name, model, temperature)


def test_a_task_of_mtebs_is_watched_on_a_copy() -> None:
    from mteb.mocks import mock_tasks

    task = mock_tasks.MockSTSTask()
    before = dict(vars(task))
    twin, seen = watched(task)
    assert (type(twin) is type(task), isinstance(twin, type(task)), seen) == (False, True, [])
    names = ("cosine_scores", "manhattan_distances", "euclidean_distances")
    scores = {name: np.array([0.1, 0.2, 0.4]) for name in names} | {"similarity_scores": None}
    twin._calculate_scores(scores, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(seen[0][:, 1], [1.0, 2.0, 3.0])
    assert vars(task) == before
    assert "_calculate_scores" not in vars(twin)
