"""What spkit does without its extras, and what it says of the rest: `tests/test_install.py` runs this where none is."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import spkit
from tests.tiny import WORDS, tiny_encoder, tiny_tasks


def main() -> None:
    """Prints one JSON object: what was made, and the errors by what was asked for."""
    tasks = tiny_tasks()
    base = tiny_encoder(0, WORDS)
    experts = {
        name: spkit.train(base, task, steps=2, batch_size=8, learning_rate=1e-2, progress=False)
        for name, task in tasks.items()
    }
    vectors = spkit.TaskVectors.from_models(base, experts)
    for method in ("average", "ties"):
        spkit.merge(base, vectors, method)
    probe = spkit.Probe.sample(tasks, size=48)
    result = spkit.self_position(vectors, probe, steps=2, batch_size=8, progress=False)
    scores = spkit.evaluate(result.model(), tasks)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        vectors.save(home / "vectors")
        result.save(home / "model")
        again = spkit.load_position(home / "model", spkit.TaskVectors.load(home / "vectors"))
        (home / "adapter").mkdir()
        (home / "adapter" / "adapter_config.json").write_text("{}")
        (home / "study.toml").write_text('base = "minilm-l3"\ntasks = ["topic", "chat"]\n[training]\nsteps = 2\n')

        def draw() -> None:
            from spkit.figures import draw_figures

            draw_figures(home, home / "figures")

        def show_page() -> None:
            from spkit.explorer.page import serve

            serve("explore", {}, 8866, browser=False)

        asked: dict[str, Callable[[], object]] = {
            "bundled data": lambda: spkit.load_tasks("bundled"),
            "bundled base": lambda: spkit.load_base("minilm-l3"),
            "tpe": lambda: spkit.search(vectors, probe, "tpe"),
            "cma": lambda: spkit.search(vectors, probe, "cma"),
            "surgery": lambda: spkit.train_with_surgery(base, tasks, steps=2),
            "study": lambda: spkit.run_study(spkit.load_profile(home / "study.toml"), home / "run"),
            "figures": draw,
            "mergekit": lambda: spkit.merge(base, experts, "mergekit:karcher"),
            "adapter": lambda: spkit.TaskVectors.from_models(base, {"faq": home / "adapter"}),
            "explorer": lambda: spkit.explore(vectors, tasks),
            "page": show_page,
        }
        said = {name: _said(what) for name, what in asked.items()}
    print(
        json.dumps(
            {
                "methods": spkit.merge_methods(),
                "scored": sorted(set(scores["task"])),
                "coefficients": len(again.coefficients),
                "errors": said,
                "imported": sorted({name.partition(".")[0] for name in sys.modules}),
            }
        )
    )


def _said(what: Callable[[], object]) -> str:
    try:
        what()
    except spkit.SpkitError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    main()
