"""The demo as its user sees it: small inputs with traps in them, chaos, Ctrl-C, wrong folders."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONDUCTOR = Path(__file__).resolve().parent.parent / "conductor"
STAGES = ["read", "count", "draw", "pack"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with one file of each sort that needs care."""
    root = tmp_path / "texts"
    for name, content in {
        "plain.txt": b"red green red blue\nblue red\n",
        "one/same.txt": b"first of the name\n",
        "two/same.txt": b"second of the name, longer\n",
        "empty": b"",
        "binary.dat": bytes(range(256)) * 20,
        "latin-1.txt": "caf\xe9 caf\xe9\n".encode("latin-1"),
        "unended.txt": b"no newline at the end",
        'an odd & "long" <name> ü.txt': "Straße 日本 <script>alert(1)</script>\n".encode(),
        ".hidden": b"never looked at",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "link.txt").symlink_to("plain.txt")
    return root


def conductor(source: Path | None, output: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CONDUCTOR)],
        env=environment(source, output, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(source: Path | None, output: Path, **more: str) -> dict[str, str]:
    settings = {"OUT": str(output), "CHAOS": "", "INPUT": str(source) if source else "", **more}
    return {**os.environ, **settings}


def records(output: Path) -> dict[str, dict[str, Any]]:
    """Records by the name of their file. All that is in the folder: a half-written file would show here."""
    found = [json.loads(path.read_text("utf-8")) for path in (output / "records").iterdir()]
    return {record["name"]: record for record in found}


def processes_of(output: Path) -> list[str]:
    """The processes that know the output folder: workers by their environment, the server by its arguments."""
    mark = os.fsencode(output)
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                command, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            except OSError:
                continue
            if mark in command or mark in variables:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def check_whole(texts: Path, output: Path) -> None:
    """Every file of `texts` is in the output exactly once, with what each stage had to find out."""
    found = records(output)
    files = [path for path in texts.rglob("*") if path.is_file() and not path.is_symlink() and path.name[0] != "."]
    assert sorted(found) == sorted(f"texts/{path.relative_to(texts)}" for path in files)
    assert len(list((output / "records").iterdir())) == len(files)
    for record in found.values():
        content = Path(record["path"]).read_bytes()
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["bytes"] == len(content)
        assert record["chart"].startswith("<svg")
        assert [step["stage"] for step in record["journey"]] == STAGES
        assert len({step["pid"] for step in record["journey"]}) == len(STAGES)


def test_every_file_once(texts: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run = conductor(texts, output)
    assert run.returncode == 0, run.stderr
    assert "did not stop" not in run.stderr
    assert "8 of 8 files are in the output exactly once" in run.stdout
    assert str(output / "index.html") in run.stdout
    check_whole(texts, output)
    found = records(output)
    plain = found["texts/plain.txt"]
    assert (plain["lines"], plain["words"], plain["different"]) == (2, 6, 3)
    assert plain["most_used"][0] == {"word": "red", "times": 3}
    assert found["texts/unended.txt"]["lines"] == 1
    assert (found["texts/empty"]["encoding"], found["texts/empty"]["lines"]) == ("empty", 0)
    assert (found["texts/binary.dat"]["encoding"], found["texts/binary.dat"]["words"]) == ("binary", 0)
    assert found["texts/latin-1.txt"]["most_used"] == [{"word": "café", "times": 2}]
    assert processes_of(output) == []


def test_page_is_whole_and_safe(texts: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert conductor(texts, output).returncode == 0
    page = (output / "index.html").read_text("utf-8")
    assert page.count("<article") == page.count("<svg") == 8
    assert "<script>alert" not in page
    assert "&lt;name&gt;" in page
    for link in ("http://", "https://"):
        assert link not in page.replace("http://www.w3.org/2000/svg", "")


def test_second_run_replaces_the_first(texts: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert conductor(texts, output).returncode == 0
    (texts / "plain.txt").unlink()
    run = conductor(texts, output)
    assert run.returncode == 0, run.stderr
    check_whole(texts, output)


def test_chaos_loses_nothing(texts: Path, tmp_path: Path) -> None:
    for number in range(30):
        (texts / f"more-{number}.txt").write_text(f"file number {number}\n" * number)
    output = tmp_path / "out"
    run = conductor(texts, output, CHAOS="1")
    assert run.returncode == 0, run.stderr
    check_whole(texts, output)
    assert "workers killed with SIGKILL" in run.stdout
    assert processes_of(output) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_leaves_no_process(texts: Path, tmp_path: Path, stop: signal.Signals) -> None:
    output = tmp_path / "out"
    # Chaos makes the handlers slow enough to be interrupted.
    variables = environment(texts, output, CHAOS="1")
    with subprocess.Popen(
        [sys.executable, str(CONDUCTOR)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while "pid" not in (line := run.stdout.readline()):
            assert line, "it ended before it could be interrupted"
        run.send_signal(stop)
        _, said = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "interrupted" in said
    assert "did not stop" not in said
    assert processes_of(output) == []
    assert conductor(texts, output).returncode == 0


def test_unreadable_content_is_said(texts: Path, tmp_path: Path) -> None:
    gone = texts / "gone.txt"
    gone.symlink_to("/proc/self/mem")  # a file that is there and cannot be read
    output = tmp_path / "out"
    run = conductor(texts, output)
    assert run.returncode == 1
    assert "texts/gone.txt: unreadable" in run.stderr
    assert "8 of 9 files are in the output exactly once" in run.stdout


def test_wrong_folders_are_said(tmp_path: Path) -> None:
    empty, file, foreign = tmp_path / "empty", tmp_path / "file", tmp_path / "foreign"
    empty.mkdir()
    file.write_text("x")
    foreign.mkdir()
    (foreign / "precious").write_text("x")
    for source, output, message in (
        (tmp_path / "missing", tmp_path / "out", "there is no such folder"),
        (file, tmp_path / "out", "is not a folder"),
        (empty, tmp_path / "out", "there is no file to work on"),
        (foreign, foreign, "holds other files"),
        (foreign, file, "is not a folder"),
    ):
        run = conductor(source, output)
        assert run.returncode == 2
        assert message in run.stderr
        assert "Traceback" not in run.stderr
    assert (foreign / "precious").read_text() == "x"
    assert not (tmp_path / "out").exists()
