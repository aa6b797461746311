"""Small widgets that the explorer's panels are made of."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import ipywidgets as widgets


def button(name: str, tooltip: str, pressed: Callable[[], None], lock: AbstractContextManager[Any]) -> Any:
    """A button as wide as its name.

    Args:
        name: on the button.
        tooltip: what it does.
        pressed: called when it is pressed.
        lock: held meanwhile.
    """
    made: Any = widgets.Button(description=name, tooltip=tooltip, layout={"width": "auto"})

    def heard(_: Any) -> None:
        with lock:
            pressed()

    made.on_click(heard)
    return made


def row(*children: Any) -> Any:
    """Widgets beside each other, in as many lines as they need."""
    made = widgets.Box(list(children))
    made.add_class("spkit-row")
    return made


def put_options(select: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Show options, and a value if it is among them."""
    if list(select.options) != options:
        select.options = options
    select.value = value if value in [given for _, given in options] else None


class Choice(widgets.Dropdown):
    """A drop-down list whose options may change, without taking that for a choice.

    Args:
        name: stands before the list.
        tooltip: what it changes.
        chosen: called with the value when a user, or a program, chooses.
        lock: held meanwhile.
    """

    def __init__(
        self, name: str, tooltip: str, chosen: Callable[[Any], None], lock: AbstractContextManager[Any]
    ) -> None:
        super().__init__(
            description=name, tooltip=tooltip, options=[], style={"description_width": "auto"}, layout={"width": "auto"}
        )
        self._chosen, self._lock, self._quiet = chosen, lock, False
        self.observe(self._heard, names="value")

    def put(self, options: list[tuple[str, Any]], value: Any) -> None:
        """Show these options and this value."""
        self._quiet = True
        try:
            put_options(self, options, value)
        finally:
            self._quiet = False

    def _heard(self, change: Any) -> None:
        if not self._quiet and change["new"] is not None:
            with self._lock:
                self._chosen(change["new"])
