"""The files that a user's wish sits beside, the likeliest first."""

from __future__ import annotations

from onward.features.intent import touched as table
from onward.features.intent.past import Near, Past
from onward.features.intent.touched import Touched
from onward.features.intent.work import Work


def test_files_are_ranked_by_when_what_for_and_name() -> None:
    """The file changed last comes first, unless like prompts or the text name another."""
    touched = Touched()
    touched.learn(["src/parser.py", "docs/guide.md", "src/reader.py"])
    past = Past("p", "s", "", "", 0.0, "prompt", "", "", (), Work(files=["docs/guide.md"]))

    def first(text: str, *near: Near) -> str:
        return touched.likely(text, near)[0][0]

    assert first("go on") == "src/reader.py"
    assert first("fix src/parser.py") == "src/parser.py"
    assert first("go on", *[Near(past, 1.0)] * 3) == "docs/guide.md"


def test_files_changed_long_ago_are_forgotten() -> None:
    """The table stays small, and what is kept comes back in its order."""
    touched, again = Touched(), Touched()
    touched.learn(f"f{n}.py" for n in range(5_000))
    again.learn(touched.dump())

    assert len(touched.dump()) <= table.MAX_TOUCHED
    assert touched.dump()[-1] == "f4999.py"
    assert again.likely("f4998", []) == touched.likely("f4998", [])
