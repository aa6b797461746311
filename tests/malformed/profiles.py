"""Profiles: mutations of one with every analysis."""

import json
import math
import random
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from spkit.study import load_profile, run_study
from spkit.study.analyses import analysis_names
from spkit.study.profile import Tables
from tests.malformed.case import Accepted, Case, Home
from tests.tiny_study import NAMES, PROFILE

NAN, INF, HUGE = math.nan, math.inf, 10**30


def whole(least: int) -> list[Any]:
    """No whole number, or one below the least."""
    return [least - 1, least - 8, least + 0.5, 1e3, NAN, INF, True, "8", "", [least], [], {"a": 1}, HUGE, -HUGE]


def number(least: float, itself: bool) -> list[Any]:
    """No finite number, or one below the least; with the least itself where it must be above."""
    return [*([least] if itself else []), least - 0.5, NAN, INF, -INF, "0.1", "", True, [0.1], [], {"a": 0.1}]


def choice(right: str) -> list[Any]:
    """No text that is one of the choices."""
    return [right[1:], right + "x", right.upper(), f" {right}", "", 3, 0.5, NAN, True, [right], [], {right: 1}]


TEXT: list[Any] = ["", 3, 0.5, True, [], {"a": 1}]
TRUTH: list[Any] = ["true", "yes", 1, 0, 0.0, [], {}]

#: The keys of a profile, with values that each must not have.
VALUES: dict[str, list[Any]] = {
    "base": [*TEXT, ["a"]],
    "max_seq_length": [*whole(1), 65, 100_000],
    "tasks": [
        "",
        3,
        True,
        [],
        ["chat"],
        ["chat", "chat"],
        ["chat", 3],
        ["chat", ["topic"]],
        {"a": 1},
        "tasks.csv",
        "nobody",
    ],
    "names": [
        "faq",
        3,
        True,
        [],
        ["faq"],
        ["faq", "faq"],
        ["faq", "topc"],
        ["faq", 3],
        {"faq": 1},
        [["faq"], ["topic"]],
    ],
    "data": [3, True, [], {"a": 1}, "", "no-such-folder", "bad.toml"],
    "seeds": [3, "0", [], [0, 0], [1.5], ["1"], [True], [-1], [HUGE], [[0]], {"a": 0}, [0, NAN], [2**32]],
    "training.steps": whole(1),
    "training.learning_rate": number(0, True),
    "training.batch_size": [*whole(1), 49, 64, 4096],
    "joint.sampling": [
        *[value for value in choice("uniform") if value != 3],
        0.5,
        0,
        -1,
        INF,
        {"faq": 1},
        {name: 0 for name in NAMES},
        {name: "1" for name in NAMES},
        {name: -1 for name in NAMES},
        {name: NAN for name in NAMES},
        {name: INF for name in NAMES},
        {**dict.fromkeys(NAMES, 1), "else": 1},
    ],
    "joint.mixing": choice("task"),
    "merges.methods": [
        "ties",
        3,
        True,
        [3],
        [["ties"]],
        {"ties": 1},
        ["fischer"],
        ["tise"],
        ["all", "slerpp"],
        [""],
        ["Ties"],
        ["mergekit:"],
        ["mergekit:karchr"],
        ["mergekit:nobody"],
        ["mergekit:karcher", "nothing"],
        ["ties", "ties"],
    ],
    "merges.evaluations": whole(3),
    "merges.ties": [3, "0.5", [0.5], {"densty": 0.5}, {"tasks": 3}],
    "merges.ties.density": [*number(0, True), 1.5, 2],
    "merges.ties.scope": choice("vector"),
    "merges.ties.length": [v for v in number(0, False) if v != -0.5],
    "merges.ties.weight": [
        "1",
        True,
        NAN,
        INF,
        [],
        [1.0],
        [1.0] * 5,
        {"faq": 1.0},
        {},
        -1.0,
        0,
        [0.0] * 4,
        [1, 1, 1, "1"],
        dict.fromkeys(NAMES, "a"),
        [1, 1, 1, -1],
        [NAN] * 4,
    ],
    "merges.dare.density": [*number(0, True), 1.5],
    "merges.fisher.examples": [*whole(1)[:-2], 1],
    "merges.fisher.batch_size": whole(1)[:-2],
    "merges.fisher.normalize": TRUTH,
    "merges.regmean.examples": whole(1),
    "merges.mergekit:karcher": [{"max_itre": 3}, {"max_iter": "many"}, {"max_iter": NAN}, {"tol": INF}, 3],
    "probe.size": [*whole(1), 2, 4],
    "probe.balance": [
        *choice("uniform"),
        {"faq": 1},
        dict.fromkeys(NAMES, 0),
        dict.fromkeys(NAMES, "1"),
        dict.fromkeys(NAMES, NAN),
    ],
    "probe.split": [*choice("train"), "dev", "test"],
    "conflict.batches": [*whole(1), 1, 2, 3, 5, 6, 10],
    "conflict.batch_size": [*whole(1), 25, 32, 49, 1000],
    "evaluation.resamples": [*whole(1), 10**9],
    "along_training.every": whole(1),
    "along_training.batches": [*whole(1), 1, 2, 3, 5, 6],
    "along_training.batch_size": [*whole(1), 25, 48, 1000],
    "sequential.order": ["faq", 3, [], ["faq"], ["faq", "faq"], ["faq", "topc"], [1, 2], {"faq": 1}, True],
    "sequential.every_seed": TRUTH,
    "pairs.tasks": ["faq", [], NAMES[:3], [*NAMES[:3], "asket"], [*NAMES[:3], NAMES[0]], [*NAMES[:3], 3], 3, {"a": 1}],
    "pairs.steps": whole(1),
    "pairs.limit": whole(1),
    "pairs.batches": [*whole(1), 1, 2, 3, 5, 6],
    "pairs.batch_size": [*whole(1), 25, 1000],
    "affinity.learning_rate": number(0, True),
    "affinity.batches": [*whole(2), 4, 100],
    "affinity.batch_size": [*whole(1), 13, 1000],
    "imbalance.batches": whole(1),
    "imbalance.batch_size": [*whole(1), 49, 1000],
    "norms.sizes": [
        16,
        "16",
        [],
        [0],
        [-16],
        [16.0],
        ["16"],
        [True],
        [1],
        [1, 4, 15],
        [100_000],
        [16, 16],
        {"a": 16},
        [HUGE],
    ],
    "norms.epochs": number(0, True),
    "norms.steps": whole(1),
    "angles.pairs": [
        "faq",
        [],
        [["faq"]],
        [["faq", "topc"]],
        [["faq", "faq"]],
        [["faq", "topic", "asked"]],
        ["faq", "topic"],
        [[1, 2]],
        [["faq", "topic"], ["faq", "topic"]],
        {"faq": "topic"},
    ],
    "angles.ratios": [
        3,
        [],
        [[3]],
        [[0, 1]],
        [[-1, 1]],
        [[1.5, 1]],
        [["3", 1]],
        [[1, 1], [1, 1]],
        [[1000, 1]],
        [[1, 30]],
        [3, 1],
        [[1, 2, 3]],
    ],
    "angles.total": [*whole(2), 4, 15, 1000, 100_000],
    "angles.steps": whole(1),
    "resampling.pair": [
        "faq",
        [],
        ["faq"],
        ["faq", "faq"],
        ["faq", "topc"],
        ["faq", "topic", "asked"],
        [1, 2],
        {"faq": "topic"},
    ],
    "resampling.ratios": [
        3,
        [[3]],
        [[0, 1]],
        [[-1, 1]],
        [[1.5, 1]],
        [["3", 1]],
        [[1000, 1]],
        [[40, 1]],
        [[1, 1], [1, 1]],
        [3, 1],
    ],
    "resampling.schemes": ["total", ["totl"], ["total", "total"], [3], [""], {"total": 1}],
    "resampling.samplings": [
        "uniform",
        ["unifrom"],
        [0.5],
        [0],
        [-1],
        [NAN],
        [INF],
        [True],
        [[2.0]],
        ["uniform", "uniform"],
        [2, 2.0],
        ["2.0"],
    ],
    "resampling.mixing": TRUTH,
    "resampling.surgery": ["upgrad", ["upgrd"], ["upgrad", "upgrad"], [3], [""], {"upgrad": 1}],
    "resampling.steps": whole(1),
    "objectives.positions": [*whole(1), 28],
    "objectives.batches": [8, [], [0], [1], [3], [8.0], ["8"], [True], [8, 8], [HUGE], {"a": 1}],
    "objectives.sizes": [64, [], [0], [1], [8], [64.0], ["64"], [True], [64, 64], {"a": 1}],
    "objectives.temperatures": [0.05, [], [0.0], [-0.1], [NAN], [INF], ["0.1"], [True], [0.1, 0.1], {"a": 1}],
    "objectives.mu": number(0, True),
    "objectives.every_seed": TRUTH,
    "span.joint": TRUTH,
    "span.checkpoints": [*whole(0), 10],
    "span.mixtures": ["uniform", ["unifrom"], [0.5], [0], [NAN], [True], [[2.0]], ["proportional", "proportional"]],
    "span.rules": ["ties", ["tise"], ["dare"], ["ties", "ties"], [3], [""], {"ties": 1}],
    "span.longer": TRUTH,
    "span.soup": TRUTH,
    "span.method": choice("cma"),
    "span.budget": [*whole(2), 22],
    "span.every_seed": TRUTH,
    "given.joint": [3, "", True, [], {}],
    "given.experts": [3, "faq", [], {"faq": 3}],
    "given.expert": [{"faq": "minilm-l3"}],
    "sweeps.direction": [0.5, "0.5", [], [1.5], [-0.1], [NAN], [INF], ["0.5"], [True], [0.5, 0.5], {"a": 1}, [[0.5]]],
    "sweeps.length": [1.0, [], [-0.5], [NAN], [INF], ["1"], [True], [1, 1.0], {"a": 1}],
    "sweeps.mu": [0.1, [], [-0.1], [NAN], [INF], ["0.1"], [True], [0.1, 0.1]],
    "sweeps.probe_size": [64, [], [0], [-8], [64.0], ["64"], [1], [3], [65], [100_000], [32, 32], [True], [HUGE]],
    "sweeps.pairs": [
        "faq",
        [],
        [["faq"]],
        [["faq", "topc"]],
        [["faq", "faq"]],
        [["faq", "topic"], ["faq", "topic"]],
        [["faq", "topic", "asked"]],
    ],
    "sweeps.probe_seeds": [0, [], [0, 0], [0.5], ["0"], [True], [-1], [HUGE]],
    "trade_off.between": ["faq", [], ["faq"], ["faq", "faq"], ["faq", "topc"], ["faq", "topic", "asked"], [1, 2]],
    "trade_off.ratios": [0.5, [], [0], [-1.0], [NAN], [INF], ["1"], [True], [0.5, 0.5]],
    "trade_off.steps": whole(1),
}
for _table in ("search", "search_module"):
    VALUES |= {
        f"{_table}.path": choice("slerp"),
        f"{_table}.optimizer": choice("adam"),
        f"{_table}.learning_rate": number(0, True),
        f"{_table}.steps": whole(1),
        f"{_table}.batch_size": whole(1),
        f"{_table}.mu": number(0, False),
        f"{_table}.scale": choice("mean"),
        f"{_table}.start": choice("average"),
        f"{_table}.average_last": whole(1),
        f"{_table}.trust": number(0, True),
    }

#: Changes that contradict each other, or that are wrong together: keys with values, and what the error must say.
TOGETHER: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("steps and epochs", {"training.epochs": 1.0}, ("steps", "epochs")),
    ("neither steps nor epochs", {"training.steps": None}, ("steps", "epochs")),
    ("no steps and no epochs in [norms]", {"norms.steps": None, "norms.epochs": None}, ("norms", "epochs")),
    ("no steps and no epochs in [angles]", {"angles.steps": None}, ("angles", "epochs")),
    ("names beside bundled tasks", {"tasks": ["chat", "topic"], "names": ["chat", "topic"]}, ("names",)),
    ("data beside bundled tasks", {"tasks": ["chat", "topic"]}, ("data",)),
    ("lbfgs with a learning rate", {"search.optimizer": "lbfgs"}, ("learning_rate", "[search]")),
    ("lbfgs with a learning rate", {"search_module.optimizer": "lbfgs"}, ("learning_rate", "[search_module]")),
    (
        "a batch of every task with unequal shares",
        {"joint.mixing": "step", "joint.sampling": {**dict.fromkeys(NAMES, 1), "faq": 3}},
        ("mixing", "[joint]"),
    ),
    ("probe seeds without sizes", {"sweeps.probe_size": None}, ("probe_seeds", "[sweeps]")),
    ("pairs without directions", {"sweeps.direction": None}, ("pairs", "[sweeps]")),
    (
        "no sweep at all",
        {f"sweeps.{key}": None for key in ("direction", "length", "mu", "probe_size", "pairs", "probe_seeds")},
        ("[sweeps]",),
    ),
    (
        "nothing to resample",
        {"resampling.ratios": [], "resampling.samplings": [], "resampling.surgery": [], "resampling.mixing": False},
        ("[resampling]",),
    ),
    ("an angle of a task that the study leaves out", {"names": ["faq", "topic"]}, ("likeness",)),
    ("settings of a method that is not merged by", {"merges.dare.density": 0.5}, ("dare", "[merges]")),
    (
        "settings of a mergekit method that is not merged by",
        {"merges.mergekit:sce": {"select_topk": 0.5}},
        ("mergekit:sce", "[merges]"),
    ),
    ("an odd batch for classes", {"training.batch_size": 7}, ("batch_size",)),
    ("a batch of one", {"training.batch_size": 1}, ("batch_size",)),
    ("a batch of one for conflict", {"conflict.batch_size": 1}, ("batch_size", "[conflict]")),
    ("a batch of one for the search", {"search.batch_size": 1}, ("batch_size", "[search]")),
    ("a batch of one for affinity", {"affinity.batch_size": 1}, ("batch_size", "[affinity]")),
    ("a batch of one for imbalance", {"imbalance.batch_size": 1}, ("batch_size", "[imbalance]")),
    ("a batch of one for pairs", {"pairs.batch_size": 1}, ("batch_size", "[pairs]")),
    ("a batch of one along training", {"along_training.batch_size": 1}, ("batch_size", "[along_training]")),
    ("a batch of one for Fisher", {"merges.fisher.batch_size": 1}, ("batch_size", "fisher")),
    ("one example for Fisher", {"merges.fisher.examples": 1}, ("examples", "fisher")),
    ("a base that is not there", {"base": "./nothing"}, ("nothing",)),
    ("a base misspelt", {"base": "minilm-l2"}, ("minilm-l2",)),
    ("a base that is a file", {"base": "bad.toml"}, ("base",)),
    ("a base that is no model", {"base": "."}, ("base",)),
    ("a given model that is not there", {"given.joint": "./nothing"}, ("given", "nothing")),
    ("experts of some of the tasks", {"given.experts": {"faq": "minilm-l3"}}, ("experts", "[given]")),
    ("a task file that is not there", {"tasks": "nothing.toml"}, ("nothing.toml",)),
    ("a task file that is a folder", {"tasks": "folder.toml"}, ("folder.toml",)),
]

#: No TOML, or no profile: the text in which {} is a valid one.
TEXTS: list[tuple[str, str, tuple[str, ...]]] = [
    ("empty", "", ("must be given",)),
    ("nested too deep", "x = " + "[" * 5000 + "]" * 5000, ("toml",)),
    ("only a comment", "# nothing\n", ("must be given",)),
    ("an unclosed bracket", "{}\n[norms", ("toml",)),
    ("an unclosed text", '{}\nname = "abc\n', ("toml",)),
    ("an unclosed list", "{}\nx = [1, 2\n", ("toml",)),
    ("a key without a value", "{}\nx =\n", ("toml",)),
    ("a key alone", "{}\nx\n", ("toml",)),
    ("a table twice", "{}\n[pairs]\nsteps = 2\n", ("toml",)),
    ("a table twice", "{}\n[norms]\nsteps = 2\n", ("toml",)),
    ("a key twice", 'base = "a"\n{}\n', ("toml",)),
    ("a key and a table of one name", "{}\n[base]\nx = 1\n", ("toml",)),
    ("a list of tables", "{}\n[[training]]\nsteps = 2\n", ("toml",)),
    ("YAML", "base: minilm-l3\ntasks:\n  - chat\n", ("toml",)),
    ("JSON", '{{"base": "minilm-l3", "tasks": ["chat", "topic"]}}\n', ("toml",)),
    ("Python", "base = None\n", ("toml",)),
    ("True with a capital", "{}\n[x]\ny = True\n", ("toml",)),
    ("a control character", '{}\nx = "a\x01b"\n', ("toml",)),
    ("a NUL", "{}\n\x00\n", ("toml",)),
    ("a wrong escape", '{}\nx = "\\q"\n', ("toml",)),
    ("two equal signs", "{}\nx == 1\n", ("toml",)),
    ("a number with a leading zero", "{}\nx = 08\n", ("toml",)),
    ("a date that is none", "{}\nx = 2024-13-45\n", ("toml",)),
    ("a list of tables of another name", "{}\n[[study]]\nsteps = 2\n", ("study",)),
    ("everything a level too deep", "[profile]\n{}\n", ("profile",)),
    ("an unknown table", "{}\n[evalution]\nresamples = 10\n", ("evalution", "evaluation")),
    ("an unknown analysis", "{}\n[affinty]\nbatches = 2\n", ("affinty", "affinity")),
    ("a date for a table", "{}\n[x]\ny = 2024-01-01\n", ("x",)),
]


def cases(home: Home, seed: int = 0) -> Iterator[Case]:
    """All of them, the same ones for a seed."""
    valid = tomllib.loads(PROFILE) | {name: str(home / place) for name, place in _PLACES.items()}
    for key, values in VALUES.items():
        for value in values:
            changed = changed_by(valid, {key: value})
            yield _case(f"{key} = {_short(value)}", (*key.split(".")[:2][-1:], "bad.toml"), changed)
    for wrong, changes, says in TOGETHER:
        yield _case(wrong, (*says, "bad.toml"), changed_by(valid, changes))
    for wrong, text, says in TEXTS:
        yield _text_case(
            wrong,
            (*says, "bad.toml"),
            text.replace("{}", toml(valid)) if "{{" not in text else text.replace("{{", "{").replace("}}", "}"),
        )
    yield from _unknown_keys(valid, random.Random(seed))
    yield from _wrong_levels(valid)
    for what, raw in (
        ("no UTF-8", b"\xff\xfe" + toml(valid).encode()),
        ("UTF-16", toml(valid).encode("utf-16")),
        ("binary", bytes(range(256))),
    ):
        yield Case("profile", what, ("bad.toml",), partial(_write_bytes, raw), run)
    yield Case("profile", "a folder", ("bad.toml",), lambda folder: (folder / "bad.toml").mkdir(), run)
    yield Case("profile", "not there", ("bad.toml",), lambda folder: None, run)


_PLACES = {"base": "base", "tasks": "tasks.toml", "data": "data"}


def _unknown_keys(valid: Mapping[str, Any], rng: random.Random) -> Iterator[Case]:
    """Keys misspelt by a letter that is lost, doubled or swapped, and keys of one table in another."""
    tables = {"": valid} | {
        name: table for name, table in valid.items() if isinstance(table, dict) and name != "merges"
    }
    for table, keys in tables.items():
        known = {*Tables.model_fields, *analysis_names()} if not table else {*keys}
        for key in keys:
            if len(key) < 3:
                continue
            place = rng.randrange(1, len(key) - 1)
            for wrong in {
                key[:place] + key[place + 1 :],
                key[:place] + key[place] + key[place:],
                key[:place] + key[place + 1] + key[place] + key[place + 2 :],
            }:
                if wrong in known:
                    continue
                changed = deepcopy(dict(valid))
                where = changed[table] if table else changed
                where[wrong] = where.pop(key)
                yield _case(f"{table}.{key} misspelt as {wrong}", (wrong, "bad.toml"), changed)


def _wrong_levels(valid: Mapping[str, Any]) -> Iterator[Case]:
    for name, table in valid.items():
        if isinstance(table, dict):
            for wrong, value in (("a number", 3), ("a text", "yes"), ("a list", [table]), ("true", True)):
                yield _case(f"[{name}] is {wrong}", (name, "bad.toml"), {**valid, name: value})
            yield _case(f"[{name}] inside itself", (name, "bad.toml"), {**valid, name: {**table, name: table}})
            for key in table:
                if key not in Tables.model_fields and key not in ("pairs",):
                    yield _case(f"{name}.{key} at the top", (key, "bad.toml"), {**valid, f"{key}": table[key]})
                    break


def changed_by(valid: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The profile with values by dotted key; None takes a key out."""
    changed = deepcopy(dict(valid))
    for dotted, value in changes.items():
        *tables, key = dotted.split(".")
        where = changed
        for table in tables:
            where = where.setdefault(table, {})
        if value is None:
            where.pop(key)
        else:
            where[key] = value
    return changed


def toml(profile: Mapping[str, Any]) -> str:
    """A profile as TOML: a line for each key of it, tables inline."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in profile.items())


def run(folder: Path) -> None:
    """As `spkit study bad.toml`, up to the first stage."""
    with mock.patch("spkit.study.run.run_stages", side_effect=Accepted):
        run_study(load_profile(folder / "bad.toml"), folder / "out", lambda line: None)


def _case(wrong: str, says: tuple[str, ...], profile: Mapping[str, Any]) -> Case:
    return _text_case(wrong, says, toml(profile))


def _text_case(wrong: str, says: tuple[str, ...], text: str) -> Case:
    return Case("profile", wrong, says, partial(_write_bytes, text.encode()), run)


def _write_bytes(raw: bytes, folder: Path) -> None:
    (folder / "bad.toml").write_bytes(raw)
    (folder / "folder.toml").mkdir()


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value)


def _short(value: Any) -> str:
    return repr(value)[:60]
