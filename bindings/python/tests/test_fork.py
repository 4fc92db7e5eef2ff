"""A client after fork, in other processes, and pickled."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable

import pytest
from children import put_from_child

from manyhands import Client, Closed, Job, Worker


def in_child(act: Callable[[], object]) -> None:
    """Run `act` in a forked child; fail when it raises there."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_fork_after_connect(client: Client) -> None:
    queue = client.queue("q")
    queue.put("parent")
    in_child(lambda: queue.put("child"))
    queue.put("parent")
    assert [job.kind for job in queue.reserve(10)] == ["parent", "child", "parent"]


def test_fork_while_threads_use_the_client(client: Client) -> None:
    queue = client.queue("q")
    stop = threading.Event()
    put: list[str] = []

    def hammer() -> None:
        while not stop.is_set():
            put.append(queue.put("k").jid)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        in_child(lambda number=number: queue.put("child", jid=f"child-{number}"))  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    reserved: set[str] = set()
    while jobs := queue.reserve(250):
        reserved |= {job.jid for job in jobs}
    assert reserved == {*put, *(f"child-{number}" for number in range(20))}


def test_parent_and_child_make_different_ids(client: Client) -> None:
    read, write = os.pipe()
    in_child(lambda: os.write(write, "".join(client.queue("q").put("k").jid for _ in range(50)).encode()))
    theirs = os.read(read, 50 * 32)
    os.close(read)
    os.close(write)
    ours = {client.queue("q").put("k").jid for _ in range(50)}
    assert len(ours | {theirs[at : at + 32].decode() for at in range(0, len(theirs), 32)}) == 100


def test_a_worker_belongs_to_its_process(client: Client) -> None:
    client.queue("q").put("k")
    worker = Worker(client, ["q"])
    job = worker.next(10)
    assert job is not None

    def use() -> None:
        for call in (worker.next, worker.run, job.complete):
            with pytest.raises(Closed, match="fork"):
                call()
        other = Worker(client, ["q"])
        client.queue("q").put("from-child")
        found = other.next(10)
        assert found is not None
        assert found.complete() == "completed"
        other.close()

    in_child(use)
    assert job.complete() == "completed"
    worker.close()


def test_a_worker_described_before_a_fork_runs_in_the_child(client: Client) -> None:
    worker = Worker(client, ["q"])

    @worker.perform("work")
    def work(_job: Job) -> str:
        worker.stop()
        return worker.name

    def take_one() -> None:
        job = worker.next(10)
        assert job is not None
        job.complete(worker.name)
        worker.close()

    queue = client.queue("q")
    names = {worker.name}
    for act in (worker.run, take_one, worker.run):
        jid = queue.put("work").jid
        in_child(act)
        job = client.job(jid)
        assert job is not None
        names.add(job.result)
    assert len(names) == 4
    in_child(worker.close)
    queue.put("work")
    worker.run()
    assert queue.length() == 0


def test_a_subscription_belongs_to_its_process(client: Client) -> None:
    client.config.set("events", "all")
    events = client.events("put")

    def use() -> None:
        assert events.closed
        with pytest.raises(Closed, match="fork"):
            next(events)
        events.close()
        with client.events("put") as own:
            client.queue("q").put("k", jid="from-child")
            assert next(own).jid == "from-child"

    in_child(use)
    assert next(events).jid == "from-child"
    events.close()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(client: Client, method: str) -> None:
    client.queue("q").put("parent")
    with multiprocessing.get_context(method).Pool(2) as pool:
        jids = pool.map(put_from_child, [client] * 4)
    assert len(set(jids)) == 4
    assert client.queue("q").counts()["waiting"] == 5


def test_a_client_pickles_with_its_options(client: Client) -> None:
    copy = pickle.loads(pickle.dumps(client))
    assert (copy.url, copy.namespace) == (client.url, client.namespace)
    placed = copy.queue("q").put("k")
    assert [job.jid for job in client.queue("q").reserve()] == [placed.jid]
