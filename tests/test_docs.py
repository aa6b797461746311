"""The documentation site builds without a warning, its links lead somewhere, and its code runs."""

import ast
import html
import os
import re
import runpy
import shutil
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import matplotlib.pyplot as plt
import pytest
from typer.testing import CliRunner

import spkit
from spkit.merging.registry import methods
from tests.documented import DOCS, blocks, commands, furnish, pages

ROOT = DOCS.parent
#: Characters of code that a page shows without scrolling.
WIDTH = 80
#: Pages by their place in docs.
PAGES = [page.relative_to(DOCS).as_posix() for page in pages()]
WITH_CODE = [page for page in PAGES if blocks(DOCS / page, "python")]
WITH_COMMANDS = [page for page in PAGES if any(commands(DOCS / page))]
#: The page whose code reads the bundled data.
FIRST_STEPS = "tutorial/first-steps.md"
#: Words in the place of which the tests have others, as they have less time.
SHORTER = {"200": "4", "8": "4"}


class Page(HTMLParser):
    """Anchors of a page, what it links to, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.anchors |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag == "link" and "href" in of:
            self.loaded.append(of["href"])
        elif "src" in of:
            self.loaded.append(of["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": paths}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.mark.slow
def test_every_link_leads_to_a_page_and_a_place_on_it(built: dict[Path, Page]):
    broken = []
    for path, page in built.items():
        for link in {*page.links, *page.loaded}:
            parts = urlsplit(link)
            if parts.scheme or path.name == "404.html":  # which is shown at any address
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lands = built.get(target)
            if not target.is_file() or (lands and parts.fragment and unquote(parts.fragment) not in lands.anchors):
                broken.append(f"{path.name}: {link}")
    assert not broken


@pytest.mark.slow
def test_a_page_loads_nothing_from_elsewhere(site: Path, built: dict[Path, Page]):
    assert not {loaded for page in built.values() for loaded in page.loaded if urlsplit(loaded).netloc}
    sheets = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]*", sheets)


@pytest.mark.slow
def test_every_public_name_and_figure_has_its_place_in_the_reference(site: Path):
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    names = {line.split()[0] for line in inventory.splitlines()}
    wanted = {f"spkit.{name}" for name in spkit._OWNERS} | {f"spkit.plot.{name}" for name in spkit.plot.__all__}
    assert not wanted - names


@pytest.mark.slow
def test_formulas_are_drawn_and_figures_copied(site: Path):
    text = (site / "science.html").read_text(encoding="utf-8")
    assert text.count("<svg role") > 50
    assert "arithmatex" not in text
    kept, shown = ROOT / "figures", site / "repository" / "figures"
    assert {path.relative_to(kept) for path in kept.rglob("*.png")} == {
        path.relative_to(shown) for path in shown.rglob("*.png")
    }


def drawn(formula: str, tag: str = "div") -> list[str]:
    """Outlines of the pictures that the site's hook draws for a formula."""
    marks = {"div": (r"\[", r"\]"), "span": (r"\(", r"\)")}[tag]
    hook = runpy.run_path(str(DOCS / "hooks" / "formulas.py"))
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    text = f'<{tag} class="arithmatex">{marks[0]}{html.escape(formula)}{marks[1]}</{tag}>'
    return re.findall(r' d="([^"]+)"', hook["on_page_content"](text, page, {}, []))


def test_lines_below_each_other_are_a_picture_each():
    lines = drawn(r"\begin{aligned} a &= b \\ c &\ge d \end{aligned}")
    assert lines == drawn("a = b") + drawn(r"c \geq d")


def test_a_fraction_is_smaller_in_a_sentence():
    assert drawn(r"\frac{a}{b}") == drawn(r"\dfrac{a}{b}", "span") != drawn(r"\frac{a}{b}", "span")


def test_a_formula_that_cannot_be_drawn_is_a_warning(caplog: pytest.LogCaptureFixture):
    assert not drawn(r"\begin{pmatrix} 1 \end{pmatrix}")
    assert "a.md: matplotlib cannot draw the formula" in caplog.text


def test_a_public_name_is_described_on_one_page():
    described = [
        name
        for page in (DOCS / "reference").glob("*.md")
        for name in re.findall(r"^::: spkit\.(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(described) == sorted(spkit._OWNERS)


def test_what_the_paper_defines_stands_on_the_page_of_science():
    text = (DOCS / "science.md").read_text(encoding="utf-8")
    described = [part for file in (ROOT / "spkit").rglob("*.py") for part in ast.parse(file.read_text("utf-8")).body]
    named = [part for part in described if isinstance(part, ast.FunctionDef | ast.ClassDef)]
    of_paper = {part.name for part in named if "2410.15035" in (ast.get_docstring(part) or "")} & spkit._OWNERS.keys()
    assert len(of_paper) > 10
    assert not [name for name in of_paper if f"#spkit.{name})" not in text and f"#spkit.{name}." not in text]
    rules = [found.label for found in methods().values()]
    assert not [label for label in rules if f"| {label} |" not in text]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_the_same_on_a_code_host(page: str):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert not re.findall(r"\]\[[^]]*\](?!\()|^!!! ", text, re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if ":" not in link]
    assert not [link for link in links if not (DOCS / page).parent.joinpath(unquote(link)).is_file()]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("furnished")
    furnish(folder)
    return folder


@pytest.fixture
def here(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder of one's own, with what the pages name."""
    monkeypatch.chdir(shutil.copytree(furnished, tmp_path / "here"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Could not find a config file", "ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("page", WITH_CODE)
@pytest.mark.usefixtures("here")
def test_the_code_of_a_page_runs(page: str):
    scope: dict[str, object] = {}
    for number, block in enumerate(blocks(DOCS / page, "python"), start=1):
        code = shortened(block.text) if page == FIRST_STEPS else block.text
        exec(compile(code, f"{page}, block {number}", "exec"), scope)
    plt.close("all")


def shortened(code: str) -> str:
    """The page's code with fewer steps; each text must be there, so that a renamed argument fails here."""
    for old, new in (
        ("steps=64", "steps=4, batch_size=8"),
        ("size=256", "size=32"),
        ("steps=40", "steps=2, batch_size=8"),
        ("max_seq_length=32", "max_seq_length=8"),
    ):
        assert old in code, f"{FIRST_STEPS} no longer holds {old!r}."
        code = code.replace(old, new)
    return code


def is_run(words: list[str]) -> bool:
    """Whether a command ends by itself, on one machine, soon; whole studies have tests of their own."""
    return words[0] not in ("explore", "demo") and (words[0] != "study" or "--plan" in words)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Could not find a config file", "ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("page", WITH_COMMANDS)
@pytest.mark.usefixtures("here")
def test_the_commands_of_a_page_run(page: str):
    from spkit.cli import app

    for words in commands(DOCS / page):
        if is_run(words):
            plan = ["--plan"] if words[0] == "best" else []  # which reads all that it is given; test_best.py runs it
            done = CliRunner().invoke(app, [*(SHORTER.get(word, word) for word in words), *plan])
            assert done.exit_code == 0, f"{' '.join(words)}\n{done.output}\n{done.exception}"


@pytest.mark.parametrize("page", PAGES)
def test_code_fits_on_the_page(page: str):
    code = [block for language in ("python", "bash", "toml") for block in blocks(DOCS / page, language)]
    assert not [line for block in code for line in block.text.splitlines() if len(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_those_of_the_command_line(page: str):
    import typer

    from spkit.cli import app

    known = typer.main.get_command(app).commands
    for name, *arguments in commands(DOCS / page):
        known[name].make_context(name, arguments)  # which raises at an unknown option, a missing one, or a wrong value


def test_the_profile_of_the_page_about_studies_is_one(tmp_path: Path):
    (study,) = blocks(DOCS / "how-to" / "run-a-study.md", "toml")
    (tmp_path / study.title).write_text(study.text, encoding="utf-8")
    assert spkit.load_profile(tmp_path / study.title).search.optimizer == "adam"
