"""Joint models in the span: what stands in it, what is made of it, the controls, and what the words may say."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from spkit.errors import SpkitError
from spkit.models.bases import load_model
from spkit.results.schema import SCORES, SPAN, SPAN_COEFFICIENTS
from spkit.study import load_profile
from spkit.study.analyses import analysis
from spkit.study.analyses.span import methods_of
from spkit.study.chosen import chosen_tasks
from spkit.study.declared import declare
from spkit.study.methods import method_names
from spkit.study.span import names_of, span_settings, span_vectors, trainings
from spkit.vectors.task_vectors import TaskVectors
from tests.tiny_study import NAMES, STATIC

BESIDE = ["joint", "joint 0.5", "joint proportional", "ties"]


@pytest.fixture(scope="module")
def vectors(tiny_run):
    return TaskVectors.load(tiny_run / "seed3" / "span" / "vectors" / "vectors")


def flat(vectors, folder):
    return vectors.layout.flatten(dict(load_model(folder).named_parameters())).double()


def changed(vectors, folder):
    """How far a model is from the base."""
    return flat(vectors, folder) - vectors.layout.flatten(dict(vectors.base.named_parameters())).double()


def test_it_holds_experts_joint_models_their_checkpoints_and_rules(tiny_run, vectors):
    assert vectors.names == (*NAMES, *BESIDE)
    folder = tiny_run / "seed3"
    made = {"faq": "train/faq/model", "joint": "train/joint/model", "joint 0.5": "span/checkpoints/0.5",
            "joint proportional": "span/joint proportional/model", "ties": "merge/ties/model"}  # fmt: skip
    for name, place in made.items():
        row = vectors.matrix[vectors.names.index(name)].double()
        torch.testing.assert_close(row, changed(vectors, folder / place), atol=1e-6, rtol=0)
    assert (vectors.norms() > 0).all()
    assert vectors.cosines().loc["joint", "joint 0.5"] > 0.5  # one training


def test_mixes_are_the_coefficients_that_they_say(tiny_run, vectors):
    assert BESIDE == ["joint", "joint 0.5", "joint proportional", "ties"]
    rows = {"average": [1 / 8] * 8, "joint mix": [0.25] * 4 + [0.75, 0.0, 0.0, 0.0]}
    rows["joints mix"] = [0.25] * 4 + [0.375, 0.0, 0.375, 0.0]
    for name, row in rows.items():
        expected = torch.tensor(row, dtype=torch.float64) @ vectors.matrix.double()
        torch.testing.assert_close(
            changed(vectors, tiny_run / "seed3" / "span" / name / "model"), expected, atol=1e-6, rtol=0
        )


def test_random_vectors_are_as_long_as_the_experts_and_have_nothing_of_them(tiny_run, vectors):
    joint = 0.75 * vectors.matrix[vectors.names.index("joint")].double()
    noise = changed(vectors, tiny_run / "seed3" / "span" / "random" / "model") - joint
    norms = vectors.norms()[NAMES].to_numpy()
    assert float(noise.norm()) == pytest.approx(0.25 * float(np.sqrt((norms**2).sum())), rel=0.05)
    experts = vectors.matrix[: len(NAMES)].double()
    cosines = experts @ noise / (experts.norm(dim=1) * noise.norm())
    assert float(cosines.abs().max()) < 0.1


def test_each_random_vector_depends_on_its_name_and_is_as_long_in_every_parameter(vectors):
    made, alone = vectors.random(5, ["faq", "topic"]), vectors.select(["topic", "joint"]).random(5)
    assert torch.equal(made.matrix[1], alone.matrix[0])
    assert torch.equal(made.matrix[2:], vectors.matrix[2:])
    assert not torch.equal(made.matrix[0], vectors.random(6, ["faq"]).matrix[0])
    for place in vectors.layout.slices.values():
        torch.testing.assert_close(made.matrix[:, place].norm(dim=1), vectors.matrix[:, place].norm(dim=1))
    with pytest.raises(SpkitError, match=r"`names` must be names of task vectors. Found 'no'"):
        vectors.random(names=["no"])


def test_controls_see_as_many_examples_as_all_trainings(tiny_home, tiny_run):
    costs = pd.read_csv(tiny_run / "costs.csv").set_index("stage")["examples"]
    experts = sum(costs[f"train/{name}"] for name in NAMES)
    assert costs["span/checkpoints"] == costs["train/joint"] == costs["span/soup 1"] == experts
    # Experts, the joint model, whose training leaves the checkpoints, too, and the other mixture.
    assert costs["span/longer"] == 3 * experts
    profile = load_profile(tiny_home / "all.toml")
    assert trainings(span_settings(profile), profile) == 2
    folder = tiny_run / "seed3" / "span"
    soup = [folder / f"soup {number}" / "model" for number in range(1, 5)]
    base = load_model(tiny_run / "seed3" / "span" / "vectors" / "vectors" / "base")
    other = TaskVectors.from_models(base, {path.parent.name: path for path in soup})
    assert len({round(norm, 6) for norm in other.norms()}) == 4  # seeds of their own
    torch.testing.assert_close(
        changed(other, folder / "soup" / "model"), other.matrix.double().mean(0), atol=1e-6, rtol=0
    )


def test_its_methods_stand_in_the_tables_of_the_study(tiny_home, tiny_run):
    settings = span_settings(load_profile(tiny_home / "all.toml"))
    own = methods_of(settings)
    assert own == [
        "span:average", "span:joint mix", "span:joints mix", "span:self_position", "span:self_position:module",
        "span:search", "span:random", "joint:longer", "joint:soup",
    ]  # fmt: skip
    scores = SCORES.read(tiny_run)
    assert list(dict.fromkeys(scores["method"])) == [*method_names(NAMES, STATIC), *own]
    assert {"mean", "unseen mean"} <= set(scores.loc[scores["method"] == "span:search", "task"])
    table, means = SPAN.read(tiny_run), pd.read_csv(tiny_run / "comparisons_mean.csv")
    both = table.merge(means, on=["method", "against", "task"], suffixes=("", "_study"))
    assert set(both["method"]) == set(own)
    for column in ("difference", "low", "high"):
        np.testing.assert_allclose(both[column], both[f"{column}_study"], atol=1e-6)
    rivals = {"joint", "span:average", "span:random", "joint:longer", "joint:soup"}
    assert set(table.loc[table["method"] == "span:search", "against"]) == rivals
    found = SPAN_COEFFICIENTS.read(tiny_run)
    assert set(found["vector"]) == {*NAMES, *BESIDE}
    assert (found[found["method"] == "span:search"].groupby("vector").size() == 1).all()


def test_a_mixture_that_joint_training_has_is_no_second_model(tiny_home):
    profile = load_profile(tiny_home / "all.toml")
    assert names_of(span_settings(profile), profile) == BESIDE
    said = []
    study = declare(profile, tiny_home / "elsewhere", said.append)
    assert "  span: joint uniform is the joint model itself: left out" in said
    (run,) = study.runs.values()
    assert span_vectors(run) == "span/vectors"  # declared once, whoever asks


def test_every_seed_has_them(tiny_home):
    profile = load_profile(tiny_home / "all.toml").with_seeds((3, 4))
    assert profile.seeds_of("span") == (3, 4)
    settings = span_settings(profile).model_copy(update={"every_seed": False})
    first = profile.model_copy(update={"analyses": {"span": settings}})
    with pytest.raises(SpkitError, match=r"on every seed. Found every_seed = false and 2 seeds"):
        analysis("span").check(settings, first, chosen_tasks(profile)[0])


def words_of(given):
    """The sentences for differences to joint training and to the average, by method and mean."""
    rows = [
        {"method": method, "against": against, "task": task, "difference": (low + high) / 2, "low": low, "high": high,
         "verdict": verdict}
        for against, (method, on) in product(("joint", "span:average"), given.items())
        for task, (low, high, verdict) in on.items()
    ]  # fmt: skip
    scores = pd.DataFrame({"method": ["base", "expert:faq", "expert:sts", "joint"]})
    vectors = pd.DataFrame({"vector": ["faq", "sts", "joint"]})
    return analysis("span").words({SPAN.file: pd.DataFrame(rows), SCORES.file: scores, SPAN_COEFFICIENTS.file: vectors})


def test_words_say_no_more_than_the_intervals():
    up, zero, down = (0.2, 1.4, "a is better"), (-0.4, 1.0, "no difference shown"), (-2.0, -1.0, "b is better")
    apart = (0.1, 0.9, "the runs disagree")
    first, controls, against = words_of(
        {
            "span:joint mix": {"mean": up, "unseen mean": zero},
            "span:search": {"mean": apart, "unseen mean": down},
            "span:random": {"mean": zero, "unseen mean": zero},
            "span:average": {"mean": up, "unseen mean": up},
        }
    )
    assert first == (
        "With joint in the span beside the experts, against joint training: 0.75 of the joint model and 0.25 of each "
        "expert: above (+0.8 [+0.2, +1.4]) on the trained tasks, not shown to differ (+0.3 [-0.4, +1.0]) on the unseen "
        "ones; search by score: the runs disagree (+0.5 [+0.1, +0.9]) on the trained tasks, below (-1.5 [-2.0, -1.0]) "
        "on the unseen ones."
    )
    assert controls.startswith("The controls of this, against joint training: the plain average of the same models: ")
    assert "random vectors of the experts' norms in their place: not shown to differ" in controls
    assert against.startswith("Against the plain average of the same models: 0.75 of the joint model")
    assert "random" not in against


def test_without_unseen_tasks_there_is_one_mean():
    first, *_ = words_of({"span:joint mix": {"mean": (-0.4, 1.0, "no difference shown")},
                          "span:average": {"mean": (0.2, 1.4, "a is better")}})  # fmt: skip
    assert "unseen" not in first
