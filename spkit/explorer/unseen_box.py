"""The explorer's part on unseen tasks: apart from what positions are chosen by, and labelled so."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from spkit.explorer.charts import bars, live, unseen_marks
from spkit.explorer.exploration import Exploration, Reading
from spkit.explorer.tables import unseen_table

_ABOUT = (
    "Tasks that nobody trains on. Their scores are on a part of their <b>test</b> splits, measured when you stop and "
    "never interpolated. <b>Looking only: never choose a position by these.</b>"
)
#: Pixels of a bar with its name; the widest row of bars is as wide as the rest of the page.
_BAR, _WIDEST = 74, 835


class UnseenBox(widgets.VBox):
    """Bars and numbers of unseen tasks, which can be switched off.

    Args:
        exploration: with unseen tasks.
        switched: called when they are switched on or off.
    """

    def __init__(self, exploration: Exploration, switched: Callable[[bool], None]) -> None:
        self._exploration = exploration
        self.switch: Any = widgets.Checkbox(
            value=exploration.watches_unseen,
            description="show unseen tasks",
            indent=False,
            tooltip="whether positions are measured on the unseen tasks",
            layout={"width": "auto"},
        )
        self._state, self._table = widgets.HTML(), widgets.HTML()
        rows = exploration.unseen_rows
        width = max(430, min(_WIDEST, 60 + _BAR * len(rows)))
        self.bars: Any = bars(rows, unseen_marks(exploration), width, 260)
        self._inside = widgets.VBox([])
        self.switch.observe(lambda change: switched(bool(change["new"])), names="value")
        super().__init__([widgets.HBox([self.switch, self._state]), self._inside])

    def go_live(self) -> None:
        """Let the bars become a widget, with all that is drawn."""
        self.bars = live(self.bars)
        self._inside.children = [widgets.HTML(f"<small>{_ABOUT}</small>"), self.bars, self._table]

    def show(self, reading: Reading, ended: bool = False) -> None:
        """Show what is known of a position: numbers that were measured there, or none.

        Args:
            reading: of the position.
            ended: whether no measurement of it is under way any more.
        """
        on = self._exploration.watches_unseen
        self._inside.layout.display = "" if on else "none"
        if not on:
            self._state.value = ""
            return
        known = reading.unseen
        with self.bars.batch_update():
            self.bars.data[0].y = (
                [None] * len(self._exploration.unseen_rows) if known is None else known["score"].tolist()
            )
        self._table.value = unseen_table(self._exploration, reading)
        waiting = "<i>not measured here</i>" if ended else "<i>measuring …</i>"
        self._state.value = waiting if known is None else f"their mean here: <b>{known['score'].iloc[-1]:.1f}</b>"
