"""`laurels retention run`, and what the doctor says of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from laurels.service.laurels import Laurels
from laurels.storage.contract import AuditRow
from tests.cli.conftest import Cli

OLD = datetime.now(UTC) - timedelta(days=800)


def test_old_rows_of_the_audit_are_removed_if_the_settings_say_so(cli: Cli) -> None:
    async def fill() -> None:
        async with Laurels.open(cli.database) as laurels:
            for number in range(3):
                await laurels.store.add_audit(AuditRow(f"row-{number}", OLD, "user.changed", None))

    asyncio.run(fill())
    where = ("--database", cli.database)
    kept = cli("retention", "run", *where)
    assert (kept.code, kept.err) == (0, "Removed expired sessions: 0, notifications: 0.\n")
    cli.file("laurels.toml", "[retention]\naudit_days = 730\n")
    assert "to remove: expired sessions: 0, notifications: 0, audit: 3" in " ".join(cli("doctor", *where).out.split())

    removed = cli("retention", "run", *where, "--json")

    assert json.loads(removed.out) == {"expired sessions": 0, "notifications": 0, "audit": 3}
    (row,) = [json.loads(line) for line in cli("audit", *where).out.splitlines()]
    assert (row["kind"], row["times"], row["principal"]["kind"]) == ("audit.removed", 3, "cli")
