"""The tables of a study's profile, each with the settings of one thing that a study does."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, field_validator, model_validator

from spkit.errors import SpkitError, quoted
from spkit.merging.registry import PASS_THROUGH, find
from spkit.merging.registry import methods as merge_methods
from spkit.searching.choices import Optimizer, Start, check_settings, scale_of
from spkit.searching.path_names import check_path_name
from spkit.study.methods import TUNED, check_merge_table, static_merges
from spkit.study.settings import Number, Settings, Whole, as_in
from spkit.tasks.losses import BATCHING
from spkit.training.shares import check_sampling

#: The rule by which the tasks of a joint training take turns.
Sampling = Annotated[str | Number | dict[str, Number], AfterValidator(check_sampling)]

_TRAIN = "spkit.training.trainer:train"
_SEARCH = "spkit.searching.self_position:self_position"
_CONFLICT = "spkit.diagnostics.conflict.measuring:gradient_conflict"


class Given(Settings):
    """Models of one's own, fine-tunes of the study's base: each takes the place of a training."""

    experts: dict[str, str] = Field(default_factory=dict)
    joint: str | None = Field(default=None, min_length=1)

    @field_validator("experts", mode="before")
    @classmethod
    def _by_task(cls, experts: Any) -> Any:
        if not isinstance(experts, dict) or not experts or not all(isinstance(one, str) for one in experts.values()):
            raise SpkitError(
                "It must be a table of folders or hub ids by the tasks' names.",
                f"Found {experts!r}.",
                'Write `experts = {faq = "runs/faq", sts = "runs/sts"}`, or leave it out.',
            )
        return experts

    @property
    def sources(self) -> dict[str, str]:
        """Folder or hub id of each, by the name of the method that it is."""
        experts = {f"expert:{name}": source for name, source in self.experts.items()}
        return experts | ({} if self.joint is None else {"joint": self.joint})

    def placed(self, place: Callable[[str], str]) -> "Given":
        """The same with each folder where it lies."""
        experts = {name: place(source) for name, source in self.experts.items()}
        return self.model_copy(update={"experts": experts, "joint": None if self.joint is None else place(self.joint)})


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
