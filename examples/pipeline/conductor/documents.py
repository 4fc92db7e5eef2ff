"""The files to work on: what is found in the input folders, each file once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from errors import DemoError
from stages import REPOSITORY

LICENCES = Path("/usr/share/common-licenses")
BUILT = {"target", "node_modules", "vendor"}


@dataclass(frozen=True)
class Document:
    """One input file. jid: its job's id, and the name of its record, unlike that of any other path."""

    jid: str
    name: str
    path: Path


@dataclass(frozen=True)
class Findings:
    """The documents, in order of their names, and the paths left out with the reason."""

    documents: list[Document]
    left_out: list[tuple[str, str]]


def find(chosen: Path | None, output: Path) -> Findings:
    """The documents of the chosen folder, or of the two default ones. Hidden files and the output are not looked at.

    Raises DemoError when the folder is missing, unreadable or holds no file.
    """
    if chosen is not None:
        found = _files(_folder(chosen), output)
        where = str(chosen)
    else:
        found = [*_docs_of_repository(output)]
        if LICENCES.is_dir():
            found += _files(LICENCES, output)
        where = f"{LICENCES} or {REPOSITORY}"
    documents, left_out = _once_each(found)
    if not documents:
        raise DemoError(f"there is no file to work on in {where}")
    return Findings(sorted(documents, key=lambda document: document.name.lower()), left_out)


def _folder(path: Path) -> Path:
    if not path.exists():
        raise DemoError(f"INPUT={path}: there is no such folder")
    if not path.is_dir():
        raise DemoError(f"INPUT={path} is not a folder")
    return path.resolve()


def _docs_of_repository(output: Path) -> Iterator[tuple[str, Path]]:
    for name, path in _files(REPOSITORY, output):
        if path.suffix == ".md":
            # Whatever folder it was cloned into.
            yield f"manyhands/{name.partition('/')[2]}", path


def _files(root: Path, output: Path) -> list[tuple[str, Path]]:
    """All files below `root` with their names, which begin with the root's own."""

    def refuse(error: OSError) -> None:
        raise DemoError(f"cannot look into {error.filename}: {error.strerror}")

    found = []
    for folder, subfolders, names in os.walk(root, onerror=refuse):
        here = Path(folder)
        subfolders[:] = [
            name for name in subfolders if not name.startswith(".") and name not in BUILT and here / name != output
        ]
        for name in names:
            path = here / name
            if not name.startswith(".") and path.is_file():
                found.append((f"{root.name}/{path.relative_to(root)}", path))
    return found


def _once_each(found: list[tuple[str, Path]]) -> tuple[list[Document], list[tuple[str, str]]]:
    """A file that is reached under several names (symbolic links) counts once, under its own name if that is here."""
    documents: dict[Path, Document] = {}
    left_out = []
    for name, path in sorted(found, key=lambda entry: entry[1].is_symlink()):
        real = path.resolve()
        if real in documents:
            left_out.append((name, f"another name of {documents[real].name}"))
        elif not _is_utf8(name):
            left_out.append((name.encode(errors="replace").decode(), "its name is not UTF-8, which JSON asks for"))
        else:
            documents[real] = Document(_jid(name, path), name, path)
    return list(documents.values()), left_out


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _jid(name: str, path: Path) -> str:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-80:].strip("-.")
    return f"{readable}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:10]}"
