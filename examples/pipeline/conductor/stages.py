"""The four stages: each is a queue, served by one worker process in a language of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent
REPOSITORY = EXAMPLE.parent.parent

KIND = "document"


@dataclass(frozen=True)
class Stage:
    """A queue and the program that performs its jobs."""

    queue: str
    language: str
    does: str
    command: tuple[str, ...]


STAGES = (
    Stage("read", "Ruby", "size, lines, checksum", ("ruby", str(EXAMPLE / "stages/read.rb"))),
    Stage("count", "Python", "words and how often they occur", (sys.executable, str(EXAMPLE / "stages/count.py"))),
    Stage("draw", "Node", "a chart of the most used words", ("node", str(EXAMPLE / "stages/draw.mjs"))),
    Stage("pack", "C", "verifies the checksum, writes the record", (str(REPOSITORY / "target/pipeline/pack"),)),
)
