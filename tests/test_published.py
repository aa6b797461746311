"""What is known of a model's publication from its card: in its folder, in the hub's cache, or nowhere."""

from pathlib import Path

import huggingface_hub.constants
import pytest

from spkit.saving.published import hub_ids_of, licence_of

CARD = "---\nlicense: mit\nbase_model: company/start\n---\n# A model\n"


def test_a_card_in_the_hubs_cache_says_the_licence_of_its_version(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    copy = tmp_path / "models--company--model"
    for version, licence in {"main": "apache-2.0", "v2": "mit"}.items():
        (copy / "snapshots" / version).mkdir(parents=True)
        (copy / "snapshots" / version / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
        (copy / "refs").mkdir(exist_ok=True)
        (copy / "refs" / version).write_text(version)
    assert (licence_of("company/model"), licence_of("company/model@v2")) == ("apache-2.0", "mit")
    assert licence_of("company/model@v3") is None
    assert licence_of("company/other") is None
    assert hub_ids_of("company/model@v2") == ["company/model"]  # its own, whatever it was made from


@pytest.mark.parametrize(
    "card",
    [
        None,
        b"# A model without a head\n",
        b"---\nlicense: [mit\n---\n",  # no YAML
        b"---\n- mit\n---\n",  # a list
        b"---\nlicense: [mit, apache-2.0]\nbase_model: {name: company/start}\n---\n",
        CARD.replace("model", "fa\xe7ade").encode("latin-1"),
    ],
)
def test_what_a_card_does_not_say_is_not_known(tmp_path, card) -> None:
    folder = tmp_path / "expert"
    folder.mkdir()
    if card is not None:
        (folder / "README.md").write_bytes(card)
    assert licence_of(str(folder)) is None
    assert hub_ids_of(str(folder)) == []


def test_a_folder_that_is_called_as_a_hub_id_is_no_hub_id(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("company") / "model"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(CARD.replace("company/start", "[company/start, company/model, runs]"))
    assert licence_of("company/model") == "mit"
    assert hub_ids_of("company/model") == ["company/start"]  # the others are this folder, and no id
