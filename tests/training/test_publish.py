"""The parity gate, and the model card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.models.bundle import CARD, Manifest, PartFacts
from onward.training.draft import Draft
from onward.training.loop import Trained, train
from onward.training.parity import Exported, check_parity
from onward.training.publish import publish
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.systems import PartDraft
from onward.training.veteran import load_veteran

Home = tuple[TrainSettings, Trained]


def test_export_must_be_the_fitted_model(trained: Home) -> None:
    """An export that says anything else than the fitted model is refused."""
    folder = Shelf(trained[0].home_dir).path(trained[1].version)
    body = (folder / "confidence.onnx").read_bytes()
    with np.load(folder / "parity.npz") as rows:
        X, native = rows["X"], rows["confidence"]

    assert check_parity("confidence", body, X=X, native=native) <= 1e-5
    with pytest.raises(BundleError):
        check_parity("confidence", body, X=X, native=native + 2e-5)
    with pytest.raises(BundleError):
        check_parity("confidence", body, X=X, native=native * np.nan)


def test_what_is_no_model() -> None:
    """Bytes that are no ONNX are a damaged bundle."""
    with pytest.raises(BundleError):
        Exported(b"nothing")


def test_card_tells_what_it_is(trained: Home) -> None:
    """The card names the history, the figures beside the peers, and each promise."""
    settings, result = trained
    card = (Shelf(settings.home_dir).path(result.version) / CARD).read_text()

    assert result.ruling.text in card
    assert "| counts |" in card
    assert "at most 10% errors" in card
    assert "Where it fails" in card


def test_what_cannot_be_read_back_is_not_published(
    filled: Callable[..., TrainSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that could not be loaded again never comes onto the shelf."""
    drafts: list[Draft] = []

    def watched(draft: Draft, shelf: Shelf) -> Manifest:
        drafts.append(draft)
        return publish(draft, shelf)

    monkeypatch.setattr("onward.training.loop.publish", watched)
    first = train(filled(tmp_path / "home", 1500))
    shelf = Shelf(tmp_path / "home")
    about = PartFacts(names=("x",), beats_peer=False, ruling="", metrics={"loss": np.nan})
    none = np.zeros((0, 1), np.float32)
    odd = PartDraft("odd", b"", {}, none, none, about)

    with pytest.raises(BundleError, match="manifest is damaged"):
        publish(replace(drafts[0], version="odd", parts=[odd]), shelf)
    assert shelf.versions() == [first.version]


def test_half_a_manifest(trained: Home) -> None:
    """A bundle whose manifest was cut is damaged, and says which it is."""
    settings, result = trained
    shelf = Shelf(settings.home_dir)
    path = shelf.path(result.version) / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(BundleError):
        load_veteran(shelf, result.version)
