"""A study's settings: all that decides its numbers."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from spkit.errors import SpkitError, quoted
from spkit.models.loading import NumberType
from spkit.signatures import LARGEST_SEED
from spkit.study.methods import static_merges
from spkit.study.profile_tables import Conflict, Evaluation, Given, Joint, Loss, Merges, ProbeSettings, Search, Training
from spkit.study.settings import Different, Settings, Truth, Whole, as_in

_BASE = "spkit.models.bases:load_base"


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
        given: `joint`, and `experts` by the tasks' names: models of your own in place of those that the study trains,
            folders or hub ids. A task that they were trained on needs a `test` file.
        loss: the `name` and `temperature` of one loss for all that is trained on; by default each task has its own.
        training: settings of every training; jointly, `steps` holds for each task. Where experts and joint model are
            given, the trainings of analyses have one epoch by default.
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
    given: Given = Field(default_factory=Given)
    loss: Loss = Field(default_factory=Loss)
    training: Training = Field(examples=["[training] with `steps` or `epochs`"])
    joint: Joint = Field(default_factory=Joint)
    merges: Merges = Field(default_factory=Merges)
    probe: ProbeSettings = Field(default_factory=ProbeSettings)
    search: Search = Field(default_factory=Search)
    search_module: Search = Field(default_factory=Search)
    conflict: Conflict = Field(default_factory=Conflict)
    evaluation: Evaluation = Field(default_factory=Evaluation)

    @model_validator(mode="before")
    @classmethod
    def _little_to_train(cls, tables: Any) -> Any:
        """A study of given models alone need not say how it trains."""
        given = tables.get("given") if isinstance(tables, dict) else None
        if isinstance(given, dict) and given.get("experts") and given.get("joint") and "training" not in tables:
            return tables | {"training": {"epochs": 1.0}}
        return tables

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
