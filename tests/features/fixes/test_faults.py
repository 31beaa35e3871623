"""The class of an error."""

from __future__ import annotations

import pytest

from onward.features.fixes.faults import CLASSES, fault_of


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("bash: foo: command not found", "no_program"),
        ("SyntaxError: invalid syntax", "syntax"),
        ("ssh: connect to host x port 22: Connection refused", "network"),
        ("Permission denied (publickey)", "permission"),
        ("", "empty"),
    ],
)
def test_classes_of_errors(output: str, kind: str) -> None:
    """An error's class is its meaning, whatever program gave it."""
    assert CLASSES[fault_of(output).kind] == kind
