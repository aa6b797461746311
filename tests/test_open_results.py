"""Results as notebooks open them: figures from the first folder that can draw one, and vectors."""

from pathlib import Path

import pandas as pd
import pytest

from spkit.drawing import Drawing, NothingToDrawError, Sheet
from spkit.errors import SpkitError
from spkit.figures import opened
from spkit.figures.opened import Results, Shown, open_results
from spkit.results.opened import project_folder
from spkit.study.places import vectors_folder

DEMO = Path(__file__).parent.parent / "data" / "results" / "demo"


def test_a_figure_is_drawn_with_its_caption_and_data() -> None:
    shown = open_results(DEMO).figure("methods")
    assert shown.png.startswith(b"\x89PNG")
    assert len(shown.data) > 5
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == f"methods: {shown.headline}. {shown.caption}"
    assert shown.headline in bundle["text/html"]
    assert 'src="data:image/png;base64,iVBOR' in bundle["text/html"]
    assert "width:700px" in bundle["text/html"]
    assert "From data/results/demo." in bundle["text/html"]
    assert str(DEMO.parent) not in bundle["text/html"]


def test_what_a_caption_quotes_does_not_end_the_picture() -> None:
    shown = Shown("mine", b"", 'a "b" < c', pd.DataFrame(), Path("here"))
    assert 'alt="a &quot;b&quot; &lt; c"' in shown._repr_mimebundle_()["text/html"]


def test_a_folder_with_nothing_to_draw_is_passed_over(monkeypatch, tmp_path) -> None:
    """All folders hold the tables; the first lacks the rows."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        for file in DEMO.glob("*.csv"):
            (folder / file.name).write_bytes(file.read_bytes())

    def render(rule, folder):
        if folder == first:
            raise NothingToDrawError("Rows must be there.", "Found none.", "Run it.")
        return b"png", Drawing(Sheet(), pd.DataFrame(), "caption")

    monkeypatch.setattr(opened, "render", render)
    assert Results(first, second).figure("methods").source == second
    with pytest.raises(NothingToDrawError, match="Rows must be there"):
        Results(first).figure("methods")
    with pytest.raises(SpkitError, match="'method'"):
        Results(first).figure("method")


def test_vectors_come_from_the_first_run_that_has_them(vectors, tmp_path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    vectors.save(vectors_folder(second, 3))
    results = Results(first, second)
    assert results.run(3) == second
    assert results.vectors(3).names == vectors.names
    assert repr(results) == "Results(first, second)"  # no path of a machine


def test_where_no_run_left_vectors_the_demos_experts_are_trained(monkeypatch, tmp_path, capsys) -> None:
    trained = []
    monkeypatch.setattr(opened, "train_experts", lambda profile, root: trained.append((profile.seeds, root)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "results" / "demo").mkdir(parents=True)
    results = open_results()
    assert results.run(2) == tmp_path / "runs" / "demo"
    assert trained == [((2,), tmp_path / "runs" / "demo")]
    assert "about three minutes" in capsys.readouterr().out
    assert results.folders[-1] == tmp_path / "runs" / "demo"


def test_a_project_is_the_nearest_folder_above_with_results(monkeypatch, tmp_path) -> None:
    (tmp_path / "data" / "results" / "demo").mkdir(parents=True)
    inner = tmp_path / "notebooks" / "mine"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert project_folder() == tmp_path
    monkeypatch.setattr("spkit.results.opened.USUAL", ("nowhere",))
    assert project_folder() == inner


def test_what_is_told_about_something_comes_from_the_first_folder_that_tells_it(tmp_path) -> None:
    for name, lines in {"first": ["# A", "- Cost: 3."], "second": ["- Cost: 4.", "- Length λ: 2.", "words"]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.md").write_text("\n".join(lines), encoding="utf-8")
    results = Results(tmp_path / "empty", tmp_path / "first", tmp_path / "second")
    assert results.words() == results.words("cost") == "- Cost: 3."
    assert results.words("length") == "- Length λ: 2."
    with pytest.raises(SpkitError, match=r"Found no sentence about 'angle' in 'first', 'second'"):
        results.words("angle")


def test_a_figure_of_the_paper_comes_from_the_folder_that_has_most_of_it(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)  # no project, hence no replication
    results = Results(DEMO, DEMO.parent / "tour")
    shown = results.paper_figure("figure_2")
    assert shown.source == DEMO.parent / "tour"  # the demo has panel a alone
    assert shown.caption.startswith("Outcome: open. ")
    html = shown._repr_mimebundle_()["text/html"]
    assert "<figcaption" in html
    assert "<details><summary>details</summary>" in html
    with pytest.raises(NothingToDrawError, match=r"grids\.csv, which the analysis \[grids\] makes"):
        results.paper_figure("figure_3")
    with pytest.raises(SpkitError, match="'figure_99'"):
        results.paper_figure("figure_99")
