"""Self Positioning: gradient descent on a path's few parameters, judged on a small probe."""

import time
from typing import Literal

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from spkit.coefficients import Coefficients
from spkit.errors import SpkitError
from spkit.objective import Objective, Scale, StepLoss
from spkit.paths import Path, path_of
from spkit.position_result import PositionResult
from spkit.probe import Probe
from spkit.vectors import TaskVectors


class Position:
    """A point on a path, for the model as a whole (M = 1) or for each module with its own parameters φ.

    A module in which the path has no answer (a zero vector, a straight angle) takes the coefficients of the whole
    model, which are those of the mean φ and the whole Gram matrix.

    Args:
        vectors: gives the Gram matrices.
        path: turns φ and a Gram matrix into coefficients.
        modules: whether each module has its own φ.
        start: coefficients near which φ starts.
    """

    def __init__(self, vectors: TaskVectors, path: Path, modules: bool, start: Float[Tensor, " N"]) -> None:
        self.path = path
        whole = vectors.gram()
        assert isinstance(whole, Tensor)
        grams = vectors.gram(by="module") if modules else {"model": whole}
        assert isinstance(grams, dict)
        self.whole: Tensor = whole
        self.grams: list[Tensor] = list(grams.values())
        self.names = list(grams)
        rows, self.answers = [], []
        fallback = path.start(start, whole)
        for gram in self.grams:
            try:
                rows.append(path.start(start, gram))
                # Where a vector is zero, nothing would pull on its coefficient but the regulariser.
                self.answers.append(bool(torch.isfinite(rows[-1]).all() and (gram.diagonal() > 0).all()))
            except SpkitError:
                rows.append(fallback)
                self.answers.append(False)
        if not any(self.answers):  # one vector is zero everywhere, and the path has an answer all the same
            self.answers = [True] * len(rows)
        self.parameters = torch.stack(
            [row if answer else fallback for row, answer in zip(rows, self.answers, strict=True)]
        ).requires_grad_()

    def coefficients(self) -> Float[Tensor, "M N"]:
        """Coefficients at the present φ, with their graph."""
        own = self.parameters[torch.tensor(self.answers)]
        mean = self.path.coefficients(own.mean(0), self.whole) if not all(self.answers) else None
        rows = []
        for parameters, gram, answer in zip(self.parameters, self.grams, self.answers, strict=True):
            rows.append(self.path.coefficients(parameters, gram) if answer else mean)
        return torch.stack(rows)  # pyright: ignore[reportArgumentType]

    def length(self) -> Float[Tensor, ""]:
        """λ, as the mean over the modules that have their own."""
        own = self.parameters[torch.tensor(self.answers)]
        return torch.stack([self.path.length(parameters) for parameters in own]).mean()


def self_position(
    vectors: TaskVectors,
    probe: Probe,
    *,
    path: str | Path = "slerp",
    granularity: Literal["model", "module"] = "model",
    mu: float = 0.01,
    optimizer: Literal["sgd", "adam"] = "sgd",
    learning_rate: float | None = None,
    steps: int = 60,
    batch_size: int = 32,
    scale: Scale = "sum",
    start: Coefficients | None = None,
    validation: Probe | None = None,
    validate_every: int = 10,
    seed: int = 0,
    progress: bool = True,
) -> PositionResult:
    """Search the position θ0 + V·c(φ) with the lowest loss on the probe, by gradient descent on φ.

    A step takes one batch of each task, one forward and backward pass, and N inner products: the exact gradient with
    respect to the coefficients is the projection of the weights' gradient on the task vectors. Dropout is off.

    Args:
        vectors: the task vectors, or a sparsified set of them (TIES basis).
        probe: the examples the position is judged on.
        path: `"slerp"` (the paper's fold and length), `"simplex"` (positive weights times a length), `"free"` (the
            coefficients themselves), or a `spkit.Path`.
        granularity: `"model"` for one coefficient a task, `"module"` for one in each module (embeddings, each layer's
            attention, each layer's MLP, heads).
        mu: weight of the length λ in the objective, 0 or more; the paper finds good values below 0.05.
        optimizer: `"sgd"` (the paper's; momentum 0.9) or `"adam"`, which needs less tuning of the learning rate.
        learning_rate: first step size; it decays linearly to zero. None is 0.1.
        steps: steps of the search.
        batch_size: examples of each task in a step; they are each other's negatives.
        scale: `"sum"` (the paper) or `"gap"`; see `spkit.objective.Objective`.
        start: coefficients to start from; None is the average, 1/N each.
        validation: a probe on other examples; with it the best position on it is returned, not the last.
        validate_every: steps between two looks at the validation.
        seed: of the order of the batches.
        progress: whether to show a progress bar.

    Returns:
        Coefficients, history and model of the position. A search that is interrupted (Ctrl-C, a notebook's stop button)
        returns what it has.

    Raises:
        SpkitError: an unknown path, granularity or optimiser, a setting out of range, a loss that is not finite,
            vectors between which the path has no answer.

    References:
        arXiv 2410.15035, "Self Positioning".
    """
    check_settings(granularity, mu, optimizer, learning_rate, steps, validate_every)
    chosen_path = path_of(path)
    count = len(vectors)
    first = vectors.coefficients(start if start is not None else [1.0 / count] * count)[0]
    position = Position(vectors, chosen_path, granularity == "module", first)
    objective = Objective(vectors, probe, batch_size, scale, seed)
    judge = None if validation is None else Objective(vectors, validation, batch_size, scale, seed)
    rate = learning_rate if learning_rate is not None else 0.1
    stepper = (
        torch.optim.Adam([position.parameters], lr=rate)
        if optimizer == "adam"
        else torch.optim.SGD([position.parameters], lr=rate, momentum=0.9)
    )
    history = _History(vectors)
    best: tuple[float, Tensor] | None = None
    last = position.coefficients().detach()
    began, interrupted = time.perf_counter(), False
    try:
        for step in tqdm(range(steps), desc=f"position {granularity}", unit="step", disable=not progress):
            for group in stepper.param_groups:
                group["lr"] = rate * (1 - step / steps)
            coefficients = position.coefficients()
            result = objective.step(coefficients.detach())
            stepper.zero_grad()
            penalty = mu * position.length()
            ((coefficients * result.gradient).sum() + penalty).backward()
            norm = float(position.parameters.grad.norm())  # pyright: ignore[reportOptionalMemberAccess]
            history.add(step, result, float(penalty.detach()), coefficients.detach(), norm, time.perf_counter() - began)
            stepper.step()
            last = position.coefficients().detach()
            if judge is not None and ((step + 1) % validate_every == 0 or step + 1 == steps):
                value = judge.scaled(judge.task_losses(last)) + mu * float(position.length().detach())
                history.validated(step, value)
                if best is None or value < best[0]:
                    best = (value, last)
    except KeyboardInterrupt:
        interrupted = True
    settings = {
        "path": path if isinstance(path, str) else repr(path),
        "granularity": granularity,
        "mu": mu,
        "optimizer": optimizer,
        "learning_rate": rate,
        "steps": steps,
        "batch_size": batch_size,
        "scale": scale,
        "scales": objective.scales,
        "probe": {name: len(rows) for name, rows in probe.examples.items()},
        "probe_split": probe.split,
        "probe_seed": probe.seed,
        "start": first.tolist(),
        "validation": None if validation is None else {name: len(rows) for name, rows in validation.examples.items()},
        "validate_every": validate_every,
        "seed": seed,
        "interrupted": interrupted,
    }
    return PositionResult(vectors, best[1] if best is not None else last, position.names, history.frame(), settings)


class _History:
    """Rows of the search, one a step."""

    def __init__(self, vectors: TaskVectors) -> None:
        self.vectors = vectors
        self.rows: list[dict[str, float]] = []

    def add(
        self,
        step: int,
        result: StepLoss,
        penalty: float,
        coefficients: Float[Tensor, "M N"],
        norm: float,
        seconds: float,
    ) -> None:
        row: dict[str, float] = {"step": step, "loss": result.loss + penalty}
        row |= {f"loss:{name}": loss for name, loss in result.task_losses.items()}
        means = coefficients.mean(0).tolist()
        row |= {f"coefficient:{name}": value for name, value in zip(self.vectors.names, means, strict=True)}
        self.rows.append(row | {"gradient_norm": norm, "seconds": seconds})

    def validated(self, step: int, value: float) -> None:
        self.rows[step]["validation"] = value

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)


def check_settings(
    granularity: str = "model",
    mu: float = 0.0,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    steps: int = 1,
    validate_every: int = 1,
) -> None:
    """Raise what `self_position` would raise about these settings, before anything is computed."""
    if granularity not in ("model", "module"):
        raise SpkitError(
            "`granularity` must be 'model' or 'module'.", f"Found {granularity!r}.", "Pass one of the two."
        )
    if optimizer not in ("sgd", "adam"):
        raise SpkitError("`optimizer` must be 'sgd' or 'adam'.", f"Found {optimizer!r}.", "Pass one of the two.")
    if not mu >= 0:
        raise SpkitError("`mu` must be 0 or more.", f"Found {mu}.", "Pass 0.01, for example.")
    if learning_rate is not None and not learning_rate > 0:
        raise SpkitError("`learning_rate` must be positive.", f"Found {learning_rate}.", "Pass 0.05, for example.")
    if steps < 1 or validate_every < 1:
        raise SpkitError(
            "`steps` and `validate_every` must be positive.",
            f"Found {steps} and {validate_every}.",
            "Pass 1 or more.",
        )
