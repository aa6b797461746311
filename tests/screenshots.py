"""Pictures of the explorer on a finished study: `python -m tests.screenshots RUN TARGET.png [--theme dark]`.

The README's is `python -m tests.screenshots runs/results notebooks/explorer.png`. Needs chromium and playwright.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from spkit.explorer.page import page_notebook
from tests.browsing import ARGUMENTS, CHROMIUM, free_port, served

SECONDS = 600


def shoot(run: Path, target: Path, theme: str) -> None:
    """Open the explorer as a page, wait until its position is measured, and take the picture."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as started:
        path = Path(scratch) / "page.ipynb"
        path.write_text(json.dumps(page_notebook("explore_study", {"run": str(run.resolve()), "progress": False})))
        port = free_port()
        command = [sys.executable, "-m", "voila", str(path), f"--port={port}", "--no-browser", f"--theme={theme}"]
        command.append("--show_tracebacks=True")
        with served(command, port, Path(scratch) / "log") as url:
            opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = opened.new_page(viewport={"width": 1280, "height": 720})
            page.set_default_timeout(1000 * SECONDS)
            page.goto(url)
            status = page.locator(".spkit-explorer [role=status]").first
            expect(status).to_contain_text(re.compile("measured:"), timeout=1000 * SECONDS)
            page.locator(".spkit-keep input[type=text]").nth(1).fill("runs/explored")  # not a path of this machine
            page.wait_for_timeout(1000)  # the map is drawn after the numbers have come
            box = page.locator(".spkit-explorer").first.bounding_box()
            if box is not None:  # the page scrolls in itself: only what the window holds is in the picture
                page.set_viewport_size({"width": 1280, "height": max(720, int(box["y"] + box["height"]) + 12)})
                page.wait_for_timeout(500)
            page.screenshot(path=str(target), full_page=True)
            opened.close()


def main() -> None:
    """Take one picture."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--theme", default="light", choices=("light", "dark"))
    given = parser.parse_args()
    if not CHROMIUM:
        sys.exit("Found no chromium on this machine.")
    shoot(given.run, given.target, given.theme)


if __name__ == "__main__":
    main()
