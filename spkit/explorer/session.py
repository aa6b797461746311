"""Where somebody who explores is, what it is compared with, and where they have been; without widgets."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from spkit.errors import SpkitError
from spkit.evaluation.means import MEAN
from spkit.explorer.bookmarks import Bookmark, Bookmarks
from spkit.explorer.differences import differences
from spkit.explorer.exploration import Exploration
from spkit.explorer.position_text import as_text, from_text
from spkit.explorer.readings import Reading
from spkit.explorer.state import Mode
from spkit.explorer.trail import Stop, Trail

#: What the other of two positions is called.
OTHER = "A"


class Session:
    """The state of the explorer.

    Args:
        exploration: what is known, and what measures more.
        start: name of the preset to begin at.
        bookmarks: positions that are kept. Where they know a last position, the session begins there.
    """

    def __init__(self, exploration: Exploration, start: str, bookmarks: Bookmarks) -> None:
        self.exploration, self.bookmarks = exploration, bookmarks
        start = exploration.name_of(start)
        self._start = start if start in exploration.presets else next(reversed(exploration.presets))
        mode: Mode = "path" if exploration.space.path is not None else "free"
        last = bookmarks.last
        known = last is not None and len(last) == len(exploration.space.names)
        coefficients = list(last) if known and last is not None else exploration.presets[self._start]
        self.place = exploration.space.place(coefficients, mode)
        self.reading = exploration.read(coefficients)
        self.trail = Trail(Stop(self.place, tuple(coefficients)))
        self.pinned: Reading | None = None
        names = [*exploration.models, *(name for name in exploration.presets if name not in exploration.marked)]
        #: What was given: the joint model first, then the best first.
        self._given = sorted(names, key=lambda name: (name != "joint", -self.reading_of(name).values["score"][MEAN]))
        self.reference_name = self._given[0]
        #: What there is to say about the last step.
        self.notice = ""
        #: Whether no measurement of the position is under way any more.
        self.ended = False
        self._changed: Callable[[], None] = lambda: None
        exploration.listen(self._measured, self._failed)
        if not self.reading.measured:
            exploration.ask(coefficients)

    def listen(self, changed: Callable[[], None]) -> None:
        """Set what is called after each change, with the exploration's lock held."""
        self._changed = changed

    # Where one is.

    def turn(self, number: int, value: float) -> None:
        """Move the slider of a vector."""
        self.place = self.place.with_value(number, value)
        self._moved(self.exploration.space.coefficients(self.place), f"vector {number}")

    def lengthen(self, value: float) -> None:
        """Move the slider of the length."""
        self.place = replace(self.place, length=value)
        self._moved(self.exploration.space.coefficients(self.place), "length")

    def switch(self, mode: Mode) -> None:
        """Let the sliders mean something else, at the same position."""
        self.place = self.exploration.space.place(self.reading.coefficients, mode)
        self._moved(self.reading.coefficients)
        if self.place.mode != mode:
            self.say("The sliders of this mode do not reach this position: they take weights above zero.")

    def move(self, coefficients: Sequence[float], by: str = "") -> None:
        """Go to a position.

        Args:
            coefficients: the position, which is taken exactly; sliders show it to two digits.
            by: see `Trail.visit`.
        """
        self.place = self.exploration.space.place(coefficients, self.place.mode)
        self._moved(coefficients, by)

    def go(self, name: str) -> None:
        """Go to a position by its name, or show a model that is no position, or a bookmark."""
        name = self.exploration.name_of(name)
        if name in self.exploration.models:
            self._look_at(name)
        elif name in self.exploration.presets:
            self.move(self.exploration.presets[name])
        elif name in self.bookmarks.names:
            self.move(self.bookmarks[name].coefficients)
        else:
            raise SpkitError("`go` needs the name of a position or a model.", f"Found {name!r}.")

    def open(self, text: str) -> None:
        """Go to the position of a text."""
        self.move(from_text(self.exploration.space.names, text))

    def reset(self) -> None:
        """Go to the preset that a session begins at where nobody has been."""
        self.go(self._start)

    def undo(self) -> None:
        """Go back to where one was before."""
        self._return(self.trail.back())

    def redo(self) -> None:
        """Take back the last undo."""
        self._return(self.trail.forward())

    def climb(self) -> None:
        """Go to the best position that the interpolation knows, by the mean over the trained tasks."""
        self.move(self.exploration.known.best(*self.exploration.space.ranges.free))

    @property
    def text(self) -> str:
        """The position in one line."""
        return as_text(self.exploration.space.names, self.reading.coefficients)

    # What it is compared with.

    @property
    def reference_names(self) -> list[str]:
        """What a position can be compared with, the usual first: A, where there is one, the joint model, then what was
        given, the best first, positions that searches ended at, and bookmarks."""
        return [*([OTHER] if self.pinned else []), *self._given, *self.exploration.marked, *self.bookmarks.names]

    def reading_of(self, name: str) -> Reading:
        """What is known of a model, a position or a bookmark, by its name."""
        exploration, name = self.exploration, self.exploration.name_of(name)
        if name == OTHER and self.pinned is not None:
            return self.pinned
        if name in exploration.models:
            return exploration.models[name]
        known = exploration.presets[name] if name in exploration.presets else self.bookmarks[name].coefficients
        return exploration.read(known)

    @property
    def reference(self) -> Reading:
        """What the position is compared with."""
        return self.reading_of(self.reference_name)

    def compare_with(self, name: str) -> None:
        """Choose it."""
        self.reference_name = self.exploration.name_of(name)
        self._changed()

    def pin(self) -> None:
        """Let the position be A, which those one goes to are compared with."""
        self.pinned = self.reading
        self.compare_with(OTHER)

    def swap(self) -> None:
        """Go to A, and let the position be A."""
        if (before := self.pinned) is not None:
            self.pinned = self.reading
            if before.model:
                self.go(before.model)
            else:
                self.move(before.coefficients)

    def differences(self) -> pd.DataFrame:
        """How far the position is ahead of what it is compared with (`differences`)."""
        shown = [self.reading, self.reference]
        if not self.exploration.watches_unseen:
            shown = [replace(reading, unseen=None, unseen_left_out=None) for reading in shown]
        return differences(*shown)

    def watch_unseen(self, on: bool) -> None:
        """Show the unseen tasks, measuring them here if that is not known; or read them no more."""
        self.exploration.watches_unseen = on
        if not self.reading.model:
            self._moved(self.reading.coefficients)
        self._changed()

    def ask_whole(self) -> None:
        """Measure the position and what it is compared with on the whole dev splits."""
        self.say("Measuring on the whole dev splits …")
        self.exploration.ask_whole(self.reading.key, self.reference.key, self._whole_is_there)

    def whole_dev(self) -> pd.DataFrame | None:
        """Both on the whole dev splits (`WholeDev.table`); None where that was not measured."""
        return self.exploration.whole_dev.table(self.reading.key, self.reference.key)

    def keep(self, name: str, note: str = "") -> None:
        """Keep the position as a bookmark.

        Raises:
            SpkitError: no name, or one that something else has.
        """
        name = name.strip()
        taken = {*self.exploration.presets, *self.exploration.models, OTHER}
        if not name or name in taken:
            raise SpkitError(
                "A bookmark needs a name of its own.", f"Found {name!r}.", "Write another one into the field."
            )
        self.bookmarks.keep(Bookmark(name, self.reading.coefficients, note.strip()))
        self.say(f"Kept as {name}.")

    def forget(self, name: str) -> None:
        """Remove a bookmark."""
        self.bookmarks.remove(name)
        if self.reference_name == name:
            self.reference_name = self.reference_names[0]
        self._changed()

    def say(self, text: str) -> None:
        """Set what there is to say, until the next step."""
        self.notice = text
        self._changed()

    # What happens in between.

    def _moved(self, coefficients: Sequence[float], by: str = "") -> None:
        """Show what is known of the new position at once, and ask for a measurement."""
        self.reading, self.notice, self.ended = self.exploration.read(coefficients), "", False
        self.trail.visit(Stop(self.place, tuple(coefficients)), by)
        self._changed()
        self.exploration.ask(coefficients)
        if self.reading.measured:
            self.bookmarks.be_at(self.reading.coefficients)

    def _look_at(self, name: str) -> None:
        self.reading, self.ended = self.exploration.models[name], True
        self.place = self.exploration.space.place(self.reading.coefficients, "free")
        self.trail.visit(Stop(self.place, self.reading.coefficients, name))
        self.exploration.rest()
        self.say(f"{name} is no position between the vectors: its scores are its own, the sliders show the nearest.")

    def _return(self, stop: Stop | None) -> None:
        if stop is None:
            return
        self.place, self.notice, self.ended = stop.place, "", bool(stop.model)
        self.reading = self.exploration.models[stop.model] if stop.model else self.exploration.read(stop.coefficients)
        self._changed()
        if stop.model:
            self.exploration.rest()
        else:
            self.exploration.ask(stop.coefficients)

    def _measured(self, reading: Reading, newest: bool) -> None:
        with self.exploration.lock:
            if self.pinned is not None and not self.pinned.model:
                self.pinned = self.exploration.read(self.pinned.coefficients)
            # Never a number of another position: the sliders may have moved on in the meantime.
            if newest and not self.reading.model and list(reading.coefficients) == list(self.reading.coefficients):
                self.reading = reading
                self.bookmarks.be_at(reading.coefficients)
                self._changed()

    def _whole_is_there(self) -> None:
        with self.exploration.lock:
            self.say("Measured on the whole dev splits.")

    def _failed(self, error: Exception) -> None:
        with self.exploration.lock:
            self.ended = True
            self.say(f"This position could not be measured: {error}")
