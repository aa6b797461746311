"""What to keep: bookmarks, the best measured positions, the position as text, code and model."""

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets

from spkit.errors import SpkitError
from spkit.explorer.parts import button, put_options, row
from spkit.explorer.position_text import as_text
from spkit.explorer.session import Session

#: So many of the measured positions are listed.
_LISTED = 30


class KeepPanel(widgets.Tab):
    """Three folders: bookmarks, measured positions, and what leaves the explorer.

    Args:
        session: whose positions are kept.
        code: gives the lines that rebuild the position.
        save: writes the position's model to a folder.
        target: the folder that is proposed.
    """

    def __init__(self, session: Session, code: Callable[[], str], save: Callable[[str], None], target: str) -> None:
        self._session, self._code, self._save, self._quiet = session, code, save, False
        self._listed = 0
        self._build(target)
        super().__init__(
            [
                widgets.VBox([row(self.text, self.copy, self.save, self.folder), self.code]),
                widgets.VBox(
                    [row(self.name, self.note, self.keep), self.kept, row(self.go, self.against, self.remove)]
                ),
                widgets.VBox([self.measured, row(self.climb)]),
            ],
            titles=["This position", "Bookmarks", "Best measured"],
            selected_index=0,
        )
        self.add_class("spkit-keep")

    def _build(self, target: str) -> None:
        session, lock = self._session, self._session.exploration.lock
        self.text: Any = widgets.Text(
            description="position",
            tooltip="the position as text: copy it, or paste one and press Enter",
            continuous_update=False,
            layout={"width": "auto", "flex": "1 1 300px"},
        )
        self.text.observe(self._typed, names="value")
        self.copy = button("copy as code", "show the code that makes this position", self._shown, lock)
        self.save = button("save model", "write a folder that sentence-transformers loads", self._saved, lock)
        self.folder: Any = widgets.Text(value=target, description="folder", layout={"width": "auto"})
        # Not disabled: a disabled text cannot be reached, or copied, from the keyboard.
        self.code: Any = widgets.Textarea(
            tooltip="code that makes this position", layout={"width": "98%", "height": "92px", "display": "none"}
        )
        self.name: Any = widgets.Text(description="name", placeholder="of the bookmark", layout={"width": "auto"})
        self.note: Any = widgets.Text(
            description="note", placeholder="what you think of it", layout={"width": "auto", "flex": "1 1 200px"}
        )
        self.keep = button("keep", "keep this position under the name", self._kept, lock)
        self.kept: Any = widgets.Select(options=[], rows=4, layout={"width": "98%"}, tooltip="bookmarks")
        self.go = button("go", "go to the bookmark", partial(self._with_kept, session.go), lock)
        self.against = button(
            "compare", "compare with the bookmark", partial(self._with_kept, session.compare_with), lock
        )
        self.remove = button("remove", "forget the bookmark", partial(self._with_kept, session.forget), lock)
        self.measured: Any = widgets.Select(
            options=[], value=None, rows=6, layout={"width": "98%"}, tooltip="measured positions, the best first"
        )
        self.measured.observe(self._picked, names="value")
        self.climb = button(
            "go to the best that is interpolated",
            "by the mean over the trained tasks; then measured",
            session.climb,
            lock,
        )

    def show(self) -> None:
        """Show the session's position and what it keeps."""
        session = self._session
        names = session.exploration.space.names
        self._quiet = True
        try:
            self.text.value = session.text
            if self.code.layout.display != "none":
                self.code.value = self._code()
            kept = [session.bookmarks[name] for name in session.bookmarks.names]
            lines = [f"{one.name}: {as_text(names, one.coefficients)}  {one.note}".rstrip() for one in kept]
            put_options(self.kept, list(zip(lines, session.bookmarks.names, strict=True)), self.kept.value)
            if self._listed != session.exploration.num_points:
                self._listed = session.exploration.num_points
                ranked = session.exploration.known.ranked(_LISTED)
                self.measured.options = [(f"{score:.1f}   {as_text(names, where)}", where) for where, score in ranked]
            put_options(self.measured, list(self.measured.options), session.reading.coefficients)
        finally:
            self._quiet = False

    def _typed(self, change: Any) -> None:
        with self._session.exploration.lock:
            if self._quiet:
                return
            try:
                self._session.open(change["new"])
            except SpkitError as error:
                self._session.say(str(error))

    def _picked(self, change: Any) -> None:
        with self._session.exploration.lock:
            if not self._quiet and change["new"] is not None:
                self._session.move(change["new"])

    def _shown(self) -> None:
        shown = self.code.layout.display != "none"
        self.code.layout.display = "none" if shown else ""
        self.code.value = self._code()

    def _saved(self) -> None:
        try:
            self._save(self.folder.value)
            self._session.say(f'Saved. Load it with SentenceTransformer("{self.folder.value}").')
        except (SpkitError, OSError) as error:
            self._session.say(f"Not saved. {error}")

    def _kept(self) -> None:
        try:
            self._session.keep(self.name.value, self.note.value)
            self.name.value = self.note.value = ""
        except SpkitError as error:
            self._session.say(str(error))

    def _with_kept(self, do: Callable[[str], None]) -> None:
        if self.kept.value is not None:
            do(self.kept.value)
