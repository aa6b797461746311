"""A study's settings: all that decides its numbers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, field_validator, model_validator

from spkit.errors import SpkitError, quoted
from spkit.merging.registry import PASS_THROUGH, find
from spkit.merging.registry import methods as merge_methods
from spkit.models.loading import NumberType
from spkit.searching.choices import Optimizer, Start, check_settings, scale_of
from spkit.searching.path_names import check_path_name
from spkit.signatures import LARGEST_SEED
from spkit.study.methods import TUNED, check_merge_table, static_merges
from spkit.study.settings import Different, Number, Settings, Truth, Whole, as_in
from spkit.tasks.losses import BATCHING
from spkit.training.shares import check_sampling

#: The rule by which the tasks of a joint training take turns.
Sampling = Annotated[str | Number | dict[str, Number], AfterValidator(check_sampling)]

_BASE = "spkit.models.bases:load_base"
_TRAIN = "spkit.training.trainer:train"
_SEARCH = "spkit.searching.self_position:self_position"
_CONFLICT = "spkit.diagnostics.conflict.measuring:gradient_conflict"


class Training(Settings):
    """Settings of every training: what `spkit.train` takes, and either `steps` or `epochs`."""

    steps: Whole | None = Field(None, ge=1)
    epochs: Number | None = Field(None, gt=0)
    learning_rate: Number = as_in(_TRAIN, "learning_rate", gt=0)
    batch_size: Whole = as_in(_TRAIN, "batch_size", ge=1)
    precision: Literal["float32", "bfloat16"] = as_in(_TRAIN, "precision")
    mini_batch_size: Whole | None = as_in(_TRAIN, "mini_batch_size", ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if (self.steps is None) == (self.epochs is None):
            raise SpkitError(
                "A training must have either `steps` or `epochs`.",
                f"Found steps = {self.steps} and epochs = {self.epochs}.",
                "Write one.",
            )
        return self

    def without_length(self) -> dict[str, Any]:
        """The settings of a training whose steps or epochs are decided elsewhere."""
        return {name: value for name, value in self.arguments().items() if name not in ("steps", "epochs")}


class Loss(Settings):
    """One loss, at one temperature, for all that is trained on, in place of the tasks' own; their thresholds stay."""

    name: str | None = None
    temperature: Number | None = Field(default=None, gt=0)

    @field_validator("name")
    @classmethod
    def _known_loss(cls, name: str | None) -> str | None:
        if name is not None and name not in BATCHING:
            raise SpkitError(f"A loss must be one of {quoted(BATCHING)}.", f"Found {name!r}.", "Write one of them.")
        return name

    @model_validator(mode="after")
    def _temperature_of_a_loss(self) -> "Loss":
        if self.name is None and self.temperature is not None:
            raise SpkitError(
                "`temperature` must be that of a loss.", f"Found {self.temperature} alone.", 'Write `name = "infonce"`.'
            )
        return self


class Joint(Settings):
    """Settings of joint training beside those of every training."""

    sampling: Sampling = as_in(_TRAIN, "sampling")
    mixing: Literal["task", "step"] = as_in(_TRAIN, "mixing")


class Merges(Settings):
    """The static merges, "all" standing for all of spkit's own; a method's settings stand in a table of its name."""

    methods: tuple[str, ...] = ("all",)
    evaluations: Whole = as_in("spkit.merging.tuning:tune_length", "evaluations", ge=3)
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def known_keys(cls) -> list[str]:
        """A table for each method takes the place of `settings`."""
        return [*(key for key in cls.model_fields if key != "settings"), *merge_methods()]

    @model_validator(mode="before")
    @classmethod
    def _tables_of_methods(cls, given: Any) -> Any:
        """`[merges.ties]` is a table of [merges]; here all of these stand together."""
        if not isinstance(given, dict) or isinstance(given.get("settings"), dict):
            return given
        is_method = {key: key in merge_methods() or key.startswith(PASS_THROUGH) for key in given}
        for key, value in given.items():
            if is_method[key] and not isinstance(value, dict):
                raise SpkitError(
                    f"The settings of a merge must stand in a table, [merges.{key}].", f"Found {key} = {value!r}."
                )
        own = {key: value for key, value in given.items() if not is_method[key]}
        return own | {"settings": {key: value for key, value in given.items() if is_method[key]}}

    @field_validator("methods")
    @classmethod
    def _known(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for method in static_merges(methods):
            if not method.startswith(PASS_THROUGH):
                find(method)
        return methods

    @model_validator(mode="after")
    def _settings_of_what_is_made(self) -> "Merges":
        made = {*static_merges(self.methods), *TUNED.values()}
        for method, settings in self.settings.items():
            if method not in made:
                raise SpkitError(
                    "A table of settings must be of a method that the study makes.",
                    f"Found [merges.{method}], where `methods` has {quoted(self.methods)}.",
                    "Add the method, or leave the table out.",
                )
            check_merge_table(method, settings)
        return self


class ProbeSettings(Settings):
    """Settings of `spkit.Probe.sample`."""

    size: Whole = as_in("spkit.searching.probe:Probe.sample", "size", ge=1)
    balance: Annotated[str | dict[str, Number], AfterValidator(check_sampling)] = as_in(
        "spkit.searching.probe:Probe.sample", "balance"
    )
    split: str = as_in("spkit.searching.probe:Probe.sample", "split")

    @field_validator("split")
    @classmethod
    def _not_held_back(cls, split: str) -> str:
        if split != "train":
            raise SpkitError(
                "A study's probe must come from the training splits: the dev splits choose between its searches.",
                f"Found {split!r}.",
                'Write "train".',
            )
        return split


class Search(Settings):
    """Settings of `spkit.self_position`."""

    path: str = as_in(_SEARCH, "path")
    optimizer: Optimizer = as_in(_SEARCH, "optimizer")
    learning_rate: Number | None = as_in(_SEARCH, "learning_rate", gt=0)
    steps: Whole = as_in(_SEARCH, "steps", ge=1)
    batch_size: Whole = as_in(_SEARCH, "batch_size", ge=1)
    mu: Number = as_in(_SEARCH, "mu", ge=0)
    scale: str = as_in(_SEARCH, "scale")
    start: Start = as_in(_SEARCH, "start")
    average_last: Whole | None = as_in(_SEARCH, "average_last", ge=1)
    trust: Number | None = as_in(_SEARCH, "trust", gt=0)

    @field_validator("path")
    @classmethod
    def _known_path(cls, path: str) -> str:
        check_path_name(path)
        return path

    @field_validator("scale")
    @classmethod
    def _known_scale(cls, scale: str) -> str:
        scale_of(scale)
        return scale

    @model_validator(mode="after")
    def _fitting(self) -> "Search":
        check_settings(
            optimizer=self.optimizer, learning_rate=self.learning_rate, average_last=self.average_last, trust=self.trust
        )
        return self


class Conflict(Settings):
    """Settings of `spkit.gradient_conflict`."""

    batches: Whole = as_in(_CONFLICT, "batches", ge=1)
    batch_size: Whole = as_in(_CONFLICT, "batch_size", ge=1)


class Evaluation(Settings):
    """How sure the scores are said to be."""

    resamples: Annotated[int, Strict()] = as_in("spkit.evaluation.intervals:bootstrap", "resamples", ge=1, le=1_000_000)


class AnalysisSettings(Settings):
    """What the table of every analysis may have."""

    every_seed: Truth = False

    def arguments(self) -> dict[str, Any]:
        """What is set for the analysis itself."""
        return {name: value for name, value in super().arguments().items() if name != "every_seed"}


#: Names of two tasks or more: one alone can neither conflict nor be merged.
_Names = Annotated[tuple[str, ...], Field(min_length=2), Different]


class Tables(Settings):
    """What stands in a profile's file beside the tables of analyses.

    Attributes:
        base: name, folder or hub id of the base.
        max_seq_length: tokens at which texts are cut, or None.
        dtype, device, trust_remote_code, revision, attention: how the base is loaded, as `spkit.load_base` takes them.
        tasks: names of bundled tasks, or the path of a task file.
        names: which of the task file's tasks the study trains on, where these are not all of them.
        unseen: names of bundled tasks, or of the task file's, that models are only scored on; tasks of the role
            "unseen" among the others count as such, too.
        allow_leak: go on where what is trained on shares texts with an unseen task.
        data: folder of the task file's data files, where these do not lie beside it.
        seeds: each seed is one whole run.
        loss: the `name` and `temperature` of one loss for all that is trained on; by default each task has its own.
        training: settings of every training; jointly, `steps` holds for each task.
        joint: `sampling` and `mixing` of joint training.
        merges: `methods`, the static merges (names that `spkit.merge` takes; by default all of spkit's own), their
            settings, and `evaluations` of the length where it is tuned.
        probe: what merges are tuned and positions are searched on.
        search: settings of the model-wise search.
        search_module: settings of the module-wise search.
        conflict: settings of the conflict's measurement.
        evaluation: `resamples` of the bootstrap.
    """

    base: str = Field(min_length=1, examples=['base = "minilm-l3"'])
    tasks: _Names | str = Field(examples=['tasks = ["headline", "chat"], or the path of a task file'])
    max_seq_length: Whole | None = Field(None, ge=1)
    dtype: NumberType = as_in(_BASE, "dtype")
    device: str | None = as_in(_BASE, "device")
    trust_remote_code: Truth = as_in(_BASE, "trust_remote_code")
    revision: str | None = as_in(_BASE, "revision")
    attention: str | None = as_in(_BASE, "attention")
    names: _Names | None = None
    unseen: Annotated[tuple[str, ...], Different] = ()
    allow_leak: Truth = False
    data: str | None = Field(None, min_length=1)
    seeds: tuple[Whole, ...] = (0,)
    loss: Loss = Field(default_factory=Loss)
    training: Training = Field(examples=["[training] with `steps` or `epochs`"])
    joint: Joint = Field(default_factory=Joint)
    merges: Merges = Field(default_factory=Merges)
    probe: ProbeSettings = Field(default_factory=ProbeSettings)
    search: Search = Field(default_factory=Search)
    search_module: Search = Field(default_factory=Search)
    conflict: Conflict = Field(default_factory=Conflict)
    evaluation: Evaluation = Field(default_factory=Evaluation)

    @field_validator("seeds")
    @classmethod
    def _different_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        _check_seeds(seeds)
        return seeds

    @model_validator(mode="after")
    def _unseen_is_not_trained_on(self) -> "Tables":
        trained = self.names or (() if isinstance(self.tasks, str) else self.tasks)
        if both := [name for name in self.unseen if name in trained]:
            raise SpkitError(
                "What is unseen must not be trained on.",
                f"Found {quoted(both)} in `unseen` and in `{'names' if self.names else 'tasks'}`.",
                "Take it out of one of the two.",
            )
        return self

    @model_validator(mode="after")
    def _names_of_a_file(self) -> "Tables":
        if self.names is not None and (self.tasks == "bundled" or not isinstance(self.tasks, str)):
            raise SpkitError(
                "`names` must be a list of the tasks of a task file.",
                f"Found names = {list(self.names)} beside tasks = {self.tasks!r}.",
                "Name bundled tasks in `tasks` itself.",
            )
        if self.data is not None and (self.tasks == "bundled" or not isinstance(self.tasks, str)):
            raise SpkitError(
                "`data` must be the folder of a task file's data files.",
                f"Found data = {self.data!r} beside tasks = {self.tasks!r}.",
                "Leave it out: bundled tasks have none.",
            )
        return self


class Profile(Tables):
    """What a study does; see `spkit/study/profiles/demo.toml` for an example.

    Attributes:
        name: of the profile, and of its default output folder.
        file: where it was read from, for errors.
        analyses: settings of the analyses beyond the headline comparison, by name, in the order in which they run and
            stand in the summary. They run on the first seed, or with `every_seed = true` on all.
    """

    name: str
    file: str
    analyses: dict[str, Any] = Field(default_factory=dict)

    @property
    def static(self) -> tuple[str, ...]:
        """The static merges."""
        return static_merges(self.merges.methods)

    def seeds_of(self, analysis: str) -> tuple[int, ...]:
        """The seeds that an analysis runs on."""
        return self.seeds if self.analyses[analysis].every_seed else self.seeds[:1]

    def loading(self) -> dict[str, Any]:
        """How the base is loaded, for `spkit.load_base`."""
        names = ("max_seq_length", "dtype", "device", "trust_remote_code", "revision", "attention")
        return {name: getattr(self, name) for name in names}

    def with_loading(self, settings: Mapping[str, Any]) -> "Profile":
        """The same study with its base loaded otherwise: some of `dtype`, `device` and so on."""
        return self.model_copy(update=dict(settings))

    def with_base(self, base: str) -> "Profile":
        """The same study from another base."""
        return self.model_copy(update={"base": base})

    def with_data(self, folder: str) -> "Profile":
        """The same study with its data files in another folder."""
        return self.model_copy(update={"data": folder})

    def with_seeds(self, seeds: tuple[int, ...]) -> "Profile":
        """The same study with other seeds."""
        _check_seeds(seeds)
        return self.model_copy(update={"seeds": seeds})

    def with_analyses(self, names: tuple[str, ...]) -> "Profile":
        """The same study with some of its analyses only; the comparison of the methods is always made."""
        unknown = [name for name in names if name not in self.analyses]
        if unknown:
            raise SpkitError(
                "A study can be narrowed to analyses that its profile has.",
                f"Found {quoted(unknown)}; {self.name!r} has {quoted(self.analyses)}.",
                "Pass some of these, separated by commas, or none.",
            )
        return self.model_copy(
            update={"analyses": {name: self.analyses[name] for name in self.analyses if name in names}}
        )


def _check_seeds(seeds: tuple[int, ...]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise SpkitError(
            f"`seeds` must be one or more different numbers from 0 to {LARGEST_SEED}.",
            f"Found {list(seeds)}.",
            "Pass 0, 1 and 2, for example.",
        )
