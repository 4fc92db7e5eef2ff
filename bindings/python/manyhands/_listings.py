"""The lists of a namespace, read by pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from manyhands.page import Jids, Page, WorkerJobs, page_of, page_of_jids

if TYPE_CHECKING:
    from manyhands.client import Client
    from manyhands.stats import QueueCounts
    from manyhands.status import WorkerStatus
    from manyhands.throttle import ThrottleCounts


def _named(one: dict[str, Any], noun: str) -> Any:
    """What a list tells of a queue or worker, whose own name is `name`."""
    return {"name": one[noun], **{field: value for field, value in one.items() if field != noun}}


class Listings:
    """The part of Client that lists.

    Every method takes the same two arguments, releases the GIL, and raises InvalidArgument for a bad one:

    offset: how many to pass over, 0 or more. Default 0.
    limit: how many to give at most, 1 to 250. Default 25.
    """

    def completed(self, offset: int = 0, limit: int = 25) -> Jids:
        """The completed jobs that are still kept, of all queues, the latest first.

        Source: core/src/engine/ops/job_list.lua
        """
        return page_of_jids(self._self(), "job_list", {"state": "completed", "offset": offset, "limit": limit})

    def tracked(self, offset: int = 0, limit: int = 25) -> Jids:
        """The tracked jobs, in the order in which they were put.

        Source: core/src/engine/ops/job_tracked.lua
        """
        return page_of_jids(self._self(), "job_tracked", {"offset": offset, "limit": limit})

    def failures(self, offset: int = 0, limit: int = 25) -> Page[tuple[str, int]]:
        """The groups of failed jobs, the largest first: each a group and how many jobs are in it.

        Source: core/src/engine/ops/failure_groups.lua
        """
        return page_of(self._self(), "failure_groups", {"offset": offset, "limit": limit}, "groups", _pair)

    def failed(self, group: str, offset: int = 0, limit: int = 25) -> Jids:
        """The jobs of a failure group, the latest first.

        Source: core/src/engine/ops/failure_jobs.lua
        """
        return page_of_jids(self._self(), "failure_jobs", {"group": group, "offset": offset, "limit": limit})

    def tags(self, offset: int = 0, limit: int = 25) -> Page[tuple[str, int]]:
        """The tags in use, the most used first: each a tag and how many jobs have it.

        Source: core/src/engine/ops/tag_list.lua
        """
        return page_of(self._self(), "tag_list", {"offset": offset, "limit": limit}, "tags", _pair)

    def tagged(self, tag: str, offset: int = 0, limit: int = 25) -> Jids:
        """The jobs with a tag, those put first before others.

        Source: core/src/engine/ops/tag_jobs.lua
        """
        return page_of_jids(self._self(), "tag_jobs", {"tag": tag, "offset": offset, "limit": limit})

    def queues(self, offset: int = 0, limit: int = 25) -> Page[QueueCounts]:
        """The queues in the order they were first used: each its name and its counts.

        Source: core/src/engine/ops/queue_list.lua
        """
        arguments = {"offset": offset, "limit": limit}
        return page_of(self._self(), "queue_list", arguments, "queues", lambda one: _named(one, "queue"))

    def workers(self, offset: int = 0, limit: int = 25) -> Page[WorkerStatus]:
        """The workers that were heard of within the `max-worker-age` setting, the last heard first; `limit` 1 to 100.

        Source: core/src/engine/ops/worker_list.lua
        """
        arguments = {"offset": offset, "limit": limit}
        return page_of(self._self(), "worker_list", arguments, "workers", lambda one: _named(one, "worker"))

    def worker_jobs(self, worker: str, offset: int = 0, limit: int = 25) -> WorkerJobs:
        """The jobs that a worker has in hand, whose lease ends first before others, the stalled ones first of all.

        worker: its name.

        Source: core/src/engine/ops/worker_jobs.lua
        """
        reply = self._self().call("worker_jobs", {"worker": worker, "offset": offset, "limit": limit})
        return WorkerJobs(reply["total"], reply["jids"], reply["stalled"])

    def throttles(self, offset: int = 0, limit: int = 25) -> Page[ThrottleCounts]:
        """The throttles that have a limit, by name, queues' own among them.

        Source: core/src/engine/ops/throttle_list.lua
        """
        arguments = {"offset": offset, "limit": limit}
        return page_of(self._self(), "throttle_list", arguments, "throttles", lambda one: cast("ThrottleCounts", one))

    def _self(self) -> Client:
        return cast("Client", self)


def _pair(one: list[object]) -> tuple[str, int]:
    return cast("tuple[str, int]", tuple(one))
