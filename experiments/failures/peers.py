"""Other ways to group log messages and to tell causes, each as it is commonly used.

Drain3 and Brain run with one setting for all systems; Drain and Brain of logparser3 also with the
regular expressions and thresholds that their authors published for each system, read from the
installed package.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import importlib
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onward.features.errors.causes import Case
from onward.features.errors.rootcause import error_lines
from onward.features.sentences import Embedder

__all__ = ["brain", "drain3", "nearest", "published", "words"]

_IP = r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)"
_HEX = r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)"
_NUMBER = r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)"
BRAIN_THRESHOLD = 4
"""The best of 2 to 5 on the eight systems, without regular expressions."""


def drain3(lines: Sequence[str]) -> list[int]:
    """Drain3 with its own defaults, and the masks that its documentation begins with."""
    parts = ("template_miner", "template_miner_config", "masking")
    miners, configs, masking = (importlib.import_module(f"drain3.{part}") for part in parts)

    config = configs.TemplateMinerConfig()
    masks = ((_IP, "IP"), (_HEX, "HEX"), (_NUMBER, "NUM"))
    config.masking_instructions = [masking.MaskingInstruction(*mask) for mask in masks]
    miner = miners.TemplateMiner(config=config)
    return [int(miner.add_log_message(line)["cluster_id"]) for line in lines]


def brain(lines: Sequence[str]) -> list[str]:
    """Brain with one threshold and no regular expressions."""
    return _parsed("Brain", lines, logname="x", rex=[], delimeter=[], threshold=BRAIN_THRESHOLD)


def published(name: str, system: str, lines: Sequence[str]) -> list[str] | None:
    """``Brain`` or ``Drain`` with their authors' own setting for a system; None = there is none."""
    setting = _settings(name).get(system)
    if setting is None:
        return None
    if name == "Brain":
        return _parsed(
            name,
            lines,
            logname=system,
            rex=setting["regex"],
            delimeter=setting["delimiter"],
            threshold=setting["theshold"],
        )
    return _parsed(name, lines, rex=setting["regex"], depth=setting["depth"], st=setting["st"])


def _settings(name: str) -> dict[str, dict[str, Any]]:
    """The settings in the benchmark script of logparser3, which is read and not run."""
    package = importlib.import_module(f"logparser.{name}")
    source = Path(package.__file__ or "").with_name("benchmark.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "benchmark_settings":
            found: dict[str, dict[str, Any]] = ast.literal_eval(node.value)
            return found
    return {}


def _parsed(name: str, lines: Sequence[str], **setting: Any) -> list[str]:
    """One cluster a line from a parser of logparser3, which works on files."""
    parser = importlib.import_module(f"logparser.{name}").LogParser
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()):
            parser(log_format="<Content>", indir=folder, outdir=folder, **setting).parse("x.log")
        with Path(folder, "x.log_structured.csv").open(newline="", encoding="utf-8") as rows:
            found = [row["EventId"] for row in csv.DictReader(rows)]
    return found if len(found) == len(lines) else [*found, *lines[len(found) :]]


def words(train: Sequence[Case], test: Sequence[Case]) -> list[str]:
    """TF-IDF of the whole log and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    table = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"[A-Za-z]{2,}")  # noqa: S106
    X = table.fit_transform([case.log for case in train])
    model = LogisticRegression(C=30, class_weight="balanced", max_iter=2000)
    model.fit(X, [case.category for case in train])
    said = model.predict(table.transform([case.log for case in test]))
    return [str(label) for label in said]


def nearest(
    train: Sequence[Case], test: Sequence[Case], embedder: Embedder, *, k: int = 5
) -> list[str]:
    """The commonest category of the k cases whose error lines are embedded nearest."""
    known, asked = (
        embedder.embed([" ".join(error_lines(case.log)[-12:])[-1500:] for case in cases])
        for cases in (train, test)
    )
    said = []
    for row in asked @ known.T:
        near = [train[i].category for i in np.argsort(-row, kind="stable")[:k]]
        said.append(max(near, key=lambda label: (near.count(label), -near.index(label))))
    return said
