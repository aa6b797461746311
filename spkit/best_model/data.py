"""What a report says, as data: what `report.json` holds, and what the page and the table are made of."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

#: Of the form of `report.json`; another form has another number.
VERSION = 1


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Data):
    """A score, or a difference of two, in points, with its 95 % interval over examples; None where it is no number."""

    score: FiniteFloat | None
    low: FiniteFloat | None
    high: FiniteFloat | None


class TaskRow(_Data):
    """A task: how many of its examples were read by searches, picked the model, and tested it."""

    name: str
    kind: str
    role: Literal["trained", "unseen"]
    metric: str
    read: int
    picked_by: int
    tested: int


class ModelRow(_Data):
    """A candidate. `dev`, `test` and `unseen` are by task, and hold the mean under "mean" or "unseen mean".

    `ahead` is how far the picked model is ahead of this one on test, by the same names. What was not tested has none.
    """

    name: str
    label: str
    sort: Literal["given", "base", "rule", "mix", "search"]
    picked: bool
    dev: dict[str, Score]
    test: dict[str, Score]
    unseen: dict[str, Score]
    ahead: dict[str, Score]


class ReportData(_Data):
    """A whole report.

    Attributes:
        version: of this form.
        verdict: two sentences.
        picked: name of the best model on dev.
        best_given: name of the best given one on dev.
        base: where the base came from; None for a model in memory.
        models: the same of the given models.
        joint: names of the given models that no task is called like.
        tasks: in order.
        norms: lengths of the given models' task vectors.
        cosines: of the angles between them, by name and name; None where one is zero.
        rows: the candidates, the best on dev first.
        notes: what a reader must know, such as rules that could not be run.
        next: what may be tried next.
        recipe: how the picked model is made; None for a given one, and for the base.
        command: what makes this report again; None where it was made in Python.
        seed: of everything random.
        budget: evaluations of the search.
        seconds: of all steps, those of earlier runs included.
        machine: that it was made on.
        versions: of the packages.
    """

    version: Literal[1] = VERSION
    verdict: tuple[str, str]
    picked: str
    best_given: str
    base: str | None
    models: dict[str, str | None]
    joint: list[str]
    tasks: list[TaskRow]
    norms: dict[str, FiniteFloat]
    cosines: dict[str, dict[str, FiniteFloat | None]]
    rows: list[ModelRow]
    notes: list[str]
    next: list[str]
    recipe: dict[str, Any] | None
    command: str | None
    seed: int
    budget: int
    seconds: FiniteFloat
    machine: str
    versions: dict[str, str]

    def row(self, name: str) -> ModelRow:
        """A candidate by its name."""
        return next(row for row in self.rows if row.name == name)
