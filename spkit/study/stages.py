"""The stages of one seed of a study: what each reads, which code it runs, and what it leaves in its folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

from spkit.conflict import gradient_conflict
from spkit.evaluation import measure, save_measurements
from spkit.hashing import weights_hash
from spkit.merging import point
from spkit.models import load_base, load_model
from spkit.objective import Objective
from spkit.positioning import self_position
from spkit.probe import Probe
from spkit.recipe import save_model
from spkit.study.methods import SEARCHES, TUNED, method_names
from spkit.study.profile import Profile
from spkit.study.records import Record, Stage, finish
from spkit.tasks import Task
from spkit.training import train
from spkit.tuning import tune_length
from spkit.vectors import TaskVectors


@dataclass
class SeedRun:
    """Everything one seed of a study does; each method finishes one stage and returns its record.

    Attributes:
        profile: the study's settings.
        tasks: the study's tasks.
        base: its base.
        base_hash: the base's weights hash.
        fingerprints: the tasks' fingerprints.
        seed: of everything random in this run.
        root: the study's folder.
        say: called with a line about each stage.
    """

    profile: Profile
    tasks: Mapping[str, Task]
    base: SentenceTransformer
    base_hash: str
    fingerprints: Mapping[str, str]
    seed: int
    root: Path
    say: Callable[[str], None]
    records: dict[str, Record] = field(default_factory=dict)

    def run(self) -> dict[str, Record]:
        """All stages of this seed, in order; records by the stage's name without the seed."""
        for name in self.tasks:
            self.train(name, [name])
        self.train("joint", list(self.tasks))
        self.vectors()
        self.conflict()
        for method in TUNED:
            self.tune(method)
        for method in SEARCHES:
            self.search(method)
        for method in method_names(self.tasks):
            self.evaluate(method)
        return self.records

    def train(self, name: str, task_names: list[str]) -> Record:
        """Train an expert (one name) or the joint model (all)."""
        settings = dict(self.profile.training)
        if len(task_names) > 1:
            settings |= self.profile.joint
            if "steps" in settings:
                settings["steps"] *= len(task_names)
        checkpoints = self.root / f"seed{self.seed}" / "checkpoints" / name

        def work(folder: Path) -> Mapping[str, Any]:
            model = train(
                self.base, [self.tasks[one] for one in task_names], seed=self.seed, checkpoints=checkpoints, **settings
            )
            save_model(model, folder / "model")
            shutil.rmtree(checkpoints, ignore_errors=True)
            steps = settings.get("steps")
            examples = (
                steps * settings.get("batch_size", 32)
                if steps is not None
                else round(settings["epochs"] * sum(len(self.tasks[one].train) for one in task_names))
            )
            return {"examples": examples}

        return self._finish(
            f"train/{name}", settings, ["base", *(f"task:{one}" for one in task_names)], ["spkit.training"], work
        )

    def vectors(self) -> Record:
        """Subtract the base from each expert, and measure lengths and angles."""

        def work(folder: Path) -> Mapping[str, Any]:
            models: dict[str, SentenceTransformer | str | Path] = {
                name: self._folder(f"train/{name}") / "model" for name in self.tasks
            }
            vectors = TaskVectors.from_models(self.base, models)
            vectors.save(folder / "vectors")
            norms, cosines = vectors.norms(), vectors.cosines()
            rows = [
                {"a": a, "b": b, "cosine": cosines.loc[a, b], "norm_a": norms[a], "norm_b": norms[b]}
                for a in vectors.names
                for b in vectors.names
            ]
            pd.DataFrame(rows).to_csv(folder / "geometry.csv", index=False)
            return {"parameters": vectors.num_parameters}

        return self._finish("vectors", {}, ["base", *(f"train/{name}" for name in self.tasks)], ["spkit.vectors"], work)

    def conflict(self) -> Record:
        """Cosines of the tasks' gradients at the base."""

        def work(folder: Path) -> Mapping[str, Any]:
            report = gradient_conflict(self.base, self.tasks, seed=self.seed, **self.profile.conflict)
            rows = [
                {
                    "a": a,
                    "b": b,
                    "cosine": report.cosine.loc[a, b],
                    "corrected": report.corrected.loc[a, b],
                    "low": report.low.loc[a, b],
                    "high": report.high.loc[a, b],
                    "ceiling_a": report.ceiling[a],
                    "ceiling_b": report.ceiling[b],
                    "batches": report.batches,
                    "batch_size": report.batch_size,
                }
                for a in self.tasks
                for b in self.tasks
            ]
            pd.DataFrame(rows).to_csv(folder / "conflict.csv", index=False)
            report.by_module.to_csv(folder / "by_module.csv", index=False)
            examples = report.batches * report.batch_size * len(self.tasks)
            return {"examples": examples, "directional": report.directional, "magnitude": report.magnitude}

        return self._finish("conflict", self.profile.conflict, ["base", *self._all_tasks()], ["spkit.conflict"], work)

    def tune(self, method: str) -> Record:
        """Tune the length of a static merge on the probe."""
        settings = self._objective_settings()
        evaluations = self.profile.merges.get("evaluations", 12)
        config = {"probe": self.profile.probe, "parameters": self._parameters(TUNED[method]), **settings}

        def work(folder: Path) -> Mapping[str, Any]:
            tuned = tune_length(
                self.task_vectors,
                self.probe,
                TUNED[method],
                evaluations=evaluations,
                seed=self.seed,
                **settings,
                **self._parameters(TUNED[method]),
            )
            _coefficients(tuned.coefficients[None], ["model"], self.task_vectors.names).to_csv(
                folder / "coefficients.csv", index=False
            )
            tuned.history.to_csv(folder / "history.csv", index=False)
            passes = len(tuned.history) + (2 if settings.get("scale") == "gap" else 0)
            return {"length": tuned.length, "examples": len(self.probe) * passes}

        return self._finish(
            f"tune/{method}",
            config | {"evaluations": evaluations},
            ["vectors", *self._all_tasks()],
            ["spkit.tuning", "spkit.probe"],
            work,
        )

    def search(self, method: str) -> Record:
        """Search a position on the probe; judge it once on held-back examples."""
        table, granularity = SEARCHES[method]
        settings = dict(getattr(self.profile, table))

        def work(folder: Path) -> Mapping[str, Any]:
            vectors, probe = self.task_vectors, self.probe
            result = self_position(vectors, probe, granularity=granularity, seed=self.seed, **settings)
            if result.settings["interrupted"]:  # what it has is no finished stage
                raise KeyboardInterrupt
            result.save(folder / "model")
            _coefficients(result.rows, result.modules, vectors.names).to_csv(folder / "coefficients.csv", index=False)
            result.history.to_csv(folder / "history.csv", index=False)
            size, scale = settings.get("batch_size", 32), settings.get("scale", "sum")
            judge = Objective(vectors, self.held_back(len(probe)), size, scale, self.seed)
            steps = settings.get("steps", 60)
            return {
                "held_back_loss": judge.scaled(judge.task_losses(result.rows)),
                "examples": steps * settings.get("batch_size", 32) * len(self.tasks)
                + (2 * len(probe) if scale == "gap" else 0),
            }

        return self._finish(
            f"search/{method.replace(':', '-')}",
            {"probe": self.profile.probe, "granularity": granularity, **settings},
            ["vectors", *self._all_tasks()],
            ["spkit.positioning", "spkit.probe"],
            work,
        )

    def evaluate(self, method: str) -> Record:
        """Score one method's model on the test splits."""
        config: dict[str, Any] = {"method": method}
        if method == "base":
            needs = ["base"]
        elif method == "joint" or method.startswith("expert:"):
            needs = [f"train/{method.removeprefix('expert:')}"]
        elif method in SEARCHES:
            needs = [f"search/{method.replace(':', '-')}"]
        elif method in TUNED:
            needs = ["vectors", f"tune/{method}"]
            config["parameters"] = self._parameters(TUNED[method])
        else:
            needs = ["vectors"]
            config["parameters"] = self._parameters(method)

        def work(folder: Path) -> Mapping[str, Any]:
            found = measure(self.model(method), self.tasks, name=method)
            save_measurements(found, folder / "measurements.npz")
            return {f"{one.task}:{one.metric}": one.score for one in found}

        return self._finish(
            f"evaluate/{method.replace(':', '-')}",
            config,
            [*needs, *self._all_tasks()],
            ["spkit.evaluation", "spkit.merging"],
            work,
        )

    def model(self, method: str) -> SentenceTransformer:
        """The model of a method, from what its stages left."""
        if method == "base":
            return self.base
        if method == "joint" or method.startswith("expert:"):
            model = load_model(self._folder(f"train/{method.removeprefix('expert:')}") / "model")
        elif method in SEARCHES:
            model = load_model(self._folder(f"search/{method.replace(':', '-')}") / "model")
        elif method in TUNED:
            span, _ = point(self.task_vectors, TUNED[method], **self._parameters(TUNED[method]))
            table = pd.read_csv(self._folder(f"tune/{method}") / "coefficients.csv")
            model = span.at(dict(zip(table["task"].astype(str), table["coefficient"].astype(float), strict=True)))
        else:
            span, coefficients = point(self.task_vectors, method, **self._parameters(method))
            model = span.at(coefficients)
        model.max_seq_length = self.base.max_seq_length
        return model

    @cached_property
    def task_vectors(self) -> TaskVectors:
        """The vectors that the stage `vectors` saved."""
        return TaskVectors.load(self._folder("vectors") / "vectors")

    @cached_property
    def probe(self) -> Probe:
        """The probe that merges are tuned and positions are searched on."""
        return Probe.sample(self.tasks, seed=self.seed, **self.profile.probe)

    def held_back(self, size: int) -> Probe:
        """Examples that neither training nor search has seen, to judge searches by."""
        return Probe.sample(self.tasks, size=size, split="dev", seed=self.seed)

    def _parameters(self, method: str) -> dict[str, Any]:
        """A static merge's own parameters."""
        merges = self.profile.merges
        if method == "ties" and "ties_density" in merges:
            return {"density": merges["ties_density"]}
        if method == "task_arithmetic" and "task_arithmetic_weight" in merges:
            return {"weight": merges["task_arithmetic_weight"]}
        return {}

    def _objective_settings(self) -> dict[str, Any]:
        """What the tuning of a static merge shares with the search: the losses on the probe.

        The regulariser is left out: it counts lengths differently on the search's path, and one number needs none.
        """
        return {key: self.profile.search[key] for key in ("batch_size", "scale") if key in self.profile.search}

    def _all_tasks(self) -> list[str]:
        return [f"task:{name}" for name in self.tasks]

    def _folder(self, stage: str) -> Path:
        return self.records[stage].folder

    def _finish(
        self,
        name: str,
        config: Mapping[str, Any],
        needs: list[str],
        code: list[str],
        work: Callable[[Path], Mapping[str, Any]],
    ) -> Record:
        inputs = {}
        for need in needs:
            if need == "base":
                inputs[need] = f"{self.base_hash} at {self.base.max_seq_length} tokens"
            elif need.startswith("task:"):
                inputs[need] = self.fingerprints[need.removeprefix("task:")]
            else:
                inputs[need] = self.records[need].hash
        stage = Stage(f"seed{self.seed}/{name}", {**config, "seed": self.seed}, inputs, code, work)
        self.records[name] = finish(stage, self.root, self.say)
        return self.records[name]


def _coefficients(rows: torch.Tensor, modules: list[str], names: tuple[str, ...]) -> pd.DataFrame:
    """Coefficients as a long table: `module`, `task`, `coefficient`."""
    wide = pd.DataFrame(rows.numpy(), index=pd.Index(modules, name="module"), columns=list(names))
    return wide.reset_index().melt(id_vars="module", var_name="task", value_name="coefficient")


def prepare(profile: Profile, tasks: Mapping[str, Task]) -> tuple[SentenceTransformer, str, dict[str, str]]:
    """The base of a study, its hash and its tasks' fingerprints, read once for all seeds."""
    base = load_base(profile.base, max_seq_length=profile.max_seq_length)
    return base, weights_hash(base), {name: task.fingerprint() for name, task in tasks.items()}
