"""Command lines: every command with options that are misspelt, missing, out of range, or name what is not there."""

from collections.abc import Iterator
from pathlib import Path

from tests.malformed.case import Case, Home, command

_SEED = ["-1", "1.5", "x", "", "nan", str(10**30), str(2**32)]
_COUNT = ["0", "-1", "1.5", "1e3", "x", "", "nan", str(10**30)]
_POSITIVE = ["0", "-1", "x", "", "nan", "inf", "-inf"]
_NOT_NEGATIVE = ["-1", "x", "", "nan", "inf"]
#: A model: nothing there, a file, an empty folder, a folder of something else, a broken one.
_MODEL = [
    "./none",
    "/none/at/all",
    "~/none-such",
    "",
    ".",
    "empty",
    "notes",
    "words.txt",
    "noise.bin",
    "half",
    "minilm-l2",
]
_FOLDER = ["none", "", "empty", "notes", "words.txt", "noise.bin"]
_TASKS = [
    "none.toml",
    "",
    "empty",
    "words.txt",
    "noise.bin",
    "noise.toml",
    "words.toml",
    "empty.toml",
    "folder.toml",
    "bundld",
]
_TASK = ["", "fap", "faq,topic", "../faq", "FAQ"]
#: What an output must not be: a user's folder, a file, below a file, a name that is too long, or has a NUL.
_NEW_FOLDER = ["notes", "words.txt", "words.txt/new", "x" * 300, "a\x00b", ""]
_SAMPLING = [
    "",
    "fair",
    "0.5",
    "-1",
    "0",
    "nan",
    "inf",
    "faq=",
    "faq=x",
    "=1",
    "faq=1,faq=2",
    "faq=-1,topic=1",
    "faq=nan,topic=1",
]

#: Each command with options that make it valid, {} standing for the folder of valid things.
VALID: dict[str, list[str]] = {
    "train": ["-o", "new", "--base", "{}/base", "--tasks", "{}/data/tasks.toml", "--task", "faq", "--steps", "1", "--batch-size", "8"],
    "vectors": ["-o", "new", "--base", "{}/base", "--expert", "faq={}/faq", "--expert", "topic={}/topic"],
    "merge": ["-o", "new", "--base", "{}/base", "--expert", "faq={}/faq", "--expert", "topic={}/topic", "--method", "ties"],
    "position": ["-o", "new", "--vectors", "{}/vectors", "--tasks", "{}/data/tasks.toml", "--steps", "1", "--probe-size", "32"],
    "search": ["-o", "new", "--vectors", "{}/vectors", "--tasks", "{}/data/tasks.toml", "--budget", "12", "--probe-size", "32"],
    "sweep": ["-o", "new", "--vectors", "{}/vectors", "--tasks", "{}/data/tasks.toml", "--over", "length", "--value", "1.0"],
    "conflict": ["-o", "new", "--base", "{}/base", "--tasks", "{}/data/tasks.toml", "--batches", "4", "--batch-size", "8"],
    "imbalance": ["-o", "new", "--base", "{}/base", "--tasks", "{}/data/tasks.toml"],
    "evaluate": ["{}/base", "--tasks", "{}/data/tasks.toml", "--task", "likeness"],
    "compare": ["{}/faq", "{}/topic", "--tasks", "{}/data/tasks.toml", "--task", "likeness", "--resamples", "10"],
    "figures": ["--results", "{}/results", "-o", "new"],
    "study": ["{}/all.toml", "-o", "new"],
    "explore": ["--vectors", "{}/vectors", "--tasks", "{}/data/tasks.toml", "-o", "new", "--no-browser"],
}  # fmt: skip

#: Wrong values of options, by command; "" stands for the argument.
WRONG: dict[str, dict[str, list[str]]] = {
    "train": {
        "-o": _NEW_FOLDER, "--base": _MODEL, "--tasks": _TASKS, "--task": _TASK, "--steps": _COUNT, "--batch-size": [*_COUNT, "49", "4096"],
        "--learning-rate": _POSITIVE, "--sampling": _SAMPLING, "--mixing": ["", "stap", "TASK"], "--order": ["", "joined"],
        "--max-length": [*_COUNT, "65", "100000"], "--seed": _SEED, "--conflict-every": _COUNT, "--conflict-batches": [*_COUNT, "3", "5"],
        "--epochs": _POSITIVE,
    },
    "vectors": {"-o": _NEW_FOLDER, "--base": _MODEL, "--expert": ["faq", "=x", "faq=", "faq=./none", "topic={}/topic", "x=empty", "x=noise.bin", "x=half"], "--max-length": [*_COUNT, "65"]},
    "merge": {
        "-o": _NEW_FOLDER, "--base": _MODEL, "--expert": ["faq", "=x", "faq=", "x=./none", "topic={}/topic", "x=empty", "x=half"],
        "--method": ["", "tise", "TIES", "mergekit:", "mergekit:karchr", "mergekit:passthrough", "fisherr", "../ties"], "--max-length": [*_COUNT, "65"],
        "--set": ["density", "=1", "density=", "density=0", "density=2", "density=NaN", "density=x", "density=[0.1]", "densty=0.1", "weight=[1]", "weight=NaN",
                  "weight={\"faq\": 1}", "length=Infinity", "scope=all", "scope=1", "tasks=1", "vectors=1", "density={"],
    },
    "position": {
        "-o": _NEW_FOLDER, "--vectors": _FOLDER, "--tasks": _TASKS, "--task": _TASK, "--path": ["", "slrep", "SLERP", "_paths"],
        "--granularity": ["", "models"], "--mu": _NOT_NEGATIVE, "--optimizer": ["", "adem"], "--learning-rate": _POSITIVE, "--steps": _COUNT,
        "--batch-size": _COUNT, "--scale": ["", "meen"], "--spread-penalty": _NOT_NEGATIVE, "--probe-size": [*_COUNT, "1", "3"], "--seed": _SEED,
        "--journal": ["notes", "words.txt", "noise.bin", "words.txt/x"], "--start": ["", "best", "[0.5]"], "--average-last": _COUNT,
        "--trust": _POSITIVE, "--held-back": [*_POSITIVE, "1", "0.999"],
    },
    "search": {
        "-o": _NEW_FOLDER, "--vectors": _FOLDER, "--tasks": _TASKS, "--task": _TASK, "--by": ["", "rank"], "--method": ["", "cmaes"],
        "--start": ["", "best", "[0.5]"], "--budget": [*_COUNT, "1", "2"], "--mu": _NOT_NEGATIVE, "--batch-size": _COUNT, "--scale": ["", "meen", "gap"],
        "--probe-size": [*_COUNT, "1", "3"], "--seed": _SEED, "--journal": ["notes", "words.txt", "noise.bin", "words.txt/x"],
        "--held-back": [*_POSITIVE, "1", "0.999"],
    },
    "sweep": {
        "-o": _NEW_FOLDER[1:-1], "--vectors": _FOLDER, "--tasks": _TASKS, "--task": _TASK, "--over": ["", "lenght"], "--value": ["-1", "nan", "inf", "x", ""],
        "--steps": _COUNT, "--mark": _FOLDER, "--split": ["", "train"], "--probe-size": _COUNT, "--probe-seed": _SEED, "--seed": _SEED,
        "--length": _POSITIVE, "--between": ["", "faq", "faq+fap", "faq+faq", "faq+topic"],
    },
    "conflict": {
        "-o": ["words.txt", "words.txt/new", "x" * 300, "a\x00b"], "--base": _MODEL, "--tasks": _TASKS, "--task": [*_TASK, "faq"],
        "--batches": [*_COUNT, "3", "5", "6"], "--batch-size": [*_COUNT, "25", "4096", "1"], "--max-length": [*_COUNT, "65"], "--seed": _SEED,
    },
    "imbalance": {
        "-o": ["words.txt", "words.txt/new", "x" * 300, "a\x00b"], "--base": _MODEL, "--tasks": _TASKS, "--task": _TASK, "--vectors": _FOLDER,
        "--sampling": _SAMPLING, "--joint": ["{}/base"], "--batches": [*_COUNT, "1"], "--batch-size": _COUNT, "--max-length": [*_COUNT, "65"], "--seed": _SEED,
    },
    "evaluate": {
        "": _MODEL, "--tasks": _TASKS, "--task": _TASK, "--split": ["", "train"], "-o": ["words.txt", "words.txt/new", "x" * 300, "a\x00b"],
        "--max-length": [*_COUNT, "65"], "--seed": _SEED,
    },
    "compare": {
        "": [*_MODEL, "x="], "--tasks": _TASKS, "--task": _TASK, "--against": ["", "fap"], "-o": ["notes", "words.txt/new", "x" * 300, "a\x00b", ""],
        "--resamples": _COUNT, "--seed": _SEED,
    },
    "figures": {"--results": _FOLDER, "-o": ["words.txt", "words.txt/new", "a\x00b"], "--only": ["", "nothing", "../methods", "method"]},
    "study": {
        "": ["none.toml", "", "empty", "words.txt", "noise.toml", "words.toml", "empty.toml", "folder.toml", "dmeo"],
        "-o": ["words.txt", "words.txt/new", "x" * 300, "a\x00b"], "--base": _MODEL, "--seeds": ["", "x", "0,", "0,0", "-1", "1.5", str(2**32), "0;1"],
        "--analyses": ["nrms", "", "norms,"], "--data": ["none", "words.txt", "empty"],
    },
    "explore": {
        "--vectors": _FOLDER, "--tasks": _TASKS, "-o": ["words.txt"], "--points": _COUNT, "--port": ["-1", "0", "65536", "x", "80.5", ""],
        "--theme": ["", "dork"], "--seed": _SEED, "--data": ["none", "words.txt"],
    },
}  # fmt: skip

#: Whole lines that are wrong for another reason.
LINES: list[tuple[str, list[str]]] = [
    ("an unknown command", ["trian"]),
    ("an empty command", [""]),
    ("an option for a command", ["--steps", "1"]),
    ("a path for a command", ["{}/all.toml"]),
    ("steps and epochs", ["train", *VALID["train"], "--epochs", "1"]),
    ("neither steps nor epochs", ["train", "-o", "new", "--base", "{}/base", "--tasks", "{}/data/tasks.toml"]),
    ("conflict along a sequence", ["train", *VALID["train"], "--order", "sequential", "--conflict-every", "2"]),
    ("conflict along one task", ["train", *VALID["train"], "--conflict-every", "2"]),
    ("batches of every task, one after the other", ["train", *VALID["train"], "--mixing", "step", "--order", "sequential"]),
    ("shares of other tasks", ["train", *VALID["train"], "--task", "topic", "--sampling", "faq=1,likeness=1"]),
    ("unequal shares in one step", ["train", *VALID["train"], "--task", "topic", "--sampling", "faq=1,topic=2", "--mixing", "step"]),
    ("one task twice", ["train", *VALID["train"], "--task", "faq"]),
    ("lbfgs with a learning rate", ["position", *VALID["position"], "--optimizer", "lbfgs", "--learning-rate", "0.1"]),
    ("bounds the wrong way round", ["search", *VALID["search"], "--bounds", "1", "0"]),
    ("a bound that is no number", ["search", *VALID["search"], "--bounds", "0", "nan"]),
    ("a grid with too few evaluations", ["search", *VALID["search"], "--method", "grid", "--budget", "9"]),
    ("a probe for a sweep of lengths", ["sweep", *VALID["sweep"], "--probe-seed", "1"]),
    ("a length for a sweep of lengths", ["sweep", *VALID["sweep"], "--length", "1"]),
    ("pairs for a sweep of lengths", ["sweep", *VALID["sweep"], "--between", "faq+topic"]),
    ("a value twice", ["sweep", *VALID["sweep"], "--value", "1.0"]),
    ("a direction beyond 1", ["sweep", *VALID["sweep"][:-4], "--over", "direction", "--value", "1.5"]),
    ("a probe size that is no whole number", ["sweep", *VALID["sweep"][:-4], "--over", "probe_size", "--value", "16.5"]),
    ("a probe size beyond the probe", ["sweep", *VALID["sweep"][:-4], "--over", "probe_size", "--value", "64", "--probe-size", "32"]),
    ("one model", ["compare", "{}/faq", "--tasks", "{}/data/tasks.toml"]),
    ("two models of one name", ["compare", "a={}/faq", "a={}/topic", "--tasks", "{}/data/tasks.toml"]),
    ("the same model twice", ["compare", "{}/faq", "{}/faq", "--tasks", "{}/data/tasks.toml"]),
    ("an expert named twice", ["merge", *VALID["merge"], "--expert", "faq={}/faq"]),
    ("slerp of mergekit with t = nan", ["merge", *VALID["merge"], "--method", "mergekit:slerp", "--set", "t=NaN"]),
    ("slerp of mergekit with t = inf", ["merge", *VALID["merge"], "--method", "mergekit:slerp", "--set", "t=Infinity"]),
    ("an unknown parameter of mergekit", ["merge", *VALID["merge"], "--method", "mergekit:karcher", "--set", "max_itre=3"]),
    ("data-driven without the experts' tasks", ["merge", "-o", "new", "--base", "{}/base", "--expert", "x={}/faq", "--method", "fisher", "--tasks", "{}/data/tasks.toml"]),
    ("a joint model without vectors", ["imbalance", *VALID["imbalance"], "--joint", "{}/base"]),
    ("tasks that are not the vectors'", ["imbalance", *VALID["imbalance"], "--vectors", "{}/vectors", "--task", "likeness"]),
    ("an analysis that the profile has not", ["study", "demo", "--analyses", "norms"]),
    ("a model of another size as an expert", ["merge", *VALID["merge"], "--expert", "big=minilm-l3"]),
    ("a base of another size", ["vectors", "-o", "new", "--base", "minilm-l3", "--expert", "faq={}/faq"]),
    ("vectors where a model belongs", ["evaluate", "{}/vectors", "--tasks", "{}/data/tasks.toml", "--task", "likeness"]),
    ("a model where vectors belong", ["position", "-o", "new", "--vectors", "{}/base", "--tasks", "{}/data/tasks.toml"]),
    ("a task file where a profile belongs", ["study", "{}/tasks.toml", "-o", "new"]),
    ("a profile where a task file belongs", ["evaluate", "{}/base", "--tasks", "{}/all.toml"]),
]  # fmt: skip


#: Options that a command cannot do without, where its valid line has them.
_REQUIRED = {
    "train": ("-o", "--steps"),
    "vectors": ("-o",),
    "merge": ("-o",),
    "position": ("-o", "--vectors"),
    "search": ("-o", "--vectors"),
    "sweep": ("-o", "--vectors", "--over"),
}


def cases(home: Home) -> Iterator[Case]:
    """All of them."""
    for name, valid in VALID.items():
        for option in _REQUIRED.get(name, ()):
            place = valid.index(option)
            yield _case(home, f"{name} without {option}", [name, *valid[:place], *valid[place + 2 :]])
        yield _case(home, f"{name} with an unknown option", [name, *valid, "--nothing"])
        yield _case(home, f"{name} with a misspelt option", [name, *valid, "--sed", "1"])
        yield _case(home, f"{name} with an option without its value", [name, *valid, "-o"])
        if name != "compare":  # which takes any number of models
            yield _case(home, f"{name} with an argument too many", [name, *valid, "more", "still more"])
        for option, values in WRONG[name].items():
            for value in values:
                yield _case(home, f"{name} {option or 'ARGUMENT'} {value[:40]!r}", [name, *_with(valid, option, value)])
    for wrong, line in LINES:
        yield _case(home, wrong, line)


def _with(valid: list[str], option: str, value: str) -> list[str]:
    """The options with one set to another value; what may stand several times is added."""
    if not option:
        return [value, *valid[1:]]
    if option in valid and option not in ("--expert", "--value"):
        place = valid.index(option)
        return [*valid[:place], option, value, *valid[place + 2 :]]
    if option == "--value":
        return [*valid[:-2], option, value]
    if option == "--epochs":
        place = valid.index("--steps")
        return [*valid[:place], option, value, *valid[place + 2 :]]
    if option == "--probe-seed" or (option in ("--length", "--between") and value != "faq+topic" and "--over" in valid):
        over = "probe_size" if option == "--probe-seed" else "direction"
        return [*valid[: valid.index("--over")], "--over", over, option, value]
    return [*valid, option, value]


def _case(home: Home, wrong: str, line: list[str]) -> Case:
    return Case("command line", wrong, (), _beside, command(*(part.replace("{}", str(home.folder)) for part in line)))


def _beside(folder: Path) -> None:
    """What wrong arguments name: a user's folder, an empty one, texts and noise, a model without its weights."""
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("keep")
    (folder / "empty").mkdir()
    (folder / "folder.toml").mkdir()
    (folder / "words.txt").write_text("only words\n")
    (folder / "words.toml").write_text("only words\n")
    (folder / "empty.toml").write_text("")
    noise = bytes((37 * number) % 256 for number in range(2048))
    (folder / "noise.bin").write_bytes(noise)
    (folder / "noise.toml").write_bytes(noise)
    (folder / "half").mkdir()
    (folder / "half" / "modules.json").write_text(
        '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]'
    )
    (folder / "half" / "config.json").write_text('{"model_type": "bert"}')
