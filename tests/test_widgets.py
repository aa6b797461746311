"""The notebooks' sliders: what they say is what the tables hold."""

import asyncio
import threading
from itertools import product

import pandas as pd
import pytest

from spkit.drawing import Sheet
from spkit.errors import SpkitError
from spkit.merging.methods import merge
from spkit.vectors.task_vectors import TaskVectors
from spkit.widgets import (
    OneOf,
    PictureSlider,
    Sliders,
    arc_widget,
    conflict_widget,
    cost_widget,
    length_widget,
    mixture_widget,
    ranking_widget,
    search_widget,
    ties_widget,
)
from tests.experts import flat


@pytest.fixture(scope="module")
def vectors(two_vectors) -> TaskVectors:
    return two_vectors


def conflict_rows(cosines: dict[tuple[int, str], float], verdict: str = "conflict") -> pd.DataFrame:
    """Rows of one pair whose names do not stand in the order of the alphabet, and of a module without a gradient."""
    common = {"a": "topic", "b": "chat", "low": -1.0, "high": 1.0, "seed": 0}
    rows = [
        {**common, "step": step, "module": module, "corrected": value, "verdict": verdict}
        | {"low": value - 0.3, "high": value + 0.3}
        for (step, module), value in cosines.items()
    ]
    still = {**common, "step": 0, "module": "pooler", "corrected": float("nan"), "verdict": "no gradient"}
    return pd.DataFrame([*rows, still])


def test_the_conflict_widget_names_the_deepest_conflict_and_what_it_leaves_out() -> None:
    widget = conflict_widget(conflict_rows({(0, "first"): -0.2, (0, "last"): -0.5, (8, "first"): 0.3, (8, "last"): 0}))
    assert widget.words().startswith(
        "Step 0: the deepest conflict that is shown is topic, chat in last: -0.50 [-0.80, -0.20]; 1 of 2 cosines have"
    )
    assert "no task has a gradient there: pooler" in widget.words()
    assert "Hatched" not in widget.words()
    widget.slider.value = 1
    assert widget.words().startswith("Step 8: no cosine's 95 % interval is below 0.")


def test_the_conflict_widget_says_where_nothing_is_known() -> None:
    table = conflict_rows({(0, "first"): float("nan"), (0, "last"): float("nan")}, verdict="undetermined")
    assert (
        "no cosine is known, as the noise is larger than the gradients. Hatched: no cosine"
        in conflict_widget(table).words()
    )


def test_the_ranking_follows_the_weight() -> None:
    scores = {("ties", "faq"): 90.0, ("ties", "sts"): 10.0, ("joint", "faq"): 20.0, ("joint", "sts"): 60.0}
    table = pd.DataFrame(
        [
            {"method": method, "task": task, "metric": "accuracy", "score": score + seed, "seed": seed}
            for (method, task), score in scores.items()
            for seed in (-1, 1)
        ]
    )
    widget = ranking_widget(table, "faq")
    assert isinstance(widget, PictureSlider)
    said = {}
    for label, place in widget.slider.options:
        widget.slider.value = place
        said[label] = widget.words()
    assert said["0%"].endswith("first joint training (60.0), then TIES (10.0).")
    assert said["50%"].endswith("first TIES (50.0), then joint training (40.0).")
    assert said["100%"].endswith("first TIES (90.0), then joint training (20.0).")
    assert ranking_widget(table).words().startswith("If faq counts")  # the methods differ most on it
    with pytest.raises(SpkitError, match="Found 'chat'"):
        ranking_widget(table, "chat")


def with_roles(scores: dict[tuple[str, str], float]) -> pd.DataFrame:
    """A table of scores with both roles and both means."""
    unseen = {"news", "mail", "unseen mean"}
    rows = [{"method": method, "task": task, "score": score, "seed": 0} for (method, task), score in scores.items()]
    for row in rows:
        row |= {"metric": "accuracy", "role": "unseen" if row["task"] in unseen else "trained"}
    return pd.DataFrame(rows)


def test_the_ranking_may_be_among_unseen_tasks_and_between_the_means() -> None:
    ties = {"faq": 90.0, "sts": 10.0, "mean": 50.0, "news": 70.0, "mail": 30.0, "unseen mean": 50.0}
    joint = {"faq": 50.0, "sts": 70.0, "mean": 60.0, "news": 10.0, "mail": 40.0, "unseen mean": 25.0}
    table = with_roles(
        {(name, task): score for name, of in (("ties", ties), ("joint", joint)) for task, score in of.items()}
    )
    widget = ranking_widget(table, "mail")
    assert isinstance(widget, OneOf)
    assert list(widget.parts) == ["trained tasks", "unseen tasks", "both means"]
    # No unseen task has a share of what is said of the trained ones, nor the other way round.
    assert widget.words() == "If sts counts 50%: first joint training (60.0), then TIES (50.0)."
    widget.choice.value = "unseen tasks"
    assert widget._place.children == (widget.parts["unseen tasks"],)
    assert widget.words() == "If mail counts 50%: first TIES (50.0), then joint training (25.0)."
    shown = widget.picture()
    widget.choice.value = "both means"
    assert widget.picture() != shown
    widget.shown.slider.value = 0
    assert widget.words() == "If unseen mean counts 0%: first joint training (60.0), then TIES (50.0)."
    widget.shown.slider.value = 10
    assert widget.words() == "If unseen mean counts 100%: first TIES (50.0), then joint training (25.0)."
    with pytest.raises(SpkitError, match=r"Found 'chat'\. Pass one of 'faq', 'mail', 'news', 'sts'"):
        ranking_widget(table, "chat")


def test_the_length_widget_has_a_mean_for_each_role() -> None:
    common = {"over": "length", "metric": "accuracy", "seed": 0}
    rows = [
        {**common, "task": task, "role": role, "value": value, "score": score, "marked": value == 0.5}
        for task, role, scores in (
            ("faq", "trained", (10, 50, 45)), ("news", "unseen", (70, 20, 30)), ("mail", "unseen", (30, 20, 25)),
            ("mean", "trained", (10, 50, 45)), ("unseen mean", "unseen", (50, 20, 27.5)),
        )
        for value, score in zip((0.0, 1.0, 0.5), scores, strict=True)
    ]  # fmt: skip
    widget = length_widget(pd.DataFrame(rows))
    assert isinstance(widget, OneOf)
    assert widget.words() == "λ = 0: mean 10.0 points. Best λ of those tried: faq 1, mean 1."
    widget.choice.value = "unseen tasks"
    assert widget.words() == ("λ = 0: unseen mean 50.0 points. Best λ of those tried: news 0, mail 0, unseen mean 0.")


def test_the_length_widget_starts_at_the_length_found() -> None:
    rows = [
        {"over": "length", "task": task, "metric": "accuracy", "value": value, "score": score, "marked": False}
        for task, scores in {"faq": (10, 50, 40), "sts": (30, 20, 10)}.items()
        for value, score in zip((0.0, 1.0, 2.0), scores, strict=True)
    ]
    searched = [{**rows[0], "task": task, "value": 1.2, "score": 33, "marked": True} for task in ("faq", "sts")]
    widget = length_widget(pd.DataFrame(rows + searched))
    assert widget.words() == "λ = 1: mean 35.0 points. Best λ of those tried: faq 1, sts 0, mean 1."


def test_the_mixture_widget_takes_the_middle_of_one_pair() -> None:
    rows = [
        {
            "a": "faq",
            "b": "sts",
            "task": task,
            "share": share,
            "schedule": "epochs",
            "angle": 60 - 40 * share,
            "norm": 2 * share,
            "joint_norm": 1.25,
            "seed": 0,
        }
        for task, share in product(("faq", "sts"), (0.25, 0.5, 0.75))
    ]
    widget = mixture_widget(pd.DataFrame(rows))
    assert [label for label, _ in widget.slider.options] == ["25%", "50%", "75%"]
    widget.list.value = 2  # by the keyboard
    assert widget.slider.value == 2
    assert widget.words() == (
        "faq has 75% of the examples: the joint vector stands 30° from that of faq and 50° from that of sts; "
        "its length is 1.25."
    )
    assert widget._picture.tooltip == widget.words()


def test_the_ties_widget_says_what_trimming_leaves(vectors) -> None:
    widget = ties_widget(vectors, densities=(0.1, 1.0))
    kept = vectors.trim(0.1).norms() / vectors.norms()
    widget.slider.value = 0
    assert f"hold {kept.min():.0%} to {kept.max():.0%} of its length" in widget.words()
    widget.slider.value = 1
    assert "hold 100% to 100% of its length" in widget.words()
    merged = flat(merge(vectors.base, vectors, "ties", density=1.0)) - flat(vectors.base)
    assert f"The merged vector has length {float(merged.norm()):.2f};" in widget.words()


def test_the_arc_widget_starts_and_ends_at_the_experts(vectors) -> None:
    norms = vectors.norms()
    widget = arc_widget(vectors, places=3)
    said = {}
    for label, place in widget.slider.options:
        widget.slider.value = place
        said[label] = widget.words()
    assert len(said) == 3
    first, middle, last = said.values()
    assert f"{norms.iloc[0]:.2f}" in first
    assert f"{norms.iloc[1]:.2f}" in last
    assert middle not in (first, last)


def test_the_search_widget_shows_each_step_and_what_moved() -> None:
    rows = [
        {"method": "self_position", "step": step, "task": task, "task_loss": 1.0, "seed": 0, "coefficient": value}
        for step in range(3)
        for task, value in (("faq", 0.5 + 0.1 * step), ("sts", 0.5 - 0.2 * step))
    ]
    widget = search_widget(pd.DataFrame(rows))
    assert widget.words() == "Step 2: mean loss 1.000; sts has moved most since the start."
    with pytest.raises(SpkitError, match="Found 'grid'"):
        search_widget(pd.DataFrame([{**rows[0], "method": "grid"}]))


def test_the_cost_widget_finds_where_merging_pays() -> None:
    flops = {"train/joint": 10e12, "train/faq": 6e12, "train/sts": 6e12, "search/self_position": 4e12}
    widget = cost_widget(pd.DataFrame([{"stage": name, "flops": value, "seed": 0} for name, value in flops.items()]))
    widget.slider.value = 0
    assert widget.words() == "1 balance tried: the cheaper way is to train jointly each time."
    widget.slider.value = 2  # 30 against 12 + 12
    assert widget.words() == "3 balances tried: the cheaper way is to train experts once, search each time."
    with pytest.raises(SpkitError, match="must hold joint training and a search"):
        cost_widget(pd.DataFrame([{"stage": "train/joint", "flops": 1.0, "seed": 0}]))


def counted(drawn: list[dict[str, float]]) -> Sliders:
    """Two sliders whose function keeps what it was called with."""

    def draw(share: float, length: float):
        drawn.append({"share": share, "length": length})
        sheet = Sheet(1, 1)
        sheet.subplots().plot([0, share], [0, length])
        return sheet, f"{share:g} {length:g}"

    return Sliders(draw, share=(0, 1, 0.5), length=(0, 2, 1, 0.25))


def test_sliders_draw_for_the_values_they_are_moved_to() -> None:
    drawn: list[dict[str, float]] = []
    moved = counted(drawn)
    before = moved.picture()
    assert before.startswith(b"\x89PNG")
    moved.sliders["share"].value = 0.75
    moved.sliders["length"].value = 1.25
    assert drawn == [
        {"share": 0.5, "length": 1.0}, {"share": 0.75, "length": 1.0}, {"share": 0.75, "length": 1.25}
    ]  # fmt: skip
    assert moved.words() == "0.75 1.25"
    assert moved.picture() != before
    assert moved._picture.tooltip == moved.words()
    with pytest.raises(SpkitError, match=r"lowest value.*Found 'share=\(0, 1, 2\)'"):
        Sliders(lambda share: (Sheet(1, 1), ""), share=(0, 1, 2))
    with pytest.raises(SpkitError, match="Found no slider"):
        Sliders(lambda: (Sheet(1, 1), ""))


def test_sliders_that_move_on_another_thread_draw_on_the_notebooks_own_and_only_the_last_place() -> None:
    drawn: list[dict[str, float]] = []
    threads = set()

    async def cell() -> None:
        moved = counted(drawn)
        show = moved._show
        moved._show = lambda: (threads.add(threading.current_thread()), show())  # type: ignore[method-assign]

        def move() -> None:
            for value in (0.6, 0.7, 0.8):
                moved.sliders["share"].value = value

        mover = threading.Thread(target=move)
        mover.start()
        mover.join()  # the cell runs on: nothing is drawn
        assert len(drawn) == 1
        await asyncio.sleep(0.05)

    asyncio.run(cell())
    assert [one["share"] for one in drawn] == [0.5, 0.8]
    assert threads == {threading.main_thread()}
