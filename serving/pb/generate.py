"""Writes the code of the protos in this folder: ``make protos``.

The generated files are committed, so that running needs no compiler; a test generates them
anew and compares.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

PLACE = Path("onward/serving/pb")
SOURCES = ("decision.proto", "prediction.proto")
SERVICES = {"decision.proto"}
"""Those whose service is called by generated code; questions are called by name."""
FOLDER = Path(__file__).resolve().parent


def generate(out: Path) -> list[Path]:
    """Compile the protos below the directory `out`; gives the files written.

    Raises
    ------
    RuntimeError
        The compiler refused one; it has printed why.
    """
    from grpc_tools import protoc

    common = files("grpc_tools").joinpath("_proto")  # google/protobuf/struct.proto
    out.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        options = [
            f"--proto_path={_root()}",
            f"--proto_path={common}",
            f"--python_out={out}",
            f"--pyi_out={out}",
        ]
        if source in SERVICES:
            options.append(f"--grpc_python_out={out}")
        if protoc.main(["protoc", *options, str(PLACE / source)]) != 0:
            raise RuntimeError(f"protoc refused {source}.")
    return sorted((out / PLACE).glob("*_pb2*"))


def _root() -> Path:
    """The directory under which the protos have their import path, whichever way we were found."""
    for base in (*FOLDER.parents, *(parent / "src" for parent in FOLDER.parents)):
        if (base / PLACE / SOURCES[0]).is_file():
            return base
    raise RuntimeError(f"{PLACE} is not below any directory above {FOLDER}.")


def describe() -> str:
    """The text of ``prediction.proto``, as the types of the questions have it."""
    from onward.serving.pb.describe import proto
    from onward.serving.questions import QUESTIONS

    return proto(QUESTIONS)


if __name__ == "__main__":
    (FOLDER / "prediction.proto").write_text(describe(), encoding="utf-8")
    sys.stdout.writelines(f"{path.name}\n" for path in generate(_root()))
