from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from laurels.auth.keys import is_well_formed, verify_key
from laurels.service.audit import audit_row
from laurels.service.clock import utc_now
from laurels.storage import open_store
from laurels.storage.contract import LIBRARY, SecondFactorRow, Store
from tests.cli.conftest import Cli


async def living_name(cli: Cli, key: str) -> str | None:
    store: Store = open_store(cli.database)
    try:
        return (await verify_key(store, key, utc_now, None)).name
    finally:
        await store.close()


def test_a_new_key_is_printed_alone_on_standard_output(
    process: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ended = process("key", "create", "--create", "--name", "my-app", "--database", "sqlite:///app.db")

    hint = "The key has the usual scopes, events:write, users:read, users:write, sessions:write; name others with --scope.\n"
    assert (ended.returncode, ended.stderr) == (0, "Created a new database, sqlite:///app.db.\n" + hint)
    assert ended.stdout.count("\n") == 1
    assert is_well_formed(ended.stdout.rstrip("\n"))


def test_a_key_opens_the_database_it_was_made_for(cli: Cli) -> None:
    key = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database).out.strip()

    assert asyncio.run(living_name(cli, key)) == "my-app"


def test_the_database_is_that_of_the_settings_by_default(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAURELS_DATABASE", "sqlite:///elsewhere.db")

    assert cli("key", "create", "--create", "--name", "my-app").code == 0
    assert (cli.folder / "elsewhere.db").is_file()


def test_a_key_as_json(cli: Cli) -> None:
    made = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database, "--json").json

    assert made["name"] == "my-app"
    assert is_well_formed(made["key"])


def test_an_admin_key_is_made_for_the_console_and_its_role_is_listed(cli: Cli) -> None:
    made = cli("key", "create", "--create", "--admin", "--name", "anna", "--database", cli.database, "--json").json
    cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)

    assert (made["kind"], made["role"], made["scopes"]) == ("admin", "owner", [])
    assert made["key"].startswith("laurels_admin_")
    assert is_well_formed(made["key"])
    listed = cli("key", "list", "--database", cli.database, "--json").json["keys"]
    assert [(key["name"], key["kind"]) for key in listed] == [("anna", "admin"), ("my-app", "app")]
    shown = cli("key", "list", "--database", cli.database).out
    assert "laurels_admin_" in shown
    assert made["key"] not in shown


def test_a_name_in_use_is_refused(cli: Cli) -> None:
    cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)

    ended = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)

    assert (ended.code, ended.out) == (2, "")
    assert "an active key is named 'my-app'" in ended.err


def test_the_list_shows_how_a_key_begins_and_never_the_key(cli: Cli) -> None:
    key = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database).out.strip()

    shown = cli("key", "list", "--database", cli.database)
    listed = cli("key", "list", "--database", cli.database, "--json").json

    assert key[:16] in shown.out
    assert key not in shown.out
    assert [(one["name"], one["hint"], one["revokedAt"]) for one in listed["keys"]] == [("my-app", key[:16], None)]


def test_a_revoked_key_stays_in_the_list_and_its_name_is_free(cli: Cli) -> None:
    cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)

    revoked = cli("key", "revoke", "my-app", "--database", cli.database)
    again = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)
    listed = cli("key", "list", "--database", cli.database, "--json").json["keys"]

    assert (revoked.code, revoked.out) == (0, "")
    assert again.code == 0
    assert [one["revokedAt"] is None for one in listed] == [False, True]


def test_revoking_an_unknown_key_is_an_error(cli: Cli) -> None:
    cli("migrate", "--database", cli.database)

    ended = cli("key", "revoke", "my-app", "--database", cli.database)

    assert (ended.code, ended.out) == (3, "")
    assert "there is no key 'my-app' in use" in ended.err


def test_revoking_as_json(cli: Cli) -> None:
    cli("key", "create", "--create", "--name", "my-app", "--database", cli.database)

    assert cli("key", "revoke", "my-app", "--database", cli.database, "--json").json["name"] == "my-app"


def test_no_keys_yet_says_how_to_make_one(cli: Cli) -> None:
    cli("migrate", "--database", cli.database)

    assert "laurels key create" in cli("key", "list", "--database", cli.database).out
    assert cli("key", "list", "--database", cli.database, "--json").json == {"keys": []}


def test_a_key_is_made_with_scopes_an_expiry_and_addresses(cli: Cli) -> None:
    rights = ("--scope", "events:write", "--scope", "users:read", "--expires", "90d", "--address", "10.0.0.0/8")
    made = cli("key", "create", "--create", "--name", "my-app", *rights, "--database", cli.database, "--json").json

    (listed,) = cli("key", "list", "--database", cli.database, "--json").json["keys"]

    for shown in (made, listed):
        assert (shown["scopes"], shown["role"]) == (["events:write", "users:read"], None)
        assert shown["addresses"] == ["10.0.0.0/8"]
    created, expires = (datetime.fromisoformat(listed[name]) for name in ("createdAt", "expiresAt"))
    assert abs(expires - created - timedelta(days=90)) < timedelta(minutes=1)


def test_a_key_may_do_what_is_usual_unless_its_scopes_are_named(cli: Cli) -> None:
    usual = cli("key", "create", "--create", "--name", "my-app", "--database", cli.database, "--json").json
    every = cli("key", "create", "--name", "all", "--scope", "all", "--database", cli.database, "--json").json

    assert usual["scopes"] == ["events:write", "users:read", "users:write", "sessions:write"]
    assert {*every["scopes"]} - {*usual["scopes"]} == {"users:erase", "adjustments:write", "catalog:apply"}


def test_an_admin_key_is_made_with_a_role(cli: Cli) -> None:
    made = cli(
        "key", "create", "--create", "--admin", "--role", "viewer", "--name", "v", "--database", cli.database, "--json"
    )

    assert (made.json["role"], made.json["scopes"]) == ("viewer", [])


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        (("--scope", "event:write"), "did you mean 'events:write'?"),
        (("--expires", "soon"), "such as 12h, 90d or 26w"),
        (("--address", "10.0.0.1/8"), "with no bits after its length"),
        (("--role", "viewer"), "add --admin"),
        (("--admin", "--scope", "users:read"), "leave out --scope"),
        (("--admin", "--role", "boss"), "known are editor, owner, support, viewer"),
    ],
)
def test_what_a_key_may_do_is_checked_before_a_database_is_made(cli: Cli, options: tuple[str, ...], fix: str) -> None:
    ended = cli("key", "create", "--create", "--name", "my-app", *options, "--database", cli.database)

    assert (ended.code, ended.out) == (2, "")
    assert fix in ended.err
    assert not [*cli.folder.iterdir()]


async def with_factor(cli: Cli, name: str) -> None:
    store: Store = open_store(cli.database)
    (key,) = [key for key in await store.keys() if key.name == name]
    row = SecondFactorRow(key.key_hash, b"hidden", 1, b"", 0, None, utc_now())
    await store.add_second_factor(row, b"", audit_row(LIBRARY, utc_now(), "key.second_factor_added", ("key", name)))
    await store.close()


def test_the_second_factor_of_a_key_is_listed_and_removed_with_a_row_of_the_audit(cli: Cli) -> None:
    at = ("--database", cli.database)
    for name in ("anna", "bob"):
        cli("key", "create", "--create", "--admin", "--name", name, *at)
    asyncio.run(with_factor(cli, "anna"))
    listed = {key["name"]: key["secondFactor"] for key in cli("key", "list", "--json", *at).json["keys"]}
    assert listed == {"anna": True, "bob": False}
    assert "owner, with a code" in " ".join(cli("key", "list", *at).out.split())

    assert cli("key", "reset-totp", "anna", "--json", *at).json["name"] == "anna"
    for name in ("anna", "bob", "eve"):
        ended = cli("key", "reset-totp", name, *at)
        assert (ended.code, "has a second factor" in ended.err) == (3, True), name
    newest = json.loads(cli("audit", "--kind", "key.second_factor_removed", *at).out.splitlines()[0])
    assert (newest["target"], newest["principal"]["kind"]) == ("anna", "cli")


def test_the_second_factor_of_a_revoked_key_of_the_name_is_not_meant(cli: Cli) -> None:
    at = ("--database", cli.database)
    cli("key", "create", "--create", "--admin", "--name", "anna", *at)
    asyncio.run(with_factor(cli, "anna"))
    cli("key", "revoke", "anna", *at)
    cli("key", "create", "--admin", "--name", "anna", *at)
    assert cli("key", "reset-totp", "anna", *at).code == 3
