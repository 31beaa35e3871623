"""What training may be told; read from the environment under ``ONWARD_``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from onward.data.settings import HomeSettings

__all__ = ["TrainSettings"]

Port = Annotated[int, Meta(ge=1, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Seconds = Annotated[float, Meta(gt=0)]


class TrainSettings(HomeSettings, frozen=True, kw_only=True):
    """The settings of the learning loop; the defaults are meant to be right.

    Examples
    --------
    >>> TrainSettings.from_env({"ONWARD_SEED": "7"}).seed
    7
    """

    mlflow_uri: str = ""
    """Where MLflow keeps its books: any tracking URI; empty means ``mlflow.db`` in ``home``."""
    mlflow_port: Port = 8789
    """Port of the MLflow UI that `onward up` starts."""
    error_rate: Share = 0.10
    """The share of errors that the execute band may have."""
    confidence: Share = 0.95
    """How sure the promise of ``error_rate`` must be."""
    sentence_model: str = ""
    """A sentence-transformers model, by name or folder; empty means all-MiniLM-L6-v2, bundled."""
    seed: int = 0
    """Decides every random choice; the same history and seed give the same model."""
    calibrate_share: Share = 0.2
    """Share of the newest steps before the judged ones that calibrate; higher promises tighter."""
    test_share: Share = 0.2
    """Share of the newest steps that judge a fit without them; higher judges tighter."""
    least_steps: Positive = 200
    """With fewer steps whose outcome is known, nothing is trained."""
    keep: Positive = 20
    """How many published versions stay on disk."""
    watch_steps: Positive = 500
    """`--watch` retrains after this many new outcomes."""
    watch_drift: Share = 0.02
    """... or when the live model's Brier score on new outcomes is surely worse by this much."""
    watch_s: Seconds = 5.0
    """How often `--watch` looks at the history."""

    @property
    def tracking_uri(self) -> str:
        """Where MLflow keeps its books, with the default filled in."""
        return self.mlflow_uri or f"sqlite:///{(self.home_dir / 'mlflow.db').resolve()}"

    @property
    def artifacts(self) -> Path:
        """Where plots and models lie when MLflow's books are a database."""
        return self.home_dir / "mlartifacts"
