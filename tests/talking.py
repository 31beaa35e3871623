"""A made-up talk of a user with an agent: prompts of every kind, each with its step."""

from __future__ import annotations

from collections.abc import Iterator

from onward.data.events import Event, Outcome, Prompt, Step

ASKS = {
    "fix": ("fix the broken parser in src/p{n}.py", "Edit", {"file_path": "src/p{n}.py"}),
    "document": ("describe step {n} in the readme", "Edit", {"file_path": "README.md"}),
    "write": ("create a module called m{n}", "Write", {"file_path": "m{n}.py", "content": "x"}),
    "read": ("look at what f{n} does", "Read", {"file_path": "f{n}.py"}),
    "run": ("start the server number {n}", "Bash", {"command": "python serve.py {n}"}),
    "commit": ("push it all, take {n}", "Bash", {"command": "git push origin b{n}"}),
    "install": ("we need package{n}", "Bash", {"command": "pip install package{n}"}),
}


def talk(count: int, *, sessions: int = 1_000_000) -> Iterator[tuple[int, Event]]:
    """Prompts in turn of every kind, each followed by a step that does it."""
    kinds = list(ASKS)
    for n in range(count):
        words, tool, given = ASKS[kinds[(n * 5 + n // 3) % len(kinds)]]
        session = f"s{n % sessions}"
        text = words.format(n=n)
        yield 2 * n + 1, Prompt(id=f"p{n}", session=session, text=text, at=60.0 * (n + 1))
        yield (
            2 * n + 2,
            Step(
                id=f"t{n}",
                session=session,
                tool=tool,
                input={name: value.format(n=n) for name, value in given.items()},
                outcome=Outcome.OK,
                at=60.0 * (n + 1),
            ),
        )
