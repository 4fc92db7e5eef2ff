"""Long lists are read by pages: of any length, never more than 250 items at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

from manyhands._wire import in_seconds

if TYPE_CHECKING:
    from manyhands.client import Client

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list. Iterating gives its items, `len` says how many they are.

    total: how long the whole list is.
    items: those from `offset` on, at most `limit`.

        while page := client.queues(offset, 250):
            offset += len(page)
    """

    total: int
    items: list[Item]

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Jids(Page[str]):
    """A part of a list of jobs: their ids. `Client.jobs(page.jids)` looks them up."""

    @property
    def jids(self) -> list[str]:
        """The ids of the jobs: the same as `items`."""
        return self.items


@dataclass(frozen=True)
class WorkerJobs(Jids):
    """A part of the jobs that a worker has in hand. stalled: how many of all are past the end of their lease."""

    stalled: int


def page_of_jids(client: Client, operation: str, arguments: Mapping[str, Any]) -> Jids:
    """Calls an operation that lists jids."""
    reply = client.call(operation, arguments)
    return Jids(reply["total"], reply["jids"])


def page_of(
    client: Client,
    operation: str,
    arguments: Mapping[str, Any],
    member: str,
    item: Callable[[Any], Item],
) -> Page[Item]:
    """Calls an operation that lists something else under the name `member`; `item` makes one of it, in seconds."""
    reply = client.call(operation, arguments)
    return Page(reply["total"], [item(in_seconds(one)) for one in reply[member]])
