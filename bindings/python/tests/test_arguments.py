"""What a refusal says: the argument as Python knows it, in Python's units, and during which operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import manyhands
from manyhands import Client, Closed, InvalidArgument, Job, UnknownOperation, Worker, WrongState

Act = Callable[[Client], object]

LONG = 3155760001
"""Seconds: a little more than the hundred years that a span may last."""


def put(**options: Any) -> Act:
    """A put of one job."""
    return lambda client: client.queue("q").put(**{"kind": "k", **options})


def put_many(**options: Any) -> Act:
    """A put of four jobs; the last has the options."""
    return lambda client: client.queue("q").put_many([{"kind": "k"}] * 3 + [{"kind": "k", **options}])


def ending(act: Callable[[Job], object]) -> Act:
    """What is done with a job that the client holds."""

    def reserved(client: Client) -> object:
        client.queue("q").put("k")
        (job,) = client.queue("q").reserve()
        return act(job)

    return reserved


def working(act: Callable[[Job], object]) -> Act:
    """What is done with a job that a worker holds."""

    def reserved(client: Client) -> object:
        client.queue("w").put("k")
        with Worker(client, ["w"], shutdown_timeout=0) as worker:
            job = worker.next(30)
            assert job is not None
            return act(job)

    return reserved


ENDS: list[tuple[Callable[[Job], object], str, str]] = [
    (lambda job: job.complete(delay=-1), "delay must be 0 to 3155760000 seconds, not -1", "job_complete"),
    (lambda job: job.complete(delay=LONG), f"delay must be 0 to 3155760000 seconds, not {LONG}", "job_complete"),
    (lambda job: job.complete(queue=""), "queue is empty", "job_complete"),
    (lambda job: job.complete(queue=5), "queue 5 is not a text", "job_complete"),  # type: ignore[arg-type]
    (lambda job: job.complete(object()), "result is not JSON", "job_complete"),
    (lambda job: job.complete(data=object()), "data is not JSON", "job_complete"),
    (lambda job: setattr(job, "data", object()), "data is not JSON", "job_complete"),
    (lambda job: job.fail(""), "group is empty", "job_fail"),
    (lambda job: job.fail(5), "group 5 is not a text", "job_fail"),  # type: ignore[arg-type]
    (lambda job: job.fail("g", object()), "message is not JSON", "job_fail"),  # type: ignore[arg-type]
    (lambda job: job.retry(-1), "delay must be 0 to 3155760000 seconds, not -1", "job_retry"),
    (lambda job: job.retry(group="a\nb"), "group has a control character", "job_retry"),
    (lambda job: job.retry(message=5), "message 5 is not a text", "job_retry"),  # type: ignore[arg-type]
    (lambda job: job.snooze(LONG), f"delay must be 0 to 3155760000 seconds, not {LONG}", "job_snooze"),
]

REFUSED: list[tuple[Act, str, str | None]] = [
    (put(delay=-1), "delay must be 0 to 3155760000 seconds, not -1", "queue_put"),
    (put(delay=LONG), f"delay must be 0 to 3155760000 seconds, not {LONG}", "queue_put"),
    (put(delay="soon"), "delay must be seconds", "queue_put"),
    (put(priority=128), "priority 128 is outside", "queue_put"),
    (put(priority=1.5), "priority 1.5 is not a whole number", "queue_put"),
    (put(kind=""), "kind is empty", "queue_put"),
    (put(kind=7), "kind 7 is not a text", "queue_put"),
    (put(data=object()), "data is not JSON", "queue_put"),
    (put(data="x" * (1 << 20)), "data has 1048578 bytes", "queue_put"),
    (put(on_conflict="explode"), 'on_conflict "explode" is not one of', "queue_put"),
    (put(colour=1), "colour is not an option", "queue_put"),
    (lambda client: client.queue("q").put_many([{"kind": 7}]), "kind 7 is not a text", "queue_put"),
    (put_many(delay=-1), "jobs[3].delay must be 0 to", "queue_put"),
    (put_many(delay_ms=1), "jobs[3].delay_ms is not an option", "queue_put"),
    (put_many(priority=128), "jobs[3].priority 128 is outside", "queue_put"),
    (put_many(priority=1.5), "jobs[3].priority 1.5 is not a whole number", "queue_put"),
    (put_many(data=object()), "jobs[3].data is not JSON", "queue_put"),
    (put_many(data="x" * (1 << 20)), "jobs[3].data has 1048578 bytes", "queue_put"),
    (put_many(colour=1), "jobs[3].colour is unknown", "queue_put"),
    (lambda client: client.queue("").reserve(), "queue is empty", "queue_reserve"),
    (lambda client: client.queue("q").reserve(0), "limit 0 is outside 1..1000", "queue_reserve"),
    (lambda client: client.queue("q").reserve(worker=""), "worker is empty", "queue_reserve"),
    (lambda client: client.queue("").counts(), "queue is empty", "queue_counts"),
    (lambda client: client.queue("q").stats("soon"), "day ", "queue_stats"),
    (lambda client: client.job(""), "jid is empty", "job_get"),
    (lambda client: client.config.get("colour"), "name colour is not a setting", "config_get"),
    (lambda client: client.config.set("heartbeat", -1), "value of heartbeat -1 is outside 0.1..86400 s", "config_set"),
    (lambda client: client.config.set("heartbeat", float("nan")), "value is not JSON", "config_set"),
    (lambda client: client.call("queue_counts", {"queue": object()}), "queue is not JSON", "queue_counts"),
    (lambda client: Worker(client, ["q"]).next(LONG), "timeout must be 0 to 3155760000 seconds", "worker_next"),
    (lambda client: Worker(client, ["q"]).close(-1), "timeout must be 0 to 3155760000 seconds", "worker_stop"),
    (lambda _: manyhands.Retry(-1), "delay must be 0 to", "job_retry"),
    (lambda _: manyhands.Snooze(-1), "delay must be 0 to", "job_snooze"),
    (lambda _: Client(timeout=0), "timeout must be 0.001 to 600 seconds, not 0", None),
    (lambda _: Client(timeout=601), "timeout must be 0.001 to 600 seconds, not 601", None),
    (lambda _: Client(namespace="a b"), 'namespace "a b" is not', None),
    (lambda _: Client(engine_upgrade="maybe"), 'engine_upgrade "maybe" is neither', None),
    (lambda _: Client("redis://localhost:port"), "url: the port", None),
    (lambda client: Worker(client, []), "queues is empty", None),
    (lambda client: Worker(client, ["q", ""]), "queues[1] is empty", None),
    (lambda client: Worker(client, ["q"], threads=0), "threads 0 is outside 1..1000", None),
    (lambda client: Worker(client, ["q"], strategy="best"), "strategy best is unknown", None),
    (lambda client: Worker(client, ["q"], shutdown_timeout=LONG), "shutdown_timeout must be 0 to", None),
    (lambda client: Worker(client, ["q"]).perform("")(print), "kind is empty", None),
    (lambda client: Worker(client, ["q"]).perform(7)(print), "kind must be a text", None),  # type: ignore[arg-type]
    *((ending(act), message, operation) for act, message, operation in ENDS),
    *((working(act), message, operation) for act, message, operation in ENDS),
]


@pytest.mark.parametrize(("act", "message", "operation"), REFUSED)
def test_refusals_name_the_argument_and_the_operation(
    client: Client, act: Act, message: str, operation: str | None
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        act(client)
    assert caught.value.message.startswith(message)
    assert caught.value.operation == operation
    assert client.queue("q").counts()["waiting"] == 0


def test_other_errors_name_the_operation_too(client: Client) -> None:
    with pytest.raises(UnknownOperation) as unknown:
        client.call("queue_dance")
    assert unknown.value.operation == "queue_dance"
    job = Job.build("k")
    acts: dict[str, Callable[[], object]] = {
        "complete": job.complete,
        "retry": job.retry,
        "release": job.release,
        "heartbeat": job.heartbeat,
    }
    for verb, act in acts.items():
        with pytest.raises(WrongState) as wrong:
            act()
        assert wrong.value.operation == f"job_{verb}"
    worker = Worker(client, ["q"])
    worker.close()
    with pytest.raises(Closed) as closed:
        worker.run()
    assert closed.value.operation == "worker_run"
