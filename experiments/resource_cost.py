"""What the resource forecast costs: reading the machine, learning a sample, answering.

Run::

    python experiments/resource_cost.py [--json]

Times are processor time of this process, so that a busy machine does not change them. The model
is fitted on the bundled runs, and asked natively and as ONNX side by side.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from onward.data.events import Sample
from onward.data.importers import read_parquet
from onward.data.samples import resources_path
from onward.models.forecast import Forecast, rows
from onward.serving.answers.base import Part
from onward.serving.answers.forecast import ForecastAnswerer
from onward.serving.questions.forecast import ForecastRequest
from onward.serving.sampler import INTERVAL_S, Sampler

__all__ = ["main", "measure"]

READS = 20
SAMPLES = 400


def measure() -> dict[str, dict[str, float]]:
    """Part -> figures."""
    log = list(enumerate(read_parquet(resources_path()), 1))
    started = time.process_time()
    table = rows(log)
    folded = time.process_time()
    model = Forecast().fit(table)
    fitted = time.process_time()
    samples = [event for _, event in islice(log, SAMPLES) if isinstance(event, Sample)]
    return {
        "sampler": _sampler(),
        "training": {"fold_s": folded - started, "fit_s": fitted - folded, "rows": len(table)},
        "native": _answering(model.predict, model.facts(), samples),
        "onnx": _answering(_onnx(model.to_onnx()), model.facts(), samples),
    }


def _sampler() -> dict[str, float]:
    sampler = Sampler(print)
    sampler.read()
    spent, sample = [], sampler.read()
    for _ in range(READS):
        begun = time.process_time()
        sample = sampler.read()
        spent.append(time.process_time() - begun)
    return {
        "read_ms": 1000.0 * float(np.median(spent)),
        "core_percent": 100.0 * float(np.mean(spent)) / INTERVAL_S,
        "processes": sample.values["processes"],
    }


def _onnx(body: bytes) -> Callable[[Any], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
    return lambda X: session.run(["p"], {"X": X})[0]


def _answering(run: Callable[[Any], Any], facts: dict[str, Any], samples: Sequence[Sample]) -> Any:
    answerer = ForecastAnswerer()
    answerer.use(Part("measured", facts, run))
    learned = [_spent_us(lambda one=one: answerer.learn(one)) for one in samples]  # type: ignore[misc]
    request = ForecastRequest()
    answered = [_spent_us(lambda: answerer.answer(request)) for _ in range(SAMPLES)]
    return {
        "learn_p50_us": float(np.median(learned)),
        "answer_p50_us": float(np.median(answered)),
        "answer_p99_us": float(np.percentile(answered, 99)),
    }


def _spent_us(what: Callable[[], object]) -> float:
    begun = time.process_time_ns()
    what()
    return (time.process_time_ns() - begun) / 1000.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    found = measure()
    if given.json:
        print(msgspec.json.encode(found).decode())
        return 0
    for part, figures in found.items():
        cells = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        print(f"{part:>10}  {cells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
