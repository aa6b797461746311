"""The explorer in a notebook: where am I, how good is it, where else could I go. A thin layer over `Session`."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.explorer.bookmarks import Bookmarks
from spkit.explorer.changes import Compared, changed
from spkit.explorer.exploration import Exploration
from spkit.explorer.keep_panel import KeepPanel
from spkit.explorer.map_panel import MapPanel
from spkit.explorer.pictured import Pictured
from spkit.explorer.readings import Reading
from spkit.explorer.score_panel import ScorePanel, coefficients
from spkit.explorer.session import Session
from spkit.explorer.state import Place, as_code
from spkit.explorer.still import still
from spkit.explorer.where_panel import WherePanel
from spkit.saving.recipe import position_recipe, save_with_recipe

_STYLE = (Path(__file__).parent / "explorer.css").read_text(encoding="utf-8")


class Explorer(Pictured):
    """Sliders over the space between models.

    Args:
        exploration: what is known, and what measures more.
        search: coefficients of a search, step after step, drawn on the map.
        verdict: what a study found, in words.
        start: name of the preset to begin at.
        source: the folder that `copy as code` loads the vectors from; None where they are in memory only.
        target: the folder that `save model` proposes.
    """

    def __init__(
        self,
        exploration: Exploration,
        search: Float[np.ndarray, "S N"] | None = None,
        verdict: str = "",
        start: str = "average",
        source: str | None = None,
        target: str = "runs/explored",
    ) -> None:
        self.exploration, self._source, self._said, self._way = exploration, source, verdict, search
        kept = None if exploration.folder is None else exploration.folder / "bookmarks.json"
        self.session = Session(exploration, start, Bookmarks(kept))
        self.where, self.scores = WherePanel(self.session), ScorePanel(self.session)
        self.map = MapPanel(self.session, search)
        self.keep = KeepPanel(self.session, self.code, self.save, target)
        self._notice = widgets.HTML()
        self._verdict = widgets.HTML(_folded(verdict))
        head = widgets.VBox([widgets.HTML(f"<style>{_STYLE}</style>"), self._verdict])
        for part, name in ((head, "head"), (self._notice, "notice")):
            part.add_class(f"spkit-{name}")
        with exploration.lock:
            self._show()
            self.session.listen(self._show)
        body = widgets.VBox([self.where, self.scores, self.map])
        body.add_class("spkit-body")
        super().__init__([head, body, self._notice, self.keep])
        self.add_class("spkit-explorer")

    # What a program may read and do.

    @property
    def place(self) -> Place:
        """Where the sliders stand."""
        return self.session.place

    @property
    def reading(self) -> Reading:
        """What is shown."""
        return self.session.reading

    def go(self, preset: str) -> None:
        """Go to a position by its name: `base`, `expert: NAME`, `average`, `SLERP middle`, a marked one or a bookmark;
        or show a model that is no position, such as `joint`.

        Sliders show it to two digits; the position is the exact one.
        """
        with self.exploration.lock:
            self.session.go(preset)

    def save(self, folder: str | Path) -> None:
        """Write the model of the position as a sentence-transformers folder, with its recipe.

        Raises:
            SpkitError: the folder exists and holds something else, or the model is no position between the vectors.
        """
        reading = self.reading
        rows = self.exploration.rows_of(reading)
        if rows is None:
            raise SpkitError(
                "Only positions between the vectors can be saved.",
                f"Found {reading.model!r}.",
                "It has a folder already.",
            )
        settings = {"mode": self.place.mode, "values": list(self.place.values), "length": self.place.length}
        recipe = position_recipe(self.exploration.vectors, rows, "explore", {} if reading.model else settings)
        save_with_recipe(self.model(), Path(folder), recipe, {})

    def changed(self, reference: Compared | None = None, **options: Any) -> pd.DataFrame:
        """The examples that change most from a reference (`a`) to what is shown (`b`), on the tasks' whole dev splits.

        Args:
            reference: the name of a position or a model of the explorer, one coefficient a vector, a model, or its
                folder; None is what the scores are compared with.
            options: of `spkit.changed_examples`, such as `most=50`.

        Returns:
            A table to sort and filter, as `spkit.changed_examples` describes it.
        """
        with self.exploration.lock:
            shown, names = self.reading, self.session.reference_names
            if reference is None or (isinstance(reference, str) and reference in names):
                known = self.session.reading_of(reference) if isinstance(reference, str) else self.session.reference
                reference = known.key
        return changed(self.exploration, reference, shown.key, **options)

    def save_html(self, path: str | Path, title: str = "") -> Path:
        """Write the explorer as one HTML file that needs no server, no network and no Python; it begins here.

        Args:
            path: of the file. One that spkit wrote is replaced.
            title: of the page; by default the names of the vectors.

        Returns:
            The path that was written.

        Raises:
            SpkitError: another file stands there, or the path is a link.
        """
        from spkit.explorer.standalone import save_html

        here = self.reading.coefficients
        return save_html(path, self.exploration, start=here, way=self._way, verdict=self._said, title=title)

    def model(self) -> SentenceTransformer:
        """The model that is shown."""
        return self.exploration.model(self.reading.key)

    def code(self) -> str:
        """Lines that rebuild the position."""
        return as_code(self.exploration.vectors.names, self.reading.coefficients, self._source)

    def close(self) -> None:
        """End the measuring thread and remove the widgets."""
        self.exploration.close()
        super().close()

    def picture(self) -> bytes:
        """Scores and map as a PNG."""
        with self.exploration.lock:
            return still(self.session, self.map)

    def words(self) -> str:
        """The numbers of the picture and the verdict, for who does not see them."""
        with self.exploration.lock:
            reading, position = self.reading, coefficients(self.session)
        kind = "measured" if reading.measured else "interpolated"
        scores = ", ".join(f"{row} {value:.1f}" for row, value in reading.values["score"].items())
        if reading.unseen is not None:
            scores += "; on unseen tasks, for looking only: "
            scores += ", ".join(f"{row} {value:.1f}" for row, value in reading.unseen["score"].items())
        verdict = f" The study's verdict: {self._said}" if self._said else ""
        return f"At the coefficients {position}: scores in points ({kind}) {scores}.{verdict}"

    def _show(self) -> None:
        """Show the session, with the exploration's lock held."""
        parts: Sequence[WherePanel | ScorePanel | MapPanel | KeepPanel] = (self.where, self.scores, self.map, self.keep)
        for part in parts:
            part.show()
        notice = self.session.notice
        self._notice.value = f'<div role="status">{escape(notice)}</div>' if notice else ""


def _folded(verdict: str) -> str:
    """The verdict's first sentence, which opens to the rest."""
    if not verdict:
        return ""
    first, stop, rest = verdict.partition(". ")
    head = f"<b>The study's verdict.</b> {escape(first + stop.strip())}"
    return f"<details><summary>{head}</summary>{escape(rest)}</details>" if rest else head
