"""`laurels secret`, and what servers, commands, backups and copies do with keys in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from laurels.service.laurels import Laurels
from laurels.storage.contract import Store
from laurels.storage.postgres.store import PostgresStore
from laurels.storage.secret_file import FileKey, Keys, create_keys, read_keys
from laurels.storage.secrets import Keyring
from laurels.storage.sqlite.store import SQLiteStore
from tests.cli.conftest import Cli, Ended, Server
from tests.cli.test_moving import (  # fixtures
    ERASED,
    address,  # noqa: F401
    file,  # noqa: F401
    filled,  # noqa: F401
    held,
    late_event,
    leave_unfinished,
    source,  # noqa: F401
    target,  # noqa: F401
    use,
)

NAMED = "laurels.key"
OTHER = FileKey(datetime(2026, 3, 2, tzinfo=UTC), b"1" * 32)


def keyed(cli: Cli, *arguments: str, key_file: str = NAMED) -> Ended:
    """Run a command with the setting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAURELS_SECRET_FILE", key_file)
        return cli(*arguments)


def keyring_of(database: str, key_file: Path | None = None) -> Keyring:
    found: list[Keyring] = []

    async def read(store: Store) -> None:
        store.use_secret_file(str(key_file or ""))
        found.append(await store.keyring())

    use(database, read)
    return found[0]


def refuses_erased(database: str, key_file: Path | None = None) -> bool:
    """Whether the user who was erased cannot be created again."""

    async def send(store: Store) -> None:
        store.use_secret_file(str(key_file or ""))
        await late_event(store)

    use(database, send)
    return True


def findings(cli: Cli, database: str, key_file: str = NAMED) -> list[dict[str, str]]:
    """What doctor says about the secret."""
    found = keyed(cli, "doctor", "--database", database, "--json", key_file=key_file).json["findings"]
    return [finding for finding in found if finding["what"] == "secret"]


def test_a_moved_secret_leaves_nothing_in_the_database_and_changes_no_value(cli: Cli, source: str) -> None:  # noqa: F811
    before, key_file = keyring_of(source), cli.folder / NAMED
    others = {table: rows for table, rows in held(source).items() if table not in ("secrets", "audit")}

    moved = keyed(cli, "secret", "move", "--database", source, "--json")
    again = keyed(cli, "secret", "move", "--database", source, "--json")

    keys = read_keys(str(key_file))
    assert (moved.json["changed"], again.json["changed"], moved.err) == (True, False, "")
    assert moved.json["file"] == NAMED
    assert (moved.json["key"], moved.json["old"]) == (keys.newest.fingerprint[:4].hex(), None)
    after = keyring_of(source, key_file)
    assert (after.tombstones, after.cursors) == (before.tombstones, before.cursors)
    assert (after.references, after.pseudonyms) == (before.references, before.pseudonyms)
    rows = held(source)
    assert {table: rows[table] for table in others} == others
    assert before.references not in {value for row in rows["secrets"] for value in row}
    assert key_file.stat().st_mode & 0o777 == 0o600
    for path in cli.folder.rglob("*.db*"):
        assert before.references not in path.read_bytes(), path
    assert refuses_erased(source, key_file)


def test_a_move_says_that_the_files_may_still_have_the_secret(
    cli: Cli,
    source: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy, says = {
        "sqlite": (SQLiteStore, "The database's files may still have the secret"),
        "postgresql": (PostgresStore, "PostgreSQL may still have the secret"),
    }[source.partition(":")[0]]

    async def in_use(_: Store) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr(busy, "clean_secrets", in_use)
        moved = keyed(cli, "secret", "move", "--database", source, "--json")
    assert (moved.code, moved.json["clean"], moved.err.count(says)) == (0, False, 1)
    again = keyed(cli, "secret", "move", "--database", source, "--json")
    assert (again.code, again.json["clean"], again.err) == (0, True, "")
    assert keyed(cli, "secret", "rotate", "--database", source, "--json").json["clean"] is None


def test_a_move_needs_the_setting_and_a_file_without_other_keys(cli: Cli, file: str) -> None:  # noqa: F811
    before = keyring_of(file)
    ended = cli("secret", "move", "--database", file)
    assert ended.code == 2
    assert "LAURELS_SECRET_FILE" in ended.err

    create_keys(str(cli.folder / NAMED), Keys((OTHER,)))
    refused = keyed(cli, "secret", "move", "--database", file)
    assert (refused.code, keyring_of(file)) == (2, before)
    assert "has other keys" in refused.err
    given = cli("secret", "move", "--database", file, "--secret-file", "new.key")
    assert given.code == 0
    assert keyring_of(file, cli.folder / "new.key").references == before.references


def test_rotating_says_what_to_do_and_dropping_what_stops_working(cli: Cli, file: str) -> None:  # noqa: F811
    refused = keyed(cli, "secret", "rotate", "--database", file)
    assert (refused.code, "laurels secret move" in refused.err) == (2, True)
    assert keyed(cli, "secret", "move", "--database", file).code == 0
    nothing = keyed(cli, "secret", "drop-old", "--database", file)
    assert (nothing.code, "no old key" in nothing.err) == (2, True)

    rotated = keyed(cli, "secret", "rotate", "--database", file)
    assert "other machines" in rotated.err
    assert "laurels secret drop-old" in rotated.err
    third = keyed(cli, "secret", "rotate", "--database", file)
    assert (third.code, "drop-old" in third.err) == (2, True)

    dropped = keyed(cli, "secret", "drop-old", "--database", file)
    assert "422" in dropped.err
    assert "names stay the same" in dropped.err
    assert refuses_erased(file, cli.folder / NAMED)
    assert keyed(cli, "secret", "rotate", "--database", file, "--json").json["old"]
    renamed = keyed(cli, "secret", "drop-old", "--new-names", "--database", file)
    assert "names have changed" in renamed.err
    lines = keyed(cli, "audit", "--database", file).out.splitlines()
    kinds = [entry["kind"] for entry in map(json.loads, lines) if entry["kind"].startswith("secret.")]
    assert sorted(kinds) == sorted(
        ["secret.moved", *["secret.rotated", "secret.old_dropped"] * 2, "secret.names_changed"]
    )


def test_doctor_says_where_the_secret_is_how_old_it_is_and_what_is_not_finished(cli: Cli, file: str) -> None:  # noqa: F811
    assert "in the database" in findings(cli, file, "")[0]["found"]
    key_file = cli.folder / NAMED
    assert keyed(cli, "secret", "move", "--database", file).code == 0

    (moved,) = findings(cli, file)
    assert f"in {NAMED}, key {read_keys(NAMED).newest.fingerprint[:4].hex()}" in moved["found"]
    assert "0 days ago" in moved["found"]
    assert (moved["fix"], moved["proposal"]) == ("", "")

    before = key_file.read_bytes()
    assert keyed(cli, "secret", "rotate", "--database", file).code == 0
    (rotating,) = findings(cli, file)
    assert "still accepted" in rotating["found"]
    assert "drop-old" in rotating["proposal"]

    after = key_file.read_bytes()
    key_file.write_bytes(before)
    assert "newest key" in findings(cli, file)[0]["found"]
    key_file.write_bytes(after)
    key_file.chmod(0o644)
    assert "chmod 600" in findings(cli, file)[0]["found"]
    key_file.unlink()
    (missing,) = findings(cli, file)
    assert "there is no file" in missing["found"]
    assert "database.secret_file" in missing["fix"]
    assert "LAURELS_SECRET_FILE" in findings(cli, file, "")[0]["found"]


def test_doctor_finds_a_rotation_that_the_database_does_not_know_of(cli: Cli, file: str) -> None:  # noqa: F811
    assert keyed(cli, "secret", "move", "--database", file).code == 0
    keys = read_keys(NAMED)
    (cli.folder / NAMED).unlink()
    create_keys(NAMED, keys.rotated(OTHER.created))

    (finding,) = findings(cli, file)
    assert "laurels secret rotate" in finding["fix"]
    assert keyed(cli, "secret", "rotate", "--database", file).code == 0
    assert findings(cli, file)[0]["fix"] == ""


# ---- backups and copies -------------------------------------------------------------------------


def test_a_backup_of_such_a_database_has_no_key_and_is_restored_only_with_its_file(
    cli: Cli,
    source: str,  # noqa: F811
) -> None:
    assert keyed(cli, "secret", "move", "--database", source).code == 0
    key = read_keys(NAMED).newest
    backed_up = keyed(cli, "backup", "backup.db", "--database", source)
    assert backed_up.code == 0
    assert f"needs {NAMED}" in backed_up.err
    assert key.key not in (cli.folder / "backup.db").read_bytes()

    for name, says in [("", "LAURELS_SECRET_FILE"), ("lost.key", "lost.key")]:
        refused = keyed(cli, "restore", "backup.db", "--database", "sqlite:///new.db", key_file=name)
        assert refused.code == 2
        assert says in refused.err
        assert not (cli.folder / "new.db").exists()
        assert not (cli.folder / "lost.key").exists()

    for lost in ("", "lost.key"):  # what can still be saved
        saved = keyed(
            cli, "backup", "saved.db", "--force", "--database", source, "--without-credentials", key_file=lost
        )
        assert saved.code == 0
    assert cli("restore", "saved.db", "--database", "sqlite:///saved-again.db").code == 0

    assert keyed(cli, "restore", "backup.db", "--database", "sqlite:///new.db").code == 0
    assert held("sqlite:///new.db")["tombstones"] == held(source)["tombstones"]
    copied = keyed(cli, "copy", source, "sqlite:///other.db")
    assert (copied.code, f"needs {NAMED}" in copied.err) == (0, True)
    assert keyed(cli, "verify", "--database", "sqlite:///other.db").code == 0


def test_backups_from_before_a_move_and_from_before_rotations_are_restored(cli: Cli, source: str) -> None:  # noqa: F811
    key_file = cli.folder / NAMED
    assert cli("backup", "before.db", "--database", source).code == 0
    assert keyed(cli, "secret", "move", "--database", source).code == 0
    assert keyed(cli, "backup", "moved.db", "--database", source).code == 0
    for name in ("rotated.db", "last.db"):
        assert keyed(cli, "secret", "rotate", "--database", source).code == 0
        assert keyed(cli, "backup", name, "--database", source).code == 0
        assert keyed(cli, "secret", "drop-old", "--database", source).code == 0
    backups = {name: (cli.folder / name).read_bytes() for name in ("before.db", "moved.db", "rotated.db", "last.db")}

    for name, content in backups.items():
        new = f"sqlite:///new-{name}"
        restored = keyed(cli, "restore", name, "--database", new, "--erasures", source)
        assert restored.code == 0, restored.err
        assert refuses_erased(new, key_file)
        assert (cli.folder / name).read_bytes() == content, "the source of a copy is not changed"
        (stored,) = held(new)["secrets"]
        assert stored == ("fingerprint", read_keys(NAMED).newest.fingerprint)


def test_erasures_since_an_older_backup_are_found_whatever_key_made_their_hashes(cli: Cli, file: str) -> None:  # noqa: F811
    key_file = cli.folder / NAMED
    gone = ("user-1", "user-2", "user-3")
    assert cli("backup", "before.db", "--database", file).code == 0
    for number, user in enumerate(gone):
        command = ("move", "rotate", "drop-old")[number]
        assert keyed(cli, "secret", command, "--database", file).code == 0
        erase_user(file, key_file, user)
    assert keyed(cli, "erasures", "export", "erased.json", "--database", file).code == 0

    restored = keyed(
        cli, "restore", "before.db", "--database", "sqlite:///new.db", "--erasures", "erased.json", "--json"
    )

    assert restored.json["erased"] == len(gone)
    users = {row[0] for row in held("sqlite:///new.db")["users"]}
    assert not users & {*gone, ERASED}


def erase_user(database: str, key_file: Path, user: str) -> None:
    async def erase(store: Store) -> None:
        store.use_secret_file(str(key_file))
        laurels = Laurels(store)
        await laurels.erase_user(user)
        await laurels.erasures.stop()

    use(database, erase)


def test_a_copy_without_credentials_needs_no_file_and_has_a_secret_of_its_own(
    cli: Cli,
    source: str,  # noqa: F811
    target: str,  # noqa: F811
) -> None:
    assert keyed(cli, "secret", "move", "--database", source).code == 0
    copied = keyed(cli, "copy", source, target, "--without-credentials")
    backed_up = keyed(cli, "backup", "bare.db", "--database", source, "--without-credentials")

    assert (copied.code, backed_up.code) == (0, 0)
    assert NAMED not in copied.err + backed_up.err
    keyring = keyring_of(target)
    assert keyring.in_database
    assert keyring.references != read_keys(NAMED).newest.key
    assert held("sqlite:///bare.db")["secrets"] == []
    assert keyed(cli, "restore", "bare.db", "--database", "sqlite:///again.db").code == 0
    assert refuses_erased("sqlite:///again.db", cli.folder / NAMED)
    refused = keyed(cli, "restore", "bare.db", "--database", "sqlite:///x.db", key_file="lost.key")
    assert (refused.code, "laurels secret move" in refused.err) == (2, True)


def test_a_copy_without_credentials_waits_for_an_erasure_that_needs_the_keys(cli: Cli, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'app.db'}"
    leave_unfinished(database)
    assert keyed(cli, "secret", "move", "--database", database).code == 0
    for command in (
        ("backup", "bare.db", "--database", database, "--without-credentials"),
        ("copy", database, "sqlite:///copy.db", "--without-credentials"),
    ):
        refused = keyed(cli, *command)
        assert (refused.code, "laurels erasures run" in refused.err) == (2, True)
    assert not (cli.folder / "bare.db").exists()
    assert keyed(cli, "erasures", "run", "--database", database).code == 0
    assert keyed(cli, "backup", "bare.db", "--database", database, "--without-credentials").code == 0
    assert b"whale" not in (cli.folder / "bare.db").read_bytes()


# ---- servers ------------------------------------------------------------------------------------


def test_several_workers_create_one_file_and_another_process_needs_it(serving: Callable[..., Server], cli: Cli) -> None:
    kept = ("--database", "sqlite:///app.db")
    server = serving("serve", "--port", "0", "--workers", "2", *kept, LAURELS_SECRET_FILE=NAMED)
    assert server.ask("/readyz")[0] == 200
    assert server.stop() == 0
    assert len(read_keys(NAMED).keys) == 1

    refused = cli("serve", "--port", "0", *kept)
    assert refused.code == 2
    assert "LAURELS_SECRET_FILE" in refused.err
    (cli.folder / NAMED).rename(cli.folder / "elsewhere.key")
    missing = keyed(cli, "serve", "--port", "0", *kept)
    assert missing.code == 2
    assert f"there is no file '{NAMED}' (database.secret_file)" in missing.err
