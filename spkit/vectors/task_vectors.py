"""Task vectors V_i = θ_i − θ0 as one matrix: geometry, positions in their span, projections of gradients."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import pandas as pd
import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from spkit.errors import SpkitError, check_choice, quoted
from spkit.hashing import weights_hash
from spkit.models.bases import copy_model
from spkit.models.layout import Layout
from spkit.models.other_kinds import kind_of_object
from spkit.models.runs import checkpoints_of
from spkit.vectors import storage
from spkit.vectors.basis import basis_names, bound
from spkit.vectors.coefficients import Coefficients, ModuleCoefficients, coefficient_rows
from spkit.vectors.matrix import check_rows, gram_of, write_sum
from spkit.vectors.projection import project_by_module
from spkit.vectors.provenance import Provenance
from spkit.vectors.room import chosen_rows
from spkit.vectors.subtraction import task_vectors_of, write_task_vectors

#: How the numbers of the vectors are kept.
Storage = Literal["float32", "bfloat16"]


class TaskVectors:
    """N task vectors over one base, as the rows of a matrix.

    Every merge in the span is θ0 + Σ c_i V_i, so that N coefficients and the Gram matrix describe it; this class is
    where coefficients become models and gradients become coefficients' gradients.

    Args:
        base: θ0.
        names: one name for each vector, in order.
        matrix: the vectors, float32 or bfloat16; may be memory-mapped, and is only read, a block at a time.
        base_hash: `weights_hash(base)`, where it is known already.
        provenance: where the models came from, for the recipes of what is made of the vectors.

    Raises:
        SpkitError: names and matrix do not fit each other or the base, or a value is not finite.

    References:
        Ilharco et al., "Editing Models with Task Arithmetic", arXiv 2212.04089, section 2.
    """

    def __init__(
        self,
        base: SentenceTransformer,
        names: Sequence[str],
        matrix: Float[Tensor, "N P"],
        base_hash: str | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        self.base = base
        self.names = tuple(names)
        self.provenance = provenance or Provenance(None, dict.fromkeys(self.names))
        self.matrix = matrix
        self.layout = Layout.of(base)
        self.base_hash = base_hash or weights_hash(base)
        self._grams: dict[str, Tensor] | None = None
        check_rows(self.names, matrix, self.layout)

    @classmethod
    def from_models(
        cls,
        base: SentenceTransformer | str | Path,
        models: Mapping[str, nn.Module | str | Path],
        *,
        folder: str | Path | None = None,
        dtype: Storage = "float32",
        check_origin: bool = True,
    ) -> "TaskVectors":
        """Subtract the base from each model.

        What all experts agree on is kept in the models that are merged of them, and a warning names it where the base
        has another: prompts, default prompt, similarity function, number of dimensions; the modules, where the base is
        a plain transformer; and the length at which texts are cut, where the base is given by its name.

        Args:
            base: the model that all of them were trained from, or its folder or id.
            models: name of each task vector to its model, folder or hub id, or to an adapter over the base (PEFT's
                folder, hub id or model, of LoRA and its kin); the order is kept. Adapters are added into the weights
                first. What is named is loaded as the base was, so that its code runs where the base's was trusted.
            folder: where to keep the vectors; they are then those that `load(folder)` gives. With None they are gone
                when they are no longer used. In either case they stand in a mapped file as soon as they are larger than
                64 MB, and of experts that are given as folders or ids one is in memory at a time.
            dtype: `"bfloat16"` takes half the space and rounds each entry of a vector to 8 bits: an expert is met to
                0.4 % of what training changed in each weight.
            check_origin: whether to refuse experts that were trained from another base: `spkit.train` marks what it
                trains with the hash of the base, and weights of other trainings must have a cosine of 0.5 or more with
                the base's. False takes your word for it; architecture, tokenizer and shapes are compared all the same.

        Returns:
            The task vectors.

        Raises:
            SpkitError: a model that is no fine-tune of the base (modules, tokenizer, keys, shapes, tied weights,
                origin), or that equals it.

        Example:
            >>> from spkit import load_base
            >>> base, expert = load_base("minilm-l3"), load_base("minilm-l3")
            >>> with torch.no_grad():
            ...     _ = next(expert.parameters()).add_(0.01)
            >>> TaskVectors.from_models(base, {"faq": expert}).names
            ('faq',)
        """
        if not isinstance(models, Mapping):
            raise SpkitError(
                "`models` must give each expert a name.",
                f"Found {kind_of_object(models)}.",
                'Pass {"faq": expert, ...}.',
            )
        if not models:
            raise SpkitError("`models` must name at least one expert.", "Found none.", "Pass {'faq': expert}.")
        check_choice("dtype", dtype, Storage)
        if folder is None:
            base, matrix, base_hash, provenance = task_vectors_of(
                base, models, getattr(torch, dtype), check_origin=check_origin
            )
            return cls(base, list(models), matrix, base_hash, provenance)
        trusted = write_task_vectors(folder, base, models, getattr(torch, dtype), check_origin)
        return cls.load(folder, trust_remote_code=trusted)

    @classmethod
    def from_runs(
        cls,
        base: SentenceTransformer | str | Path,
        runs: str | Path,
        *,
        last: int | None = None,
        folder: str | Path | None = None,
        dtype: Storage = "float32",
        check_origin: bool = True,
    ) -> "TaskVectors":
        """Subtract the base from each checkpoint of a training: which of them to merge is then a search.

        Args:
            base: the model that the training began with, or its folder or id.
            runs: the `output_dir` of a trainer of transformers or sentence-transformers, or a folder with several such.
            last: at most so many checkpoints of each training, the latest; None is all.
            folder: as in `from_models`.
            dtype: likewise.
            check_origin: likewise.

        Returns:
            The task vectors in the order of the steps, called "checkpoint-500", or "run/checkpoint-500" of several
            trainings; see `spkit.models.runs.checkpoints_of`.

        Raises:
            SpkitError: a folder without checkpoints, or what `from_models` raises.
        """
        models = checkpoints_of(runs, last)
        return cls.from_models(base, models, folder=folder, dtype=dtype, check_origin=check_origin)

    def __len__(self) -> int:
        return len(self.names)

    def __getattr__(self, name: str) -> Callable[..., "TaskVectors"]:
        """The bases of `spkit.vectors.bases`, each in a file of its own: `vectors.breadcrumbs(...)`."""
        if name.startswith("_"):  # what copying and pickling ask for, also of an object that has nothing yet
            raise AttributeError(name)
        return bound(name, self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *basis_names()]

    def __repr__(self) -> str:
        return f"TaskVectors({quoted(self.names)}; {self.num_parameters:,} parameters)"

    @property
    def num_parameters(self) -> int:
        """P, the length of each vector."""
        return self.layout.size

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that a module-wise merge gives coefficients of their own."""
        return tuple(self.layout.modules)

    @overload
    def gram(self, by: None = None) -> Float[Tensor, "N N"]: ...

    @overload
    def gram(self, by: Literal["module"]) -> dict[str, Float[Tensor, "N N"]]: ...

    def gram(self, by: Literal["module"] | None = None) -> Float[Tensor, "N N"] | dict[str, Float[Tensor, "N N"]]:
        """Inner products of the task vectors, accumulated in float64.

        Args:
            by: None for the whole vectors, `"module"` for each module on its own.

        Returns:
            Float64 tensor of shape [N, N], or one for each module; these sum to the whole.

        References:
            arXiv 2410.15035: everything the paths need of the vectors.
        """
        if by not in (None, "module"):
            raise SpkitError("`by` must be None or 'module'.", f"Found {by!r}.", "Pass one of the two.")
        if self._grams is None:
            self._grams = {name: gram_of(self.matrix, places) for name, places in self.layout.modules.items()}
        if by == "module":
            return {name: gram.clone() for name, gram in self._grams.items()}
        return torch.stack(list(self._grams.values())).sum(0)

    def norms(self) -> pd.Series:
        """Length ‖V_i‖ of each task vector, by name."""
        return pd.Series(self.gram().diagonal().sqrt().numpy(), index=list(self.names), name="norm")

    def cosines(self) -> pd.DataFrame:
        """Cosine of the angle between each two task vectors; NaN where one is zero."""
        gram = self.gram()
        norms = gram.diagonal().sqrt()
        values = (gram / torch.outer(norms, norms)).numpy()
        return pd.DataFrame(values, index=list(self.names), columns=list(self.names))

    def coefficients(self, given: Coefficients | ModuleCoefficients) -> Float[Tensor, "M N"]:
        """Coefficients in any accepted form, as a float64 tensor: one row, or one row a module.

        See `spkit.vectors.coefficients.coefficient_rows`, for these names and modules.
        """
        return coefficient_rows(given, self.names, self.modules)

    def flat(self, coefficients: Coefficients | ModuleCoefficients) -> Float[Tensor, " P"]:
        """The parameters θ0 + V·c as one flat float32 vector."""
        return self.layout.flatten(dict(self.at(coefficients).named_parameters()))

    def at(self, coefficients: Coefficients | ModuleCoefficients) -> SentenceTransformer:
        """A new model at the position θ0 + Σ c_i V_i.

        Args:
            coefficients: one per task vector (numbers in order, or by name); a mapping from each module to such, or a
                DataFrame modules × tasks, for module-wise merges. Zero is the base, one-hot the expert.

        Returns:
            A model of its own; base and vectors are left as they are.

        Raises:
            SpkitError: wrong length or names, or values that are not finite.
        """
        model = copy_model(self.base)
        self.write(coefficients, model)
        return model

    def write(
        self,
        coefficients: Coefficients | ModuleCoefficients,
        model: SentenceTransformer,
        rows: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Move an existing copy of the base to a position, in place; of the parameters in `rows`, only these rows."""
        given = self.coefficients(coefficients).to(self.matrix.device, torch.float32)
        by_module = dict(zip(self.modules, given.expand(len(self.modules), -1), strict=True))
        base = dict(self.base.named_parameters())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                row, chosen = by_module[self.layout.module_by_name[name]], rows.get(name) if rows else None
                write_sum(parameter, base[name].detach(), self.matrix, self.layout.slices[name], row, chosen)

    def project(self, gradients: Mapping[str, Tensor | None]) -> Float[Tensor, " N"]:
        """Inner product of a gradient with each task vector: the gradient of the loss with respect to the coefficients.

        ∂L/∂c_i = ⟨∂L/∂θ, V_i⟩ is exact for every merge θ0 + V·c and needs no graph through the merge.

        Args:
            gradients: from the name in `named_parameters()` to its gradient; a parameter may be missing, or be None,
                only where backward gave it none, and then counts as zero.

        Returns:
            Float64 tensor of shape [N].

        Raises:
            SpkitError: an unknown name or another shape.
        """
        return self.project_modules(gradients).sum(0)

    def project_modules(self, gradients: Mapping[str, Tensor | None]) -> Float[Tensor, "M N"]:
        """`project` for each module on its own."""
        return project_by_module(self.matrix, self.layout, gradients)

    def select(self, names: Sequence[str]) -> "TaskVectors":
        """Some of the vectors, in the order given."""
        missing = [name for name in names if name not in self.names]
        if missing or not names:
            raise SpkitError(
                "`names` must be names of task vectors.",
                f"Found {quoted(missing) or 'none'}, where there are {quoted(self.names)}.",
                "Pass some of these.",
            )
        matrix = chosen_rows(self.matrix, [self.names.index(name) for name in names])
        return TaskVectors(self.base, names, matrix, self.base_hash, self.provenance.select(names))

    def reweighted(self, matrix: Float[Tensor, "N P"], operation: str, **parameters: Any) -> "TaskVectors":
        """Other values under the same names, over the same base: a basis that a search may run on.

        Args:
            matrix: the new values.
            operation: what made them of the old ones, for the recipe.
            parameters: its parameters, in JSON's types.
        """
        after = self.provenance.then(operation, **parameters)
        return TaskVectors(self.base, self.names, matrix, self.base_hash, after)

    def save(self, folder: str | Path) -> None:
        """Write base, names, hash and matrix to a folder that works alone.

        Raises:
            SpkitError: the folder holds something that spkit did not write, or that was changed since; it is left as it
                was.
        """
        storage.save(Path(folder), self.base, self.names, self.matrix, self.layout, self.base_hash, self.provenance)

    @classmethod
    def load(cls, folder: str | Path, *, trust_remote_code: bool = False) -> "TaskVectors":
        """Read a folder that `save` wrote; the matrix stays memory-mapped.

        Args:
            folder: of the task vectors.
            trust_remote_code: whether code that comes with the base, in `base/`, may run here.

        Raises:
            SpkitError: a missing, truncated or changed file, a base that is not the one the vectors were made with or
                that needs code of its own that is not trusted, or an expert that was replaced by another since.
        """
        return cls(*storage.load(Path(folder), trust_remote_code))
