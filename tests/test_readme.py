"""The README is short, its numbers are those of the published results, and what it tells to type is right."""

import re
import shlex
from pathlib import Path

import pytest

from spkit.best_model.data import ReportData
from spkit.cli import app
from spkit.tasks.loading import load_tasks
from spkit.tasks.names import BUNDLED_NAMES
from tests.results_pages import pages, sections, studies, with_section

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BEST = ROOT / "data" / "results" / "best"
#: Words that a reader may have to go through before the licence.
MOST_WORDS = 500


def best_command() -> list[str]:
    """The words of the one command of spkit that the README shows."""
    (code,) = re.findall(r"```bash\n(spkit best .*?)```", README, re.DOTALL)
    return shlex.split(code.replace("\\\n", " "))


def test_the_readme_is_one_screen():
    before, found, _ = README.partition("## Licence")
    assert found
    assert len(before.split()) <= MOST_WORDS
    assert not re.findall(r"^\|", before, re.MULTILINE)  # tables stand on the results' pages
    assert len(re.findall(r"^!\[", before, re.MULTILINE)) == 1


def test_what_the_readme_links_to_is_there():
    links = re.findall(r"\]\(([^)#]+)", README)
    assert not [link for link in links if ":" not in link and not (ROOT / link).exists()]


def test_the_readme_names_its_two_commands():
    assert "make demo" in README
    assert "make test" in README


def test_the_example_is_the_command_that_was_run():
    import typer

    report = ReportData.model_validate_json((BEST / "report.json").read_text(encoding="utf-8"))
    words = best_command()
    assert report.command is not None
    assert shlex.split(report.command) == words
    typer.main.get_command(app).commands["best"].make_context("best", words[2:])
    output = (BEST / "output.txt").read_text(encoding="utf-8").splitlines()
    assert output[-1] == " ".join(report.verdict)
    rows = output[1 : output.index("")]
    assert [line.startswith(row.label) for line, row in zip(rows, report.rows, strict=True)] == [True] * len(rows)


def test_the_task_file_of_the_example_has_all_bundled_tasks():
    (file,) = (word for word in best_command() if word.endswith(".toml"))
    tasks = load_tasks(ROOT / file)
    one_topic = {name for name in BUNDLED_NAMES if "-" in name}
    assert set(tasks) == set(BUNDLED_NAMES) - one_topic
    assert {name for name, task in tasks.items() if task.role == "unseen"} == {"news", "code", "colours", "words"}


@pytest.mark.parametrize("part", list(sections(ROOT)), ids=lambda part: f"{part[0].name}-{part[1]}")
def test_a_generated_part_is_what_was_measured(part: tuple[Path, str, str]):
    page, name, section = part
    text = page.read_text(encoding="utf-8")
    assert text == with_section(text, name, section)


@pytest.mark.parametrize("page", list(pages(ROOT)))
def test_a_generated_page_is_what_was_measured(page: str):
    assert (ROOT / "docs" / "results" / page).read_text(encoding="utf-8") == pages(ROOT)[page]


def test_a_study_has_a_page_without_new_code(tmp_path: Path):
    import shutil

    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(tmp_path / "data" / "results" / "tour", tmp_path / "data" / "results" / "mine" / "deep")
    (tmp_path / "data" / "results" / "mine" / "deep" / "against_the_paper.csv").unlink()
    assert "mine/deep" in studies(tmp_path)
    page = pages(tmp_path)["mine/deep.md"]
    assert page.startswith("# Study mine/deep\n")
    assert "(../../../data/results/mine/deep/scores.csv)" in page
    assert "](mine/deep.md)" in dict((name, text) for _, name, text in sections(tmp_path))["studies"]
