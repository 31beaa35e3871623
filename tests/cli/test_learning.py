"""The commands that import, learn and replay, one after the other on one home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onward.data.samples import sample_path


def little_log(path: Path, steps: int) -> Path:
    """A log of a few sessions, some of whose commands fail."""
    line = '{"traj": "t%d", "step": %d, "action": "%s", "obs": "", "rc": %d, "ok": %s}\n'
    rows = []
    for number in range(steps):
        failed = number % 7 == 0
        command = f"make part{number % 5}" if failed else f"cat file{number % 11}"
        row = (number // 20, number % 20, command, int(failed), "false" if failed else "true")
        rows.append(line % row)
    path.write_text("".join(rows))
    return path


def test_import_twice(cli: Any) -> None:
    """Importing twice is importing once, and says so."""
    first = cli("import", str(sample_path()), "--json").json()[0]
    second = cli("import", str(sample_path()), "--json").json()[0]
    shown = cli("import", str(sample_path()))

    assert first["stored"] > 1000
    assert second["stored"] == 0
    assert second["duplicates"] == first["stored"]
    assert "0 events stored" in shown.out


def test_import_what_is_no_history(cli: Any, home: Path, tmp_path: Path) -> None:
    """A file of no known format is an error, and nothing is written."""
    file = tmp_path / "poem.jsonl"
    file.write_text("roses are red\n")

    done = cli("import", str(file))

    assert done.code == 3
    assert cli("status", "--json").json()["events"].get("Step", 0) == 0


def test_train_without_mlflow(cli: Any, filled: Path) -> None:
    """Training publishes a version and says that MLflow is away."""
    done = cli("train", "--json")

    assert done.code == 0
    assert done.json()["ruling"]["alias"] == "champion"
    assert "MLflow does not answer" in done.json()["notes"][0]


def test_evaluate_promote_roll_back(cli: Any, live: Path) -> None:
    """A live version is followed by another, which is promoted by hand, and taken back."""
    second = cli("train")
    assert second.code == 0
    assert "challenger" in second.out
    assert "tested on held-out steps, for a fit of the same kind" in " ".join(second.out.split())
    assert "goes on answering, since" in " ".join(second.out.split())
    assert "onward models promote" in " ".join(second.out.split())

    versions = cli("models", "list", "--json").json()
    assert [row["alias"] for row in versions] == ["challenger", "champion"]
    assert "champion" in cli("models", "list").out

    promoted = cli("models", "promote", versions[0]["version"], "--json").json()
    assert promoted["before"] == versions[1]["version"]
    back = cli("models", "rollback", "--json").json()
    assert back["now"] == versions[1]["version"]

    assert "too few to judge by" in cli("evaluate").out
    assert cli("evaluate", versions[0]["version"], "--json").json()["metrics"]["auc"] > 0.5


def test_a_damaged_version_hides_no_other(cli: Any, live: Path) -> None:
    """The list names what is damaged or of other features, and shows all the rest."""
    bundles = live / "bundles"
    good = cli("models", "list", "--json").json()[0]
    for name, manifest in (("20200101T000000-old", "{"), ("20990101T000000-new", '{"version": 1}')):
        (bundles / name).mkdir()
        (bundles / name / "manifest.json").write_text(manifest)

    rows = cli("models", "list", "--json").json()
    shown = cli("models", "list")

    assert [row["version"][:4] for row in rows] == ["2099", good["version"][:4], "2020"]
    assert rows[1] == good
    assert good["fault"] == ""
    assert all("manifest is damaged" in rows[place]["fault"] for place in (0, 2))
    assert "20200101T000000-old cannot answer" in shown.out
    assert good["version"] in shown.out


def test_too_little_to_learn_from(cli: Any, home: Path, tmp_path: Path) -> None:
    """A history that is too short has its own exit code."""
    assert cli("import", str(little_log(tmp_path / "steps.jsonl", 5))).code == 0

    assert cli("train").code == 5


def test_replay_writes_a_page(cli: Any, home: Path, tmp_path: Path) -> None:
    """A replay shows the same in the terminal, as JSON and as a page."""
    page = tmp_path / "replay.html"
    assert cli("import", str(little_log(tmp_path / "steps.jsonl", 900))).code == 0

    found = cli("replay", "--blocks", "2", "--html", str(page), "--json").json()
    shown = cli("replay", "--blocks", "2")

    assert (found["warmup"], found["steps"]) == (270, 630)
    assert f"{found['steps']:,} steps decided" in shown.out
    assert f"{found['steps']:,}" in page.read_text()


def test_replay_of_a_path_keeps_nothing(cli: Any, home: Path, tmp_path: Path) -> None:
    """Logs that are replayed do not become part of the history."""
    log = little_log(tmp_path / "steps.jsonl", 600)

    done = cli("replay", str(log), "--blocks", "1", "--warmup", "0.9", "--json")

    assert done.json()["steps"] == 60
    assert not (home / "history.db").exists()


def test_frozen_replay_needs_a_live_version(cli: Any, filled: Path) -> None:
    """Without a live version there is none to replay."""
    assert cli("replay", "--frozen").code == 3


def test_frozen_replay_takes_later_steps_only(cli: Any, live: Path, tmp_path: Path) -> None:
    """A frozen replay judges the live version on nothing that it was trained on."""
    assert cli("replay", "--frozen").code == 5

    assert cli("import", str(little_log(tmp_path / "steps.jsonl", 80))).code == 0

    assert cli("replay", "--frozen", "--json").json()["steps"] == 80


@pytest.mark.parametrize("option", [["--blocks", "0"], ["--warmup", "2"], ["--error-rate", "1.5"]])
def test_replay_options_have_bounds(cli: Any, filled: Path, option: list[str]) -> None:
    """An option out of its range is a usage error."""
    assert cli("replay", *option).code == 2
