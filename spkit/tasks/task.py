"""A task: named, of one kind, with its three splits checked before anything is trained."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, get_args

from datasets import Dataset

from spkit.errors import SpkitError, quoted, shown
from spkit.tasks.checks import (
    check_classes_meet,
    check_corpus,
    check_different,
    check_prompts,
    check_role,
    checked_split,
    rows_of,
)
from spkit.tasks.kinds import Kind, kind_named
from spkit.tasks.losses import BATCHING, Batching, check_loss, check_thresholds
from spkit.tasks.splits import DEV_SHARE, keep_apart

#: What a task is for: to be trained on and scored, only ever trained on, or only ever scored.
Role = Literal["trained", "training", "unseen"]

#: Makes the loss, a torch module, from a SentenceTransformer. Neither is imported here: tasks are read without torch.
Loss = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One thing an embedding model should be good at: a name, a kind, and data to train, choose and test with.

    Everything in the kit takes tasks: training and probes read `train`, choices are made on `dev`, and `test` is only
    ever scored. The data is checked here, once, so that no later step meets a missing column or a NaN score.

    Args:
        name: what the task is called in tables, figures and errors.
        kind: what an example is, and so which loss and which metric belong to it: one of `spkit.tasks.kinds`.
            "retrieval": columns `anchor`, `positive`, and any number of `negative...`; "sts": `sentence1`, `sentence2`,
            `score` (any finite range, higher is closer); "pair": `sentence1`, `sentence2`, `label` (1 a match, 0 none);
            "classification": `text`, `label` (integers or strings); "reranking": `query`, `positive`, `negative` (the
            last two a text or a list of texts); "clustering": `text`, `label`, evaluated only.
        train: examples to train on and to draw probes from. What is evaluated only needs neither this nor `dev`; a
            classification is scored by classifiers that learn from it, and needs it always.
        dev: examples on which steps, settings and positions are chosen. Without it 15 % of the texts of `train` are
            kept apart by a hash of the text, and `train` holds the rest.
        test: examples that are only scored.
        prompts: text put in front of a column's texts, by column; columns without an entry get none.
        loss: in place of the kind's own: a name ("infonce", "cosent", "supcon", "contrastive"), or a function that
            makes the loss from a model. Training, probe, search and conflict all use it. InfoNCE takes pairs: of sts
            data those of `positive_from` on, of pairs the matches, of a classification each text with another of its
            label (texts of one label never share a batch); see `spkit.tasks.loss_rows`.
        temperature: the loss divides similarities by it; its own by default.
        positive_from: for InfoNCE on scored pairs: the score from which on a pair is a positive.
        negative_to: likewise: the score up to which a pair is a hard negative of a positive of the same text.
        role: "trained"; "unseen" for a task that is only ever scored: never trained on, never probed; or "training"
            for one that is only ever trained on: never scored, without `test`. A task without `train` is unseen, and
            so is one of a kind that cannot be trained on.
        corpus: of a retrieval task: further texts (column `text`) among which its anchors search, as a test collection
            has them; `id` may name each.
        members: of a pool (`spkit.pool_tasks`): the tasks whose pairs it holds; a column `dataset` names each row's.
        notes: what was done to its data on the way, in words, such as rows that were left out on purpose.
        from_train: splits that are a part of what was given as training examples: "dev" where none is given, and what a
            task file takes from its `train`. Who trained on the whole of it has seen them.

    A row may hold a list of positives or negatives of a retrieval task; it is written out as rows, each positive beside
    each negative in turn. Labels may be booleans or whole floats; they become integers.
    An sts task may have a column `subset` (str): its parts are scored apart as well as together. Columns that the kind
    does not know stay in the splits and are not used; `columns` lists those that are.

    Raises:
        SpkitError: an unknown kind, a missing column, an empty split, a text that is no string or empty, a score that
            is no finite number, a label that cannot be one, a prompt for a column that holds no text, or too few
            examples to keep a dev part apart.

    Warns:
        UserWarning: texts stand in train and in test; the message gives their number.

    Example:
        >>> from datasets import Dataset
        >>> train = Dataset.from_dict(
        ...     {"anchor": [f"question {i}" for i in range(40)], "positive": [f"answer {i}" for i in range(40)]}
        ... )
        >>> test = Dataset.from_dict({"anchor": ["how?"], "positive": ["so."]})
        >>> task = Task(name="faq", kind="retrieval", train=train, test=test)
        >>> len(task.train) + len(task.dev), len(task.dev) > 0, task.text_columns
        (40, True, ['anchor', 'positive'])
    """

    name: str
    kind: str
    train: Dataset = None  # pyright: ignore[reportAssignmentType]  # a Dataset once the task is made
    dev: Dataset | None = None
    test: Dataset = None  # pyright: ignore[reportAssignmentType]  # the same
    prompts: Mapping[str, str] | None = None
    loss: str | Loss | None = None
    temperature: int | float | None = None
    positive_from: int | float | None = None
    negative_to: int | float | None = None
    role: Role | None = None
    corpus: Dataset | None = None
    members: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    from_train: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise SpkitError("A task must have a name.", f"Found {self.name!r}.", 'Pass e.g. `name="faq"`.')
        kind = kind_named(self.kind, f"in task {self.name!r}")
        lone = self.train is None and not kind.needs_train
        role = self.role or ("unseen" if lone or not kind.trained else "trained")
        if role not in get_args(Role):
            raise SpkitError(
                f"`role` must be one of {quoted(get_args(Role))}.", f"Found {role!r} in task {self.name!r}."
            )
        object.__setattr__(self, "role", role)
        splits = {"test": self.test, "train": self.train, "dev": self.dev}
        check_role(self.name, kind, role, {name for name, rows in splits.items() if rows is not None})
        # What is only scored may have an empty train and dev, what is only trained on has no test.
        held = {name: rows for name, rows in splits.items() if rows is not None and (rows or self._needs(name))}
        for split, rows in held.items():
            object.__setattr__(self, split, checked_split(self.name, kind, split, rows))
        nothing = (self.train if role == "training" else self.test).select([])
        for split in splits.keys() - held.keys() - ({"dev"} if self.trained else set()):
            object.__setattr__(self, split, nothing)
        check_corpus(self.name, kind, self.corpus, {"test": self.test, "dev": self.dev, "train": self.train})
        if self.trained and self.scored:
            self._warn_of_overlap()
        if self.dev is None:
            self._keep_dev_apart()
        if kind.target is not None and kind.target.shared:
            check_classes_meet(self.name, kind.target.column, self.splits)
        if kind.target is not None and kind.target.ranks and self.scored:
            check_different(self.name, kind.target.column, self.test)
        self._check_loss()
        if self.prompts is not None:
            check_prompts(self.name, self.prompts, self.text_columns)
            kind.check_prompts(self.prompts, f"task {self.name!r}")
            object.__setattr__(self, "prompts", dict(self.prompts))

    @property
    def definition(self) -> Kind:
        """What its kind says: columns, loss, batches, score (`spkit.tasks.kinds`)."""
        return kind_named(self.kind)

    @property
    def trained(self) -> bool:
        """Whether it can be trained on: its kind has a loss, and its role is not "unseen"."""
        return self.definition.trained and self.role != "unseen"

    @property
    def scored(self) -> bool:
        """Whether models are scored on it: its role is not "training"."""
        return self.role != "training"

    def _needs(self, split: str) -> bool:
        """Whether a split that is given may not be empty."""
        return split == "test" or self.trained or (split == "train" and self.definition.needs_train)

    @property
    def batching(self) -> Batching:
        """How its loss takes its examples; a loss of one's own takes them as that of the kind does."""
        return BATCHING[self.loss if isinstance(self.loss, str) else self.definition.loss]

    @property
    def splits(self) -> dict[str, Dataset]:
        """The splits by name: "train", "dev" and "test"; of what is only scored or only trained on, those it has."""
        if self.dev is None:
            raise SpkitError("A task is complete when it has a dev part.", f"Task {self.name!r} has none yet.")
        every = {"train": self.train, "dev": self.dev, "test": self.test}
        return {split: rows for split, rows in every.items() if len(rows)}

    @property
    def text_columns(self) -> list[str]:
        """The columns of `train` that hold texts, in order, negatives last."""
        return self.definition.text_columns(self.train.column_names)

    @property
    def target_column(self) -> str | None:
        """The column that holds the score or the label; None where all columns hold texts."""
        target = self.definition.target
        return None if target is None else target.column

    @property
    def columns(self) -> list[str]:
        """The columns a loss reads, in order: the texts, then the score or label."""
        return self.text_columns + ([] if self.target_column is None else [self.target_column])

    def texts(self, split: Literal["train", "dev", "test"]) -> set[str]:
        """The texts of a split, without those of further columns such as negatives.

        Args:
            split: which one.
        """
        kind, rows = self.definition, getattr(self, split).with_format(None)
        return {text for column in kind.texts for cell in rows[column][:] for text in kind.texts_in(cell)}

    def fingerprint(self) -> str:
        """Hash of name, kind, prompts, the contents of the splits, and what is set of the loss.

        It is the same in every process and on every machine, so a study's stage can see by it whether its input
        changed. A loss that is a function is code, and is not in it.

        Returns:
            sha256 in hexadecimal, 64 characters.
        """
        digest = hashlib.sha256()

        def add(value: object) -> None:
            # One JSON value a line: no two different sequences of values give the same bytes. ASCII, since escapes
            # keep apart what UTF-8 cannot encode; repr for what JSON does not know (dates in an unused column).
            digest.update(json.dumps(value, ensure_ascii=True, sort_keys=True, default=repr).encode() + b"\n")

        settings = {
            "loss": None if callable(self.loss) else self.loss,
            "temperature": self.temperature,
            "positive_from": self.positive_from,
            "negative_to": self.negative_to,
            "members": list(self.members) or None,
        }
        given = {key: value for key, value in settings.items() if value is not None}
        add({"name": self.name, "kind": self.kind, "prompts": dict(self.prompts or {}), **given})
        parts = self.splits | ({} if self.corpus is None else {"corpus": self.corpus})
        for split, dataset in parts.items():
            columns = sorted(dataset.column_names)
            add([split, columns, len(dataset)])
            for row in rows_of(dataset, columns):
                add([row[column] for column in columns])
        return digest.hexdigest()

    def with_train(self, train: Dataset) -> "Task":
        """The same task with a part of its training examples, without the checks and warnings that the whole had."""
        part = copy(self)
        object.__setattr__(part, "train", train)
        return part

    def with_parts(self, *, train: Dataset, dev: Dataset, test: Dataset | None = None) -> "Task":
        """The same task with other examples in its splits, to read and to choose by, without checks and warnings.

        Args:
            train: examples that a loss may be computed on.
            dev: examples to choose by.
            test: examples that are only scored; its own by default.
        """
        part = copy(self)
        given = {"role": "trained", "train": train, "dev": dev, "test": self.test if test is None else test}
        for name, value in given.items():
            object.__setattr__(part, name, value)
        return part

    def with_loss(self, loss: str | None, temperature: int | float | None = None) -> "Task":
        """The same task trained with another loss, at another temperature; its thresholds stay.

        Raises:
            SpkitError: a loss that its kind cannot take, or InfoNCE without the threshold it needs.
        """
        return self._trained_with(loss, temperature, self.positive_from)

    def on_pairs(self, temperature: int | float | None = None) -> "Task":
        """The same task trained with InfoNCE on pairs, whatever its own loss is.

        Pairs with scores need a threshold for it: where the task has none, the highest third of its training pairs
        are positives.
        """
        threshold = self.positive_from
        if threshold is None and self.definition.scored_pairs:
            scores = sorted(self.train.with_format(None)[self.columns[-1]][:])
            threshold = scores[2 * len(scores) // 3]
        return self._trained_with("infonce", temperature, threshold)

    def _trained_with(
        self, loss: str | None, temperature: int | float | None, positive_from: int | float | None
    ) -> "Task":
        other = copy(self)
        object.__setattr__(other, "loss", loss)
        object.__setattr__(other, "temperature", temperature)
        object.__setattr__(other, "positive_from", positive_from)
        other._check_loss()
        return other

    def _check_loss(self) -> None:
        kind, target = self.definition, self.definition.target
        check_loss(self.name, kind, self.loss, self.temperature)
        scores: list[int | float] = []
        if self.trained and target is not None and target.ranks and target.column in self.train.column_names:
            scores = self.train.with_format(None)[target.column][:]
        loss = self.loss if self.trained else None
        check_thresholds(self.name, kind, loss, scores, self.positive_from, self.negative_to)

    def as_unseen(self) -> "Task":
        """The same task in the role "unseen": what only a training or a choice would read of it is left out."""
        unseen = copy(self)
        nothing = self.test.select([])
        object.__setattr__(unseen, "role", "unseen")
        object.__setattr__(unseen, "dev", nothing)
        if not self.definition.needs_train:
            object.__setattr__(unseen, "train", nothing)
        return unseen

    def _keep_dev_apart(self) -> None:
        try:
            train, dev = keep_apart(self.train, self.kind, DEV_SHARE, "dev")
            for split, dataset in (("train", train), ("dev", dev)):
                checked_split(self.name, self.definition, split, dataset)
        except SpkitError as error:
            raise SpkitError(
                f"Task {self.name!r} has no `dev`, so a part of train is kept apart.", str(error)
            ) from None
        object.__setattr__(self, "train", train)
        object.__setattr__(self, "dev", dev)
        object.__setattr__(self, "from_train", (*self.from_train, "dev"))

    def _warn_of_overlap(self) -> None:
        # Negatives are left out: a wrong answer that is seen in training gives nothing away about the test pairs.
        both = sorted(self.texts("train") & self.texts("test"))
        if both:
            texts = "1 text stands" if len(both) == 1 else f"{len(both)} texts stand"
            warnings.warn(
                f"Task {self.name!r}: {texts} in train and in test, e.g. {shown(both[0])}. "
                "Scores on test will look better than they are; drop these from one of the two.",
                UserWarning,
                # Warner, __post_init__, the dataclass's __init__: the user's line is the fourth.
                stacklevel=4,
            )


def check_trained(tasks: Iterable[Task]) -> None:
    """Raises where a task can be evaluated only: it has no loss to train, probe or compare gradients with.

    Args:
        tasks: what a loss is to be computed on.

    Raises:
        SpkitError: with the tasks.
    """
    lone = [task for task in tasks if not task.trained]
    if lone:
        kinds = quoted(dict.fromkeys(task.kind for task in lone if not task.definition.trained))
        raise SpkitError(
            "A loss is computed on tasks that can be trained on; "
            + (f"{kinds} tasks are evaluated only." if kinds else 'those of the role "unseen" are evaluated only.'),
            f"Found {quoted(task.name for task in lone)}.",
            "Leave it out here, and pass it to `spkit.evaluate`.",
        )
