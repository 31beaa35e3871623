"""The experiment on memory runs from the command line, on a set in the layout of the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "memory.py"
TOPICS = ("visa transfer", "good school", "car rental", "flat deposit", "cheap phone", "dentist")
_FILLER = "please tell where people here went last month and what it cost them in the end"
FILLER = _FILLER.split()


def write_part(folder: Path, *, seed: int, questions: int = 12) -> None:
    """Questions on topics with ten candidates each; those of the same topic are relevant."""
    random = np.random.default_rng(seed)
    blocks = []
    for number in range(questions):
        topic = number % len(TOPICS)
        for place in range(10):
            other = topic if place % 3 == 0 else int(random.integers(len(TOPICS)))
            words = " ".join(random.choice(FILLER, 6))
            judged = "Relevant" if other == topic else "Irrelevant"
            blocks.append(
                f'<OrgQuestion ORGQ_ID="Q{seed}{number}"><OrgQSubject>{TOPICS[topic]}</OrgQSubject>'
                f"<OrgQBody>I look for a {TOPICS[topic]} in town number {number}</OrgQBody>"
                f'<Thread><RelQuestion RELQ_ID="Q{seed}{number}_R{place}"'
                f' RELQ_RANKING_ORDER="{place + 1}" RELQ_RELEVANCE2ORGQ="{judged}">'
                f"<RelQSubject>{TOPICS[other]}</RelQSubject>"
                f"<RelQBody>{words} {TOPICS[other]} {place} {number}</RelQBody></RelQuestion>"
                f"<RelComment><RelCText>about a {TOPICS[other]}</RelCText></RelComment>"
                "</Thread></OrgQuestion>"
            )
    folder.mkdir(parents=True)
    (folder / "part.xml").write_text(f"<xml>{''.join(blocks)}</xml>")


def write_embedder(folder: Path, *, dim: int, seed: int) -> None:
    """A static embedder with a vector for each word of the set."""
    folder.mkdir(parents=True)
    words = sorted({*FILLER, *" ".join(TOPICS).split(), "look", "town", "number"})
    vocabulary = {word: place for place, word in enumerate(["[UNK]", *words])}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    body = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}}
    (folder / "tokenizer.json").write_text(json.dumps({**body, "model": model}))
    table = np.random.default_rng(seed).standard_normal((len(vocabulary), dim))
    np.save(folder / "table.npy", table.astype(np.float32))
    about = {"kind": "static", "model": "small", "dim": dim, "max_tokens": 64}
    (folder / "sentences.json").write_text(json.dumps(about))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sets, and one of embedders."""
    folder = tmp_path_factory.mktemp("memory")
    write_part(folder / "data" / "memory" / "semeval2016_cqa" / "train", seed=1)
    write_part(folder / "data" / "memory" / "semeval2016_cqa" / "dev", seed=2)
    write_part(folder / "held" / "test", seed=3)
    write_embedder(folder / "home" / "sentences" / "all-MiniLM-L6-v2", dim=24, seed=0)
    write_embedder(folder / "home" / "sentences" / "static", dim=8, seed=1)
    return folder


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments, "--home", str(place / "home")]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def test_data_is_judged_by_set_method_and_metric(place: Path) -> None:
    """With --data the part dev is judged; every method has its figures with intervals."""
    plots = place / "plots"
    done = run(place, "--data", str(place / "data"), "--json", "--plots", str(plots))
    found = json.loads(done.stdout)

    assert done.returncode == 0
    rank, recall = found["semeval2016_cqa/rank"], found["semeval2016_cqa/recall"]
    assert {
        "onward",
        "given",
        "bm25",
        "tfidf",
        "dense",
        "static",
        "fused",
        "untuned",
    } <= rank.keys()
    assert rank["onward"]["map"] > rank["given"]["map"]
    assert rank["onward"]["map_low"] <= rank["onward"]["map"] <= rank["onward"]["map_high"]
    assert recall["onward"]["recall_at_10"] >= recall["bm25"]["recall_at_1"]
    assert found["semeval2016_cqa/duplicates"]["onward"]["case"] == 1.0
    assert found["semeval2016_cqa/duplicates"]["onward"]["negated"] == 0.0
    assert list(plots.glob("*.png"))


def test_an_unseen_part_is_judged(place: Path) -> None:
    """With --test a part that lies anywhere is judged after the whole of --train, as a table."""
    done = run(place, "--train", str(place / "data"), "--test", str(place / "held"))

    assert done.returncode == 0
    assert "semeval2016_cqa/rank" in done.stdout


def test_missing_data_is_said(place: Path) -> None:
    """A folder without a set, and no folder at all, are said on one line."""
    for arguments in (("--data", str(place / "home")), ()):
        done = run(place, *arguments)

        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
