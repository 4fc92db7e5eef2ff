"""What a job says itself of how long a run may take and how long it waits after an error."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from performing import found

import manyhands
from manyhands import Backoff, Client, InvalidArgument, Job, JobInterrupted, RetryRules, Worker
from manyhands.testing import drain, inline, perform, recorded_puts

HOUR = 3_600

LIMITS: Any = {"timeout": 30, "backoff": [1, timedelta(minutes=1)]}
AS_READ = 30.0, Backoff.list([1, 60])


def limits(job: Job) -> tuple[float | None, Backoff | None]:
    """Both, as a job shows them."""
    return job.run_timeout, job.backoff


def spin() -> NoReturn:
    """Python code without end."""
    while True:
        pass


def waits(client: Client, jids: list[str]) -> list[float | None]:
    """Seconds until jobs are due, where the clock stands at 1000."""
    dues = [found(client, jid).due_at for jid in jids]
    return [None if due is None else due - 1_000 for due in dues]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_worker_heeds_them_before_its_own(client: Client, asynchronous: bool) -> None:
    client.config.set("test-clock", 1_000_000)
    queue = client.queue("q")
    jids = [
        queue.put("slow", timeout=0.05, backoff=7, retries=1).jid,
        queue.put("ruled", backoff=7).jid,
        queue.put("wrong", backoff=[7, 8]).jid,
        queue.put("wrong").jid,
    ]
    worker = Worker(client, ["q"], timeout=HOUR)
    worker.use(RetryRules(retry_on={OSError: 30}))
    errors = {"ruled": OSError(), "wrong": ValueError()}
    told: list[object] = []

    def handler(job: Job) -> None:
        if job.kind == "slow":
            spin()
        raise errors[job.kind]

    async def async_handler(job: Job) -> None:
        if job.kind == "slow":
            await asyncio.Event().wait()
        raise errors[job.kind]

    for kind in ("slow", "ruled", "wrong"):
        worker.perform(kind, timeout=HOUR, backoff=60)(async_handler if asynchronous else handler)

    @worker.on("failure")
    def failure(_job: Job, error: BaseException) -> None:
        told.append(error.reason if isinstance(error, JobInterrupted) else type(error))
        if len(told) == len(jids):
            worker.stop()

    worker.run()
    assert told == ["timeout", OSError, ValueError, ValueError]
    assert waits(client, jids) == [7, 30, 7, 60]


def test_what_is_performed_in_tests_heeds_them_too(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)
    worker = Worker(client, ["q"])

    def handler(_job: Job) -> None:
        raise OSError("on purpose")

    worker.perform("bare")(handler)
    worker.perform("own", backoff=60)(handler)
    jids = [client.queue("q").put(kind, backoff=[7, 20]).jid for kind in ("bare", "own")]
    jids.append(client.queue("q").put("own").jid)
    assert drain(worker, raises=False) == 3
    with inline(worker), pytest.raises(OSError, match="on purpose"):
        client.queue("q").put("own", jid="inline", backoff=5)
    assert waits(client, [*jids, "inline"]) == [7, 7, 60, 5]
    client.config.set("test-clock", 1_007_000)
    assert drain(worker, raises=False) == 3
    assert waits(client, [*jids, "inline"]) == [27, 27, 60, 12]


def test_puts_say_them(client: Client) -> None:
    queue = client.queue("q")
    queue.put("k", jid="a", **LIMITS)
    queue.put("k", jid="none", timeout=None, backoff=None)
    exponential = Backoff.exponential(2, factor=1.5, most=60, jitter=0.25)
    jittered = Backoff.list([1, 2], jitter=0.5)
    queue.put_many([{"kind": "k", "jid": "b", "timeout": timedelta(seconds=1), "backoff": exponential}])
    queue.put_many([{"kind": "k", "jid": "c", "backoff": jittered}, {"kind": "k", "jid": "d", "timeout": 2.5}])
    expected = [AS_READ, (None, None), (1.0, exponential), (None, jittered), (2.5, None)]
    assert [limits(found(client, jid)) for jid in ("a", "none", "b", "c", "d")] == expected
    assert [job and limits(job) for job in client.jobs(["a", "none"])] == expected[:2]
    assert [limits(job) for job in queue.peek()] == expected
    assert [limits(job) for job in queue.reserve(5)] == expected


def test_they_go_through_all_stages_and_a_requeue_may_change_them(client: Client) -> None:
    client.queue("q").put("k", jid="a", route=["next"], **LIMITS)
    (job,) = client.queue("q").reserve()
    job.complete()
    with Worker(client, ["next"]) as worker:
        taken = worker.next(10)
        assert taken is not None
        assert limits(taken) == AS_READ
        assert (taken.requeue("q"), limits(taken)) == ("waiting", AS_READ)
    job = found(client, "a")
    job.requeue(timeout=1)
    assert limits(job) == limits(found(client, "a")) == (1.0, AS_READ[1])
    job.requeue(backoff=0)
    assert limits(job) == limits(found(client, "a")) == (1.0, Backoff.fixed(0))


def test_recurring_jobs_give_theirs_to_the_jobs_they_put(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)
    queue = client.queue("q")
    recurring = queue.put_recurring("k", interval=60, jid="r", **LIMITS)
    assert (recurring.timeout, recurring.backoff) == AS_READ
    (job,) = queue.reserve()
    assert limits(job) == AS_READ
    recurring.update(priority=1)
    assert (recurring.timeout, recurring.backoff) == AS_READ
    recurring.update(timeout=2)
    recurring.update(backoff=Backoff.exponential())
    (listed,) = queue.recurring()
    assert (listed.timeout, listed.backoff) == (2.0, Backoff.exponential())
    plain = queue.put_recurring("k", interval=60)
    assert (plain.timeout, plain.backoff) == (None, None)


def test_a_job_class_sends_those_of_a_put_alone(client: Client) -> None:
    @manyhands.job("k", queue="q", timeout=HOUR, backoff=lambda errors: errors)
    def kind(_job: Job) -> None:
        raise OSError

    client.config.set("test-clock", 1_000_000)
    kind.put(client, jid="plain")
    kind.put(client, jid="own", **LIMITS)
    assert [limits(found(client, jid)) for jid in ("plain", "own")] == [(None, None), AS_READ]
    plain, own = kind.put_recurring(client, interval=60), kind.put_recurring(client, interval=60, **LIMITS)
    assert ((plain.timeout, plain.backoff), (own.timeout, own.backoff)) == ((None, None), AS_READ)
    with pytest.raises(InvalidArgument, match="backoff is a function"):
        kind.put(client, backoff=lambda errors: errors)
    worker = Worker(client, ["q"])
    worker.perform(kind)
    assert drain(worker, raises=False) == 4
    assert waits(client, ["plain", "own"]) == [1, 1]
    client.config.set("test-clock", 1_001_000)
    assert drain(worker, raises=False) == 4
    assert waits(client, ["plain", "own"]) == [3, 61]


def test_built_jobs_have_them(client: Client) -> None:
    job = Job.build("k", **LIMITS)
    assert limits(job) == AS_READ
    assert limits(Job.build("k")) == (None, None)
    with pytest.raises(InvalidArgument, match="timeout must be"):
        Job.build("k", timeout=0)
    with pytest.raises(InvalidArgument, match="backoff is a function") as caught:
        Job.build("k", backoff=Backoff(lambda errors: errors))
    assert caught.value.operation is None
    worker = Worker(client, ["q"])
    worker.perform("k")(limits)
    assert perform(worker, job) == AS_READ


COPIES: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda job: pickle.loads(pickle.dumps(job))]


@pytest.mark.parametrize("copied", COPIES)
def test_copies_have_them(copied: Callable[[Any], Any]) -> None:
    assert limits(copied(Job.build("k", **LIMITS))) == AS_READ
    assert limits(copied(Job.build("k", backoff=Backoff.exponential()))) == (None, Backoff.exponential())


def test_recorded_puts_have_them() -> None:
    client = Client("unix:///nowhere")
    with recorded_puts(client) as puts:
        client.queue("q").put("k", **LIMITS)
        with pytest.raises(InvalidArgument, match="timeout must be "):
            client.queue("q").put("k", timeout=-1)
        with pytest.raises(InvalidArgument, match=r"jobs\[1\].backoff is a function"):
            client.queue("q").put_many([{"kind": "k"}, {"kind": "k", "backoff": lambda errors: errors}])
    assert len(puts) == 1
    puts.assert_put("k", timeout=timedelta(seconds=30), backoff=Backoff.list([1, 60]))
    puts.assert_not_put("k", backoff=1)


FUNCTION = "backoff is a function, which cannot go with a job: only its kind or a worker may have one"

BAD: list[tuple[dict[str, Any], str]] = [
    ({"timeout": 0}, "timeout must be 0.001 to 3155760000 seconds, not 0"),
    ({"timeout": -5}, "timeout must be 0.001 to"),
    ({"timeout": "soon"}, "timeout must be seconds"),
    ({"backoff": -1}, "backoff must be 0 to 3155760000 seconds, not -1"),
    ({"backoff": True}, "backoff must be seconds"),
    ({"backoff": "1s"}, "backoff must be seconds, a list of them or a Backoff, not str"),
    ({"backoff": {"first": 1}}, "backoff must be seconds, a list of them or a Backoff, not dict"),
    ({"backoff": []}, "backoff is an empty list"),
    ({"backoff": [1, -2]}, "backoff[1] must be 0 to"),
    ({"backoff": [1] * 65}, "backoff has 65 entries, at most 64 are allowed"),
    ({"backoff": lambda errors: errors}, FUNCTION),
    ({"backoff": Backoff(lambda errors: errors, jitter=0.5)}, FUNCTION),
]


def acts(client: Client, options: dict[str, Any]) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Whatever takes these options: the operation, what its errors name them after, the call."""
    queue = client.queue("q")
    client.queue("beside").put("k", jid="there")
    recurring = client.queue("beside").put_recurring("k", interval=1, jid="again", offset=HOUR)
    job = found(client, "there")
    yield "queue_put", "", lambda: queue.put("k", **options)
    yield "queue_put", "", lambda: queue.put_many([{"kind": "k", **options}])
    yield "queue_put", "jobs[1].", lambda: queue.put_many([{"kind": "k"}, {"kind": "k", **options}])
    yield "job_requeue", "", lambda: job.requeue(**options)
    yield "recurring_put", "", lambda: queue.put_recurring("k", interval=1, **options)
    yield "recurring_update", "", lambda: recurring.update(**options)


@pytest.mark.parametrize(("options", "said"), BAD)
def test_bad_ones_are_refused_by_name_before_anything_is_written(
    client: Client, options: dict[str, Any], said: str
) -> None:
    for operation, within, act in acts(client, options):
        with pytest.raises(InvalidArgument) as caught:
            act()
        assert caught.value.message.startswith(f"{within}{said}")
        assert caught.value.operation == operation
    assert (client.queue("q").length(), client.queue("q").recurring().total) == (0, 0)
    assert (limits(found(client, "there")), found(client, "there").queue) == ((None, None), "beside")


@pytest.mark.parametrize("option", ["timeout_ms", "backoff_ms"])
def test_they_are_said_in_seconds(client: Client, option: str) -> None:
    for _operation, within, act in acts(client, {option: 1000}):
        with pytest.raises(InvalidArgument) as caught:
            act()
        assert caught.value.message.startswith(f"{within}{option} is not an option")


JSON: list[tuple[Backoff, str]] = [
    (Backoff.fixed(1), "1000"),
    (Backoff.list([1, 2.5]), "[1000,2500]"),
    (Backoff.fixed(1, jitter=0.5), '{"list":[1000],"jitter":0.5}'),
    (Backoff.list([1, 2], jitter=1), '{"list":[1000,2000],"jitter":1}'),
    (Backoff.exponential(), '{"first":1000,"factor":2.0,"most":3600000,"jitter":0.1}'),
    (Backoff.exponential(2, factor=3, most=9, jitter=0), '{"first":2000,"factor":3,"most":9000,"jitter":0}'),
]


@pytest.mark.parametrize(("backoff", "text"), JSON)
def test_a_backoff_as_jobs_of_every_language_carry_it(client: Client, backoff: Backoff, text: str) -> None:
    assert backoff.to_json() == text
    client.call("queue_put", {"jobs": [{"queue": "q", "kind": "k", "jid": "a", "backoff_ms": json.loads(text)}]})
    assert found(client, "a").backoff == backoff


def test_what_is_left_out_is_as_everywhere(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    client.call("job_requeue", {"jid": "a", "backoff_ms": {"first": 5000}})
    assert found(client, "a").backoff == Backoff.exponential(5)
    client.call("job_requeue", {"jid": "a", "backoff_ms": {"list": [5000]}})
    assert found(client, "a").backoff == Backoff.fixed(5)


def test_backoffs_are_equal_by_what_they_are_made_of() -> None:
    assert Backoff.fixed(1) == Backoff.list([timedelta(seconds=1)])
    assert len({Backoff.fixed(1), Backoff.of(1), Backoff.exponential(1), Backoff.exponential(1, factor=2)}) == 2
    assert Backoff.fixed(1) != Backoff.fixed(1, jitter=0.5)
    assert Backoff.fixed(1) != 1
    assert repr(Backoff.list([1, 2.5])) == "Backoff.list([1.0, 2.5], jitter=0.0)"
    assert repr(Backoff.exponential(3)) == "Backoff.exponential(3.0, factor=2.0, most=3600.0, jitter=0.1)"
    assert repr(Backoff(math.exp)) == "Backoff(<built-in function exp>, jitter=0.0)"
    assert Backoff(math.exp) == Backoff.of(math.exp)
    with pytest.raises(InvalidArgument, match="backoff is a function"):
        Backoff(math.exp).to_json()
