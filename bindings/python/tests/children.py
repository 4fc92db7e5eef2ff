"""What tests run in child processes; a module of its own so that spawned children can import it."""

from __future__ import annotations

from manyhands import Client


def put_from_child(client: Client) -> str:
    """Put one job and name it."""
    return client.queue("q").put("from-child").jid
