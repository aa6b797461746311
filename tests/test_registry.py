"""The registry of merge methods: read off the sources without torch, true to what is loaded, and open to one's own."""

import json
import subprocess
import sys
from importlib import import_module

import pytest
import torch

from spkit.errors import SpkitError
from spkit.merging import method_table, registry
from spkit.merging.methods import merge, merge_methods, point
from spkit.results.labels import method_label, ordered_methods
from spkit.signatures import Count, Parameter, Part, Range, Share, UnitInterval, checked, parameters_of
from spkit.study import load_profile
from spkit.study.methods import STATIC, TUNED, merge_names, merge_settings
from spkit.study.profile_tables import Merges
from spkit.vectors.task_vectors import TaskVectors
from tests.experts import flat


@pytest.fixture(scope="module")
def vectors(two_vectors) -> TaskVectors:
    return two_vectors


def test_listing_the_methods_imports_nothing_heavy():
    code = (
        "import sys, time\n"
        "began = time.perf_counter()\n"
        "from spkit.merging import registry\n"
        "names = list(registry.methods())\n"
        "for one in registry.methods().values():\n"
        "    one.check_settings({p.name: p.default for p in one.settings if p.default is not None})\n"
        "seconds = time.perf_counter() - began\n"
        "import json\n"
        "heavy = sorted({'torch', 'numpy', 'pandas', 'transformers', 'mergekit'} & set(sys.modules))\n"
        "print(json.dumps([names, heavy, seconds]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, heavy, seconds = json.loads(done.stdout)
    assert names == list(registry.methods())
    assert heavy == []
    assert seconds < 0.5  # some 40 ms; torch alone takes seconds


@pytest.mark.parametrize("name", registry._written())
def test_what_the_source_says_is_what_is_loaded(name):
    written = registry._written()[name]
    import_module(written.module)
    assert registry._loaded[name] == written
    assert written.module == f"spkit.merging.rules.{name}"
    assert written.summary.endswith(".")
    assert {"length"} <= {parameter.name for parameter in written.parameters}
    assert ("tasks" in {parameter.name for parameter in written.parameters}) == written.reads_data


@pytest.mark.parametrize("name", registry._written())
def test_defaults_pass_their_own_checks(name):
    one = registry.find(name)
    defaults = {parameter.name: parameter.default for parameter in one.settings}
    assert one.check_settings(defaults) == defaults


def test_methods_that_need_no_data_stand_first_and_each_group_by_its_papers():
    known = list(registry.methods().values())
    assert [one.reads_data for one in known] == sorted(one.reads_data for one in known)
    for reads in (False, True):
        papers = [one.paper.removeprefix("arXiv ") for one in known if one.reads_data == reads]
        assert papers == sorted(papers)


def test_a_method_of_ones_own_is_known_everywhere(vectors):
    @registry.method("halves", label="half of each", paper="none", tuned=True)
    def halves(vectors, *, weight: Share = 0.5, length: float = 1.0):
        """Half of every vector."""
        return vectors, torch.full((len(vectors),), weight * length, dtype=torch.float64)

    try:
        assert "halves" in merge_methods()
        assert torch.equal(flat(merge(vectors.base, vectors, "halves")), flat(vectors.at([0.5, 0.5])))
        assert torch.equal(point(vectors, "halves", weight=1)[1], torch.ones(2, dtype=torch.float64))
        assert method_label("halves") == "half of each"
        assert method_label("halves_tuned") == "half of each, tuned"
        assert ordered_methods(["fisher", "halves_tuned", "halves", "ties"]) == [
            "ties", "halves", "halves_tuned", "fisher",
        ]  # fmt: skip
        assert method_table().loc["halves", "parameters"] == "weight=0.5, length=1.0"
        Merges.model_validate({"methods": ["halves"], "halves": {"weight": 0.3}})
        with pytest.raises(SpkitError, match=r"`weight` must be above 0 and at most 1\. Found 2\. Pass 0\.5"):
            merge(vectors.base, vectors, "halves", weight=2)
    finally:
        registry.forget("halves")
    with pytest.raises(SpkitError, match="Found 'halves'"):
        point(vectors, "halves")


def test_a_name_belongs_to_one_method():
    with pytest.raises(SpkitError, match=r"must be its own\. Found 'ties' in .*test_registry and in .*rules\.ties"):

        @registry.method("ties", label="mine", paper="none")
        def ties(vectors, *, length: float = 1.0):
            return vectors, [length] * len(vectors)

    assert registry.find("ties").label == "TIES"


def test_a_study_takes_its_methods_from_the_registry():
    assert list(STATIC) == list(registry.methods())
    assert {of for of in TUNED.values()} == {one.name for one in registry.methods().values() if one.tuned}
    assert merge_names(["ties"]) == ["ties", "ties_tuned", "task_arithmetic_tuned"]
    assert merge_settings({}, "fisher", 3) == {"seed": 3}
    assert merge_settings({"fisher": {"examples": 8, "seed": 1}}, "fisher", 3) == {"seed": 1, "examples": 8}
    assert merge_settings({"mergekit:sce": {"select_topk": 0.1}}, "mergekit:sce", 3) == {"select_topk": 0.1}


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ({"ties_density": 0.2}, r"`merges\.ties_density` must be written as `density` in \[merges\.ties\]"),
        ({"task_arithmetic_weight": 0.3}, r"must be written as `weight` in \[merges\.task_arithmetic\]"),
        ({"examples": 8}, r"must be written as `examples` in the table of each method .* as \[merges\.fisher\]"),
        ({"tise": {"density": 0.2}}, r"Found `merges\.tise`\. Did you mean 'ties'"),
        ({"ties": {"densty": 0.2}}, "Found 'densty'. Did you mean 'density'"),
        ({"ties": {"density": 2.0}}, "`density` must be above 0 and at most 1. Found 2.0"),
        ({"ties": 0.2}, r"must stand in a table, \[merges\.ties\]\. Found ties = 0\.2"),
        ({"fisher": {"tasks": "bundled"}}, "Found 'tasks'"),
        ({"methods": ["slrp"]}, "Found 'slrp'. Did you mean 'slerp'"),
    ],
)
def test_a_profiles_merges_are_checked(merges, message, tmp_path):
    lines = [f"{key} = {json.dumps(value).replace(': ', ' = ')}" for key, value in merges.items()]
    (tmp_path / "p.toml").write_text("\n".join(['base = "minilm-l3"', "[merges]", *lines]), encoding="utf-8")
    with pytest.raises(SpkitError, match=message):
        load_profile(str(tmp_path / "p.toml"))


# Signatures


@pytest.mark.parametrize(
    ("annotation", "accepted", "refused"),
    [
        (Share, [1, 0.2], [0, 1.5, float("nan"), "0.2", True, None]),
        (Part, [0, 0.9], [1, -0.1]),
        (UnitInterval, [0, 1], [-0.1, 1.1]),
        (Count, [1, 7], [0, 1.0, "1"]),
        (float, [0, -3.5], [float("inf"), [1.0], False]),
        (bool, [True], [1, "true"]),
        (str, ["a"], [1]),
        (Share | None, [None, 0.5], [0, "none"]),
    ],
)
def test_values_are_checked_by_type_and_range(annotation, accepted, refused):
    parameter = Parameter("x", annotation, 0.5)
    for value in accepted:
        assert parameter.check(value) == value
    for value in refused:
        with pytest.raises(SpkitError, match="`x` must be"):
            parameter.check(value)


def test_a_range_says_what_it_allows():
    assert str(Range(above=0)) == "above 0"
    assert str(Range(least=0, below=1)) == "0 or more and below 1"
    assert str(Range(least=0, most=1)) == "from 0 to 1"


def test_a_signature_says_what_is_required():
    def takes(vectors, first, second: int = 2): ...

    parameters = parameters_of(takes)
    assert [str(one) for one in parameters] == ["first", "second=2"]
    with pytest.raises(SpkitError, match=r"it needs 'first'\. Found none"):
        checked("it", parameters, {"second": 3})
