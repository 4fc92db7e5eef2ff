"""Stage 2, Python: counts the words of a file.

From the job:  path, encoding
Into the job:  words (how many), different (how many different ones), most_used (list of {"word", "times"})
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections import Counter
from pathlib import Path

from manyhands import Client, Fail, Job, Worker

PACE = float(os.environ.get("PACE_MS", "0")) / 1000
SHOWN = 10
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

# Every English text's most used words; they would make all charts look the same.
FILLERS = frozenset((Path(__file__).parent / "fillers.txt").read_text("utf-8").split())

client = Client()
worker = Worker(client, ["count"])


def frequencies(path: str, encoding: str) -> Counter[str]:
    """How often each word of a text file occurs, in lower case; nothing for a file that is no text."""
    counted: Counter[str] = Counter()
    if encoding in {"binary", "empty"}:
        return counted
    with Path(path).open(encoding=encoding, errors="replace") as lines:
        for line in lines:
            counted.update(WORD.findall(line.lower()))
    return counted


def most_used(counted: Counter[str]) -> list[dict[str, object]]:
    """The most used words; fillers and single letters only when there is nothing else."""
    telling = Counter({word: times for word, times in counted.items() if len(word) > 1 and word not in FILLERS})
    # By frequency, then by alphabet: the same file always gives the same chart.
    ranked = sorted((telling or counted).items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"word": word, "times": times} for word, times in ranked[:SHOWN]]


@worker.perform("document")
def count(job: Job) -> dict[str, int]:
    """Perform one job of this stage."""
    time.sleep(PACE)
    try:
        counted = frequencies(job.data["path"], job.data["encoding"])
    except OSError as error:
        raise Fail("unreadable", str(error)) from error
    totals = {"words": sum(counted.values()), "different": len(counted)}
    step = {"stage": "count", "language": f"Python {platform.python_version()}", "pid": os.getpid()}
    job.data = {**job.data, **totals, "most_used": most_used(counted), "journey": [*job.data["journey"], step]}
    return totals


worker.run()
client.close()
