"""What `spkit.best` returns: the best model, the table, the verdict, and all of it as files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sentence_transformers import SentenceTransformer

from spkit.best_model.checks import BY, DATA, MODEL, PAGE, check_output
from spkit.best_model.data import ReportData, Score
from spkit.evaluation.means import MEAN, UNSEEN_MEAN
from spkit.folders import own_file
from spkit.saving.recipe import save_model


@dataclass(frozen=True)
class Report:
    """The best model that was made of the given ones, and what was measured.

    Attributes:
        data: all that is said, as `report.json` holds it.
    """

    data: ReportData
    _make: Callable[[], SentenceTransformer] = field(repr=False)

    @property
    def verdict(self) -> str:
        """Two sentences: which model is the best on dev, and what the test says of it."""
        return " ".join(self.data.verdict)

    @property
    def table(self) -> pd.DataFrame:
        """A row a candidate, the best on dev first.

        Columns, in points: `sort` (given, base, rule, mix or search), `dev` (the mean that picks), `test` and `unseen`
        (means, each with `low` and `high` of its 95 % interval), `ahead` and `unseen ahead` (how far the picked model
        is ahead of this one, likewise), then the tasks' own `dev:TASK` and `test:TASK`. Only the picked model, the
        given ones and the base are tested; the others have NaN there.
        """
        rows = []
        for row in self.data.rows:
            about: dict[str, Any] = {"model": row.label, "sort": row.sort, "picked": row.picked}
            about["dev"] = row.dev[MEAN].score
            about |= _columns("test", row.test.get(MEAN)) | _columns("unseen", row.unseen.get(UNSEEN_MEAN))
            about |= _columns("ahead", row.ahead.get(MEAN)) | _columns("unseen ahead", row.ahead.get(UNSEEN_MEAN))
            about |= {f"dev:{task}": one.score for task, one in row.dev.items() if task != MEAN}
            for scores in (row.test, row.unseen):
                for task, one in scores.items():
                    about |= {} if task in (MEAN, UNSEEN_MEAN) else _columns(f"test:{task}", one)
            rows.append(about)
        table = pd.DataFrame(rows).set_index("model")
        numbers = [name for name in table.columns if name not in ("sort", "picked")]
        return table.astype(dict.fromkeys(numbers, float))

    def model(self) -> SentenceTransformer:
        """The best model, made anew at each call."""
        return self._make()

    def save(self, folder: str | Path) -> None:
        """Write the model and the report.

        `model/` as `spkit.save_model` writes it; `report.html`, one file that needs no network; `report.json`.

        Args:
            folder: where to; what `spkit best` wrote there is replaced, each file whole or not at all.

        Raises:
            SpkitError: something is in the way that spkit did not write, or the package of the figures is missing.
        """
        from spkit.best_model.page import page

        check_output(folder)
        root = Path(folder).expanduser()
        text = page(self.data)
        save_model(self.model(), root / MODEL)
        for name, content in ((DATA, self.data.model_dump_json(indent=2) + "\n"), (PAGE, text)):
            with own_file(root / name, BY) as unfinished:
                unfinished.write_text(content, encoding="utf-8", newline="\n")


def _columns(name: str, one: Score | None) -> dict[str, float | None]:
    """The columns of a score with its interval."""
    given = (None, None, None) if one is None else (one.score, one.low, one.high)
    return dict(zip((name, f"{name} low", f"{name} high"), given, strict=True))
