"""Texts out of installed packages, read where pip put them: no network, no copy here, and none of their code runs."""

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset, Features

from spkit._extras import MissingPackageError
from spkit.tasks.splits import fraction

#: Characters of an article or document that are kept: enough to identify it, short enough for two CPU cores.
TEXT_LENGTH = 300


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it: the data needs none of its code.

    Raises:
        MissingPackageError: it is not installed; with the extra that brings it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(package, "The bundled data")
    return Path(spec.submodule_search_locations[0])


def gensim_file(name: str) -> Path:
    """One of the data sets that gensim is tested with."""
    return package_folder("gensim") / "test" / "test_data" / name


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, or else in Windows' Latin alphabet."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # One BBC article and Lee's documents hold a pound sign each, which the packages' readers drop.
        return data.decode("cp1252")


def flat(text: str) -> str:
    """The text in one line, with single spaces.

    Example:
        >>> flat(" one\\n  two ")
        'one two'
    """
    return " ".join(text.split())


def in_hash_order(rows: Sequence[dict[str, Any]], columns: Sequence[str], features: Features | None = None) -> Dataset:
    """Rows in the order of a hash: any first part of a split is then a fair sample of topics and sources."""
    ordered = sorted(rows, key=lambda row: fraction("\n".join(row[column] for column in columns), "order"))
    return Dataset.from_list(ordered, features=features)


def rated_pairs() -> Iterator[dict[str, Any]]:
    """Pairs of words or documents with people's ratings from 0 to 1: SimLex-999, WordSim-353, Lee."""
    for subset, name in (("simlex", "simlex999.txt"), ("wordsim", "wordsim353.tsv")):
        for line in decoded(gensim_file(name)).splitlines():
            if not line.startswith("#"):
                first, second, score = line.split("\t")
                # Both lists are rated from 0 to 10.
                yield {"sentence1": first, "sentence2": second, "score": round(float(score) / 10, 6), "subset": subset}
    documents = [flat(line)[:TEXT_LENGTH].rstrip() for line in decoded(gensim_file("lee.cor")).splitlines()]
    # Row i, column j > i: mean rating of documents i and j, 1 to 5, stored divided by 5; below the diagonal is nothing.
    ratings = [
        [float(cell) for cell in line.split()] for line in decoded(gensim_file("similarities0-1.txt")).splitlines()
    ]
    for i, j in combinations(range(len(documents)), 2):
        score = round((5 * ratings[i][j] - 1) / 4, 6)
        yield {"sentence1": documents[i], "sentence2": documents[j], "score": score, "subset": "lee"}


def conversations() -> Iterator[dict[str, str]]:
    """The first two turns of each English conversation of chatterbot-corpus."""
    # libyaml where PyYAML was built with it: the same result, much faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted((package_folder("chatterbot_corpus") / "data" / "english").glob("*.yml")):
        for turns in yaml.load(decoded(path), Loader=loader)["conversations"]:
            # One entry of trivia.yml lacks its dash and is read as a string, question and answer in one.
            if isinstance(turns, list):
                yield {"anchor": flat(turns[0]), "positive": flat(turns[1])}
