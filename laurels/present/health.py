"""Health: whether this process can serve, how it is doing, and when the database was last backed up and verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from laurels.present.base import Answer, UtcTime


class Health(Answer, frozen=True):
    """Whether this process can serve."""

    status: Literal["ok"]
    version: str


class Readiness(Health, frozen=True):
    """That this process can serve, with which database, and by which catalog it judges."""

    database: Annotated[str, Meta(description="Kind and version of the database, such as 'SQLite 3.54.1'")]
    catalog: Annotated[
        int | None, Meta(description="Number of the catalog's revision in force; null before a user exists")
    ]
    catalog_differs: Annotated[
        bool, Meta(description="Whether the server was started with another catalog, which is not used")
    ]


class MaintenanceResult(Answer, frozen=True):
    """When a maintenance task last ran, and its outcome."""

    at: UtcTime
    outcome: Mapping[str, Any]


class ProcessStatus(Answer, frozen=True):
    """How this process is doing, and the last maintenance runs. `users` and `events` are null until they are counted."""

    version: str
    engine: str
    uptime_seconds: float
    events_per_second: float
    waited50_ms: Annotated[
        float | None, Meta(description="Median duration of the writes of the last minute, in milliseconds")
    ]
    waited99_ms: Annotated[
        float | None,
        Meta(description="99th percentile of the duration of the writes of the last minute, in milliseconds"),
    ]
    queued: int
    queue_limit: int
    users: int | None
    events: int | None
    backup: MaintenanceResult | None
    verify: MaintenanceResult | None
