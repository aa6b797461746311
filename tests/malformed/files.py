"""Task files, data files, folders of vectors and of models, positions, journals and records that are broken."""

import gzip
import json
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.malformed.case import Case, Home

Write = Callable[[Path], None]

_ROWS = [{"anchor": f"question {number}", "positive": f"answer {number}"} for number in range(60)]
_CSV = "anchor,positive\n" + "".join(f"{row['anchor']},{row['positive']}\n" for row in _ROWS)
_JSONL = "".join(json.dumps(row) + "\n" for row in _ROWS)
_TASK = '[tasks.faq]\nkind = "retrieval"\ntrain = "train.csv"\n'


def cases(home: Home, seed: int = 0) -> Iterator[Case]:
    """All of them, the same ones for a seed."""
    rng = random.Random(seed)
    yield from _task_files()
    yield from _data_files(rng)
    yield from _vectors(home, rng)
    yield from _models(home, rng)
    yield from _positions(home)
    yield from _journals(home)


# Task files


def _task_files() -> Iterator[Case]:
    keys: dict[str, list[Any]] = {
        "kind": ["retreival", "", 3, True, [], "Retrieval", {"a": 1}],
        "train": ["none.csv", "", 3, True, ["none.csv"], {}, {"file": 3}, {"file": "none.csv"}, {"file": "train.csv", "wher": {}}, ".", "train.docx",
                  {"file": "train.csv", "where": {"nothing": ["a"]}}, {"file": "train.csv", "where": {"anchor": ["not there"]}},
                  {"file": "train.csv", "where": {"anchor": "question 1"}}, {"file": "train.csv", "where": 3}],
        "dev": ["none.csv", 3, True, {}],
        "test": ["none.csv", 3, True, {}],
        "columns": [3, "anchor", [], {"nothing": "anchor"}, {"anchor": 3}, {"anchor": "positive"}, {"anchor": "sentence1"}, {"anchor": ""}],
        "prompts": [3, "query: ", [], {"anchor": 3}, {"nothing": "query: "}],
        "limit": [0, -1, 1.5, "10", True, [], {}],
        "unique": ["yes", 1, [], {}],
        "dev_share": [0.0, 1.0, -0.1, 1.5, "0.1", True, [], float("nan"), float("inf")],
        "test_share": [0.0, 1.0, -0.1, 1.5, "0.1", True, [], float("nan"), float("inf")],
        "config": ["a"],
        "revision": ["a"],
        "tran": ["train.csv"],
        "bundled": [True, False, 1],
    }  # fmt: skip
    from tests.malformed.profiles import toml

    for key, values in keys.items():
        for value in values:
            table = {"kind": "retrieval", "train": "train.csv"} | {key: value}
            yield _tasks_case(
                f"{key} = {value!r}", toml({"tasks": {"faq": table}}), ("faq",) if key != "tran" else ("tran",)
            )
    for wrong, text in (
        ("no tasks", ""),
        ("another table", "[task.faq]\nkind = 'retrieval'\n"),
        ("a table beside tasks", _TASK + "[more]\nx = 1\n"),
        ("a key beside tasks", "x = 1\n" + _TASK),
        ("tasks as a list", "[[tasks]]\nkind = 'retrieval'\n"),
        ("tasks as a number", "tasks = 3\n"),
        ("a task as a number", "[tasks]\nfaq = 3\n"),
        ("a task as a list", "[tasks]\nfaq = ['train.csv']\n"),
        ("a task twice", _TASK + _TASK),
        ("a task without kind", "[tasks.faq]\ntrain = 'train.csv'\n"),
        ("a task without train", "[tasks.faq]\nkind = 'retrieval'\n"),
        ("an empty task", "[tasks.faq]\n"),
        ("an unclosed text", '[tasks.faq]\nkind = "retrieval\n'),
        ("JSON", json.dumps({"tasks": {}})),
        ("nested too deep", "x = " + "[" * 5000 + "]" * 5000),
        ("an empty name", '[tasks.""]\nkind = "retrieval"\ntrain = "train.csv"\n'),
        ("a name of spaces", '[tasks."  "]\nkind = "retrieval"\ntrain = "train.csv"\n'),
    ):
        yield _tasks_case(wrong, text, ())
    for wrong, raw in (
        ("no UTF-8", b"\xff" + _TASK.encode()),
        ("UTF-16", _TASK.encode("utf-16")),
        ("binary", bytes(range(256))),
        ("NUL", _TASK.encode() + b"\0"),
    ):
        yield Case("task file", wrong, ("tasks.toml",), partial(_tasks_files, raw, _CSV.encode(), "train.csv"), _load)


def _tasks_case(wrong: str, text: str, says: tuple[str, ...]) -> Case:
    return Case(
        "task file",
        wrong,
        ("tasks.toml", *says),
        partial(_tasks_files, text.encode(), _CSV.encode(), "train.csv"),
        _load,
    )


def _tasks_files(tasks: bytes, data: bytes, name: str, folder: Path) -> None:
    (folder / "tasks.toml").write_bytes(tasks)
    (folder / name).write_bytes(data)


def _load(folder: Path) -> None:
    from spkit import load_tasks

    load_tasks(folder / "tasks.toml")


# Data files


def _data_files(rng: random.Random) -> Iterator[Case]:
    csv: dict[str, bytes] = {
        "empty": b"",
        "only a header": b"anchor,positive\n",
        "a blank header": b"\n" + _CSV.encode(),
        "another header": _CSV.replace("anchor", "anker", 1).encode(),
        "a column twice": _CSV.replace("positive", "anchor", 1).encode(),
        "a row with a value too many": (_CSV + "a,b,c\n").encode(),
        "a row with a value too few": (_CSV + "a\n").encode(),
        "an unclosed quote": (_CSV + '"a,b\n').encode(),
        "an empty text": (_CSV + ",b\n").encode(),
        "a text of spaces": (_CSV + "a,   \n").encode(),
        "no UTF-8": _CSV.encode() + b"\xff\xfe,b\n",
        "UTF-16": _CSV.encode("utf-16"),
        "binary": bytes(rng.randrange(256) for _ in range(3000)),
        "semicolons": _CSV.replace(",", ";").encode(),
        "one row": b"anchor,positive\na,b\n",
        "the same row only": b"anchor,positive\n" + b"a,b\n" * 60,
    }
    for wrong, raw in csv.items():
        yield _data_case(f"CSV: {wrong}", raw, "train.csv")
        yield _data_case(f"zipped CSV: {wrong}", gzip.compress(raw), "train.csv.gz")
    rows = {
        "a list": "[1, 2]",
        "a number": "3",
        "a text": '"abc"',
        "null": "null",
        "no JSON": "{anchor: 'a'}",
        "cut off": '{"anchor": "a", "posi',
        "two objects in a line": '{"anchor": "a", "positive": "b"} {"anchor": "a"}',
        "a missing column": '{"anchor": "a"}',
        "a null text": '{"anchor": null, "positive": "b"}',
        "a number as a text": '{"anchor": 3, "positive": "b"}',
        "a table as a text": '{"anchor": {"a": 1}, "positive": "b"}',
        "an empty text": '{"anchor": "", "positive": "b"}',
        "a lone surrogate": '{"anchor": "\\ud800", "positive": "b"}',
        "nested too deep": '{"anchor": ' + "[" * 20000 + "]" * 20000 + ', "positive": "b"}',
        "true as a text": '{"anchor": true, "positive": "b"}',
        "NaN as a text": '{"anchor": NaN, "positive": "b"}',
    }
    for wrong, line in rows.items():
        for place in ("first", "last"):
            text = f"{line}\n{_JSONL}" if place == "first" else f"{_JSONL}{line}\n"
            yield _data_case(f"JSONL: {wrong}, {place}", text.encode(), "train.jsonl")
    for wrong, raw in {
        "empty": b"",
        "binary": bytes(rng.randrange(256) for _ in range(500)),
        "CSV": _CSV.encode(),
        "a Parquet header alone": b"PAR1",
        "header and footer": b"PAR1\0\0\0\0PAR1",
    }.items():
        yield _data_case(f"Parquet: {wrong}", raw, "train.parquet")
        yield _data_case(f"gz: {wrong}", raw or b"\x1f\x8b", "train.csv.gz")
    cut = gzip.compress(_CSV.encode() * 50)
    for share in (0.1, 0.5, 0.9):
        yield _data_case(f"gz cut off at {share:.0%}", cut[: int(len(cut) * share)], "train.csv.gz")
    flipped = bytearray(cut)
    flipped[len(flipped) // 2] ^= 0xFF
    yield _data_case("gz with a flipped byte", bytes(flipped), "train.csv.gz")
    scores = [
        ("a text", '"high"'),
        ("null", "null"),
        ("NaN", "NaN"),
        ("infinity", "Infinity"),
        ("true", "true"),
        ("a list", "[1]"),
        ("a table", '{"a": 1}'),
    ]
    for wrong, value in scores:
        lines = "".join(
            json.dumps({"sentence1": f"one {n}", "sentence2": f"two {n}", "score": n / 60}) + "\n" for n in range(60)
        )
        yield _data_case(
            f"score: {wrong}",
            f'{lines}{{"sentence1": "x", "sentence2": "y", "score": {value}}}\n'.encode(),
            "train.jsonl",
            "sts",
        )
    labels = [("null", "null"), ("a float", "1.5"), ("a list", "[1]"), ("a table", '{"a": 1}'), ("NaN", "NaN")]
    for wrong, value in labels:
        lines = "".join(json.dumps({"text": f"text {n}", "label": n % 3}) + "\n" for n in range(60))
        yield _data_case(
            f"label: {wrong}", f'{lines}{{"text": "x", "label": {value}}}\n'.encode(), "train.jsonl", "classification"
        )
    one = "".join(json.dumps({"text": f"text {n}", "label": 1}) + "\n" for n in range(60))
    yield _data_case("one label", one.encode(), "train.jsonl", "classification")


def _data_case(wrong: str, raw: bytes, name: str, kind: str = "retrieval") -> Case:
    tasks = f'[tasks.faq]\nkind = "{kind}"\ntrain = "{name}"\n'.encode()
    return Case("data file", wrong, ("faq",), partial(_tasks_files, tasks, raw, name), _load)


# Folders of vectors and of models


def _header(change: Callable[[dict[str, Any]], None], raw: bytes) -> bytes:
    """A safetensors file with a changed header."""
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + raw[8 + size :]


def _broken_tensors(raw: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "a text", b"only words\n"
    yield "binary", bytes(rng.randrange(256) for _ in range(4000))
    yield "a header that is too long", struct.pack("<Q", 10**12) + raw[8:]
    yield "a header of length 0", struct.pack("<Q", 0) + raw[8:]
    yield "a header that is no JSON", struct.pack("<Q", 4) + b"{{{{" + raw[12:]
    for share in (0.001, 0.2, 0.5, 0.9, 0.999):
        yield f"cut off at {share:.1%}", raw[: int(len(raw) * share)]
    yield "with a byte too many", raw + b"\0"
    (size,) = struct.unpack("<Q", raw[:8])
    name = next(key for key in json.loads(raw[8 : 8 + size]) if key != "__metadata__")

    def type_of(kind: str) -> bytes:
        return _header(lambda header: header[name].update(dtype=kind), raw)

    yield "a type that is none", type_of("F33")
    yield "a type of another size", type_of("F64")
    yield "another shape", _header(lambda header: header[name].update(shape=[3, 3]), raw)
    yield "another name", _header(lambda header: header.update({f"{name}x": header.pop(name)}), raw)
    yield "wrong offsets", _header(lambda header: header[name].update(data_offsets=[0, 3]), raw)


def _vectors(home: Home, rng: random.Random) -> Iterator[Case]:
    raw = (home / "vectors" / "vectors.safetensors").read_bytes()

    def about(key: str, value: str | None) -> bytes:
        def change(header: dict[str, Any]) -> None:
            said = json.loads(header["__metadata__"]["spkit"])
            if value is None:
                del said[key]
            else:
                said[key] = value
            header["__metadata__"]["spkit"] = json.dumps(said)

        return _header(change, raw)

    broken = list(_broken_tensors(raw, rng))
    broken.append(("without metadata", _header(lambda header: header.pop("__metadata__"), raw)))
    for key in ("names", "base_hash", "parameters", "shapes", "experts", "operations"):
        broken.append((f"without {key}", about(key, None)))
        for wrong in ("", "{", "3", "null", '"abc"', "[3]", "[" * 20000):
            if key != "base_hash" and not (key == "operations" and wrong in ("[3]", '"abc"')):
                broken.append((f"{key} = {wrong[:20]}", about(key, wrong)))
    broken.append(("names of one vector too many", about("names", '["faq", "topic", "more"]')))
    broken.append(("names of one vector too few", about("names", '["faq"]')))
    broken.append(("a name twice", about("names", '["faq", "faq"]')))
    nan = bytearray(raw)
    nan[-4:] = struct.pack("<f", float("nan"))
    broken.append(("a NaN", bytes(nan)))
    for wrong, content in broken:
        yield Case(
            "safetensors",
            f"vectors: {wrong}",
            (),
            partial(_folder_with, home / "vectors", "vectors.safetensors", content),
            _load_vectors,
        )
    yield Case(
        "safetensors",
        "vectors: a folder in its place",
        (),
        partial(_with_folder, home / "vectors", "vectors.safetensors"),
        _load_vectors,
    )
    for gone in ("base/config.json", "base/modules.json", "base/model.safetensors", "base"):
        yield Case(
            "safetensors", f"vectors without {gone}", (), partial(_without, home / "vectors", gone), _load_vectors
        )


def _load_vectors(folder: Path) -> None:
    from spkit import TaskVectors

    TaskVectors.load(folder / "given")


def _models(home: Home, rng: random.Random) -> Iterator[Case]:
    raw = (home / "base" / "model.safetensors").read_bytes()
    for wrong, content in _broken_tensors(raw, rng):
        yield Case(
            "safetensors",
            f"model: {wrong}",
            (),
            partial(_folder_with, home / "base", "model.safetensors", content),
            _load_model,
        )
    texts = {
        "empty": b"",
        "a text": b"words",
        "a list": b"[]",
        "a number": b"3",
        "null": b"null",
        "cut off": b'{"a": ',
        "binary": bytes(range(200, 256)),
    }
    for name in ("config.json", "modules.json", "tokenizer.json"):
        for wrong, content in texts.items():
            yield Case("json", f"{name}: {wrong}", (), partial(_folder_with, home / "base", name, content), _load_model)
    for gone in ("config.json", "model.safetensors", "1_Pooling"):
        yield Case("json", f"model without {gone}", (), partial(_without, home / "base", gone), _load_model)


def _load_model(folder: Path) -> None:
    from spkit import load_base

    load_base(str(folder / "given"))


def _folder_with(original: Path, name: str, content: bytes, folder: Path) -> None:
    shutil.copytree(original, folder / "given")
    (folder / "given" / name).write_bytes(content)


def _with_folder(original: Path, name: str, folder: Path) -> None:
    shutil.copytree(original, folder / "given")
    (folder / "given" / name).unlink()
    (folder / "given" / name).mkdir()


def _without(original: Path, name: str, folder: Path) -> None:
    shutil.copytree(original, folder / "given")
    gone = folder / "given" / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()


# Positions and journals


def _positions(home: Home) -> Iterator[Case]:
    recipe = json.loads((home / "position" / "recipe.json").read_text(encoding="utf-8"))
    wrongs: list[tuple[str, bytes]] = [
        (wrong, text)
        for wrong, text in {"empty": b"", "a text": b"words", "a list": b"[]", "a number": b"3", "null": b"null", "cut off": b'{"a": ', "binary": b"\xff\xfe", "{}": b"{}",
                            "too deep": b"[" * 100_000}.items()
    ]  # fmt: skip
    for key in ("base_sha256", "experts", "operations", "coefficients", "settings"):
        wrongs.append((f"without {key}", json.dumps({k: v for k, v in recipe.items() if k != key}).encode()))
        for value in (3, "x", None, [], [1]):
            if not (key == "operations" and value == []):
                wrongs.append((f"{key} = {value!r}", json.dumps({**recipe, key: value}).encode()))
    for value in (
        {"model": {"faq": 1.0}},
        {"model": {"faq": float("nan"), "topic": 1.0}},
        {"model": {"faq": "x", "topic": 1.0}},
        {"module": {"faq": 1.0, "topic": 1.0}},
        {},
    ):
        wrongs.append((f"coefficients = {value}", json.dumps({**recipe, "coefficients": value}).encode()))
    for wrong, content in wrongs:
        yield Case(
            "json",
            f"recipe.json: {wrong}",
            (),
            partial(_folder_with, home / "position", "recipe.json", content),
            partial(_load_position, home),
        )
    for wrong, content in {"empty": b"", "binary": b"\xff\xfe\x00"}.items():
        yield Case(
            "json",
            f"history.csv: {wrong}",
            (),
            partial(_folder_with, home / "position", "history.csv", content),
            partial(_load_position, home),
        )


def _load_position(home: Home, folder: Path) -> None:
    from spkit import TaskVectors
    from spkit.searching.result import load_position

    load_position(folder / "given", TaskVectors.load(home / "vectors"))


def _journals(home: Home) -> Iterator[Case]:
    raw = (home / "search.jsonl").read_bytes()
    first, *rest = raw.decode().splitlines()
    broken = {
        "a text": b"only words\nand more\n",
        "binary": bytes(range(128, 256)) + b"\n",
        "a list first": b"[1]\n",
        "a number first": b"3\n",
        "null first": b"null\n",
        "a line that is no JSON": f"{first}\n{{cut\n".encode(),
        "no line that is no JSON": raw.replace(b"{", b"<"),
        "without settings": "\n".join(rest).encode() + b"\n",
        "other settings": json.dumps({**json.loads(first), "steps": 7}).encode() + b"\n"
        if isinstance(json.loads(first), dict)
        else b"{}\n",
        "too deep": b"[" * 100_000 + b"\n",
    }
    for value in ("3", "null", '"x"', "[]", "{}", "[1, 2]", '{"a": 1}'):
        broken[f"an entry {value}"] = f"{first}\n{value}\n".encode()
    for wrong, content in broken.items():
        yield Case(
            "journal", wrong, ("search.jsonl",), partial(_write, "search.jsonl", content), partial(_search, home)
        )
    yield Case(
        "journal",
        "a folder",
        ("search.jsonl",),
        lambda folder: (folder / "search.jsonl").mkdir(),
        partial(_search, home),
    )


def _write(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)


def _search(home: Home, folder: Path) -> None:
    from tests.malformed import search

    search(home.folder, folder / "search.jsonl")
