"""The README's Python runs as it stands, only shorter; its numbers are those of the published results."""

import re
from pathlib import Path

import pandas as pd
import pytest

from spkit.results import summary_table, to_markdown
from spkit.study import load_profile
from tests.readme_results import SECTIONS

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "data" / "results" / "demo"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def substituted(text: str, *pairs: tuple[str, str]) -> str:
    """Replaces each text, which must be there: a renamed argument fails here and not in silence."""
    for old, new in pairs:
        assert old in text, f"The README no longer holds {old!r}."
        text = text.replace(old, new)
    return text


@pytest.mark.slow
def test_the_quick_start_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = substituted(
        code,
        ("steps=64", "steps=4, batch_size=8, progress=False"),
        ("size=256), steps=40", "size=32), steps=2, batch_size=8, progress=False"),
        ("max_seq_length=32", "max_seq_length=8"),
    )
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), scope)
    printed = capsys.readouterr().out
    assert "headline" in printed
    assert "ndcg_at_10" in printed
    assert (tmp_path / "runs" / "quick-start" / "modules.json").is_file()
    assert (tmp_path / "runs" / "quick-start" / "recipe.json").is_file()


def test_the_study_of_the_readme_is_one(tmp_path: Path):
    (text,) = re.findall(r"```toml\n(base = .*?)```", README, re.DOTALL)
    (tmp_path / "my_study.toml").write_text(text)
    profile = load_profile(tmp_path / "my_study.toml")
    assert profile.name == "my_study"
    assert profile.search.path == "slerp"


def test_the_readme_names_its_two_commands():
    assert "make demo" in README
    assert "make test" in README


def measured(name: str) -> str:
    section = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert section is not None
    return section.group(1)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_readme_holds_what_was_measured(name: str):
    assert measured(name) == SECTIONS[name](ROOT / "data" / "results")


def test_the_readme_holds_the_table_of_scores():
    scores, comparisons = (pd.read_csv(DEMO / name) for name in ("scores.csv", "comparisons_mean.csv"))
    table = to_markdown(summary_table(scores, comparisons))
    assert table.strip() in measured("results")
