"""How good is it: the scores of the position against what one compares it with."""

from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd

from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.explorer.parts import Choice, button, row
from spkit.explorer.position_text import as_text
from spkit.explorer.score_table import score_table
from spkit.explorer.session import OTHER, Session


class ScorePanel(widgets.VBox):
    """The status line and the table.

    Args:
        session: whose scores are shown.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        lock = session.exploration.lock
        self.status, self.table = widgets.HTML(), widgets.HTML()
        self.reference = Choice("compared with", "what differences are taken to", session.compare_with, lock)
        self.pin = button("set A", "compare what you go to with this position", session.pin, lock)
        self.swap = button("swap A and B", "go to A, and compare with this position", session.swap, lock)
        self.whole = button(
            "whole dev", "measure on the whole dev splits, as evaluate does; slower", session.ask_whole, lock
        )
        self.unseen: Any = widgets.Checkbox(
            value=session.exploration.watches_unseen,
            description="unseen tasks",
            indent=False,
            tooltip="whether positions are measured on the unseen tasks, for looking only",
            layout={"width": "auto"},
        )
        self.unseen.observe(self._switched, names="value")
        if session.exploration.unseen is None:
            self.unseen.layout.display = "none"
        super().__init__([self.status, row(self.reference, self.pin, self.swap, self.whole, self.unseen), self.table])
        self.add_class("spkit-scores")

    def show(self) -> None:
        """Show what the session knows."""
        session = self._session
        names = [(_name(session, name), name) for name in session.reference_names]
        self.reference.put(names, session.reference_name)
        self.swap.disabled = session.pinned is None
        table = session.differences()
        self.status.value = (
            f'<div role="status" aria-live="polite">{self._line(table)}<br><small>{self._about()}</small></div>'
        )
        self.table.value = score_table(session, table)

    def _line(self, table: pd.DataFrame) -> str:
        session = self._session
        reading = session.reading
        mean, row_ = reading.values["score"].iloc[-1], table.loc[MEAN]
        to = "" if reading is session.reference else f"{row_['difference']:+.1f} ± {row_['half']:.1f}"
        against = f", {to.replace('-', '−')} to {escape(session.reference_name)}" if to else ""
        if reading.measured:
            line = f"<b>measured</b>: mean score {mean:.1f}{against}"
        else:
            line = f"<i>interpolated</i>: mean score {mean:.1f}{against}" + ("" if session.ended else "; measuring …")
        if reading.unseen is not None:
            line += f"; unseen mean {reading.unseen['score'][UNSEEN_MEAN]:.1f}, for looking only"
        elif session.exploration.watches_unseen and reading.measured:
            line += "; unseen tasks not measured here" if session.ended else "; measuring the unseen tasks …"
        return line

    def _about(self) -> str:
        session = self._session
        what = f"model {session.reading.model}; sliders at the nearest position: " if session.reading.model else ""
        return f"{escape(what + coefficients(session))}. {session.exploration.num_points} positions measured."

    def _switched(self, change: Any) -> None:
        with self._session.exploration.lock:
            self._session.watch_unseen(bool(change["new"]))


def coefficients(session: Session) -> str:
    """The position in words."""
    names = session.exploration.space.names
    return ", ".join(
        f"{name} {round(value, 2) + 0.0:.2f}" for name, value in zip(names, session.reading.coefficients, strict=True)
    )


def _name(session: Session, name: str) -> str:
    if name != OTHER or session.pinned is None:
        return name
    here = session.pinned.model or as_text(session.exploration.space.names, session.pinned.coefficients)
    return f"{OTHER}: {here}"
