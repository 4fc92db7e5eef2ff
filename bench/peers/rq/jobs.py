"""RQ finds a job's function by its module, which must not be the program."""

import os
import signal

import protocol


def noop(_data: str) -> None:
    protocol.start(lambda: os.kill(os.getpid(), signal.SIGTERM))
