"""Do the tasks' gradients pull in different directions? Cosines that mini-batch noise does not shrink."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor
from tqdm.auto import tqdm

from spkit.errors import SpkitError, quoted
from spkit.layout import Layout
from spkit.losses import TaskBatches
from spkit.models import copy_model
from spkit.tasks import Task

#: Blocks of micro-batches that the jackknife leaves out one at a time.
_BLOCKS = 4

#: Half-width of a 95 % interval of Student's t with _BLOCKS − 1 degrees of freedom, in standard errors.
_T_975 = 3.182


@dataclass(frozen=True)
class ConflictReport:
    """Cosines between the tasks' mean gradients at one set of weights.

    Attributes:
        cosine: raw cosine of the mean gradients over all batches, task × task; noise shrinks it towards 0.
        corrected: ⟨ḡ_A, ḡ_B⟩ / √(s_A · s_B), what the cosine would be without noise; never clipped; NaN where a task's
            s is not positive ("undetermined").
        ceiling: s / ‖ḡ‖² of each task: the raw cosine that two such measurements of one task would have; 1 without
            noise.
        low: lower end of the 95 % jackknife interval of `corrected`.
        high: its upper end.
        by_module: a row a module and pair of tasks: `module`, `a`, `b`, `cosine`, `corrected`, `low`, `high`,
            `ceiling_a`, `ceiling_b`, `norm_a`, `norm_b`.
        norms: ‖ḡ‖ of each task.
        directional: mean pairwise cosine over all tasks (raw).
        magnitude: coefficient of variation of the norms.
        batches: micro-batches of each task.
        batch_size: examples in each; with in-batch negatives it belongs to what is measured.

    References:
        Mueller, Andrews, Dredze, arXiv 2212.06645 (directional and magnitude conflict).
    """

    cosine: pd.DataFrame
    corrected: pd.DataFrame
    ceiling: pd.Series
    low: pd.DataFrame
    high: pd.DataFrame
    by_module: pd.DataFrame
    norms: pd.Series
    directional: float
    magnitude: float
    batches: int
    batch_size: int


def gradient_conflict(
    model: SentenceTransformer,
    tasks: Mapping[str, Task] | Sequence[Task],
    *,
    batches: int = 16,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> ConflictReport:
    """Measure how far the tasks' gradients agree at a model's weights.

    For each task the gradients of M batches are summed in blocks; s = (‖Σ g‖² − Σ‖g‖²) / (M(M − 1)) estimates the
    squared norm of the expected gradient without bias, and corrects the cosine that noise shrinks. Dropout is off.

    Args:
        model: where the gradients are taken; it is left as it is.
        tasks: two or more tasks, as `load_tasks` gives them or as a list; gradients come from their training splits.
        batches: M, micro-batches of each task, at least 4 and a multiple of 4.
        batch_size: examples in each.
        seed: of the order of examples.
        progress: whether to show a progress bar.

    Returns:
        The report.

    Raises:
        SpkitError: fewer than two tasks, a number of batches out of range, a batch that a task cannot fill.

    References:
        Mueller, Andrews, Dredze, arXiv 2212.06645.
    """
    named = dict(tasks) if isinstance(tasks, Mapping) else {task.name: task for task in tasks}
    if len(named) < 2:
        raise SpkitError(
            "Conflict is measured between at least two tasks.", f"Found {quoted(named) or 'none'}.", "Pass two or more."
        )
    check_batches(batches)
    working = copy_model(model)
    layout = Layout.of(working)
    streams = {name: TaskBatches(task, task.train, working, batch_size, seed) for name, task in named.items()}
    for name, stream in streams.items():
        if stream.batch_size < batch_size:
            raise SpkitError(
                "Each task must have at least one full batch of training examples.",
                f"Found {len(named[name].train)} examples in {name!r}, which fill a batch of {stream.batch_size}, "
                f"at batch size {batch_size}.",
                "Lower `batch_size` or give the task more examples.",
            )
    modules = list(layout.modules)
    # Sums of the gradients by block, one flat vector each: memory is tasks × blocks vectors, whatever M is.
    sums = torch.zeros(len(named), _BLOCKS, layout.size)
    squares = np.zeros((len(modules), len(named), _BLOCKS))
    with tqdm(total=len(named) * batches, desc="gradients", unit="batch", disable=not progress) as bar:
        for row, stream in enumerate(streams.values()):
            source = iter(stream)
            for number in range(batches):
                block = number * _BLOCKS // batches
                stream.loss_of(next(source)).backward()
                squares[:, row, block] += _accumulate(working, layout, modules, sums[row, block])
                bar.update()
    return _report(list(named), modules, _inner_products(sums, layout, modules), squares, batches, batch_size)


def check_batches(batches: int) -> None:
    """Raise what `gradient_conflict` would raise about the number of batches, before anything is computed."""
    if batches < _BLOCKS or batches % _BLOCKS:
        raise SpkitError(
            f"`batches` must be a multiple of {_BLOCKS}, as many blocks give the interval.",
            f"Found {batches}.",
            "Pass 16, for example.",
        )


def _accumulate(
    model: SentenceTransformer, layout: Layout, modules: list[str], total: Float[Tensor, " P"]
) -> Float[np.ndarray, " M"]:
    """Add the model's gradient to a block's sum; its squared norm by module."""
    found = dict.fromkeys(modules, 0.0)
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        flat = parameter.grad.detach().to("cpu", torch.float32).flatten()
        total[layout.slices[name]] += flat
        found[layout.module_by_name[name]] += float(flat @ flat)
    model.zero_grad(set_to_none=True)
    return np.array(list(found.values()))


def _inner_products(sums: Float[Tensor, "T B P"], layout: Layout, modules: list[str]) -> Float[np.ndarray, "M TB TB"]:
    flat = sums.flatten(0, 1)
    count = len(flat)
    products = np.zeros((len(modules), count, count))
    for number, module in enumerate(modules):
        for place in layout.modules[module]:
            for start in range(place.start, place.stop, 1 << 20):
                part = flat[:, start : min(start + (1 << 20), place.stop)].double()
                products[number] += (part @ part.T).numpy()
    return products


def _report(
    names: list[str],
    modules: list[str],
    products: Float[np.ndarray, "M TB TB"],
    squares: Float[np.ndarray, "M T B"],
    batches: int,
    batch_size: int,
) -> ConflictReport:
    count = len(names)
    whole = _estimate(products.sum(0), squares.sum(0), batches)
    rows = []
    for number, module in enumerate(modules):
        part = _estimate(products[number], squares[number], batches)
        for a in range(count):
            for b in range(a + 1, count):
                rows.append({"module": module, "a": names[a], "b": names[b]} | part.pair(a, b))
    off_diagonal = ~np.eye(count, dtype=bool)

    def table(values: Float[np.ndarray, "T T"]) -> pd.DataFrame:
        return pd.DataFrame(values, index=names, columns=names)

    return ConflictReport(
        cosine=table(whole.cosine),
        corrected=table(whole.corrected),
        ceiling=pd.Series(whole.ceiling, index=names, name="ceiling"),
        low=table(whole.low),
        high=table(whole.high),
        by_module=pd.DataFrame(rows),
        norms=pd.Series(whole.norms, index=names, name="norm"),
        directional=float(np.mean(whole.cosine[off_diagonal])),
        magnitude=float(np.std(whole.norms) / np.mean(whole.norms)),
        batches=batches,
        batch_size=batch_size,
    )


@dataclass(frozen=True)
class _Estimate:
    cosine: Float[np.ndarray, "T T"]
    corrected: Float[np.ndarray, "T T"]
    low: Float[np.ndarray, "T T"]
    high: Float[np.ndarray, "T T"]
    ceiling: Float[np.ndarray, " T"]
    norms: Float[np.ndarray, " T"]

    def pair(self, a: int, b: int) -> dict[str, float]:
        return {
            "cosine": self.cosine[a, b],
            "corrected": self.corrected[a, b],
            "low": self.low[a, b],
            "high": self.high[a, b],
            "ceiling_a": self.ceiling[a],
            "ceiling_b": self.ceiling[b],
            "norm_a": self.norms[a],
            "norm_b": self.norms[b],
        }


def _estimate(products: Float[np.ndarray, "TB TB"], squares: Float[np.ndarray, "T B"], batches: int) -> _Estimate:
    """Cosines of the whole, and the jackknife over blocks for the interval of the corrected one."""
    count = len(squares)
    blocks = products.reshape(count, _BLOCKS, count, _BLOCKS)
    cosine, corrected, ceiling, norms = _cosines(blocks, squares, batches)
    left_out = np.stack(
        [
            _cosines(
                np.delete(np.delete(blocks, block, 1), block, 3),
                np.delete(squares, block, 1),
                batches - batches // _BLOCKS,
            )[1]
            for block in range(_BLOCKS)
        ]
    )
    spread = np.sqrt((_BLOCKS - 1) * np.var(left_out, axis=0))
    return _Estimate(cosine, corrected, corrected - _T_975 * spread, corrected + _T_975 * spread, ceiling, norms)


def _cosines(
    blocks: Float[np.ndarray, "T B T B"], squares: Float[np.ndarray, "T B"], batches: int
) -> tuple[Float[np.ndarray, "T T"], Float[np.ndarray, "T T"], Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """Raw and corrected cosines, ceilings and norms ‖ḡ‖ from the inner products of block sums."""
    inner = blocks.sum((1, 3)) / batches**2  # ⟨ḡ_A, ḡ_B⟩
    mean_square = np.diagonal(inner)
    signal = (mean_square * batches**2 - squares.sum(1)) / (batches * (batches - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = inner / np.sqrt(np.outer(mean_square, mean_square))
        ceiling = signal / mean_square
        known = np.where(signal > 0, signal, np.nan)
        corrected = inner / np.sqrt(np.outer(known, known))
    np.fill_diagonal(corrected, np.where(signal > 0, 1.0, np.nan))  # a task agrees with itself by definition
    return cosine, corrected, ceiling, np.sqrt(mean_square)
