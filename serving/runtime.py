"""Which model answers, and how another takes its place.

The state directory names what is live in a text file. When a name changes, the new bundle is
loaded, checked and warmed beside the one that answers, its state is folded up to the newest
event, and both are exchanged at one place of the log: every request is answered by one whole
model, and none waits for the loading.
"""

from __future__ import annotations

import logging
from pathlib import Path

from onward.data.errors import BundleError
from onward.models.bundle import read_manifest
from onward.models.live import Live, read_live
from onward.serving import bundle as bundles
from onward.serving.bundle import Bundle
from onward.serving.ledger import Ledger
from onward.serving.snapshot import Snapshots
from onward.serving.wire import ModelInfo, Models

__all__ = ["Runtime"]

log = logging.getLogger(__name__)


class Runtime:
    """The live bundles.

    Parameters
    ----------
    home
        The state directory; bundles lie in ``bundles/`` below it.
    error_rate
        The share of the execute band that may fail.

    Attributes
    ----------
    live
        The bundle that decides; None = rules and counts do.
    predicting
        The bundle whose models answer the questions beside decisions, mostly the same; None =
        their trivial peers do.
    fault
        Why the version that should decide does not; empty = it does, or there is none.
    """

    def __init__(self, home: Path, *, error_rate: float) -> None:
        self.live: Bundle | None = None
        self.predicting: Bundle | None = None
        self.fault = ""
        self._folder = home / "bundles"
        self._error_rate = error_rate
        self._seen = Live()  # what was named at the last look, whether or not it could be loaded

    @property
    def version(self) -> str:
        """The version that decides; empty = rules and counts do."""
        return "" if self.live is None else self.live.version

    def start(self) -> None:
        """Load what is named, as far as it is sound."""
        self._seen = self._named()
        self.live = self._decider(self._seen.decides)
        self.predicting = self._predictor(self._seen, self.live)

    def poll(self, ledger: Ledger, snapshots: Snapshots) -> bool:
        """Look whether something else is named, and let it answer; True if it now does.

        Called now and then by one thread.
        """
        named = self._named()
        if named == self._seen:
            return False
        fresh = self._decider(named.decides)
        if fresh is None and self.fault:
            self._seen = named  # a name is tried once
            return False
        predicting = self._predictor(named, fresh)
        if not ledger.exchange(snapshots.base(fresh, predicting, whole=True)):
            return False
        log.info("%s answers in place of %s", named, self._seen)
        self._seen, self.live, self.predicting = named, fresh, predicting
        return True

    def _named(self) -> Live:
        try:
            return read_live(self._folder)
        except OSError as error:
            log.warning("no version can be read from %s: %s", self._folder, error)
            return Live()

    def _decider(self, version: str) -> Bundle | None:
        """The bundle of the name; None, and `fault` says why, where it cannot be used."""
        self.fault = ""
        if not version:
            return None
        try:
            return self.open(version)
        except BundleError as error:
            self.fault = f"Model {version} cannot be used: {error}"
            log.warning("%s", self.fault)
            return None

    def _predictor(self, named: Live, decider: Bundle | None) -> Bundle | None:
        """Where questions get their models from; None where it cannot be used."""
        if not named.predicts or named.predicts == named.decides:
            return decider
        try:
            return self.open(named.predicts)
        except BundleError as error:
            log.warning("questions are answered without models: %s", error)
            return None

    def open(self, version: str) -> Bundle:
        """Any version on disk, loaded; raises `BundleError` where it is none."""
        for bundle in (self.live, self.predicting):
            if bundle is not None and bundle.version == version:
                return bundle
        return bundles.load(self._path(version), error_rate=self._error_rate)

    def models(self) -> Models:
        """All versions on disk, newest first."""
        folders = self._folder.iterdir() if self._folder.is_dir() else ()
        names = sorted((f.name for f in folders if f.is_dir() and f.name[0] != "."), reverse=True)
        predicting = "" if self.predicting is None else self.predicting.version
        return Models(self.version, [self._info(name) for name in names], predicting)

    def _path(self, version: str) -> Path:
        if Path(version).name != version or version.startswith("."):
            raise BundleError(f"{version!r} is no name of a version.")
        return self._folder / version

    def _info(self, version: str) -> ModelInfo:
        live = version == self.version
        try:
            manifest = read_manifest(self._folder / version)
        except BundleError as error:
            return ModelInfo(version=version, live=live, fault=error.message)
        return ModelInfo(
            version=version,
            live=live,
            created=manifest.created,
            last_seq=manifest.last_seq,
            metrics=dict(manifest.metrics),
        )
