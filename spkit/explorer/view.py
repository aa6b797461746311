"""The explorer in a notebook: sliders on the left, what they do on the right. A thin layer over `Exploration`."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape
from itertools import combinations
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from jaxtyping import Float
from sentence_transformers import SentenceTransformer

from spkit.errors import SpkitError
from spkit.explorer.changes import Reference, changed
from spkit.explorer.charts import Map, bars, live, still, trained_marks
from spkit.explorer.exploration import Exploration, Reading
from spkit.explorer.number_control import NumberControl
from spkit.explorer.pictured import Pictured
from spkit.explorer.state import Place, as_code
from spkit.explorer.tables import html_table
from spkit.explorer.unseen_box import UnseenBox
from spkit.saving.recipe import position_recipe, save_with_recipe

_MODES = {"path: weights and length": "path", "free coefficients": "free"}
_HOLLOW = "<small>Hollow marks: models at other coefficients than yours; the contours do not hold for them.</small>"
_STYLE = """<style>
.spkit-numbers { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 12px; }
.spkit-numbers caption { text-align: left; padding-bottom: 2px; }
.spkit-numbers th, .spkit-numbers td { padding: 1px 4px; text-align: right; }
.spkit-numbers th[scope=col] { max-width: 52px; overflow-wrap: anywhere; vertical-align: bottom; }
.spkit-numbers th[scope=row] { text-align: left; font-weight: inherit; }
.spkit-explorer, .spkit-explorer table { color: var(--jp-ui-font-color1, inherit); line-height: 1.35; }
</style>"""


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
        self.exploration = exploration
        self._source, self._way = source, search
        self._quiet = False
        self._start = start if start in exploration.presets else next(reversed(exploration.presets))
        mode = "path" if exploration.space.path is not None else "free"
        self._place = exploration.space.place(exploration.presets[self._start], mode)
        self._reading = exploration.read(exploration.presets[self._start])
        self._bars, self._map = bars(exploration.rows, trained_marks(exploration)), Map(exploration, search)
        self._unseen = UnseenBox(exploration, self._switched) if exploration.unseen is not None else None
        self._build(verdict, target)
        self._show_place()
        self._show(self._reading)
        self._bars = live(self._bars)
        self._map.go_live()
        if self._unseen is not None:
            self._unseen.go_live()
        exploration.listen(self._measured, self._failed)
        super().__init__(self._layout())
        self.add_class("spkit-explorer")

    # What a program may read and do.

    @property
    def place(self) -> Place:
        """Where the sliders stand."""
        return self._place

    @property
    def reading(self) -> Reading:
        """What is shown."""
        return self._reading

    def go(self, preset: str) -> None:
        """Go to a position by its name: `base`, `expert: NAME`, `average`, `SLERP middle`, or a marked one.

        Sliders show it to two digits; the position is the exact one.
        """
        with self.exploration.lock:
            coefficients = self.exploration.presets[preset]
            self._place = self.exploration.space.place(coefficients, self._place.mode)
            self._show_place()
            self._moved(coefficients)

    def save(self, folder: str | Path) -> None:
        """Write the model of the position as a sentence-transformers folder, with its recipe.

        Raises:
            SpkitError: the folder exists and holds something else.
        """
        rows = self.exploration.vectors.coefficients(list(self._reading.coefficients))
        settings = {"mode": self._place.mode, "values": list(self._place.values), "length": self._place.length}
        recipe = position_recipe(self.exploration.vectors, rows, "explore", settings)
        save_with_recipe(self.model(), Path(folder), recipe, {})

    def changed(self, reference: Reference | None = None, **options: Any) -> pd.DataFrame:
        """The examples that change most from a reference (`a`) to this position (`b`), on the tasks' whole dev splits.

        Args:
            reference: the name of a position, one coefficient a vector, a model, or its folder; None is the expert with
                the best mean.
            options: of `spkit.changed_examples`, such as `most=50`.

        Returns:
            A table to sort and filter, as `spkit.changed_examples` describes it.
        """
        return changed(self.exploration, self._reading.coefficients, reference, **options)

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

        here = self._reading.coefficients
        return save_html(path, self.exploration, start=here, way=self._way, verdict=self._said, title=title)

    def model(self) -> SentenceTransformer:
        """The model of the position."""
        return self.exploration.vectors.at(list(self._reading.coefficients))

    def code(self) -> str:
        """Lines that rebuild the position."""
        return as_code(self.exploration.vectors.names, self._reading.coefficients, self._source)

    def close(self) -> None:
        """End the measuring thread and remove the widgets."""
        self.exploration.close()
        super().close()

    def picture(self) -> bytes:
        """Bars and map as a PNG."""
        with self.exploration.lock:
            return still(self.exploration, self._reading, self._map, self._quantity.value)

    def words(self) -> str:
        """The numbers of the picture and the verdict, for who does not see them."""
        with self.exploration.lock:
            reading = self._reading
        kind = "measured" if reading.measured else "interpolated"
        scores = ", ".join(f"{row} {value:.1f}" for row, value in reading.values["score"].items())
        if reading.unseen is not None:
            scores += "; on unseen tasks, for looking only: "
            scores += ", ".join(f"{row} {value:.1f}" for row, value in reading.unseen["score"].items())
        position = self._coefficients(reading)
        verdict = f" The study's verdict: {self._said}" if self._said else ""
        return f"At the coefficients {position}: scores in points ({kind}) {scores}.{verdict}"

    # Building.

    def _build(self, verdict: str, target: str) -> None:
        space = self.exploration.space
        modes = list(_MODES) if space.path is not None else ["free coefficients"]
        self._mode = widgets.ToggleButtons(
            options=modes, tooltips=["what the paper searches", "each on its own"], style={"button_width": "auto"}
        )
        lock = self.exploration.lock
        self._controls = [
            NumberControl(name, f"weight of {name}", 0.0, 1.0, lock, partial(self._turned, number))
            for number, name in enumerate(space.names)
        ]
        about = "length of the step: at 1 as long as the arc between the vectors is away from the base"
        self._length = NumberControl("length λ", about, *space.ranges.length, lock, self._lengthened)
        self._presets = {name: _button(name, f"go to {name}") for name in self.exploration.presets}
        self._status, self._table = widgets.HTML(), widgets.HTML()
        self._quantity: Any = widgets.Dropdown(
            options=[("mean loss", "loss"), ("mean score", "score")],
            description="contours",
            layout={"width": "190px"},
            style={"description_width": "60px"},
        )
        pairs = [(f"{a}, {b}", (i, j)) for (i, a), (j, b) in combinations(enumerate(space.names), 2)]
        self._pair: Any = widgets.Dropdown(
            options=pairs or [(space.names[0], (0, 0))],
            description="plane of",
            layout={"width": "235px"},
            style={"description_width": "60px"},
        )
        self._reset = _button("reset", "go back to the start")
        self._copy = _button("copy as code", "show the code that makes this position")
        self._save = _button("save model", "write a folder that sentence-transformers loads")
        self._folder = widgets.Text(value=target, description="folder", layout={"width": "230px"})
        # Not disabled: a disabled text cannot be reached, or copied, from the keyboard.
        self._code = widgets.Textarea(
            tooltip="code that makes this position", layout={"width": "98%", "height": "92px", "display": "none"}
        )
        self._notice = widgets.HTML()
        self._verdict = widgets.HTML(_folded(verdict))
        self._said = verdict
        self._connect()

    def _connect(self) -> None:
        self._mode.observe(self._mode_changed, names="value")
        self._quantity.observe(self._map_changed, names="value")
        self._pair.observe(self._map_changed, names="value")
        for name, button in self._presets.items():
            button.on_click(lambda _, name=name: self.go(name))
        self._reset.on_click(lambda _: self.go(self._start))
        self._copy.on_click(self._copied)
        self._save.on_click(self._saved)

    def _layout(self) -> list[widgets.Widget]:
        names = self.exploration.space.why_no_path
        note = widgets.HTML(f"<small>{escape(names)}</small>" if names else "")
        wrap = widgets.Layout(flex_flow="row wrap", width="395px")
        left = widgets.VBox(
            [
                widgets.HTML(_STYLE),
                self._mode,
                note,
                *self._controls,
                self._length,
                widgets.Box(list(self._presets.values()), layout=wrap),
                self._status,
                self._table,
            ],
            layout={"width": "405px", "flex": "0 0 auto"},
        )
        right = widgets.VBox(
            [
                self._bars,
                widgets.HBox([self._pair, self._quantity]),
                self._map.figure,
                widgets.HTML(_HOLLOW, layout={"width": "430px"}),
            ],
            layout={"flex": "0 0 auto"},
        )
        buttons = widgets.HBox([self._reset, self._copy, self._save, self._folder])
        unseen = [] if self._unseen is None else [self._unseen]
        return [self._verdict, widgets.HBox([left, right]), buttons, self._notice, self._code, *unseen]

    # What happens when something moves. Callbacks of widgets come on threads of their own: each takes the lock.

    def _turned(self, number: int, value: float) -> None:
        self._place = self._place.with_value(number, value)
        self._moved()

    def _lengthened(self, value: float) -> None:
        self._place = replace(self._place, length=value)
        self._moved()

    def _mode_changed(self, change: Any) -> None:
        with self.exploration.lock:
            if not self._quiet:
                wanted = _MODES[change["new"]]
                self._place = self.exploration.space.place(self._reading.coefficients, wanted)  # pyright: ignore[reportArgumentType]
                self._show_place()
                self._moved(self._reading.coefficients)
                if self._place.mode != wanted:
                    self._say("The path does not reach this position: it takes weights above zero.")

    def _map_changed(self, _change: Any) -> None:
        with self.exploration.lock:
            self._map.choose(*self._pair.value)
            self._map.show(self._reading.coefficients, self._quantity.value)

    def _switched(self, on: bool) -> None:
        """Show the unseen tasks, measuring them here if that is not known; or read them no more."""
        with self.exploration.lock:
            self.exploration.watches_unseen = on
            self._moved(self._reading.coefficients)

    def _moved(self, coefficients: Sequence[float] | None = None) -> None:
        """Show what is known of the new position at once, and ask for a measurement."""
        if coefficients is None:
            coefficients = self.exploration.space.coefficients(self._place)
        self._say("")  # it was of the position before
        self._show(self.exploration.read(coefficients))
        self.exploration.ask(coefficients)

    def _measured(self, reading: Reading, newest: bool) -> None:
        with self.exploration.lock:
            # Never a number of another position: the sliders may have moved on in the meantime.
            if newest and list(reading.coefficients) == list(self._reading.coefficients):
                self._show(reading)

    def _failed(self, error: Exception) -> None:
        with self.exploration.lock:
            self._show(self._reading, ended=True)
            self._say(f"This position could not be measured: {error}")

    # Showing.

    def _show(self, reading: Reading, ended: bool = False) -> None:
        self._reading = reading
        mean = reading.values["score"].iloc[-1]
        if reading.measured:
            label = f"<b>measured</b>: mean score {mean:.1f}"
        else:
            assert reading.errors is not None
            label = f"<i>interpolated</i>: mean score {mean:.1f} ± {reading.errors['score'].iloc[-1]:.1f}"
            label += "" if ended else "; measuring …"
        if reading.unseen is not None:
            label += f"; unseen mean {reading.unseen['score'].iloc[-1]:.1f}, for looking only"
        coefficients, count = escape(self._coefficients(reading)), self.exploration.num_points
        about = f"coefficients: {coefficients}. {count} positions measured."
        self._status.value = f'<div role="status" aria-live="polite">{label}<br><small>{about}</small></div>'
        self._table.value = html_table(self.exploration, reading)
        with self._bars.batch_update():
            self._bars.data[0].y = [float(value) for value in reading.values["score"]]
            self._bars.data[0].opacity = 0.9 if reading.measured else 0.5
        self._map.show(reading.coefficients, self._quantity.value)
        if self._unseen is not None:
            self._unseen.show(reading, ended)
        if self._code.layout.display != "none":
            self._code.value = self.code()

    def _coefficients(self, reading: Reading) -> str:
        named = zip(self.exploration.vectors.names, reading.coefficients, strict=True)
        return ", ".join(f"{name} {value:.2f}" for name, value in named)

    def _show_place(self) -> None:
        """Put the sliders where the place is, without taking that for a move."""
        self._quiet = True
        try:
            free = self._place.mode == "free"
            self._mode.value = next(text for text, mode in _MODES.items() if mode == self._place.mode)
            self._length.layout.display = "none" if free else ""
            ranges = self.exploration.space.ranges
            low, high = ranges.free if free else (0.0, 1.0)
            for control, value in zip(self._controls, self._place.values, strict=True):
                control.put(value, min(low, value), max(high, value))
            self._length.put(self._place.length, *ranges.length)
        finally:
            self._quiet = False

    def _say(self, text: str) -> None:
        self._notice.value = f'<div role="status">{escape(text)}</div>' if text else ""

    def _copied(self, _button: Any) -> None:
        with self.exploration.lock:
            shown = self._code.layout.display != "none"
            self._code.layout.display = "none" if shown else ""
            self._code.value = self.code()

    def _saved(self, _button: Any) -> None:
        with self.exploration.lock:
            try:
                self.save(self._folder.value)
                self._say(f'Saved. Load it with SentenceTransformer("{self._folder.value}").')
            except (SpkitError, OSError) as error:
                self._say(f"Not saved. {error}")


def _folded(verdict: str) -> str:
    """The verdict's first sentence, which opens to the rest."""
    if not verdict:
        return ""
    first, stop, rest = verdict.partition(". ")
    head = f"<b>The study's verdict.</b> {escape(first + stop.strip())}"
    return f"<details><summary>{head}</summary>{escape(rest)}</details>" if rest else head


def _button(name: str, tooltip: str) -> Any:
    return widgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})
