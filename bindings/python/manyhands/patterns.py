"""Saved lists of queue patterns, which workers follow while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

from manyhands._wire import given

if TYPE_CHECKING:
    from manyhands.client import Client


class PatternPriority(TypedDict):
    """Queues that are served together; fair: they take turns at being first, as far as one call asks them (64)."""

    patterns: list[str]
    fair: bool


class SavedPatterns(TypedDict):
    """identifiers: lists of patterns by name, `@name` stands for one.

    priorities: the order in which `ordered` workers on patterns serve their queues; those that none names come last.
    """

    identifiers: dict[str, list[str]]
    priorities: list[PatternPriority]


class Patterns:
    """The saved lists of queue patterns of a client's namespace. Get it as `client.patterns`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self) -> SavedPatterns:
        """Read them all. Releases the GIL.

        Source: core/src/engine/ops/pattern_get.lua
        """
        return cast("SavedPatterns", self._client.call("pattern_get"))

    def set(
        self,
        *,
        identifiers: Mapping[str, Sequence[str]] | None = None,
        priorities: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Save lists; workers that use them follow at once.

        identifiers: at most 256 names, each with a list of 1 to 256 patterns; replaces all. Default: unchanged.
        priorities: at most 256 mappings of `patterns` (1 to 256) and `fair` (default False); replaces all. Default:
            unchanged.

        Raises InvalidArgument, also when neither is given. Releases the GIL.

            client.patterns.set(identifiers={"slow": ["video", "export-*"]}, priorities=[{"patterns": ["!@slow"]}])

        Source: core/src/engine/ops/pattern_set.lua
        """
        self._client.call("pattern_set", given({"identifiers": identifiers, "priorities": priorities}))
