"""Names as a reader sees them: of methods, of their families, of metrics, of modules; and the order they stand in."""

from collections.abc import Iterable

from spkit.evaluation.means import MEAN, MEANS, UNSEEN_MEAN
from spkit.merging import registry
from spkit.tasks.kinds import kinds

#: The metric that speaks for a task, where a table holds several, with its label.
METRIC_LABELS = {kind.metric.name: kind.metric.label for kind in kinds().values()} | {"mean": "mean of tasks"}

#: Names of what is no merge by a fixed rule; these say their names in the registry of methods.
_LABELS = {
    "joint": "joint training",
    "self_position": "Self Positioning",
}
_IN_SPAN = {
    "joint mix": "0.75 joint + 0.25 each",
    "joints mix": "0.75 all joint + 0.25 each",
    "random": "random vectors",
    "search": "search by score",
}

#: The place of each family in the order of methods; a tuned merge stands among the merges.
_FAMILIES = {"base": 0, "expert": 1, "joint": 2, "merge": 3, "tuned": 3, "searched": 4, "span": 5}


def metric_label(metric: str) -> str:
    """A metric's name as it stands beside an axis.

    Example:
        >>> metric_label("ndcg_at_10"), metric_label("recall_at_5")
        ('nDCG@10', 'recall at 5')
    """
    return METRIC_LABELS.get(metric, metric.replace("_", " "))


def family(method: str) -> str:
    """The kind of a method: base, expert, joint, merge, tuned, searched, or span where joint models are merged, too.

    Example:
        >>> family("expert:faq"), family("ties"), family("ties_tuned"), family("self_position:module")
        ('expert', 'merge', 'tuned', 'searched')
        >>> family("joint:longer"), family("span:average")
        ('joint', 'span')
    """
    stem = method.partition(":")[0]
    if stem in ("base", "joint", "expert", "span"):
        return stem
    if stem in ("self_position", "search"):
        return "searched"
    return "tuned" if method.endswith("_tuned") else "merge"


def method_label(method: str) -> str:
    """A method's name as it stands in a figure.

    Example:
        >>> method_label("task_arithmetic_tuned"), method_label("self_position:module")
        ('task arithmetic, tuned', 'Self Positioning, by module')
        >>> method_label("joint:longer"), method_label("span:joint mix")
        ('joint training, longer', 'span: 0.75 joint + 0.25 each')
    """
    if method.startswith("span:"):
        own = method.removeprefix("span:")
        return f"span: {_IN_SPAN.get(own) or method_label(own)}"
    if method.startswith("expert:"):
        return f"expert: {method.removeprefix('expert:')}"
    stem, _, detail = method.removesuffix("_tuned").partition(":")
    merges = registry.methods()
    parts = [merges[stem].label if stem in merges else _LABELS.get(stem, stem.replace("_", " "))]
    parts += [f"by {detail}" if family(method) == "searched" else detail] if detail else []
    parts += ["tuned"] if method.endswith("_tuned") else []
    return ", ".join(parts)


def module_label(module: str) -> str:
    """A module's name as it stands in a figure.

    Example:
        >>> module_label("layer.0.attention"), module_label("embeddings")
        ('layer 0 attention', 'embeddings')
    """
    return module.replace(".", " ")


def ordered_methods(methods: Iterable[str]) -> list[str]:
    """Base, experts, joint training, merges, searches; each method once.

    Merges stand in the order of the registry of methods, a tuned one behind its own; others follow as they come.

    Example:
        >>> ordered_methods(["self_position", "ties", "joint", "average", "expert:b", "base"])
        ['base', 'expert:b', 'joint', 'average', 'ties', 'self_position']
    """
    given = list(dict.fromkeys(methods))
    merges = list(registry.methods())

    def place(method: str) -> tuple[int, int, bool, int]:
        kind, stem = family(method), method.removesuffix("_tuned")
        known = merges.index(stem) if stem in merges else len(merges)
        return _FAMILIES[kind], known, kind == "tuned", given.index(method)

    return sorted(given, key=place)


def ordered_tasks(tasks: Iterable[str]) -> list[str]:
    """Each task once, as they come, the mean over tasks last.

    Where there are unseen tasks, `mean` stays between the trained ones and them, and their own mean is the last.

    Example:
        >>> ordered_tasks(["mean", "faq", "sts", "faq"])
        ['faq', 'sts', 'mean']
        >>> ordered_tasks(["faq", "mean", "unseen mean", "news"])
        ['faq', 'mean', 'news', 'unseen mean']
    """
    given = list(dict.fromkeys(tasks))
    last = UNSEEN_MEAN if UNSEEN_MEAN in given else MEAN
    return sorted(given, key=lambda task: task == last)


def without_means(tasks: Iterable[str]) -> list[str]:
    """The tasks themselves, each once, without the rows that average over them.

    Example:
        >>> without_means(["faq", "mean", "news", "unseen mean"])
        ['faq', 'news']
    """
    return [task for task in dict.fromkeys(tasks) if task not in MEANS]


def way_label(method: str, pair: list[str]) -> str:
    """A way's name as it stands in a figure.

    Example:
        >>> way_label("total 3-1", ["faq", "sts"]), way_label("surgery upgrad", ["faq", "sts"])
        ('3:1, total kept', 'surgery: UPGrad')
    """
    scheme, _, rest = method.partition(" ")
    if scheme in ("total", "max"):
        return f"{rest.replace('-', ':')}, {'total' if scheme == 'total' else 'largest'} kept"
    if scheme == "surgery":
        return f"surgery: {({'upgrad': 'UPGrad', 'pcgrad': 'PCGrad'}).get(rest, rest)}"
    return "Self Positioning" if method == "self_position" else method
