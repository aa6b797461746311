"""The bundled tasks that nobody trains on: pinned, apart from what is trained on, and moved by training."""

import math
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from spkit.errors import SpkitError
from spkit.searching.probe import Probe
from spkit.tasks import Task, load_tasks
from spkit.tasks import unseen as makers
from spkit.tasks.kinds import kinds
from spkit.tasks.leaks import check_leaks, leaks
from spkit.tasks.names import BUNDLED_NAMES, DEFAULT, UNSEEN
from spkit.tasks.splits import bare
from spkit.training.trainer import train
from tests.tiny import tiny_encoder

ROOT = Path(__file__).parent.parent

KINDS = {"news": "retrieval", "code": "reranking", "colours": "sts", "words": "clustering"}
SIZES = {"news": 150, "code": 150, "colours": 1000, "words": 374}
SORTS = {"capital": 112, "country": 108, "city": 64, "nationality": 40, "currency": 26, "state": 24}
FINGERPRINTS = {
    "news": "9e063c9462ede981",
    "code": "55f2485ac5f4702a",
    "colours": "34a9c61b14980cd9",
    "words": "d2cc2e39f5a7888c",
}


@pytest.fixture(scope="module")
def unseen() -> dict[str, Task]:
    return load_tasks("bundled", list(UNSEEN))


def texts(task: Task) -> list[str]:
    return [
        text for column in task.text_columns for cell in task.test[column] for text in task.definition.texts_in(cell)
    ]


def test_they_come_by_name_in_the_role_unseen(unseen) -> None:
    assert tuple(unseen) == UNSEEN == BUNDLED_NAMES[-len(UNSEEN) :]
    assert tuple(load_tasks("bundled")) == DEFAULT
    assert {name: task.kind for name, task in unseen.items()} == KINDS
    assert {*KINDS.values()} < {*kinds()}
    for task in unseen.values():
        assert (task.role, task.trained, task.scored, list(task.splits)) == ("unseen", False, True, ["test"])


def test_sizes_and_contents_are_pinned(unseen) -> None:
    assert {name: len(task.test) for name, task in unseen.items()} == SIZES
    assert Counter(unseen["words"].test["label"]) == SORTS
    assert {name: task.fingerprint()[:16] for name, task in unseen.items()} == FINGERPRINTS


def test_no_text_of_theirs_is_trained_on(unseen, bundled_tasks) -> None:
    parts = load_tasks("bundled", [name for name in BUNDLED_NAMES if name not in (*DEFAULT, *UNSEEN)])
    trained = {**bundled_tasks, **parts}
    check_leaks(trained, unseen)
    # Of what is trained on, the test splits hold none of them either.
    for task in trained.values():
        tested = {bare(text) for text in task.texts("test")}
        assert not tested & {bare(text) for other in unseen.values() for text in texts(other)}


def test_the_leak_check_would_have_met_names(unseen, bundled_tasks, monkeypatch) -> None:
    """Without the filter some names of colours or places stand in what is trained on."""
    monkeypatch.setattr(makers, "_short_texts", frozenset)
    found = leaks(bundled_tasks, {"colours": makers.colours(), "words": makers.words()})
    assert {leak.trained for leak in found} <= {"similarity", "chat"}
    assert found


def test_no_text_stands_twice(unseen) -> None:
    for name in ("news", "words"):
        own = [bare(text) for text in texts(unseen[name])]
        assert len(own) == len(set(own))
    pairs = [frozenset((row["sentence1"], row["sentence2"])) for row in unseen["colours"].test]
    assert len(pairs) == len(set(pairs))
    assert all(len(pair) == 2 for pair in pairs)
    queries = unseen["code"].test["query"]
    assert len(queries) == len(set(queries))


def test_news_goes_on_where_its_first_sentence_ends(unseen) -> None:
    for row in unseen["news"].test:
        assert row["anchor"].endswith(".")
        assert 20 <= len(row["anchor"]) <= 301
        assert re.match(r'[A-Z"]', row["positive"])
        assert 100 <= len(row["positive"]) <= 200


def test_each_function_has_nine_others_beside_it(unseen) -> None:
    rows = list(unseen["code"].test)
    functions = {row["positive"][0] for row in rows}
    for row in rows:
        (own,) = row["positive"]
        assert own.startswith("def ")
        assert row["query"] not in own  # the documentation is not part of the code
        assert len({own, *row["negative"]}) == 10
        assert functions.issuperset(row["negative"])
    drawn = Counter(text for row in rows for text in row["negative"])
    assert len(drawn) == len(functions)
    assert max(drawn.values()) < 9 + 6 * 3  # 9 ± 3 each: none is everybody's


def test_distances_of_colours_are_those_of_cielab() -> None:
    """Against published values: white, black, and sRGB's red, green and blue (Lindbloom)."""
    expected = {"#ffffff": (100, 0, 0), "#000000": (0, 0, 0), "#ff0000": (53.24, 80.09, 67.2),
                "#00ff00": (87.73, -86.18, 83.18), "#0000ff": (32.3, 79.19, -107.86)}  # fmt: skip
    for colour, place in expected.items():
        assert makers._lab(colour) == pytest.approx(place, abs=0.02)


def test_colours_are_near_and_far(unseen) -> None:
    place = {name: makers._lab(colour) for name, colour in makers._named_colours().items()}
    for row in unseen["colours"].test.select(range(50)):
        assert row["score"] == pytest.approx(-math.dist(place[row["sentence1"]], place[row["sentence2"]]), abs=0.006)
    scores = sorted(unseen["colours"].test["score"])
    assert -260 < scores[0] < -100
    assert -3 < scores[-1] <= 0
    assert sum(score > -15 for score in scores) > 200
    assert sum(score < -50 for score in scores) > 200
    assert not [text for text in texts(unseen["colours"]) if re.search(r"\b(poo|puke|shit)\b", text)]


def test_they_are_never_trained_on_nor_probed(unseen, no_type_check) -> None:
    for name, task in unseen.items():
        message = "reranking|evaluated only" if name != "words" else "'clustering' tasks are evaluated only"
        with pytest.raises(SpkitError, match=message):
            train(tiny_encoder(0), task, steps=1)
        with pytest.raises(SpkitError, match=message):
            Probe.sample({name: task}, size=4)


def test_loading_is_quick() -> None:
    makers._short_texts.cache_clear()
    started = time.process_time()
    load_tasks("bundled", list(UNSEEN))
    assert time.process_time() - started < 10  # about 2 s alone


def test_cards(unseen) -> None:
    index = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name, task in unseen.items():
        card = (ROOT / "data" / "cards" / f"{name}.md").read_text(encoding="utf-8")
        assert card.startswith(f"# {name}\n")
        assert f"| test | {len(task.test)} |" in card
        for title in ("## Source and licence", "## How it is made", "## What moves it", "## Known faults"):
            assert title in card
        assert re.search(r"`(gensim|networkx|matplotlib)`", card)
        assert f"cards/{name}.md" in index


def test_a_task_file_may_name_them(tmp_path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text("[tasks.words]\nbundled = true\n", encoding="utf-8")
    assert load_tasks(path)["words"].role == "unseen"
