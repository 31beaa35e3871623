"""MLflow behind one seam: what a training run leaves behind, and the registry of versions.

MLflow is where people look and compare; it is not what serving rests on. The bundles in the
state directory are (see `onward.training.publish`), so everything here may fail with
`Unavailable`, and training still publishes. Nothing is sent anywhere but to the tracking
URI: MLflow's own telemetry is switched off before it is imported.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotFound, Unavailable

__all__ = ["MODEL", "Record", "Tracked", "Tracker", "private_environment"]

MODEL = "onward-confidence"
"""The registered model's name; its versions carry the tag ``bundle``."""

EXPERIMENT = "onward"
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_SHOWN = 160  # characters of a foreign error: what follows is the library's own depth
_TEXT_LIMIT = 500  # longest parameter value; MLflow's own limit is 6,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one training run leaves behind."""

    version: str
    """The bundle's version; also the run's name."""
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    data_digest: str
    """Hash of the history that was learned from."""
    data_rows: int
    onnx: bytes
    """The confidence model."""
    rows: NDArray[np.float32]
    """(n, features) a few rows of its input; the signature is inferred from them."""
    predictions: NDArray[np.floating[Any]]
    """(n,) what it says to them."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """File name -> text: the model card, the metrics as JSON."""
    plots: Mapping[str, bytes] = field(default_factory=dict)
    """File name -> PNG."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """File name -> the ONNX models of the systems beside decisions."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a run went."""

    uri: str
    run_id: str
    version: str
    """The registry's own number for it."""


def private_environment() -> None:
    """Make MLflow keep to itself and give up soon; a value set by the user stays.

    Both are read when MLflow is imported, here or in a child process.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


class Tracker:
    """Runs and registered versions at one tracking URI.

    Parameters
    ----------
    uri
        Where MLflow keeps its books: ``sqlite:///file``, ``postgresql://...``, ``http://...``.
    artifacts
        Folder for plots and models where the URI is a database; a tracking server has its own.
    """

    def __init__(self, uri: str, *, artifacts: Path) -> None:
        self.uri = uri
        self._artifacts = artifacts

    def log(self, record: Record, *, alias: str) -> Tracked:
        """Store a run with all that belongs to it, register its model, and give it an alias.

        Raises
        ------
        Unavailable
            MLflow is not installed, or what stands at the URI does not answer.
        """
        with self._client() as client:
            run = client.create_run(self._experiment(client), run_name=record.version)
            run_id = str(run.info.run_id)
            self._log_numbers(client, run_id, record)
            _log_files(client, run_id, record)
            number = self._register(client, run_id, record)
            client.set_registered_model_alias(MODEL, alias, number)
            client.set_terminated(run_id)
            return Tracked(self.uri, run_id, number)

    def set_alias(self, alias: str, bundle: str) -> None:
        """Give the registered version of a bundle an alias (`champion`, `challenger`).

        Raises
        ------
        NotFound
            No registered version carries this bundle's name.
        Unavailable
            MLflow does not answer.
        """
        with self._client() as client:
            client.set_registered_model_alias(MODEL, alias, _number_of(client, bundle))

    def aliases(self) -> dict[str, str]:
        """Alias -> bundle version, as the registry has it; raises `Unavailable`."""
        with self._client() as client:
            found = client.search_registered_models(f"name = '{MODEL}'")
            held = dict(found[0].aliases) if found else {}
            versions = {a: client.get_model_version(MODEL, str(n)) for a, n in held.items()}
        return {alias: str(version.tags.get("bundle", "")) for alias, version in versions.items()}

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """MLflow's client, quiet, with every failure as one of ours."""
        private_environment()
        with warnings.catch_warnings():
            # MLflow's table classes warn under SQLAlchemy 2.1, and its signature inference
            # about integers that it is not given.
            warnings.simplefilter("ignore")
            try:
                import mlflow

                _knock(self.uri)
                with _quiet_logs():  # after the import, which sets its own levels
                    mlflow.set_tracking_uri(self.uri)
                    mlflow.set_registry_uri(self.uri)
                    yield mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            except NotFound:
                raise
            except ImportError as error:
                raise Unavailable(
                    "MLflow is not installed; install the extra with: pip install 'onward[train]'",
                    missing=error.name,
                ) from error
            except Exception as error:  # whatever MLflow, SQLAlchemy or requests raise
                place = _without_password(self.uri)
                raise Unavailable(
                    f"MLflow does not answer at {place}: {_first_line(error)}."
                ) from error

    def _experiment(self, client: Any) -> str:
        """The experiment's id; made on first use."""
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        place = None if self.uri.startswith("http") else self._artifacts.resolve().as_uri()
        return str(client.create_experiment(EXPERIMENT, artifact_location=place))

    def _log_numbers(self, client: Any, run_id: str, record: Record) -> None:
        """Parameters, metrics and the data's hash, in one request each."""
        from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

        now = int(time.time() * 1000)
        metrics = [Metric(k, float(v), now, 0) for k, v in record.metrics.items() if np.isfinite(v)]
        params = [Param(k, str(v)[:_TEXT_LIMIT]) for k, v in record.params.items()]
        tags = [RunTag("bundle", record.version), RunTag("data_digest", record.data_digest)]
        client.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        digest = record.data_digest[:36]  # the registry's column is 36 characters wide
        profile = f'{{"num_rows": {record.data_rows}}}'
        data = Dataset("history", digest, "onward", "{}", profile=profile)
        client.log_inputs(run_id, [DatasetInput(data, [])])

    def _register(self, client: Any, run_id: str, record: Record) -> str:
        """Store the ONNX model with its signature as a new version; gives its number."""
        import mlflow.onnx
        import onnx
        from mlflow.exceptions import MlflowException
        from mlflow.models import infer_signature

        with mlflow.start_run(run_id=run_id):
            info = mlflow.onnx.log_model(
                onnx.load_from_string(record.onnx),
                name="confidence",
                signature=infer_signature(record.rows, record.predictions),
                pip_requirements=["onnxruntime", "numpy"],
            )
        try:
            client.create_registered_model(MODEL, description="P(success) of an agent's next step")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            MODEL,
            source=info.model_uri,
            run_id=run_id,
            model_id=info.model_id,
            tags={"bundle": record.version, "data_digest": record.data_digest},
        )
        return str(version.version)


def _knock(uri: str) -> None:
    """Try a database server once; MLflow itself would try for a minute and a half."""
    if uri.startswith(("postgresql", "mysql", "mssql")):
        import sqlalchemy

        engine = sqlalchemy.create_engine(uri)
        with engine.connect():
            pass
        engine.dispose()


def _log_files(client: Any, run_id: str, record: Record) -> None:
    """Plots and texts, as the run's artifacts."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in (*record.plots.items(), *record.files.items()):
            Path(folder, name).write_bytes(body)
        for name, text in record.texts.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, folder)


def _number_of(client: Any, bundle: str) -> str:
    """The registry's number for a bundle."""
    found = client.search_model_versions(f"name = '{MODEL}' and tag.bundle = '{bundle}'")
    if not found:
        raise NotFound(f"MLflow has no registered version of bundle {bundle}.", bundle=bundle)
    return str(found[0].version)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Silence what MLflow, its migrations and its retries log about their own housekeeping."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _without_password(uri: str) -> str:
    """A URI as it may be shown.

    >>> _without_password("postgresql://me:secret@host/db")
    'postgresql://me:***@host/db'
    """
    head, at, tail = uri.rpartition("@")
    scheme, sep, user = head.partition("://")
    return f"{scheme}{sep}{user.partition(':')[0]}:***@{tail}" if at and ":" in user else uri


def _first_line(error: Exception) -> str:
    """What an error says first, or its class where it says nothing."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return lines[0].rstrip(".") if len(lines[0]) <= _SHOWN else f"{lines[0][:_SHOWN]} ..."
