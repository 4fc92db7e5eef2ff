"""Job classes: their defaults, what puts say instead, their handlers."""

from __future__ import annotations

from typing import Any

import pytest

import manyhands
from manyhands import Client, InvalidArgument, Job, JobClass, Next, Worker


@manyhands.job(
    "welcome", queue="mail", priority=3, retries=2, tags=["new"], route=["archive"], headers={"from": "a"}, timeout=30
)
def welcome(job: Job) -> Any:
    """Greets."""
    return f"Hello, {job.data['name']}!"


def test_defaults_and_what_a_put_says_instead(client: Client) -> None:
    welcome.put(client, {"name": "ann"})
    welcome.put(client, {"name": "bob"}, queue="other", priority=-1, tags=[], jid="b", retries=None, headers={})
    (ann,), (bob,) = client.queue("mail").reserve(5), client.queue("other").reserve(5)
    assert (ann.kind, ann.data, ann.priority, ann.retries, ann.tags) == ("welcome", {"name": "ann"}, 3, 2, ["new"])
    assert (ann.headers, bob.headers) == ({"from": "a"}, {})
    assert (bob.jid, bob.priority, bob.retries, bob.tags, bob.route) == ("b", -1, 2, [], ["archive"])


def test_recurring_jobs_have_its_defaults_but_for_the_delay(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)
    options: Any = {"priority": 3, "retries": 2, "tags": ["new"], "throttles": ["smtp"], "route": ["archive"]}
    kind = manyhands.job("welcome", queue="mail", delay=60, timeout=30, backoff=5, headers={"from": "a"}, **options)
    later = kind(lambda _job: None)
    own = later.put_recurring(client, {"name": "ann"}, interval=60)
    assert (own.kind, own.queue, own.data, own.interval, len(own.jid)) == ("welcome", "mail", {"name": "ann"}, 60.0, 32)
    assert (own.priority, own.retries, own.tags, own.throttles) == (3, 2, ["new"], ["smtp"])
    assert (own.route, own.headers, own.next_at) == (["archive"], {"from": "a"}, 1000.0)
    rest: Any = {"offset": 5, "backlog": 2, "tags": [], "headers": {}, "route": None}
    other = later.put_recurring(client, interval=0.5, queue="other", jid="r", priority=-1, retries=0, **rest)
    assert (other.jid, other.queue, other.data, other.interval, other.next_at) == ("r", "other", None, 0.5, 1005.0)
    assert (other.backlog, other.priority, other.retries, other.tags, other.headers) == (2, -1, 0, [], {})
    assert (other.throttles, other.route) == (["smtp"], ["archive"])
    (job,) = client.queue("mail").reserve()
    assert (job.parent, job.kind, job.priority, job.retries, job.tags) == (own.jid, "welcome", 3, 2, ["new"])


def test_bad_recurring_puts_are_refused_by_name(client: Client) -> None:
    nowhere: Any = manyhands.job("nowhere")(lambda _job: None)
    bad: list[tuple[dict[str, Any], str]] = [
        ({}, "queue is missing: nowhere has no default"),
        ({"queue": "q", "delay": 1}, "delay is not an option here"),
        ({"queue": "q", "kind": "other"}, "kind is not an option here"),
        ({"queue": "q", "interval": 0}, "interval must be 0.001 to"),
        ({"queue": "q", "priority": 128}, "priority 128 is outside -128..127"),
        ({"queue": "q", "jid": "x" * 236}, "jid has 236 bytes"),
        ({"queue": "q", "data": {1}}, "data is not JSON"),
        ({"client": 5}, "client must be a Client, not int"),
    ]
    for arguments, said in bad:
        with pytest.raises(InvalidArgument) as caught:
            nowhere.put_recurring(**{"client": client, "interval": 60, **arguments})
        assert caught.value.message.startswith(said)
        assert caught.value.operation == "recurring_put"
    assert client.queue("q").recurring().total == 0


def test_it_is_its_handler(client: Client) -> None:
    assert isinstance(welcome, JobClass)
    assert welcome(Job.build("welcome", {"name": "ann"})) == "Hello, ann!"
    assert (welcome.__doc__, repr(welcome)) == ("Greets.", "<manyhands.JobClass 'welcome'>")
    placed = welcome.put(client, {"name": "ann"}, route=[])
    worker = Worker(client, ["mail"])
    assert worker.perform(welcome) is welcome

    @worker.use
    def once(_job: Job, next: Next[Any]) -> Any:
        worker.stop()
        return next()

    worker.run()
    job = client.job(placed.jid)
    assert job is not None
    assert job.result == "Hello, ann!"


def test_a_class_has_an_object_for_each_job() -> None:
    class Count:
        def __init__(self) -> None:
            self.n = 0

        def perform(self, job: Job) -> int:
            self.n += job.data
            return self.n

    count = manyhands.job("count")(Count)
    assert [count(Job.build("count", 2)) for _ in range(2)] == [2, 2]


def test_without_a_queue(client: Client) -> None:
    nowhere = manyhands.job("nowhere")(lambda _job: None)
    with pytest.raises(InvalidArgument, match="queue is missing: nowhere has no default") as caught:
        nowhere.put(client)
    assert caught.value.operation == "queue_put"
    assert nowhere.put(client, queue="q").outcome == "put"
    with pytest.raises(InvalidArgument, match="client must be a Client, not int"):
        nowhere.put(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="kind is not an option here"):
        nowhere.put(client, queue="q", kind="other")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": ""}, "kind is empty"),
        ({"kind": 5}, "kind must be a text"),
        ({"queue": "a\nb"}, "queue has a control character"),
        ({"priority": 128}, "priority 128 is outside -128..127"),
        ({"delay": -1}, "delay must be 0 to 3155760000 seconds, not -1"),
        ({"retries": 256}, "retries 256 is outside 0..255"),
        ({"tags": "abc"}, 'tags "abc" is not a list'),
        ({"route": [""]}, "route[0] is empty"),
        ({"throttles": ["t"] * 33}, "throttles has 33 entries, at most 32"),
        ({"timeout": 0}, "timeout must be 0.001 to"),
        ({"colour": 1}, "colour is not an option here"),
    ],
)
def test_bad_defaults_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        manyhands.job(**{"kind": "k", **options})
    assert caught.value.message.startswith(said)
    assert caught.value.operation is None


def test_what_cannot_perform() -> None:
    with pytest.raises(InvalidArgument, match="the handler of k must be callable, not int"):
        manyhands.job("k")(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="str has no method perform"):
        manyhands.job("k")(str)


def test_bad_timeouts(client: Client) -> None:
    worker = Worker(client, ["q"])
    with pytest.raises(InvalidArgument, match="timeout must be "):
        worker.perform("k", timeout=0)(lambda _job: None)
    with pytest.raises(InvalidArgument, match="timeout must be "):
        Worker(client, ["q"], timeout=-1)
    with pytest.raises(InvalidArgument, match="max_jobs"):
        Worker(client, ["q"], max_jobs=-1)
