"""The command `python -m manyhands`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from manyhands import _native
from manyhands._master import Master
from manyhands._title import Title
from manyhands.errors import Error, WrongState
from manyhands.worker import Worker

_ABOUT = """\
Runs the worker of a program: a master loads the program once and forks processes, each of which performs jobs in as
many threads as it was told to.

MODULE is imported from the current folder or where Python finds modules; NAME in it (default: worker) is a Worker, or a
function that returns one. What is set here wins over what the program says.
"""

_SIGNALS = """\
Each option has an environment variable, which it wins over; an empty one counts as absent. Signals, to the master or to
one process: QUIT ends after the running jobs, TERM and INT now, a second one at once; USR1 interrupts the running jobs;
USR2 takes no new jobs, CONT takes them again; TTIN tells the log what runs. HUP to the master replaces every process in
turn. Hooks of the worker around a fork: before_fork, after_fork.
"""


_FLAGS = {"strategy": "reservation"}
"""Of options that have another name than their flag."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Wide as a terminal of 120 columns at most."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


class _Refused(Exception):
    """What the user wrote makes no sense."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the status to end with."""
    top = argparse.ArgumentParser(prog="python -m manyhands", allow_abbrev=False)
    top.add_argument("--version", action="version", version=_native.VERSION)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "work",
        help="run the worker of a program",
        description=_ABOUT,
        epilog=_SIGNALS,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("app", metavar="MODULE[:NAME]", help="where the worker is, for example app:worker")
    flags = [_add(parser, row) for row in json.loads(_native.work_settings_table())]
    parsed, unknown = top.parse_known_args(arguments)
    if unknown:
        parser.exit(2, f"manyhands work: {' '.join(unknown)} is unknown; --help names what there is\n")
    given = vars(parsed)
    said = {flag: given[flag] for flag in flags if given[flag]}
    try:
        worker, settings = _prepared(given["app"], said)
    except _Refused as refused:
        parser.exit(2, f"manyhands work: {refused}\n")
    title = Title()
    options = worker._options
    worker._show = lambda state, running: title.show_worker(state, options.queues, options.threads, running)
    if settings["single_process"]:
        worker.run()
        return 0
    return Master(worker, said, title).keep()


def _add(parser: argparse.ArgumentParser, row: dict[str, str]) -> str:
    """Add the flag of a setting; its name."""
    default = f" Default: {row['default']}" if row["default"] else ""
    says = f"{row['help']}{default} [{row['name']}]".replace("%", "%%")
    if row["unit"]:
        parser.add_argument(f"--{row['flag']}", dest=row["flag"], metavar=row["unit"], help=says)
    else:
        parser.add_argument(f"--{row['flag']}", dest=row["flag"], action="store_const", const="true", help=says)
    return row["flag"]


def _prepared(app: str, flags: dict[str, str]) -> tuple[Worker, dict[str, Any]]:
    """The worker of the program under the settings of the flags and the environment."""
    try:
        settings = json.loads(_native.work_settings(json.dumps(flags)))
    except Error as error:
        raise _Refused(error.message) from None
    rows = json.loads(_native.work_settings_table())
    os.environ.update({row["name"]: flags[row["flag"]] for row in rows if row["flag"] in flags})
    namespace = {} if settings["namespace"] is None else {"namespace": settings["namespace"]}
    try:
        _native.Client(settings["url"], json.dumps(namespace))  # looked at before the program makes clients under them
    except Error as error:
        raise _Refused(_renamed(error.message, flags)) from None
    try:
        # Finds in its environment what the flags say, for other clients that it makes.
        worker = Worker._while_loading(lambda: _found(app))
    except WrongState as error:
        if error.operation != "worker_run":
            raise
        raise _Refused(error.message) from None
    if not worker._duties.kinds:
        raise _Refused("the worker performs nothing: say worker.perform(…)")
    try:
        worker._set(settings)
    except Error as error:
        raise _Refused(_renamed(error.message, flags)) from None
    return worker, settings


def _renamed(message: str, flags: dict[str, str]) -> str:
    """What was found wrong with an option, under the name that the user wrote."""
    rows = {row["flag"]: row["name"] for row in json.loads(_native.work_settings_table())}
    option = message.partition(" ")[0].partition("[")[0].partition(".")[0]
    flag = _FLAGS.get(option, option)
    if flag not in rows:
        return message
    return (f"--{flag}" if flag in flags else rows[flag]) + message[len(option) :]


def _found(app: str) -> Worker:
    """The worker of `module:name`."""
    module_name, _, name = app.partition(":")
    name = name or "worker"
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        hint = "; a module is named without .py" if module_name.endswith(".py") else ""
        raise _Refused(f"{app}: there is no module {error.name}{hint}") from None
    except (TypeError, ValueError):
        raise _Refused(f"{app} is no name of a module; it looks like app or app:worker") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise _Refused(f"{app}: {module_name} has no {name}")
        found = getattr(found, part)
    if isinstance(found, Worker):
        return found
    if callable(found) and _needs_arguments(found):
        raise _Refused(f"{app} must be a Worker, or return one when called without arguments")
    worker = found() if callable(found) else found
    if not isinstance(worker, Worker):
        raise _Refused(f"{app} must be a Worker or return one, not {type(worker).__name__}")
    return worker


def _needs_arguments(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # it tells nobody
        return False
    return False
