"""Client: URLs, options, the door, settings, closing."""

from __future__ import annotations

import gc
import weakref
from datetime import timedelta
from pathlib import Path

import pytest

import manyhands
from manyhands import Client, Closed, InvalidArgument, NoServerProgram, Unavailable, UnknownOperation, UnsupportedUrl


def test_url_and_namespace(socket_path: Path) -> None:
    client = Client(f"unix://{socket_path}", namespace="some")
    assert client.url == f"unix://{socket_path}"
    assert client.namespace == "some"
    assert "secret" not in repr(Client("redis://:secret@localhost"))


def test_the_default_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, socket_path: Path) -> None:
    monkeypatch.setenv("MANYHANDS_URL", f"unix://{socket_path}")
    assert Client().url == f"unix://{socket_path}"


def test_embedded(tmp_path: Path) -> None:
    with Client(f"embedded:{tmp_path / 'jobs'}") as client:
        placed = client.queue("q").put("k", {"kept": True})
        assert client.queue("q").counts()["waiting"] == 1
    with Client(f"embedded:{tmp_path / 'jobs'}") as client:
        job = client.job(placed.jid)
        assert job is not None
        assert job.data == {"kept": True}


def test_no_server_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Client(f"embedded:{tmp_path / 'jobs'}") as client, pytest.raises(NoServerProgram, match="redis-server"):
        client.queue("q").put("k")


def test_namespaces_are_apart(client: Client) -> None:
    client.queue("q").put("k")
    assert Client(client.url, namespace=f"{client.namespace}x").queue("q").reserve() == []


def test_bad_options() -> None:
    with pytest.raises(UnsupportedUrl, match="amqp"):
        Client("amqp://localhost")
    with pytest.raises(InvalidArgument, match="namespace"):
        Client(namespace="a b")
    with pytest.raises(InvalidArgument, match="timeout"):
        Client(timeout=-1)
    with pytest.raises(InvalidArgument, match="timeout"):
        Client(timeout=float("nan"))
    with pytest.raises(InvalidArgument, match="url must be"):
        Client(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="engine_upgrade"):
        Client(engine_upgrade="perhaps")


def test_nobody_there(tmp_path: Path) -> None:
    client = Client(f"unix://{tmp_path / 'none.sock'}", timeout=timedelta(milliseconds=50))
    with pytest.raises(Unavailable) as caught:
        client.queue("q").put("k")
    assert (caught.value.code, caught.value.retryable, caught.value.operation) == (300, True, "queue_put")


def test_the_door(client: Client) -> None:
    assert client.call("engine_version")["major"] == 1
    assert client.call("queue_counts", {"queue": "q"})["waiting"] == 0
    with pytest.raises(UnknownOperation, match="queue_dance"):
        client.call("queue_dance")


def test_settings_are_in_seconds(client: Client) -> None:
    config = client.config
    assert (config.get("heartbeat"), config.get("grace-period")) == (60, 10)
    config.set("heartbeat", 2.5)
    config.set("heartbeat", timedelta(seconds=1), queue="fast")
    assert config.get("heartbeat") == 2.5
    assert config.get("heartbeat", queue="fast") == 1
    assert client.call("config_get", {"name": "heartbeat"}) == 2500
    config.set("heartbeat", None)
    assert config.get("heartbeat") == 60
    config.set("max-data", 100)
    assert config.get("max-data") == 100


def test_closed(client: Client) -> None:
    client.queue("q").put("k")
    client.close()
    client.close()
    with pytest.raises(Closed):
        client.queue("q").put("k")


def test_handles_are_collected(client: Client) -> None:
    gone: list[weakref.ref[object]] = []
    for _ in range(50):
        other = Client(client.url, namespace=client.namespace)
        other.queue("q").put("k")
        worker = manyhands.Worker(other, ["q"])
        worker.perform("k")(lambda job: job.worker)
        job = worker.next(10)
        assert job is not None
        gone += [weakref.ref(other), weakref.ref(worker)]
        del other, worker, job
    gc.collect()
    assert [reference() for reference in gone] == [None] * 100
