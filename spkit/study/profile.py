"""A study's settings: all that decides its numbers."""

from dataclasses import dataclass, field, replace
from typing import Any

from spkit.errors import SpkitError, quoted
from spkit.study.methods import static_merges


@dataclass(frozen=True)
class Profile:
    """What a study does; see `spkit/study/profiles/demo.toml` for an example.

    Attributes:
        name: of the profile, and of its default output folder.
        base: name, folder or hub id of the base.
        max_seq_length: tokens at which texts are cut, or None.
        tasks: names of bundled tasks, or the path of a task file.
        names: which of the task file's tasks the study is about, where it is not about all of them.
        data: folder of the task file's data files, where these do not lie beside it.
        seeds: each seed is one whole run.
        training: settings of every training; jointly, `steps` holds for each task.
        joint: `sampling` of joint training.
        merges: `methods`, the static merges (names that `spkit.merge` takes; "all", the default, is all of spkit's
            own); `evaluations` of a tuned length; and for each method with settings a table of them by its name.
        probe: settings of `spkit.Probe.sample`.
        search: settings of the model-wise search.
        search_module: settings of the module-wise search.
        conflict: settings of `spkit.gradient_conflict`.
        evaluation: `resamples` of the bootstrap.
        analyses: settings of the analyses beyond the headline comparison, by name, those of the profile only. They run
            on the first seed, or with `every_seed = true` on all.
    """

    name: str
    base: str
    tasks: tuple[str, ...] | str
    max_seq_length: int | None = None
    names: tuple[str, ...] | None = None
    data: str | None = None
    seeds: tuple[int, ...] = (0,)
    training: dict[str, Any] = field(default_factory=dict)
    joint: dict[str, Any] = field(default_factory=dict)
    merges: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    search_module: dict[str, Any] = field(default_factory=dict)
    conflict: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    analyses: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def static(self) -> tuple[str, ...]:
        """The static merges."""
        return static_merges(self.merges.get("methods"))

    def seeds_of(self, analysis: str) -> tuple[int, ...]:
        """The seeds that an analysis runs on."""
        return self.seeds if self.analyses[analysis].get("every_seed", False) else self.seeds[:1]

    def with_base(self, base: str) -> "Profile":
        """The same study from another base."""
        return replace(self, base=base)

    def with_data(self, folder: str) -> "Profile":
        """The same study with its data files in another folder."""
        return replace(self, data=folder)

    def with_seeds(self, seeds: tuple[int, ...]) -> "Profile":
        """The same study with other seeds."""
        if not seeds or len(set(seeds)) < len(seeds):
            raise SpkitError("`seeds` must be one or more different numbers.", f"Found {seeds}.", "Pass 0,1,2.")
        return replace(self, seeds=seeds)

    def with_analyses(self, names: tuple[str, ...]) -> "Profile":
        """The same study with some of its analyses only; the comparison of the methods is always made."""
        unknown = [name for name in names if name not in self.analyses]
        if unknown:
            raise SpkitError(
                "A study can be narrowed to analyses that its profile has.",
                f"Found {quoted(unknown)}; {self.name!r} has {quoted(self.analyses)}.",
                "Pass some of these, separated by commas, or none.",
            )
        return replace(self, analyses={name: self.analyses[name] for name in self.analyses if name in names})
