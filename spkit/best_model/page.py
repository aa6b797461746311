"""`report.html`: one file that opens without a server and without a network."""

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from spkit.best_model.data import ModelRow, ReportData, Score
from spkit.best_model.pictures import Picture, pictures
from spkit.drawing.text import signed
from spkit.evaluation.means import MEAN, UNSEEN_MEAN

_STYLE = Path(__file__).with_name("page.css")

#: What a candidate is, as the table says it.
_SORTS = {"given": "given", "base": "base", "rule": "merge rule", "mix": "mix", "search": "search"}


def page(data: ReportData) -> str:
    """The page of a report.

    Args:
        data: what it says. Every name in it is shown as text, whatever signs it holds.

    Returns:
        HTML that holds its style and figures, without scripts and links to other files.
    """
    best = escape(data.row(data.picked).label)
    parts = [
        f"<h1>The best model: {best}</h1>",
        f'<div class="verdict"><p>{escape(data.verdict[0])}</p><p>{escape(data.verdict[1])}</p></div>',
        f"<p>It lies in the folder <code>model</code> beside this page. It was picked among {len(data.rows)} "
        "candidates by the mean on dev examples, then tested once. Scores are points, 0 to 100, with 95 % intervals "
        "over examples.</p>",
        "<h2>What was measured</h2>",
        _scores(data),
        '<p class="quiet">The best on dev stands first. Only the picked model, the given ones and the base are tested, '
        "so that the test picks nothing. “Ahead” is how far the picked model is ahead of the row’s.</p>",
        *_notes(data.notes),
        "<h2>Figures</h2>",
        *(_figure(one) for one in pictures(data)),
        *_next(data.next),
        "<h2>The recipe</h2>",
        *_recipe(data),
        "<h2>What it was made of</h2>",
        _tasks(data),
        _origin(data),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>spkit best: {best}</title><style>{_STYLE.read_text(encoding='utf-8')}</style>"
    )
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body><main>\n{body}\n</main></body>\n</html>\n'


def _scores(data: ReportData) -> str:
    unseen = any(row.unseen for row in data.rows)
    tasks = [task.name for task in data.tasks]
    head = ["model", "dev", "test", "ahead", *(["unseen", "unseen, ahead"] if unseen else [])]
    head += [f"test: {task}" for task in tasks]
    rows = []
    for row in data.rows:
        cells = [_cell(row.dev.get(MEAN)), _cell(row.test.get(MEAN)), _cell(row.ahead.get(MEAN), sign=True)]
        if unseen:
            cells += [_cell(row.unseen.get(UNSEEN_MEAN)), _cell(row.ahead.get(UNSEEN_MEAN), sign=True)]
        cells += [_cell((row.test | row.unseen).get(task)) for task in tasks]
        rows.append((_named(row), cells, row.picked))
    return _table("Scores of the candidates", head, rows)


def _named(row: ModelRow) -> str:
    return f"{escape(row.label)}<br><small class='quiet'>{_SORTS[row.sort]}</small>"


def _cell(one: Score | None, sign: bool = False) -> str:
    if one is None or one.score is None:
        return "–"
    shown = [
        (f"{'+' if value > 0 else ''}{signed(value, 1)}" if sign else f"{value:.1f}")
        for value in (one.score, one.low, one.high)
        if value is not None
    ]
    return shown[0] + (f"<small>{shown[1]} to {shown[2]}</small>" if len(shown) == 3 else "")


def _table(label: str, head: Sequence[str], rows: Iterable[tuple[str, Sequence[str], bool]]) -> str:
    """A table in a box of its own that scrolls; cells and first cells are HTML, heads are text."""
    first = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr{" class=picked" if marked else ""}><th scope="row">{name}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells, marked in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}"><table><thead><tr>{first}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return ["<h2>To know</h2>", f"<ul>{items}</ul>"]


def _next(steps: Sequence[str]) -> list[str]:
    items = "".join(f"<li>{_with_code(step)}</li>" for step in steps)
    return ["<h2>What to try next</h2>", f"<ol>{items}</ol>"] if steps else []


def _with_code(text: str) -> str:
    """A sentence whose parts between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _figure(one: Picture) -> str:
    # As a picture of its own: names inside of one SVG mean nothing in another, and nothing in it can run.
    held = base64.b64encode(one.svg.encode("utf-8")).decode("ascii")
    return (
        f'<figure><div class="wide" tabindex="0" role="region" aria-label="{escape(one.title)}">'
        f'<img alt="{escape(one.caption)}" src="data:image/svg+xml;base64,{held}"></div>'
        f"<figcaption><strong>{escape(one.title)}.</strong> {escape(one.caption)}</figcaption></figure>"
    )


def _recipe(data: ReportData) -> list[str]:
    if data.recipe is None:
        return [f"<p>The model is {escape(data.row(data.picked).label)}, unchanged.</p>"]
    parts = [f"<p>Method <code>{escape(str(data.recipe['method']))}</code> of spkit.</p>"]
    coefficients = data.recipe.get("coefficients") or {}
    if coefficients:
        names = list(next(iter(coefficients.values())))
        rows = [(escape(part), [f"{row[name]:.3f}" for name in names], False) for part, row in coefficients.items()]
        parts.append("<p>Base plus coefficient times change, summed over the models; the coefficients:</p>")
        parts.append(_table("Coefficients", ["module", *names], rows))
    shown = json.dumps(data.recipe, indent=2)
    parts.append(f"<details><summary>All of it</summary><pre><code>{escape(shown)}</code></pre></details>")
    return parts


def _tasks(data: ReportData) -> str:
    head = ["task", "kind", "role", "metric", "read by searches", "pick", "test"]
    rows = [
        (
            escape(task.name),
            [task.kind, task.role, escape(task.metric), f"{task.read:,}", f"{task.picked_by:,}", f"{task.tested:,}"],
            False,
        )
        for task in data.tasks
    ]
    return _table("Tasks with their numbers of examples", head, rows)


def _origin(data: ReportData) -> str:
    models = {"base": data.base, **data.models}
    items = "".join(
        f"<li>{escape(name)}: <code>{escape(source or 'given in memory')}</code></li>"
        for name, source in models.items()
    )
    made = ", ".join(f"{escape(name)} {escape(number)}" for name, number in data.versions.items())
    command = f"<pre><code>{escape(data.command)}</code></pre>" if data.command else ""
    return (
        f"<ul>{items}</ul>{command}<p class='quiet'>Seed {data.seed}, budget {data.budget}; {data.seconds:.0f} s on "
        f"{escape(data.machine)}. Made with {made}.</p>"
    )
