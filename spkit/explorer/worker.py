"""One thread that answers the newest request, in one part or several: an earlier one is dropped, or stopped."""

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class NewestWins(Generic[Asked, Answer]):
    """Computes in a thread of its own, one request at a time, and only the newest.

    A request waits until none has followed it for `rest` seconds, so that a slider that is being dragged costs nothing.

    Args:
        compute: gives the answers to a request, one after the other; it gets a function that says whether a newer
            request has come, and may raise then.
        deliver: called in the thread with the request, each of its answers as it comes (or the exception that
            `compute` raised) and whether the request is still the newest. Not called for one that was overtaken and
            gave no answer.
        rest: seconds without a new request before one is taken up.
    """

    def __init__(
        self,
        compute: Callable[[Asked, Callable[[], bool]], Iterable[Answer]],
        deliver: Callable[[Asked, Answer | Exception, bool], None],
        rest: float = 0.1,
    ) -> None:
        self._compute, self._deliver, self._rest = compute, deliver, rest
        self._changed = threading.Condition()
        self._number, self._taken, self._closed = 0, 0, False
        self._asked: Asked | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name="spkit-explorer", daemon=True)
        self._thread.start()

    def submit(self, asked: Asked) -> None:
        """Ask for an answer; every earlier request is overtaken."""
        with self._changed:
            if self._closed:
                return
            self._asked, self._number = asked, self._number + 1
            self._idle.clear()
            self._changed.notify()

    def overtake(self) -> None:
        """Let no earlier request be the newest any more, without a new one."""
        with self._changed:
            self._number += 1
            self._taken = self._number
            self._changed.notify()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; whether that came in time."""
        return self._idle.wait(timeout)

    def close(self) -> None:
        """End the thread, after the request it is at."""
        with self._changed:
            self._closed = True
            self._number += 1
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._taken == self._number and not self._closed:
                    self._idle.set()
                    self._changed.wait()
                # Each wait that is not cut short by a newer request is a rest.
                while not self._closed:
                    number = self._number
                    self._changed.wait(self._rest)
                    if number == self._number:
                        break
                if self._closed:
                    self._idle.set()
                    return
                if self._taken == self._number:
                    continue
                number, asked, self._taken = self._number, self._asked, self._number
            self._answer(number, asked)  # pyright: ignore[reportArgumentType]

    def _answer(self, number: int, asked: Asked) -> None:
        def overtaken() -> bool:
            return number != self._number

        try:
            for answer in self._compute(asked, overtaken):
                self._deliver(asked, answer, not overtaken())
        except Exception as error:  # passed on to the caller: nobody sees an exception in a thread
            if not overtaken():
                self._deliver(asked, error, True)
