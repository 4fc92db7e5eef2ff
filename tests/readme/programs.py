"""Runs the README's programs: each block under a comment `<!-- path -->` must be that file, word for word, and work.

Every program runs in a folder of its own, with the bindings built in this checkout and the private server
that it starts by itself, and must print the greeting.

Usage: programs.py [language…], default all five; programs.py --write copies the files into the blocks instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"(?P<head>^<!-- (?P<path>\S+) -->\n```\w+\n)(?P<text>.*?)(?P<tail>^```$)", re.MULTILINE | re.DOTALL)
PREFIX = ROOT / "target/prefix"
GREETING = "Hello, world!"
TIMEOUT = 60


def python(program: Path) -> list[str]:
    return [sys.executable, str(program)]


def ruby(program: Path) -> list[str]:
    return ["ruby", str(program)]


def node(program: Path) -> list[str]:
    (program.parent / "node_modules").symlink_to(ROOT / "target/node/fresh/node_modules")
    return ["node", str(program)]


def c(program: Path) -> list[str]:
    search = {**os.environ, "PKG_CONFIG_PATH": str(PREFIX / "lib/pkgconfig")}
    told = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "manyhands"], env=search, capture_output=True, check=True
    )
    built = program.with_suffix("")
    flags = [*told.stdout.decode().split(), f"-Wl,-rpath,{PREFIX / 'lib'}"]
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", str(program), "-o", str(built), *flags], check=True)
    return [str(built)]


def rust(program: Path) -> list[str]:
    name = program.stem
    arguments = [
        "--locked",
        "--quiet",
        "--manifest-path",
        str(ROOT / "Cargo.toml"),
        "-p",
        "manyhands",
        "--example",
        name,
    ]
    subprocess.run(["cargo", "build", *arguments], check=True)
    return [str(ROOT / "target/debug/examples" / name)]


LANGUAGES: dict[str, Callable[[Path], list[str]]] = {
    ".rs": rust,
    ".c": c,
    ".py": python,
    ".mjs": node,
    ".rb": ruby,
}


def failure_of(path: str, text: str) -> str:
    """What is wrong with one program; empty when nothing is."""
    if not (ROOT / path).is_file():
        return "there is no such file"
    if (ROOT / path).read_text("utf-8") != text:
        return "the block differs from the file; programs.py --write copies it"
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        program = Path(shutil.copy(ROOT / path, folder))
        command = LANGUAGES[program.suffix](program)
        variables = {name: value for name, value in os.environ.items() if name not in {"MANYHANDS_URL", "REDIS_URL"}}
        variables["GEM_HOME"] = str(ROOT / "target/ruby/gem-home")
        run = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    if run.returncode != 0:
        return f"status {run.returncode}: {run.stderr.strip()}"
    return "" if GREETING in run.stdout.splitlines() else f"it printed {run.stdout!r}, not the greeting"


def write() -> None:
    """Copies each named file into its block."""
    text = README.read_text("utf-8")
    new = BLOCK.sub(lambda found: found["head"] + (ROOT / found["path"]).read_text("utf-8") + found["tail"], text)
    README.write_text(new, "utf-8")


def main(wanted: list[str]) -> int:
    if wanted == ["--write"]:
        write()
        return 0
    blocks = [(found["path"], found["text"]) for found in BLOCK.finditer(README.read_text("utf-8"))]
    found = {Path(path).suffix for path, _ in blocks}
    missing = sorted(set(LANGUAGES) - found)
    failures = [f"README.md has no {suffix} program" for suffix in missing]
    for path, text in blocks:
        if not wanted or LANGUAGES[Path(path).suffix].__name__ in wanted:
            failure = failure_of(path, text)
            print(f"{'FAILED' if failure else 'passed'}  {path}")
            failures += [f"{path}: {failure}"] if failure else []
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"README: {len(blocks)} programs, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
