"""How long a run of `spkit best` still takes: at what was measured in it, each sort of work for itself."""

import pytest

from spkit.best_model.work import Speeds, Work


def speeds(now: list[float], guesses: list[int] | None = None) -> Speeds:
    asked = [] if guesses is None else guesses

    def guess() -> tuple[float, float]:
        asked.append(1)
        return 0.01, 0.03

    return Speeds(guess, lambda: now[0])


def test_what_was_not_measured_takes_what_a_batch_takes() -> None:
    guesses: list[int] = []
    work = Work(scored=100, evaluated=10, stepped=20, read=5)
    assert speeds([0.0], guesses).seconds([work, Work(scored=100)]) == pytest.approx(2.1 + 25 * 0.03)
    assert guesses == [1]
    assert work.examples == 135


def test_what_was_measured_takes_what_it_took_and_nothing_else_does() -> None:
    now, guesses = [0.0], []
    known = speeds(now, guesses)
    with known.measured("scored", 0):  # the model is made for the same examples
        now[0] += 1.0
    with known.measured("scored", 50):
        now[0] += 4.0
    assert known.seconds([Work(scored=100)]) == pytest.approx(10.0)
    assert guesses == []
    assert known.seconds([Work(evaluated=100)]) == pytest.approx(1.0)
    with known.measured("evaluated", 1000):
        now[0] += 2.0
    assert known.seconds([Work(scored=100, evaluated=100)]) == pytest.approx(10.2)


def test_work_that_failed_is_not_measured() -> None:
    known = speeds(now := [0.0])

    def fails() -> None:
        with known.measured("read", 10):
            now[0] += 100.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert known.seconds([Work(read=10)]) == pytest.approx(0.3)


@pytest.mark.parametrize("counts", [(1,), (3, 50, 7), (100, 100, 1, 20)])
def test_steps_of_one_speed_are_foreseen_exactly(counts) -> None:
    known = speeds(now := [0.0])
    for count in counts:
        with known.measured("stepped", count):
            now[0] += 0.25 * count
    assert known.seconds([Work(stepped=400)]) == pytest.approx(100.0)


def test_one_slow_block_is_no_speed() -> None:
    known = speeds(now := [0.0])
    for seconds in (90.0, 2.0, 3.0):
        with known.measured("scored", 10):
            now[0] += seconds
    assert known.seconds([Work(scored=10)]) == pytest.approx(3.0)
