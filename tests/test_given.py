"""Models of one's own in a study's profile: they take the place of trainings."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from spkit import TaskVectors, evaluate, load_base, load_tasks, save_model
from spkit.errors import SpkitError
from spkit.study import load_profile, run_study
from spkit.study.declared import declare
from spkit.study.profile_file import check_profile
from tests.experts import noisy
from tests.tiny import WORDS, tiny_encoder

PROFILE = """
base = "base"
tasks = "tasks.toml"
data = "data"
names = ["faq", "topic"]
merges = {methods = ["average"], evaluations = 3}
probe = {size = 32}
search = {steps = 1, batch_size = 8}
search_module = {steps = 1, batch_size = 8}
conflict = {batches = 4, batch_size = 8}
evaluation = {resamples = 10}
training = {steps = 1, batch_size = 8}
"""
GIVEN = """
[given]
experts = {faq = "mine/faq", topic = "mine/topic"}
joint = "mine/joint"
"""


def write(home: Path, given: str = GIVEN, profile: str = PROFILE) -> Path:
    path = home / "given.toml"
    path.write_text(profile + given, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tiny_home, tmp_path_factory) -> Path:
    """The tiny study's base and tasks, with three models of one's own."""
    folder = tmp_path_factory.mktemp("given")
    for name in ("base", "data"):
        shutil.copytree(tiny_home / name, folder / name)
    shutil.copyfile(tiny_home / "tasks.toml", folder / "tasks.toml")
    base = load_base(folder / "base")
    for seed, name in enumerate(("faq", "topic", "joint")):
        save_model(noisy(base, seed, 0.01), folder / "mine" / name)
    return folder


@pytest.mark.slow
def test_a_study_of_given_models_trains_nothing(home) -> None:
    profile, root, said = load_profile(write(home, profile=PROFILE.rpartition("training")[0])), home / "run", []
    run_study(profile, root, said.append)
    assert not (root / "seed0" / "train").exists()
    base, tasks = load_base(home / "base"), load_tasks(home / "tasks.toml", ["faq", "topic"], folder=home / "data")
    scores = pd.read_csv(root / "scores.csv").set_index(["method", "task"])["score"]
    for method, name in (("expert:faq", "faq"), ("expert:topic", "topic"), ("joint", "joint")):
        expected = evaluate(home / "mine" / name, tasks, resamples=10).set_index("task")["score"]
        assert scores[method]["faq"] == pytest.approx(expected["faq"], abs=1e-4)
        assert scores[method]["topic"] == pytest.approx(expected["topic"], abs=1e-4)
    vectors = TaskVectors.from_models(base, {name: home / "mine" / name for name in ("faq", "topic")})
    kept = TaskVectors.load(root / "seed0" / "vectors" / "vectors")
    assert kept.cosines().equals(vectors.cosines())
    summary = (root / "summary.md").read_text(encoding="utf-8")
    assert "Cost: a joint model that was given; the experts were given, and the search for Self Positioning" in summary
    assert "FLOPs of joint training" not in summary
    assert pd.read_csv(root / "costs.csv").set_index("stage").loc["given/joint", "examples"] == 0

    save_model(noisy(base, 7, 0.01), home / "mine" / "topic")  # another model in its place
    said.clear()
    run_study(profile, root, said.append)
    assert "  seed0/given/topic …" in said
    assert "  seed0/vectors …" in said
    assert "  seed0/given/faq: done before" in said
    assert "  seed0/evaluate/joint: done before" in said


def test_what_is_not_given_is_trained(home) -> None:
    joint = declare(load_profile(write(home, '[given]\njoint = "mine/joint"\n')), home / "new", lambda line: None).runs[
        0
    ]
    experts = declare(load_profile(write(home, GIVEN.partition("joint =")[0])), home / "new", lambda line: None).runs[0]
    assert joint.makers["joint"] == "given/joint"
    assert joint.nodes["vectors"].needs == ("base", "train/faq", "train/topic")
    assert experts.makers["joint"] == "train/joint"
    assert experts.nodes["vectors"].needs == ("base", "given/faq", "given/topic")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('[given]\nexperts = {faq = "mine/faq"}\n', r"\[given\]: `experts` must name a model for each.*'faq', 'topic'"),
        ('[given]\nexperts = {}\n', r"`given.experts`: It must be a table of folders.*Found \{\}"),
        ('[given]\nexperts = {faq = 3, topic = "mine/topic"}\n', r"`given.experts`: It must be a table of folders"),
        ('[given]\njoint = "mine/joynt"\n', r"`given`: .*joynt', and there is no such folder; beside it are 'joint'"),
        ('[given]\njoint = "other"\n', r"`given`: Experts must share the base's modules.*Found in 'joint'"),
        ('[given]\njiont = "mine/joint"\n', "Found `given.jiont`. Did you mean 'joint'"),
        (f"{GIVEN}[resampling]\npair = ['faq', 'topic']\n", r"\[resampling\]: What experts cost must be known"),
    ],
)  # fmt: skip
def test_what_is_given_must_fit(home, given, said) -> None:
    tiny_encoder(1, WORDS, layers=2).save(str(home / "other"))  # no fine-tune of the base
    with pytest.raises(SpkitError, match=said):
        declare(load_profile(write(home, given)), home / "new", lambda line: None)


def test_a_given_model_needs_a_test_of_its_own(home, tmp_path) -> None:
    """Its training may have seen all of the training file."""
    for name in ("base", "data", "mine"):
        shutil.copytree(home / name, tmp_path / name)
    lines = (home / "tasks.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "tasks.toml").write_text("".join(line for line in lines if not line.startswith('test = "faq-')))
    with pytest.raises(SpkitError, match=r"`given`: .*scored on examples that its training has not seen.*'faq'"):
        check_profile(write(tmp_path))
    with pytest.raises(SpkitError, match=r"scored on examples that its training has not seen.*'faq'"):
        declare(load_profile(write(tmp_path)), tmp_path / "new", lambda line: None)
