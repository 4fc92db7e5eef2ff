"""What a refusal says: the argument as Python knows it, in Python's units, and during which operation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
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


def on_job(act: Callable[[Job], object]) -> Act:
    """What is done with a job that nobody holds, in a queue beside."""

    def looked_up(client: Client) -> object:
        job = client.job(client.queue("beside").put("k").jid)
        assert job is not None
        return act(job)

    return looked_up


def recurring(**options: Any) -> Act:
    """A recurring job put."""
    return lambda client: client.queue("q").put_recurring(**{"kind": "k", "interval": 1, **options})


def update(**options: Any) -> Act:
    """A recurring job changed."""
    return lambda client: client.queue("q").put_recurring("k", interval=1).update(**options)


def lists(act: Callable[..., object], operation: str) -> list[tuple[Act, str, str | None]]:
    """What every method that reads a list by pages refuses."""
    return [
        (lambda client: act(client, offset=-1), "offset -1 is outside", operation),
        (lambda client: act(client, limit=0), "limit 0 is outside", operation),
        (lambda client: act(client, limit=1001), "limit 1001 is outside", operation),
        (lambda client: act(client, limit="many"), "limit must be a whole number", operation),
    ]


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
    (lambda job: job.complete(queue="n", dependencies="abc"), "dependencies must be a list", "job_complete"),
    (lambda job: job.complete(queue="n", dependencies=[""]), "dependencies[0] is empty", "job_complete"),
    (lambda job: job.heartbeat(object()), "data is not JSON", "job_save"),
    (lambda job: job.heartbeat("x" * (1 << 20)), "data has 1048578 bytes", "job_save"),
    (lambda job: job.progress(1.5), "value ", "job_progress"),
    (lambda job: job.progress("half"), "value ", "job_progress"),  # type: ignore[arg-type]
    (lambda job: job.progress(0.5, "x" * 1025), "note ", "job_progress"),
    (lambda job: job.log(""), "message ", "job_log"),
    (lambda job: job.log("x" * 1025), "message has ", "job_log"),
    (lambda job: job.log("m", object()), "data is not JSON", "job_log"),
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
    (put(throttles=[""]), "throttles[0] is empty", "queue_put"),
    (put(throttles=["queue:q"]), "throttles[0] begins with queue:", "queue_put"),
    (put(dependencies="abc"), "dependencies ", "queue_put"),
    (put(dependencies=["d"] * 257), "dependencies has 257 ", "queue_put"),
    (put(missing="explode"), 'missing "explode" is not one of', "queue_put"),
    (put_many(dependencies=[""]), "jobs[3].dependencies[0] is empty", "queue_put"),
    (put_many(missing="explode"), "jobs[3].missing", "queue_put"),
    (put(delay=10**400), "delay must be 0 to", "queue_put"),
    (put(delay=10**5000), "delay must be 0 to", "queue_put"),
    (lambda client: client.queue("q").put_many(5), "jobs must be a list", "queue_put"),  # type: ignore[arg-type]
    (lambda client: client.queue("q").put_many({"kind": "k"}), "jobs must be a list", "queue_put"),  # type: ignore[dict-item]
    (lambda client: client.queue("q").put_many([{"kind": "k"}, 5]), "jobs[1] must be a mapping", "queue_put"),  # type: ignore[list-item]
    (on_job(lambda job: job.requeue("")), "queue is empty", "job_requeue"),
    (on_job(lambda job: job.requeue(delay=-1)), "delay must be 0 to", "job_requeue"),
    (on_job(lambda job: job.requeue(data=object())), "data is not JSON", "job_requeue"),
    (on_job(lambda job: job.requeue(priority=128)), "priority 128 is outside", "job_requeue"),
    (on_job(lambda job: job.requeue(retries=256)), "retries 256 is outside", "job_requeue"),
    (on_job(lambda job: job.requeue(missing="explode")), "missing must be", "job_requeue"),
    (on_job(lambda job: job.requeue(delay_ms=1)), "delay_ms is not an option", "job_requeue"),  # type: ignore[arg-type]
    (on_job(lambda job: job.prioritize(128)), "priority 128 is outside", "job_prioritize"),
    (on_job(lambda job: job.tag()), "tags is empty", "job_tag"),
    (on_job(lambda job: job.tag("a", "")), "tags[1] is empty", "job_tag"),
    (on_job(lambda job: job.untag()), "tags is empty", "job_untag"),
    (on_job(lambda job: job.depend()), "on is empty", "job_depend"),
    (on_job(lambda job: job.depend("x", missing="explode")), "missing must be", "job_depend"),
    (on_job(lambda job: job.undepend()), "on and all", "job_undepend"),
    (on_job(lambda job: job.undepend("x", all=True)), "on and all", "job_undepend"),
    (recurring(interval=0), "interval must be 0.001 to 3155760000 seconds, not 0", "recurring_put"),
    (recurring(interval="often"), "interval must be seconds", "recurring_put"),
    (recurring(offset=-1), "offset must be 0 to", "recurring_put"),
    (recurring(jid="j" * 236), "jid has 236 bytes", "recurring_put"),
    (recurring(kind=""), "kind is empty", "recurring_put"),
    (recurring(data=object()), "data is not JSON", "recurring_put"),
    (recurring(backlog=-1), "backlog -1 is outside", "recurring_put"),
    (recurring(every=1), "every is not an option", "recurring_put"),
    (update(interval=0), "interval must be 0.001 to", "recurring_update"),
    (update(queue=""), "queue is empty", "recurring_update"),
    (update(data=object()), "data is not JSON", "recurring_update"),
    (update(offset=1), "offset is not an option", "recurring_update"),
    (lambda client: client.recurring(""), "jid is empty", "recurring_get"),
    (lambda client: client.jobs("abc"), "jids must be a list of texts, not str", "job_get_many"),
    (lambda client: client.jobs(["a", ""]), "jids[1] is empty", "job_get_many"),
    (lambda client: client.jobs(["a"] * 1001), "jids has 1001 ", "job_get_many"),
    (lambda client: client.cancel("abc"), "jids must be a list of texts, not str", "job_cancel"),
    (lambda client: client.cancel([]), "jids is empty", "job_cancel"),
    (lambda client: client.cancel([7]), "jids[0] must be text", "job_cancel"),  # type: ignore[list-item]
    (lambda client: client.track([""]), "jids[0] is empty", "job_track"),
    (lambda client: client.untrack(5), "jids must be a list of texts, not int", "job_untrack"),  # type: ignore[arg-type]
    (lambda client: client.explain(""), "jid is empty", "job_explain"),
    (lambda client: client.unfail(""), "group is empty", "failure_unfail"),
    (lambda client: client.unfail("g", limit=201), "limit 201 is outside", "failure_unfail"),
    (lambda client: client.deregister("abc"), "workers must be a list of texts", "worker_deregister"),
    (lambda client: client.workers(limit=101), "limit 101 is outside", "worker_list"),
    (lambda client: client.sweep(201), "limit 201 is outside", "sweep"),
    (lambda client: client.check(repair=1), "repair must be true or false", "check"),  # type: ignore[arg-type]
    (lambda client: client.patterns.set(), "identifiers and priorities", "pattern_set"),
    (lambda client: client.patterns.set(identifiers={"a": []}), "identifiers.a is empty", "pattern_set"),
    (lambda client: client.patterns.set(priorities=[{}]), "priorities[0].patterns", "pattern_set"),
    (lambda client: client.config.unset("colour"), "name colour is not a setting", "config_unset"),
    (lambda client: client.queue("").pause(), "queue is empty", "queue_pause"),
    (lambda client: client.queue("").unpause(), "queue is empty", "queue_unpause"),
    (lambda client: client.queue("").forget(), "queue is empty", "queue_forget"),
    (lambda client: client.queue("").length(), "queue is empty", "queue_length"),
    (lambda client: client.queue("q").jobs("failed"), "state must be", "job_list"),  # type: ignore[arg-type]
    (lambda client: client.throttle("").counts(), "id is empty", "throttle_get"),
    (lambda client: client.throttle("queue:q").set(1), "id begins with queue:", "throttle_set"),
    (lambda client: client.throttle("t").set(-1), "limit -1 is outside", "throttle_set"),
    (lambda client: client.throttle("t").set(1, expires=0), "expires must be 0.001 to", "throttle_set"),
    (lambda client: client.throttle("t").release(""), "jid is empty", "throttle_release"),
    (lambda client: client.queue("q").throttle.release("j"), "queue q: its own throttle", "throttle_release"),
    (lambda client: client.events("party"), 'what[0] "party" is no event', "events_open"),
    (lambda client: client.events(worker=""), "worker is empty", "events_open"),
    (lambda client: client.events().next(-1), "timeout must be 0 to", "events_next"),
    *lists(Client.completed, "job_list"),
    *lists(Client.tracked, "job_tracked"),
    *lists(Client.failures, "failure_groups"),
    *lists(lambda client, **at: client.failed("g", **at), "failure_jobs"),
    *lists(Client.tags, "tag_list"),
    *lists(lambda client, **at: client.tagged("t", **at), "tag_jobs"),
    *lists(Client.queues, "queue_list"),
    *lists(Client.workers, "worker_list"),
    *lists(lambda client, **at: client.worker_jobs("w", **at), "worker_jobs"),
    *lists(Client.throttles, "throttle_list"),
    *lists(lambda client, **at: client.throttle("t").holders(**at), "throttle_holders"),
    *lists(lambda client, **at: client.throttle("t").pending(**at), "throttle_pending"),
    *lists(lambda client, **at: client.queue("q").peek(**at), "queue_peek"),
    *lists(lambda client, **at: client.queue("q").jobs("waiting", **at), "job_list"),
    *lists(lambda client, **at: client.queue("q").recurring(**at), "recurring_list"),
    (lambda client: client.queue("").reserve(), "queue is empty", "queue_reserve"),
    (lambda client: client.queue("q").reserve(0), "limit 0 is outside 1..250", "queue_reserve"),
    (lambda client: client.queue("q").reserve(worker=""), "worker is empty", "queue_reserve"),
    (lambda client: client.queue("q").reserve("5"), "limit must be a whole number", "queue_reserve"),  # type: ignore[arg-type]
    (lambda client: client.queue("q").reserve(1.5), "limit must be a whole number", "queue_reserve"),  # type: ignore[arg-type]
    (lambda client: client.queue("q").reserve(2**70), "limit is outside", "queue_reserve"),
    (lambda client: client.queue("q").reserve(-(2**70)), "limit is outside", "queue_reserve"),
    (lambda client: client.queue("q").reserve(worker=5), "worker must be a text", "queue_reserve"),  # type: ignore[arg-type]
    (lambda client: client.queue("q").reserve(worker="\ud800"), "worker is not JSON", "queue_reserve"),
    (lambda client: client.queue("\ud800").reserve(), "queue is not JSON", "queue_reserve"),
    (lambda client: client.queue(5).reserve(), "queue must be a text", "queue_reserve"),  # type: ignore[arg-type]
    (lambda client: client.queue("").counts(), "queue is empty", "queue_counts"),
    (lambda client: client.queue("q").stats("soon"), "day ", "queue_stats"),
    (lambda client: client.queue("q").stats(datetime(2026, 3, 1)), "day must be", "queue_stats"),
    (lambda client: client.queue("q").stats(5), "day must be", "queue_stats"),  # type: ignore[arg-type]
    (lambda client: client.job(""), "jid is empty", "job_get"),
    (lambda client: client.config.get("colour"), "name colour is not a setting", "config_get"),
    (lambda client: client.config.set("heartbeat", -1), "value of heartbeat -1 is outside 0.1..86400 s", "config_set"),
    (lambda client: client.config.set("heartbeat", float("nan")), "value is not JSON", "config_set"),
    (lambda client: client.call("queue_counts", {"queue": object()}), "queue is not JSON", "queue_counts"),
    (lambda client: Worker(client, ["q"]).next(LONG), "timeout must be 0 to 3155760000 seconds", "worker_next"),
    (lambda client: Worker(client, ["q"]).close(-1), "timeout must be 0 to 3155760000 seconds", "worker_stop"),
    (lambda _: Job.build("k", tags=5), "tags must be a list of texts, not int", None),  # type: ignore[arg-type]
    (lambda _: manyhands.Retry(-1), "delay must be 0 to", "job_retry"),
    (lambda _: manyhands.Snooze(-1), "delay must be 0 to", "job_snooze"),
    (lambda _: Client(timeout=0), "timeout must be 0.001 to 600 seconds, not 0", None),
    (lambda _: Client(timeout=601), "timeout must be 0.001 to 600 seconds, not 601", None),
    (lambda _: Client(namespace="a b"), 'namespace "a b" is not', None),
    (lambda _: Client(engine_upgrade="maybe"), 'engine_upgrade "maybe" is neither', None),
    (lambda _: Client("redis://localhost:port"), "url: the port", None),
    (lambda _: Client("redis://\ud800"), "url is not JSON", None),
    (lambda client: client.call(5), "operation must be a text", None),  # type: ignore[arg-type]
    (lambda client: client.call("\ud800"), "operation is not JSON", None),
    (lambda client: client.call("sweep", [object()]), "arguments must be a mapping", "sweep"),  # type: ignore[arg-type]
    (lambda _: Worker("x", ["q"]), "client must be a Client, not str", None),  # type: ignore[arg-type]
    (lambda client: Worker(client, 5), "queues must be a list of texts, not int", None),  # type: ignore[arg-type]
    (lambda client: Worker(client, [5]), "queues [5] is not a list of texts", None),  # type: ignore[list-item]
    (lambda client: Worker(client, ["\ud800"]), "queues is not JSON", None),
    (lambda client: Worker(client, ["q"], threads=True), "threads ", None),
    (lambda client: Worker(client, ["q"], threads=2**70), "threads ", None),
    (lambda client: Worker(client, ["q"]).perform("\ud800")(print), "kind is not JSON", None),
    (lambda client: Worker(client, []), "queues is empty", None),
    (lambda client: Worker(client, ["q", ""]), "queues[1] is empty", None),
    (lambda client: Worker(client, ["q"], threads=0), "threads 0 is outside 1..1000", None),
    (lambda client: Worker(client, ["q"], strategy="best"), "strategy best is unknown", None),
    (lambda client: Worker(client, ["q"], shutdown_timeout=LONG), "shutdown_timeout must be 0 to", None),
    (lambda client: Worker(client, ["q"]).perform("")(print), "kind is empty", None),
    (lambda client: Worker(client, ["q"]).perform(7)(print), "kind must be a text", None),  # type: ignore[call-overload]
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


def test_none_is_the_same_as_not_given(client: Client) -> None:
    names = ["jid", "priority", "delay", "retries", "tags", "route", "throttles", "dependencies", "missing"]
    options = dict.fromkeys([*names, "on_conflict"])
    placed = client.queue("q").put_many([{"kind": "k", "data": None, **options}] * 2)
    placed.append(client.queue("q").put("k", **options))  # type: ignore[arg-type]
    assert [one.outcome for one in placed] == ["put"] * 3
    assert client.queue("q").counts()["waiting"] == 3


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
        "save": lambda: job.heartbeat(data=1),
        "progress": lambda: job.progress(1),
        "cancel": job.cancel,
        "requeue": job.requeue,
        "explain": job.explain,
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
