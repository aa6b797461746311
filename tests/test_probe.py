"""What a probe draws for a task depends on the seed and the task's name, not on the company it is in."""

import itertools
from dataclasses import replace

import pytest

from spkit.errors import SpkitError
from spkit.searching.probe import Probe
from spkit.tasks import Task

SIZE = 12  # of each task


def drawn(tasks: dict[str, Task], **settings) -> dict[str, list]:
    probe = Probe.sample(tasks, size=SIZE * len(tasks), **settings)
    return {name: rows.to_list() for name, rows in probe.examples.items()}


def held_back(tasks: dict[str, Task]) -> dict[str, list]:
    sides = Probe.sample(tasks, size=4 * SIZE * len(tasks)).hold_back(0.5)
    return {
        f"{name} {number}": rows.to_list() for number, side in enumerate(sides) for name, rows in side.examples.items()
    }


@pytest.mark.parametrize("draw", [drawn, held_back])
def test_the_order_of_the_tasks_does_not_matter(tasks, draw) -> None:
    whole = draw(tasks)
    for names in itertools.permutations(tasks):
        assert draw({name: tasks[name] for name in names}) == whole


@pytest.mark.parametrize("draw", [drawn, held_back])
def test_another_task_changes_no_tasks_examples(tasks, draw) -> None:
    whole = draw(tasks)
    for name in tasks:
        alone = draw({name: tasks[name]})
        assert alone == {key: rows for key, rows in whole.items() if key in alone}


def test_tasks_of_equal_data_draw_apart_by_their_names_and_seeds(tasks) -> None:
    twins = {name: replace(tasks["faq"], name=name) for name in ("one", "other")}
    first, second = drawn(twins).values()
    assert first != second
    assert drawn(twins, seed=1)["one"] != first
    assert drawn(twins, seed=0)["one"] == first


def test_a_smaller_probe_is_a_part_of_a_larger_one(tasks) -> None:
    small, large = (Probe.sample([tasks["faq"]], size=size).examples["faq"]["anchor"] for size in (8, 32))
    assert set(small) < set(large)


def test_what_is_held_back_is_not_what_was_drawn_first(tasks) -> None:
    """The two draws are independent: what is kept aside is no first part of the order that `sample` drew."""
    whole = Probe.sample([tasks["faq"]], size=len(tasks["faq"].train))
    kept = whole.hold_back(0.25)[1].examples["faq"]["anchor"]
    assert set(kept) != set(Probe.sample([tasks["faq"]], size=len(kept)).examples["faq"]["anchor"])


def test_too_few_examples_are_refused(tasks) -> None:
    with pytest.raises(SpkitError, match=r"Found 7 for task 'topic' \(64 in its train split, `size` 7\)"):
        Probe.sample([tasks["topic"]], size=7)
