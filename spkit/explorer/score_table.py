"""The explorer's scores as a table: every task's difference to what is compared with, as a number and as a bar."""

from html import escape

import numpy as np
import pandas as pd

from spkit.evaluation.means import MEANS, TRAINED
from spkit.explorer.colours import PLAIN, vector_colours
from spkit.explorer.exploration import Exploration
from spkit.explorer.session import Session

#: Ends of the axis, in points: the least one beyond what is to be seen.
_ENDS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100, 200)
#: What stands on the axis beside the bar, with the shape of each.
_SHAPES = {
    "base": '<path d="M0,-7V7" stroke="currentColor" stroke-width="2"/>',
    "expert": '<path d="M0,-5L5,0L0,5L-5,0Z" fill="{colour}" stroke="var(--jp-layout-color0, white)"/>',
    "joint": '<path d="M-4,-4H4V4H-4Z" fill="currentColor" stroke="var(--jp-layout-color0, white)"/>',
}
#: Of merges and positions by module, in order.
_OTHERS = [
    f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.3"/>'
    for path in ("M0,-4.5L4.5,3.5H-4.5Z", "M0,4.5L4.5,-3.5H-4.5Z", "M-3.5,-3.5H3.5V3.5H-3.5Z")
]


def score_table(session: Session, table: pd.DataFrame) -> str:
    """The table, with the rows of trained and of unseen tasks apart.

    Args:
        session: whose position it is about.
        table: its differences.
    """
    exploration = session.exploration
    end = axis_end(table)
    whole = session.whole_dev()
    heads = ["score", f'<span class="spkit-axis"><i>−{end}</i><i>0</i><i>+{end}</i></span>', "difference"]
    heads += [escape(session.reference_name)] + ([] if whole is None else ["whole dev"])
    classes = ["", "spkit-bar", "", "spkit-of-reference", ""]
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in zip(heads, classes, strict=False))
    bodies = []
    for role, rows in table.groupby("role", sort=False):
        lines = [_row(session, str(task), row, end, whole) for task, row in rows.iterrows()]
        if role != TRAINED:
            count = len(heads) + 1
            lines.insert(0, f'<tr><th colspan="{count}" class="spkit-part">{_about_unseen(exploration)}</th></tr>')
        bodies.append(f"<tbody>{''.join(lines)}</tbody>")
    most = max(exploration.quick.examples.values())
    kind = "measured" if session.reading.measured else "interpolated"
    caption = (
        f"Points on up to {most} dev examples a task ({kind}), and the difference to {escape(session.reference_name)}"
    )
    return (
        f'<table class="spkit-numbers"><caption>{caption}, with 95 % intervals</caption>'
        f"<thead><tr><th></th>{head}</tr></thead>{''.join(bodies)}</table>{legend(exploration)}"
    )


def axis_end(table: pd.DataFrame) -> int:
    """Where the axis of the differences ends: beyond the intervals of the position. Models that are farther away stand
    at its end."""
    most = np.nanmax(table["difference"].abs() + table["half"].fillna(0))
    return next((end for end in _ENDS if end >= most), _ENDS[-1])


def legend(exploration: Exploration) -> str:
    """What the shapes on the axis stand for."""
    names = {"base": "base", "expert": "own expert"}
    names |= {name: name for name in exploration.models}
    inner = '<svg width="14" height="14" aria-hidden="true"><svg x="7" y="7" overflow="visible">{}</svg></svg>'
    shown = [
        f"<span>{inner.format(_shape(exploration, name, PLAIN))}{escape(text)}</span>" for name, text in names.items()
    ]
    return f'<div class="spkit-legend">{"".join(shown)}</div>'


def _about_unseen(exploration: Exploration) -> str:
    assert exploration.unseen is not None
    most = max(exploration.unseen.examples.values())
    return f"unseen tasks, on up to {most} examples of their test splits: for looking, never choose by these"


def _row(session: Session, task: str, row: pd.Series, end: int, whole: pd.DataFrame | None) -> str:
    exploration = session.exploration
    colour = vector_colours(exploration.space.names).get(exploration.group_of(task), PLAIN)
    low, high = row["difference"] - row["half"], row["difference"] + row["half"]
    sure = " spkit-sure" if low > 0 or high < 0 else ""
    half = "" if pd.isna(row["half"]) else f" <small>± {row['half']:.1f}</small>"
    difference = "–" if pd.isna(row["difference"]) else f"{_signed(row['difference'])}{half}"
    swatch = "" if colour == PLAIN else f'<span class="spkit-swatch" style="background:{colour}"></span>'
    cells = [
        f"<td>{_number(row['score'])}</td>",
        f'<td class="spkit-bar">{_bar(session, task, row, colour, end)}</td>',
        f'<td class="spkit-difference{sure}">{difference}</td>',
        f'<td class="spkit-of-reference">{_number(row["reference"])}</td>',
    ]
    if whole is not None:
        cells.append(f"<td>{_whole(whole.loc[[task]].iloc[0]) if task in whole.index else ''}</td>")
    mean = ' class="spkit-mean"' if task in MEANS else ""
    return f'<tr{mean}><th scope="row">{swatch}{escape(task)}</th>{"".join(cells)}</tr>'


def _bar(session: Session, task: str, row: pd.Series, colour: str, end: int) -> str:
    """The difference with its interval, and where other models stand, on an axis that fills the cell."""

    def at(difference: float) -> float:
        return 50 + 46 * max(-1.0, min(1.0, difference / end))

    exploration = session.exploration
    parts = ['<line x1="50%" x2="50%" y1="0" y2="100%" class="spkit-zero"/>']
    value, half = row["difference"], row["half"]
    if not pd.isna(value):
        left, right = sorted((50.0, at(value)))
        faint = "" if session.reading.measured else ' opacity="0.45"'
        parts.append(f'<rect x="{left:.1f}%" width="{right - left:.1f}%" y="5" height="10" fill="{colour}"{faint}/>')
        if half > 0:
            ends = f'x1="{at(value - half):.1f}%" x2="{at(value + half):.1f}%"'
            parts.append(f'<line {ends} y1="10" y2="10" class="spkit-interval"/>')
    given = exploration.references
    for name, score in zip(map(str, given), given.loc[task].to_numpy(dtype=float), strict=True):
        if np.isnan(score) or name == session.reference_name or pd.isna(row["reference"]):
            continue
        place, shape = at(score - row["reference"]), _shape(exploration, name, colour)
        title = f"<title>{escape(name)} {score:.1f}</title>"
        parts.append(f'<svg x="{place:.1f}%" y="10" overflow="visible">{shape}{title}</svg>')
    return f'<svg width="100%" height="20" aria-hidden="true">{"".join(parts)}</svg>'


def _shape(exploration: Exploration, name: str, colour: str) -> str:
    if name in _SHAPES:
        return _SHAPES[name].format(colour=colour)
    others = [model for model in exploration.models if model not in _SHAPES]
    return _OTHERS[min(others.index(name), len(_OTHERS) - 1)]


def _whole(row: pd.Series) -> str:
    return f"{row['score']:.1f}, {_signed(row['difference'])} <small>[{row['low']:.1f}, {row['high']:.1f}]</small>"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1f}"
