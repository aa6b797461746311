"""One look for each method that stands in a figure beside others of its family, the same in all figures."""

from collections.abc import Mapping

from spkit.drawing.curve import Look
from spkit.drawing.style import FAMILY_COLOURS, TASK_COLOURS
from spkit.results.labels import family

#: The paper's rules apart; what is not named looks as its family does.
_LOOKS: Mapping[str, Look] = {
    "joint": Look(FAMILY_COLOURS["joint"], "s", "-"),
    "fisher": Look("#8A6D3B", "v", "-"),
    "regmean": Look("#777777", "P", "-"),
    "ties": Look(TASK_COLOURS[3], "D", "-"),
    "average": Look(TASK_COLOURS[1], "o", "-"),
    "slerp": Look(TASK_COLOURS[2], "^", "-"),
    "self_position": Look(FAMILY_COLOURS["searched"], "*", "-"),
}


def method_look(method: str) -> Look:
    """Colour and marker of a method.

    Example:
        >>> method_look("joint").marker, method_look("slerp").marker, method_look("expert:sts").marker
        ('s', '^', 'o')
    """
    return _LOOKS.get(method, Look(FAMILY_COLOURS[family(method)], "o", "-"))
