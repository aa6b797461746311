"""The check of the packages that spkit is built on."""

from tests.audit import binding, vulnerable

_REPORT = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "broken", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]},
        {"name": "hidden", "skip_reason": "Dependency not found on PyPI"},
    ]
}


def test_vulnerabilities_are_told_with_the_version_that_mends_them():
    assert vulnerable(_REPORT) == (["broken 2.0: PYSEC-1, mended in 2.1"], 2)


def test_what_could_not_be_looked_up_is_not_called_sound():
    assert vulnerable({"dependencies": _REPORT["dependencies"][2:]}) == ([], 0)


def test_licences_that_bind_and_unknown_ones_are_told():
    given = {"a": "MIT License", "b": "LGPL-3.0-only", "c": "GPL-3.0-only", "d": "UNKNOWN", "e": "MIT\n\nnot the GPL"}
    packages = [{"Name": name, "License": licence} for name, licence in given.items()]
    assert binding(packages) == ["c: GPL-3.0-only", "d: UNKNOWN"]
