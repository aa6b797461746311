"""The explorer in a real browser: JupyterLab with and without comms on subshells, and the page of its own."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from sentence_transformers import SentenceTransformer

from spkit.explorer.page import culling, page_notebook
from spkit.vectors.task_vectors import TaskVectors
from tests.browsing import CHROMIUM, SECONDS, free_port, served

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if not CHROMIUM:
    pytest.skip("no chromium on this machine", allow_module_level=True)

CODE = """
import spkit

tasks = spkit.load_tasks("{home}/tasks.toml", folder="{home}/data")
explorer = spkit.explore_study("{home}/run", tasks, seed=3, points=8, examples=16, folder="{points}")
explorer
"""


#: The map is drawn. Before it, its place has another size.
DRAWN = "() => document.querySelector('.spkit-explorer .spkit-map svg image') !== null"


@pytest.fixture
def page(browser) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(1000 * SECONDS)
    playwright.expect.set_options(timeout=1000 * SECONDS)
    yield context.new_page()
    context.close()


def notebook(folder: Path, home: Path) -> Path:
    cell = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "source": CODE.format(home=home, points=folder / "points"),
        "outputs": [],
    }
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    content = {
        "cells": [{**cell, "execution_count": None}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "explorer.ipynb"
    path.write_text(json.dumps(content))
    return path


def status(page) -> str:
    return page.locator(".spkit-explorer [role=status]").first.inner_text()


def wait_for_status(page, pattern: str) -> str:
    status = page.locator(".spkit-explorer [role=status]").first
    playwright.expect(status).to_contain_text(re.compile(pattern), timeout=1000 * SECONDS)
    return status.inner_text()


def wait_for_control(page, number: int) -> float:
    """A slider and its box show one value: the kernel has the last move, which else would overtake the next step."""
    page.wait_for_function(
        """number => {
            const one = selector => document.querySelectorAll(`.spkit-explorer ${selector}`)[number];
            return Number(one('.noUi-handle').ariaValueText) === Number(one('input[type=number]').value);
        }""",
        arg=number,
    )
    return float(page.locator(".spkit-explorer input[type=number]").nth(number).input_value())


#: The table of scores.
NUMBERS = ".spkit-explorer .spkit-numbers tbody"


def table_says(page, task: str, score: re.Match[str] | None) -> None:
    """The table comes to hold the score that the line of status has; it may come later."""
    assert score is not None
    row = page.locator(f"{NUMBERS} tr").filter(has_text=re.compile(f"^{task}"))
    playwright.expect(row.first).to_contain_text(score.group(1))


def drag_first_slider(page) -> list[str]:
    """Drag with the mouse; what the status line said meanwhile."""
    handle = page.locator(".spkit-explorer .noUi-handle").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(
        """() => {
            window.said = [];
            const root = document.querySelector('.spkit-explorer');
            new MutationObserver(() => {
                const line = root.querySelector('[role=status]');
                if (line) window.said.push(line.innerText);
            }).observe(root, {subtree: true, childList: true, characterData: true});
        }"""
    )
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(x - 12 * step, y)
        time.sleep(0.05)
    page.mouse.up()
    return page.evaluate("() => window.said")


def boxes_of(page, parts: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Where the parts stand, once all do: a part that is drawn anew at this moment has no place."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        page.wait_for_function(DRAWN)
        boxes = {name: part.bounding_box() for name, part in parts.items()}
        if all(boxes.values()):
            return boxes
        page.wait_for_timeout(100)
    raise AssertionError(f"parts without a place: {[name for name, box in boxes.items() if not box]}")


def stands_on_the_screen(page, within: float) -> None:
    """What one looks at while sliding is seen at once, and nothing of it stands over something else."""
    parts = {
        name: page.locator(f".spkit-explorer {selector}").first
        for name, selector in {
            "verdict": "summary",
            "slider": ".noUi-handle",
            "status": "[role=status]",
            "table": ".spkit-numbers",
            "map": ".spkit-map svg",
        }.items()
    }
    boxes = boxes_of(page, parts)
    top = boxes["verdict"]["y"]
    for name, box in boxes.items():
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= page.viewport_size["width"], name
        assert box["y"] - top + box["height"] <= within, (name, boxes)
    assert boxes["verdict"]["y"] + boxes["verdict"]["height"] <= boxes["slider"]["y"]
    assert boxes["status"]["y"] + boxes["status"]["height"] <= boxes["table"]["y"] + 1
    assert boxes["table"]["x"] + boxes["table"]["width"] <= boxes["map"]["x"]


def names_are_whole(page) -> None:
    """No name on the map covers another, or is cut by its edge."""
    edge, *boxes = page.evaluate(
        """() => ['.spkit-map svg', '.spkit-map-name'].flatMap(one => [...document.querySelectorAll(one)])
            .map(one => one.getBoundingClientRect()).map(box => [box.left, box.top, box.right, box.bottom])"""
    )
    assert len(boxes) > 3
    for number, box in enumerate(boxes):
        assert edge[0] - 2 <= box[0], box
        assert box[2] <= edge[2] + 2, box
        for other in boxes[:number]:
            apart = [max(box[side], other[side]) - min(box[side + 2], other[side + 2]) for side in (0, 1)]
            assert max(apart) > -2, (box, other)


def drag_on_the_map(page) -> None:
    """The position follows the mouse, and the sliders with it."""
    before = [one.input_value() for one in page.locator(".spkit-explorer input[type=number]").all()]
    box = page.locator(".spkit-map svg").first.bounding_box()
    x, y = box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x + 8 * step, y - 5 * step)
        time.sleep(0.05)
    page.mouse.up()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.spkit-explorer input[type=number]')]"
        ".some((one, number) => one.value !== before[number])",
        arg=before,
    )
    wait_for_status(page, "measured:")
    page.locator(".spkit-map svg").first.focus()
    said = status(page)
    page.keyboard.press("ArrowLeft")
    playwright.expect(page.locator(".spkit-explorer [role=status]").first).not_to_have_text(said)
    wait_for_status(page, "measured:")


def exercise(page, home: Path, target: Path, shot: Path) -> None:
    """Mouse, keyboard, saving: the same in JupyterLab and on the page."""
    wait_for_status(page, "measured:")
    stands_on_the_screen(page, within=page.viewport_size["height"])
    first = status(page)
    drag_first_slider(page)
    playwright.expect(page.locator(".spkit-explorer [role=status]").first).not_to_have_text(first)
    wait_for_control(page, 0)
    dragged = wait_for_status(page, "measured:")
    said = page.evaluate("() => window.said")
    assert any(line.startswith("interpolated") for line in said), said
    assert said[-1].startswith("measured"), said[-3:]
    table_says(page, "mean", re.search(r"mean score ([\d.]+)", dragged))
    assert dragged != first
    shown = page.locator(".spkit-explorer input[type=number]").first.input_value()
    assert float(shown) == round(float(shown), 2), shown  # as the slider's steps are meant, not as floats end

    page.locator(".spkit-explorer .noUi-handle").nth(1).focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    playwright.expect(page.locator(".spkit-explorer [role=status]").first).not_to_have_text(dragged)
    stepped = wait_for_control(page, 1)
    dragged = wait_for_status(page, "measured:")

    box = page.locator(".spkit-explorer input[type=number]").nth(1)
    box.press("Control+A")  # each goes to the box, wherever the focus is by then
    box.press_sequentially("0.9")
    box.press("Enter")
    handle = page.locator(".spkit-explorer .noUi-handle").nth(1)
    playwright.expect(handle).to_have_attribute("aria-valuetext", re.compile(r"^0\.90*$"))
    assert wait_for_control(page, 1) == 0.9 != stepped
    playwright.expect(page.locator(".spkit-explorer [role=status]").first).not_to_have_text(dragged)
    wait_for_status(page, "measured:")

    drag_on_the_map(page)
    names_are_whole(page)
    folder = page.locator(".spkit-keep input[type=text]").nth(1)
    folder.fill(str(target))
    page.keyboard.press("Tab")
    page.get_by_role("button", name="save model").click()
    playwright.expect(page.get_by_text("Saved. Load it")).to_be_visible()
    saved = SentenceTransformer(str(target))
    position = json.loads((target / "recipe.json").read_text(encoding="utf-8"))["coefficients"]["model"]
    for name, value in position.items():
        assert f"{name} {round(value, 2) + 0.0:.2f}" in status(page)
    vectors = TaskVectors.load(home / "run" / "seed3" / "vectors" / "vectors")
    for mine, other in zip(saved.parameters(), vectors.at(position).parameters(), strict=True):
        assert torch.equal(mine, other)

    page.get_by_role("button", name="copy as code").click()
    code = page.locator(".spkit-explorer textarea")
    playwright.expect(code).to_have_value(re.compile("spkit.TaskVectors.load"))
    code.focus()
    page.keyboard.press("Control+A")
    assert "vectors.at(" in page.evaluate("() => window.getSelection().toString() || document.activeElement.value")
    page.get_by_role("button", name="copy as code").click()
    page.screenshot(path=str(shot))


#: The notebook has its kernel. An order that comes before makes JupyterLab start a second one.
HAS_KERNEL = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


def run_all(page) -> None:
    """Run the cells, once, and wait until they have run."""
    page.wait_for_function(HAS_KERNEL)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")  # not waited for
    playwright.expect(page.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"\[\d+\]"))


@pytest.mark.parametrize("comms", ["perCommTarget", "disabled"])
def test_the_explorer_works_in_jupyterlab(page, tiny_study, tmp_path, comms) -> None:
    notebook(tmp_path, tiny_study)
    settings = tmp_path / "settings"
    settings.mkdir()
    chosen = {"@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": comms}}
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (settings / "overrides.json").write_text(json.dumps(chosen | quiet))
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        f"--ServerApp.root_dir={tmp_path}",
    ]
    command += [
        "--IdentityProvider.token=",
        f"--LabApp.app_settings_dir={settings}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with served(command, port, tmp_path / "log") as url:
        page.goto(f"{url}/lab/tree/explorer.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        run_all(page)
        shots = Path(os.environ.get("SPKIT_SCREENSHOTS", tmp_path))
        exercise(page, tiny_study, tmp_path / "model", shots / f"lab-{comms}.png")
        still = page.locator("[class*='spkit-still'] img")
        playwright.expect(still).to_be_attached()
        playwright.expect(still).to_be_hidden()  # the widget is there
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.goto("about:blank")

    with served(command, port, tmp_path / "log") as url:  # the kernel has gone with its server
        page.goto(f"{url}/lab/tree/explorer.ipynb?reset")
        playwright.expect(page.locator("[class*='spkit-still'] img")).to_be_visible()
        page.screenshot(path=str(shots / f"again-{comms}.png"))


def kernels_of(port: int) -> list[psutil.Process]:
    """The kernels of the server at a port."""
    running = list(psutil.process_iter(["cmdline", "ppid"]))
    below = {one.pid for one in running if f"--port={port}" in (one.info["cmdline"] or [])}
    while more := {one.pid for one in running if one.info["ppid"] in below} - below:
        below |= more
    return [one for one in running if one.pid in below and "ipykernel_launcher" in (one.info["cmdline"] or [])]


def test_a_lost_kernel_says_so_and_kernels_end_when_nobody_looks(page, tiny_study, tmp_path) -> None:
    arguments = {"run": str(tiny_study / "run"), "tasks": str(tiny_study / "tasks.toml"), "seed": 3, "points": 8}
    arguments |= {"data": str(tiny_study / "data"), "folder": str(tmp_path / "kept"), "progress": False}
    (tmp_path / "page.ipynb").write_text(json.dumps(page_notebook("explore_study", arguments)))
    port = free_port()
    command = [sys.executable, "-m", "spkit.explorer.local_server", str(tmp_path / "page.ipynb"), "--no-browser"]
    command += ["--Voila.ip=127.0.0.1", f"--port={port}", *culling(30)]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(command, port, tmp_path / "log") as url:
        page.goto(url)
        wait_for_status(page, "measured:")
        (kernel,) = kernels_of(port)
        kernel.kill()
        playwright.expect(page.locator(".spkit-lost-banner")).to_contain_text("The kernel is gone")
        playwright.expect(page.locator(".spkit-lost-banner")).to_contain_text("=")  # the position
        page.goto("about:blank")
        until = time.monotonic() + SECONDS
        while kernels_of(port) and time.monotonic() < until:
            time.sleep(1)
        assert kernels_of(port) == []
    # What the content policy stops never leaves the browser.
    elsewhere = [url for url in asked if url.startswith("http") and f"127.0.0.1:{port}" not in url]
    assert all("jsdelivr" in url for url in elsewhere), elsewhere


def address(log: Path) -> str:
    """The page's, with the token, as the command prints it."""
    said = re.search(r"The page: (\S+)", log.read_text(encoding="utf-8"))
    assert said is not None
    return said.group(1)


def test_names_of_vectors_run_no_script(page, tiny_study, tmp_path) -> None:
    """A folder of vectors that somebody else made, with names that are markup."""
    named = TaskVectors.load(tiny_study / "run" / "seed3" / "vectors" / "vectors")
    evil = "<img src=x onerror=\"document.title='taken'\">"
    names = [f"{number}{evil}<script>document.title='taken'</script>" for number in range(len(named))]
    TaskVectors(named.base, names, named.matrix).save(tmp_path / "vectors")
    tasks = (tiny_study / "tasks.toml").read_text(encoding="utf-8")
    unseen = tasks.replace("[tasks.sorting]", '[tasks.sorting]\nrole = "unseen"')
    (tmp_path / "tasks.toml").write_text(unseen, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "spkit.cli", "explore", "--vectors", str(tmp_path / "vectors"), "--points=8"]
    command += [f"--tasks={tmp_path / 'tasks.toml'}", f"--data={tiny_study / 'data'}"]
    with served([*command, f"--port={port}", "--no-browser"], port, tmp_path / "log"):
        page.goto(address(tmp_path / "log"))
        wait_for_status(page, "measured:")
        page.locator(".spkit-explorer .noUi-handle").first.focus()
        page.keyboard.press("ArrowLeft")
        wait_for_status(page, "measured:")
        assert page.title() != "taken"
        assert not page.locator(".spkit-explorer img[src=x]").count()
        assert names[0] in status(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_explorer_works_as_a_page(page, tiny_study, tmp_path, theme) -> None:
    """The command as a user gives it."""
    port = free_port()
    command = [sys.executable, "-m", "spkit.cli", "explore", str(tiny_study / "run"), "--seed=3", "--points=8"]
    command += [
        f"--tasks={tiny_study / 'tasks.toml'}",
        f"--data={tiny_study / 'data'}",
        f"--output={tmp_path / 'kept'}",
    ]
    command += [f"--port={port}", "--no-browser", f"--theme={theme}"]
    with served(command, port, tmp_path / "log") as url:
        page.goto(url)
        assert not page.locator(".spkit-explorer").count()  # without the token there is a question for it
        page.goto(address(tmp_path / "log"))
        wait_for_status(page, "measured:")
        dark = page.evaluate("() => getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()")
        text = page.evaluate(
            "() => getComputedStyle(document.querySelector('.spkit-numbers')).color.match(/[\\d.]+/g).map(Number)"
        )
        assert (sum(text[:3]) > 3 * 128) == (theme == "dark"), (text, dark)  # light letters on a dark page
        shots = Path(os.environ.get("SPKIT_SCREENSHOTS", tmp_path))
        exercise(page, tiny_study, tmp_path / "kept" / "model", shots / f"page-{theme}.png")
    assert list((tmp_path / "kept" / "points").glob("*/points.jsonl"))
