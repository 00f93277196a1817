"""Counters of HTTP requests by endpoint: how many there were, how they ended, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLIENT_ERRORS, SERVER_ERRORS = 400, 500
"""The first status of each class of errors."""


@dataclass(slots=True)
class EndpointCounters:
    """The requests to one endpoint since the process started.

    requests       all of them, whatever their status
    client_errors  those answered with a status of 400 to 499
    server_errors  those answered with a status of 500 or more
    seconds        time spent until the response was ready to be sent, in total
    """

    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    seconds: float = 0.0

    def count(self, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests += 1
        self.seconds += seconds
        if status >= SERVER_ERRORS:
            self.server_errors += 1
        elif status >= CLIENT_ERRORS:
            self.client_errors += 1


class RequestCounters:
    """The counters of all endpoints of a process, by label. The labels are fixed, so the memory is bounded."""

    def __init__(self) -> None:
        self._endpoints: dict[str, EndpointCounters] = {}

    def of(self, label: str) -> EndpointCounters:
        """The counters of one endpoint; made at the first call."""
        found = self._endpoints.get(label)
        if found is None:
            found = self._endpoints[label] = EndpointCounters()
        return found

    def all(self) -> Mapping[str, EndpointCounters]:
        """The counters of all endpoints, by label."""
        return self._endpoints
