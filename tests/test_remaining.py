"""What is said of the time that a study still takes."""

from spkit.study.graph import Node, Passes
from spkit.study.remaining import Remaining


def node(name: str, backward: int | None) -> Node:
    passes = None if backward is None else Passes(backward=backward)
    return Node(name, {}, (), lambda folder: {}, passes)


def test_the_rest_takes_as_long_an_example_as_what_has_run() -> None:
    now = [0.0]
    stages = [(0, node("taken", 900)), (0, node("a", 10)), (0, node("unknown", None)), (0, node("b", 40))]
    remaining = Remaining(stages, lambda: now[0])
    remaining.taken(0, "taken")  # its examples cost nothing here
    now[0] = 60.0
    assert remaining.ran(0, "a") == "  2 of 4 stages are done; about 4 min to go"
    now[0] = 70.0
    assert remaining.ran(0, "unknown") == ""  # too soon after the last
    now[0] = 300.0
    assert remaining.ran(0, "b") == ""  # nothing is left


def test_nothing_is_said_before_anything_is_known() -> None:
    now = [0.0]
    remaining = Remaining([(0, node("unknown", None)), (0, node("a", 10))], lambda: now[0])
    now[0] = 100.0
    assert remaining.ran(0, "unknown") == ""
