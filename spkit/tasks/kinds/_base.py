"""What a kind of task says of itself: `Kind`, with its score (`Metric`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from spkit.errors import SpkitError, quoted, shown
from spkit.files import parse_json
from spkit.tasks.kinds._seen import Embed, Seen, SimilarityFunction
from spkit.tasks.kinds._targets import Target

#: A datasets.Dataset. It is not imported here, so that listing the kinds takes no time.
Rows = Any

#: The score of each row of indices: from predicted values and gold, both one row a resample.
Statistic = Callable[[np.ndarray], np.ndarray]

#: From which score on a pair is a positive, and up to which it is a hard negative; None where there is none.
Thresholds = tuple[int | float | None, int | float | None]

#: What a text is to a search: models may read the two in different ways.
Route = Literal["query", "document"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The score that speaks for a task of a kind.

    Attributes:
        name: mteb's name of it, e.g. "ndcg_at_10".
        label: as it stands beside an axis.
        pooled: where the score is no mean over examples: computes it from the values of resampled examples, shape
            [resamples, n, columns] -> [resamples], as a fraction. None where it is the mean of one value an example.
        ending: of the names of the metrics that `pooled` computes, e.g. "_spearman" for all rank correlations.
        centred: whether examples that are drawn twice raise the score, so that resampled scores are moved back to where
            the score is.
    """

    name: str
    label: str
    pooled: Statistic | None = None
    ending: str = ""
    centred: bool = False


class Kind:
    """What a kind of task is: its columns, what it is trained with, how it is scored.

    Attributes:
        name: as in `Task(kind=...)`.
        place: where it stands in lists and tables.
        texts: the columns that hold texts, in the order in which the loss reads them. Equal texts of the first stay in
            one split; mteb embeds the first as queries and the second as documents.
        lists: those of `texts` in which a row may hold several texts, as a list.
        further: how the names of any number of further columns with texts begin; they come last, and are read like the
            last of `texts`. "" for none.
        asymmetric: whether the first text is a query that is searched for among the others, which are documents.
        optional: columns without texts that may be there, beside `parts`.
        counts: those of `optional` that hold whole numbers.
        aliases: other names of the columns, {theirs: ours}, as other tools write them; used where ours are missing.
        target: the column that is no text, or None.
        needs_train: whether its score needs the training examples, too.
        searches: whether a task may have a corpus, whose texts are searched beside its own.
        parts: an optional column that names the part each example belongs to; the parts are scored apart as well as
            together. "" for none.
        losses: names of the losses it can take (`spkit.tasks.losses`), its own first; none for a kind that is evaluated
            only.
        scored_pairs: whether its pairs have scores, which thresholds divide into positives and negatives.
        metric: the score.
        quick_score_name: what `quick_score` is, in words.
        example_value: what `seen` gives of each example: "rank", "similarity" or "margin".
        mteb_type: mteb's name of the type of task.
        mteb_category: mteb's name of what is compared: "t2t" (texts with texts) or "t2c" (texts with classes).
    """

    name: str
    place: int
    texts: tuple[str, ...]
    lists: tuple[str, ...] = ()
    further: str = ""
    optional: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    aliases: Mapping[str, str] = MappingProxyType({})
    asymmetric: bool = False
    target: Target | None = None
    needs_train: bool = False
    searches: bool = False
    parts: str = ""
    losses: tuple[str, ...] = ()
    scored_pairs: bool = False
    metric: Metric
    quick_score_name: str = ""
    example_value: str
    mteb_type: str
    mteb_category: str = "t2t"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns each task of the kind must have: the texts, then the target."""
        return self.texts if self.target is None else (*self.texts, self.target.column)

    @property
    def known_columns(self) -> str:
        """All columns that are read, as they stand in an error."""
        more = [f"'{self.further}...'"] * bool(self.further)
        more += [repr(column) for column in (self.parts, *self.optional) if column]
        return quoted(self.columns) + "".join(f" and {column}" for column in more)

    @property
    def loss(self) -> str:
        """The name of its own loss; "" for a kind that is evaluated only."""
        return self.losses[0] if self.losses else ""

    @property
    def trained(self) -> bool:
        """Whether it can be trained on."""
        return bool(self.losses)

    def knows(self, column: str) -> bool:
        """Whether a column of this name is read."""
        named = (*self.columns, self.parts, *self.optional)
        return bool(column) and (column in named or self._is_further(column))

    def _is_further(self, column: str) -> bool:
        return bool(self.further) and column.startswith(self.further)

    def may_hold_lists(self, column: str) -> bool:
        """Whether a cell of this column may be a list of texts."""
        return column in self.lists

    def text_columns(self, column_names: Sequence[str]) -> list[str]:
        """The columns that hold texts, in order: the kind's own, then the further ones in the dataset's order.

        Example:
            >>> from spkit.tasks.kinds import kinds
            >>> kinds()["retrieval"].text_columns(["negative_1", "anchor", "positive", "source"])
            ['anchor', 'positive', 'negative_1']
        """
        further = [column for column in column_names if self._is_further(column)]
        return [*self.texts, *further]

    def route(self, column: str) -> Route | None:
        """What a text of this column is to a search; None where texts of one sort are compared.

        Example:
            >>> from spkit.tasks.kinds import kinds
            >>> [kinds()["retrieval"].route(column) for column in ("anchor", "positive", "negative_1")]
            ['query', 'document', 'document']
        """
        if not self.asymmetric:
            return None
        return "query" if column == self.texts[0] else "document"

    def like(self, column: str) -> str:
        """The column of `texts` that a column is read like: itself, or the last where it is a further one."""
        return column if column in self.texts else self.texts[-1]

    def texts_in(self, value: Any) -> list[str]:
        """The texts of one cell: one, those of a list, or none where a further column has none for a row."""
        return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]

    def read_list(self, cell: str, where: str) -> list[str]:
        """The texts of a cell of a file that holds only text: a JSON list of strings, or one text.

        Raises:
            SpkitError: a cell that begins like a list and is none.
        """
        if not cell.lstrip().startswith("["):
            return [cell]
        try:
            texts = parse_json(cell)
        except ValueError:
            texts = None
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise SpkitError(
                "A cell that begins with '[' must be a JSON list of strings.",
                f"Found {shown(cell)} in {where}.",
                'Write ["one text", "another"]; a single text that begins with \'[\' stands in such a list, too.',
            )
        return texts

    def check_texts(self, column: str, value: Any, where: str) -> None:
        """Raises where a cell holds no text.

        Raises:
            SpkitError: with `where`: row, column, split and task.
        """
        if value is None and self._is_further(column):  # not every row has a negative
            return
        in_lists = self.may_hold_lists(column)
        texts: Sequence[Any] = value if in_lists and isinstance(value, list | tuple) else [value]
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            rule = "Texts must be non-empty strings"
            raise SpkitError(
                f"{rule}, or lists of such." if in_lists else f"{rule}.",
                f"Found {shown(value)} in {where}.",
                "Drop the row or fill it in.",
            )
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise SpkitError(
                    "Texts must be valid Unicode.",
                    f"Found half of a surrogate pair, {error.object[error.start]!r}, in {where}.",
                    "Write the sign whole (an emoji was cut in two), or drop the row.",
                ) from error

    def check_rows(self, columns: Mapping[str, Sequence[Any]], place: Callable[[int, str], str]) -> None:
        """Raises what is wrong with columns beside texts and target.

        Args:
            columns: the columns that the kind knows.
            place: where the cell of a row and a column stands.
        """

    def written_out(self, rows: Rows) -> Rows:
        """The rows as the library holds them: lists written out as rows, where the kind does that."""
        return rows

    def check_prompts(self, prompts: Mapping[str, str], where: str) -> None:
        """Raises where prompts cannot go together.

        Raises:
            SpkitError: with `where`, the task.
        """

    def training_rows(self, rows: Rows) -> Rows:
        """The rows a loss reads, one text a cell; those of the task unless the kind makes others of them."""
        return rows

    def pairs(self, rows: Rows, thresholds: Thresholds, *, swaps: bool) -> dict[str, list[Any]]:
        """What InfoNCE reads of examples that are no pairs of a query and a positive.

        Args:
            rows: examples with the kind's target.
            thresholds: of a task with scores: from which a pair is a positive, up to which it is a hard negative.
            swaps: whether the second text of a pair may be the query.

        Returns:
            Columns by name: the query, the positive, `negative` where some row has one (None in the others), and
            `group` where examples must not share a batch by it.
        """
        raise NotImplementedError

    def quick_score(
        self, embeddings: Sequence[Float[np.ndarray, "_ D"]], labels: np.ndarray | None, similarity: SimilarityFunction
    ) -> float:
        """The score of a few examples, read off the embeddings of their texts.

        Args:
            embeddings: of each text column, as the model gives them.
            labels: the target, where there is one. Where there is none, how much each of all documents answers each
                query, shape [Q, C]; None says that each row's own document does, and no other.
            similarity: by which a task of this kind is scored for the model.

        Returns:
            A fraction.
        """
        raise NotImplementedError

    def seen(self, rows: Rows, corpus: Rows | None, embed: Embed, similarity: SimilarityFunction) -> Seen:
        """What a model makes of each example of a split.

        Args:
            rows: the split.
            corpus: further documents that are searched.
            embed: the model's embeddings of texts of a column.
            similarity: by which a task of this kind is scored for the model.
        """
        raise NotImplementedError

    def moved(self, one: Seen, other: Seen) -> Float[np.ndarray, " n"]:
        """How much each example changed between two models, to sort by: 0 for not at all, NaN where that is unknown."""
        return np.abs(other.values - one.values)

    def mteb_class(self) -> Any:
        """mteb's abstract class for the kind; imports mteb, which takes seconds."""
        raise NotImplementedError

    def mteb_data(self, splits: Mapping[str, Rows], split: str, corpus: Rows | None = None) -> Any:
        """What a task of that class holds as its dataset, to score one split; a corpus is searched beside its texts."""
        raise NotImplementedError

    def mteb_settings(self, prompts: Mapping[str, str]) -> dict[str, Any]:
        """Attributes and methods that the kind sets on its class."""
        return {}

    def watched(self, task: Any) -> str:
        """The method that mteb hands what each example contributed; "" for a task whose method is not known here.

        Args:
            task: an object of `mteb_class`, ours or mteb's own.
        """
        raise NotImplementedError

    def inherited(self, task: Any, method: str) -> str:
        """The method where it is that of mteb's class; "" where a subclass has its own and hands it other things."""
        return method if getattr(type(task), method) is getattr(self.mteb_class(), method) else ""

    def values(self, task: Any, *handed: Any) -> np.ndarray:
        """What each example contributed, from what the watched method was handed.

        Returns:
            Shape [n] where the score is their mean, or [n, columns] for the metric's `pooled`, gold in the last column.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<kind {self.name!r}>"
