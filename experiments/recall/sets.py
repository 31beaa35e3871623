"""Questions with judged candidates, as SemEval-2016 task 3 B has them.

Every related question is a note (its subject is what it is about), every original question is what
is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree  # sets that the user names

from onward.data.errors import FormatError, NotFound
from onward.data.events import Note

__all__ = ["Asked", "read_folder"]

_IRRELEVANT = "Irrelevant"


@dataclass
class Asked:
    """A question, and the notes that were judged for it."""

    id: str
    text: str
    notes: list[Note] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    """The search engine's, from 1 on."""
    relevant: list[bool] = field(default_factory=list)
    answers: list[list[str]] = field(default_factory=list)
    """What was answered to each note's question, as it was written; nobody's judgement of it."""

    @property
    def judged(self) -> list[tuple[Note, bool]]:
        """Its notes, each with whether it is relevant."""
        return list(zip(self.notes, self.relevant, strict=True))


def read_folder(folder: Path) -> list[Asked]:
    """All questions of the files in a folder, each question once.

    Raises
    ------
    NotFound
        The folder holds no such file.
    FormatError
        A file is no XML.
    """
    found: dict[str, Asked] = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314  # as above
        except ElementTree.ParseError as error:
            raise FormatError(f"{path} is no XML: {error}.", file=str(path)) from error
        for element in root.iter("OrgQuestion"):
            _take(element, found)
    if not found:
        raise NotFound(f"{folder} holds no questions (*.xml with OrgQuestion).", path=str(folder))
    return list(found.values())


def _take(element: ElementTree.Element, found: dict[str, Asked]) -> None:
    related = element.find("Thread/RelQuestion")
    judged_as = "" if related is None else related.get("RELQ_RELEVANCE2ORGQ", "")
    if related is None or judged_as not in {"PerfectMatch", "Relevant", _IRRELEVANT}:
        return
    name, note_id = element.get("ORGQ_ID", ""), related.get("RELQ_ID", "")
    subject, body = element.findtext("OrgQSubject") or "", element.findtext("OrgQBody") or ""
    asked = found.setdefault(name, Asked(name, f"{subject}. {body}"))
    if any(note.id == note_id for note in asked.notes):
        return
    about, text = related.findtext("RelQSubject") or "", related.findtext("RelQBody") or ""
    asked.notes.append(Note(id=note_id, session=name, about=about, text=text))
    asked.ranks.append(int(related.get("RELQ_RANKING_ORDER", "10")))
    asked.relevant.append(judged_as != _IRRELEVANT)
    texts = [each.findtext("RelCText") or "" for each in element.iterfind("Thread/RelComment")]
    asked.answers.append([text for text in texts if text])
