"""The wheel: what is in it, and that it alone is enough for the example."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import manyhands

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"


def wheel() -> Path:
    """The file that was installed, as pip noted it."""
    noted = distribution("manyhands").read_text("direct_url.json")
    assert noted is not None
    return Path(unquote(urlsplit(json.loads(noted)["url"]).path))


def test_the_wheel_has_types_and_one_library() -> None:
    names = zipfile.ZipFile(wheel()).namelist()
    assert {"manyhands/py.typed", "manyhands/_native.pyi", "manyhands/errors.pyi"} <= set(names)
    assert [name for name in names if name.endswith(".so")] == ["manyhands/_native.abi3.so"]
    assert not [
        name for name in names if name.startswith("manyhands/") and "test" in name and name != "manyhands/testing.py"
    ]


def test_the_version_is_one() -> None:
    assert manyhands.__version__ == distribution("manyhands").version


def test_the_example_in_a_fresh_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "MANYHANDS_URL": f"embedded:{tmp_path / 'jobs'}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parents[1]], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python)]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", str(wheel())], check=True, env=environment)
    said = subprocess.run(
        [python, EXAMPLES / "hello.py"], check=True, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert said.stdout == "Hello, world!\n"
