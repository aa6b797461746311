"""Tables: the scores as a reader wants them, and any table as Markdown."""

from pandas import DataFrame

from spkit.escaping import in_markdown
from spkit.evaluation.means import UNSEEN_MEAN
from spkit.results.frames import main_scores, records, rows, with_means
from spkit.results.labels import method_label, ordered_methods, ordered_tasks


def summary_table(scores: DataFrame, comparisons: DataFrame | None = None) -> DataFrame:
    """Methods by tasks, each cell the score with its 95 % interval.

    Args:
        scores: the table of scores.csv (points, 0 to 100); several seeds are averaged, scores and bounds alike.
        comparisons: that of comparisons_mean.csv, which has the interval of the forgetting.

    Returns:
        Text, e.g. "62.7 [60.1, 65.0]"; without brackets where no interval is known, empty where a method has no score;
        methods in their fixed order as the index. Columns: the trained tasks, `mean` over them, and where there are
        any the unseen tasks, `unseen mean`, and `forgetting`, the unseen mean minus the base's.

    Example:
        >>> row = {"method": "ties", "task": "faq", "metric": "accuracy", "seed": 0}
        >>> table = summary_table(DataFrame([{**row, "score": 62.71, "low": 60.1, "high": 65.04}]))
        >>> table.loc["TIES", "faq"]
        '62.7 [60.1, 65.0]'
    """
    main = main_scores(scores)
    table = with_means(main, ["method", "task"], ["score", "low", "high"])
    means = records(rows(table, table["seed"] == "mean"))
    cells = {(row["method"], row["task"]): _cell(row["score"], row["low"], row["high"]) for row in means}
    methods, tasks = ordered_methods(main["method"]), ordered_tasks(main["task"])
    lines = [[cells.get((method, task), "") for task in tasks] for method in methods]
    made = DataFrame(lines, index=[method_label(method) for method in methods], columns=tasks).rename_axis("method")
    if UNSEEN_MEAN in tasks:
        forgot = _forgetting(scores, comparisons)
        made["forgetting"] = [forgot.get(method, "") for method in methods]
    return made


def _forgetting(scores: DataFrame, comparisons: DataFrame | None) -> dict[str, str]:
    """By method the unseen mean minus the base's, with its paired interval where the comparisons have it."""
    if comparisons is not None:
        of_base = rows(comparisons, (comparisons["against"] == "base") & (comparisons["task"] == UNSEEN_MEAN))
        return {row["method"]: _cell(row["difference"], row["low"], row["high"], "+") for row in records(of_base)}
    own = rows(scores, (scores["task"] == UNSEEN_MEAN) & (scores["method"] != "base"))
    means = own.groupby("method")["forgetting"].mean() if "forgetting" in own else {}
    return {str(method): _cell(value, float("nan"), float("nan"), "+") for method, value in means.items()}


def to_markdown(table: DataFrame) -> str:
    """A table as Markdown; the index is the first column, numbers stand right, text left.

    Args:
        table: any table; floats are printed with two decimals, missing values as nothing.

    Returns:
        The lines of the table, without a newline at the end.

    Example:
        >>> print(to_markdown(DataFrame({"score": [62.71]}, index=["ties"]).rename_axis("method")))
        | method | score |
        | :----- | ----: |
        | ties   | 62.71 |
    """
    columns = [(str(table.index.name or ""), [_text(value) for value in table.index], False)]
    for position, name in enumerate(table.columns):
        column = table.iloc[:, position]
        columns.append((str(name), [_text(value) for value in column], column.dtype.kind in "fiu"))
    lines: list[list[str]] = [[] for _ in range(len(table) + 2)]
    for name, values, right in columns:
        name = in_markdown(name)
        width = max(3, len(name), *map(len, values))
        rule = "-" * (width - 1)
        padded = [text.rjust(width) if right else text.ljust(width) for text in (name, *values)]
        for line, cell in zip(lines, (padded[0], f"{rule}:" if right else f":{rule}", *padded[1:]), strict=True):
            line.append(cell)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(score: float, low: float, high: float, sign: str = "") -> str:
    if score != score:
        return ""
    alone = format(score, f"{sign}.1f")
    return (
        alone if low != low or high != high else f"{alone} [{format(low, f'{sign}.1f')}, {format(high, f'{sign}.1f')}]"
    )


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else in_markdown(value)
