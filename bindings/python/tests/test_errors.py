"""Errors: the same list in the core, in the classes and in the stub; what an error carries."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

import manyhands
from manyhands import _native, errors

STUB = ast.parse(Path(errors.__file__).with_suffix(".pyi").read_text())


def test_the_stub_spells_the_cores_list() -> None:
    spelled = []
    for statement in STUB.body:
        if isinstance(statement, ast.ClassDef) and statement.name != "Error":
            fields = [ast.unparse(field.annotation) for field in statement.body if isinstance(field, ast.AnnAssign)]
            number, name, retryable = (ast.literal_eval(field[len("Literal[") : -1]) for field in fields)
            spelled.append((number, name, statement.name, retryable))
    assert spelled == _native.CODES


def test_classes_are_made_from_the_cores_list() -> None:
    for number, name, class_name, retryable in _native.CODES:
        error = getattr(manyhands, class_name)
        assert class_name in manyhands.__all__
        assert issubclass(error, manyhands.Error)
        assert (error.code, error.name, error.retryable, error.__name__) == (number, name, retryable, class_name)
        assert error.__module__ == "manyhands.errors"


def test_the_text_is_the_cores() -> None:
    client = manyhands.Client("redis://localhost")
    with pytest.raises(manyhands.InvalidArgument) as caught:
        client.queue("q").put("")
    error = caught.value
    assert str(error) == f"INVALID_ARGUMENT: {error.message} (during queue_put)"
    assert (error.operation, error.reason) == ("queue_put", None)


def test_errors_pickle() -> None:
    error = manyhands.LockLost("held by another", operation="job_complete", jid="j", reason="expired")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is manyhands.LockLost
    assert str(copy) == "LOCK_LOST: held by another (during job_complete)"
    assert (copy.jid, copy.reason, copy.code) == ("j", "expired", 201)
