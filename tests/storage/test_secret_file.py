"""The keys of a database in a file: HKDF, the file itself, rotation, and databases without it or with another one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.errors import InvalidInput, SettingsError, StoreUnavailable, UserErased
from laurels.service.laurels import Laurels
from laurels.service.secrets import SecretFile
from laurels.storage import keyrings, open_store
from laurels.storage.contract import LIBRARY, AuditRow, Store
from laurels.storage.secret_file import FileKey, Keys, create_keys, read_keys, replace_keys
from laurels.storage.secrets import Keyring, fingerprint, hkdf
from laurels.testing import TestClock
from tests.support import ENGINES, LASTING_ENGINES, badge, behind, catalog

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ONE, TWO = FileKey(NOW, b"1" * 32), FileKey(LATER, b"2" * 32)
FRIENDS = catalog(
    metrics={"friends": {"kind": "distinct", "events": ["referral"], "of": "friend", "not_self": True}},
    points=[{"id": "x", "events": ["x"], "amount": 1}],
    badges=[badge("one", 1, metric="friends", at_least=1), badge("two", 1, metric="friends", at_least=2)],
)


@pytest.fixture(params=LASTING_ENGINES)
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that can be opened again."""
    with ENGINES[request.param](tmp_path) as address:
        yield address


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "laurels.key"


@pytest.fixture(autouse=True)
def _looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at each time, not once a second."""
    monkeypatch.setattr(keyrings, "LOOK_SECONDS", 0.0)


@asynccontextmanager
async def opened(database: str, file: Path | str = "", rules: Catalog | None = None) -> AsyncIterator[Laurels]:
    given = rules or Catalog.default()
    async with Laurels.open(database, given, secret_file=str(file), clock=TestClock(NOW)) as laurels:
        yield laurels


async def refused(database: str, file: Path | str = "") -> str:
    with pytest.raises(SettingsError) as raised:
        async with opened(database, file):
            pass
    return str(raised.value)


def login(user_id: str, number: int = 1) -> Event:
    return Event(user_id, f"login-{number}", "login", NOW)


async def stored(database: str) -> tuple[bytes | None, bytes | None]:
    store = open_store(database)
    try:
        found = await store.stored_secret()
    finally:
        await store.close()
    return found.secret, found.fingerprint


@asynccontextmanager
async def changing(database: str, file: Path) -> AsyncIterator[SecretFile]:
    """What the commands of 'laurels secret' use, as a process of its own would."""
    store = open_store(database, secret_file=str(file))
    try:
        yield SecretFile(store, str(file), LIBRARY, "test", lambda: LATER)
    finally:
        await store.close()


def content(file: Path) -> bytes:
    return file.read_bytes()


def put(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)


def remove(file: Path) -> None:
    file.unlink()


def exists(file: Path) -> bool:
    return file.exists()


async def erased(laurels: Laurels, *names: str) -> set[str]:
    """Which of these users cannot be created again."""
    answers = await laurels.record_many([login(user_id, 2) for user_id in names])
    return {user_id for user_id, answer in zip(names, answers, strict=True) if isinstance(answer, UserErased)}


async def audited(store: Store) -> list[AuditRow]:
    """The rows about the secret, oldest first."""
    return [row for row in reversed(await store.audit(100)) if row.kind.startswith("secret.")]


# ---- keys ---------------------------------------------------------------------------------------


def test_keys_are_derived_as_rfc_5869_says() -> None:
    ikm, info = b"\x0b" * 22, bytes(range(0xF0, 0xFA))
    assert hkdf(ikm, info, bytes(range(13)), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    assert hkdf(ikm, b"", b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_each_use_has_a_key_of_its_own_and_a_moved_secret_is_used_as_it_was() -> None:
    made = Keys((ONE,)).keyring()
    keys = [made.tombstones[0], made.cursors[0], made.plans[0], made.references, made.pseudonyms, made.log]
    assert len({*keys, made.fingerprint, ONE.key}) == 8

    moved, secret = Keys((FileKey(NOW, ONE.key, moved=True),)).keyring(), Keyring.of_secret(ONE.key)
    assert (moved.tombstones, moved.cursors, moved.plans) == (secret.tombstones, secret.cursors, secret.plans)
    assert (moved.references, moved.pseudonyms, moved.log) == (secret.references, secret.pseudonyms, secret.log)
    assert moved.is_of(secret.fingerprint)
    assert secret.is_of(moved.fingerprint)
    assert secret.is_of(None)
    assert not moved.is_of(None)


@pytest.mark.parametrize("moved", [False, True])
def test_after_a_rotation_only_cursors_and_plans_of_the_old_key_end(moved: bool) -> None:
    first = Keys((FileKey(NOW, ONE.key, moved),))
    second = first.rotated(LATER)
    third = second.without_old(LATER)
    fourth = third.rotated(LATER).without_old(LATER)
    before, between, after, later = (keys.keyring() for keys in (first, second, third, fourth))

    assert between.decrypted(before.encrypted(b"place")) == b"place"
    assert after.decrypted(between.encrypted(b"place")) == b"place"
    with pytest.raises(ValueError, match="not encrypted"):
        after.decrypted(before.encrypted(b"place"))
    assert between.is_plan_mark(b"plan", before.plan_mark(b"plan"))
    assert not after.is_plan_mark(b"plan", before.plan_mark(b"plan"))
    assert before.tombstone("ada") != between.tombstone("ada") == after.tombstone("ada")
    assert {before.tombstone("ada"), after.tombstone("ada"), later.tombstone("ada")} == {*later.tombstones_of("ada")}
    for ring in (between, after, later):
        assert ring.reference("ada") == before.reference("ada")
        assert ring.pseudonym_hash("ada") == before.pseudonym_hash("ada")
        assert ring.database_mark() == before.database_mark()
    assert len({ring.user_mark("ada") for ring in (before, after, later)}) == 3
    assert {first.newest.fingerprint, second.newest.fingerprint} < {*fourth.fingerprints}


def test_names_change_only_if_that_is_asked_for() -> None:
    between = Keys((TWO, ONE))
    after = between.without_old(LATER, new_names=True)
    assert after.keyring().pseudonym_hash("ada") != between.keyring().pseudonym_hash("ada")
    assert after.keyring().reference("ada") == between.keyring().reference("ada")
    dropped = between.without_old(LATER)
    assert dropped.without_old(LATER, new_names=True) == after


# ---- the file -----------------------------------------------------------------------------------


def test_a_created_file_is_its_owners_alone_and_never_replaced(file: Path) -> None:
    create_keys(str(file), Keys((ONE,)))
    create_keys(str(file), Keys((TWO,)))

    assert file.stat().st_mode & 0o777 == 0o600
    assert read_keys(str(file)) == Keys((ONE,))
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_replacing_keeps_everything_and_a_link(file: Path) -> None:
    behind_link = file.with_name("mounted.key")
    keys = Keys((ONE,)).rotated(LATER).without_old(LATER).rotated(LATER)
    create_keys(str(behind_link), Keys((ONE,)))
    file.symlink_to(behind_link)

    replace_keys(str(file), keys)

    assert read_keys(str(file)) == read_keys(str(behind_link)) == keys
    assert file.is_symlink()
    assert behind_link.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in file.parent.iterdir()} == {file.name, behind_link.name}


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644])
def test_a_file_that_others_can_read_or_write_is_refused(file: Path, mode: int) -> None:
    create_keys(str(file), Keys((ONE,)))
    file.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_keys(str(file))
    file.chmod(0o440)  # as mounted for the group of a container
    assert read_keys(str(file)) == Keys((ONE,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=",
        '{"keys": []}',
        '{"keys": [{"created": "2026-03-02T15:00:00Z", "key": "MTEx"}]}',
        '{"keys": [{"created": "2026-03-02T15:00:00Z", "key": "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE"}]}',
        "\xfc",
    ],
)
def test_a_malformed_file_is_refused_and_not_shown(file: Path, text: str) -> None:
    file.write_text(text, "latin-1")
    file.chmod(0o600)
    with pytest.raises(SettingsError, match=r"laurels\.key") as raised:
        read_keys(str(file))
    assert "MTEx" not in str(raised.value)


# ---- a database and its file --------------------------------------------------------------------


async def test_a_new_database_has_only_the_fingerprint_of_the_created_file(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as laurels:
        keyring = await laurels.store.keyring()
        await laurels.record(login("ada"))
    keys = read_keys(str(file))

    assert keyring == keys.keyring()
    assert await stored(lasting) == (None, keys.newest.fingerprint)
    async with opened(lasting, file) as laurels:
        assert await laurels.store.keyring() == keyring


async def test_a_missing_or_another_file_is_refused_and_none_is_created(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
    other, missing = file.with_name("other.key"), file.with_name("missing.key")
    create_keys(str(other), Keys((TWO,)))

    for wrong, says in [(other, "does not have the newest key of this database"), (missing, "there is no file")]:
        found = await refused(lasting, wrong)
        assert says in found
        assert (str(wrong) in found, "database.secret_file" in found) == (True, True)
    assert "LAURELS_SECRET_FILE" in await refused(lasting)
    assert not exists(missing)


async def test_a_database_with_a_secret_goes_on_with_it_and_is_not_taken_over(lasting: str, file: Path) -> None:
    async with opened(lasting) as laurels:
        await laurels.record(login("ada"))
        keyring = await laurels.store.keyring()

    assert "laurels secret move" in await refused(lasting, file)
    assert not exists(file)
    create_keys(str(file), Keys((TWO,)))
    assert "has other keys" in await refused(lasting, file)
    async with opened(lasting) as laurels:
        assert await laurels.store.keyring() == keyring


async def test_a_file_with_an_older_state_is_refused(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
    older = content(file)
    async with changing(lasting, file) as secret:
        await secret.rotate()
    newer = content(file)

    put(file, older)
    assert "newest key" in await refused(lasting, file)
    put(file, newer)
    async with opened(lasting, file):
        pass


async def test_an_interrupted_move_is_finished_by_the_next_process_with_the_file(lasting: str, file: Path) -> None:
    async with opened(lasting) as laurels:
        await laurels.record(login("ada"))
        await laurels.erase_user("ada")
        keyring = await laurels.store.keyring()
    create_keys(str(file), Keys((FileKey(NOW, keyring.cursors[0], moved=True),)))

    async with opened(lasting, file) as laurels:
        assert (await laurels.store.keyring()).cursors == keyring.cursors
        assert await erased(laurels, "ada", "bob") == {"ada"}
    assert await stored(lasting) == (None, keyring.fingerprint)


# ---- rotation while others run ------------------------------------------------------------------


async def test_running_processes_take_a_rotation_before_it_matters(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as one, opened(lasting, file) as two:
        await one.record_many([login(name) for name in ("ada", "bob", "cyd")])
        await one.erase_user("ada")
        async with changing(lasting, file) as secret:
            await secret.rotate()
        await one.erase_user("bob")
        assert await erased(two, "ada", "bob", "dan") == {"ada", "bob"}
        async with changing(lasting, file) as secret:
            await secret.drop_old()
        await two.erase_user("cyd")
        assert await erased(one, "ada", "bob", "cyd", "eve") == {"ada", "bob", "cyd"}
        assert len({row[0] for row in (await one.store.tombstones()).items()}) == 3


async def test_a_process_that_has_not_looked_at_the_file_asks_the_database(
    lasting: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "LOOK_SECONDS", 3600.0)
    async with opened(lasting, file) as one, opened(lasting, file) as two:
        await one.record_many([login("ada"), login("bob")])
        before = await two.store.keyring()
        await one.store.keyring()
        async with changing(lasting, file) as secret:
            await secret.rotate()
        async with opened(lasting, file) as new:
            await new.erase_user("bob")
        assert await two.store.keyring() is before
        assert await two.store.is_erased("bob")
        assert await two.store.keyring() != before
        assert await erased(one, "bob") == {"bob"}


async def test_a_process_whose_machine_lacks_the_new_file_refuses_new_users_only(
    lasting: str, file: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    async with opened(lasting, file) as here:
        await here.record_many([login("ada"), login("bob")])
        put(elsewhere, content(file))
        async with opened(lasting, elsewhere) as there:
            async with changing(lasting, file) as secret:
                await secret.rotate()
            await here.erase_user("bob")
            await there.record(login("ada", 2))
            with pytest.raises(StoreUnavailable, match="does not have the newest key"):
                await there.record(login("bob", 2))
            put(elsewhere, content(file))
            assert await erased(there, "bob", "cyd") == {"bob"}


async def test_a_file_that_is_gone_or_damaged_stops_no_running_process(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
        keyring, before = await laurels.store.keyring(), content(file)
        for wrong in (b"", b"{"):
            put(file, wrong)
            assert await laurels.store.keyring() == keyring
        remove(file)
        await laurels.record(login("bob"))
        assert await laurels.store.keyring() == keyring
        put(file, before)
        assert await laurels.store.keyring() == keyring


async def test_a_process_without_the_setting_goes_on_after_a_move_until_the_key_is_rotated(
    lasting: str, file: Path
) -> None:
    async with opened(lasting) as laurels:
        await laurels.record(login("ada"))
        await laurels.erase_user("ada")
        async with changing(lasting, file) as secret:
            await secret.move()
        assert await erased(laurels, "ada", "bob") == {"ada"}
        async with changing(lasting, file) as secret:
            await secret.rotate()
        await laurels.record(login("bob", 3))
        with pytest.raises(StoreUnavailable, match="LAURELS_SECRET_FILE"):
            await laurels.record(login("cyd"))


async def test_cursors_names_and_friends_outlast_a_rotation(lasting: str, file: Path) -> None:
    async with opened(lasting, file, FRIENDS) as one, opened(lasting, file, FRIENDS) as two:
        await one.record_many([Event(name, "x", "x", NOW) for name in ("ada", "bob", "cyd")])
        await one.update_user("bob", visibility="pseudonym")
        await one.record(Event("ada", "r-1", "referral", NOW, data={"friend": "bob"}))
        first = await one.leaderboard(limit=1)
        names = [line.name for line in (await one.leaderboard()).standings]

        async with changing(lasting, file) as secret:
            await secret.rotate()
        second = await two.leaderboard(limit=1, after=first.next)
        assert [line.rank for line in second.standings] == [2]
        third = await one.leaderboard(limit=1, after=second.next)  # made with the new key
        await two.record(Event("ada", "r-2", "referral", NOW, data={"friend": "bob"}))
        assert (await two.record(Event("ada", "r-1", "referral", NOW, data={"friend": "bob"}))).duplicate

        async with changing(lasting, file) as secret:
            await secret.drop_old()
        await one.record(Event("ada", "r-3", "referral", NOW, data={"friend": "bob"}))
        assert [line.name for line in (await two.leaderboard()).standings] == names
        assert third.previous
        assert (await two.leaderboard(limit=1, before=third.previous)).standings == second.standings
        with pytest.raises(InvalidInput, match="next"):
            await two.leaderboard(limit=1, after=first.next)
        assert await friends(two) == 1

        async with changing(lasting, file) as secret:
            await secret.drop_old(new_names=True)
        assert [line.name for line in (await two.leaderboard()).standings] != names
        assert await friends(two) == 1


async def friends(laurels: Laurels) -> int:
    """How many friends ada has named, as references that are stored."""
    async with behind(laurels.store) as ask:
        rows = await ask("SELECT data FROM events WHERE type = 'referral'")
    user = await laurels.store.user("ada")
    assert user
    assert {*user.progress.badges} == {"one"}
    return len({json.loads(row[0])["friend"] for row in rows})


# ---- the commands -------------------------------------------------------------------------------


async def test_what_is_done_with_the_keys_is_in_the_audit_once(
    lasting: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "laurels.security")
    async with opened(lasting) as laurels:
        await laurels.record(login("ada"))
    async with changing(lasting, file) as secret:
        with pytest.raises(SettingsError, match="laurels secret move"):
            await secret.rotate()
        keys, changed = await secret.move()
        assert (changed, await secret.move()) == (True, (keys, False))
        first = (await secret.rotate()).newest
        with pytest.raises(SettingsError, match="has not ended"):
            await secret.rotate()
        await secret.drop_old()
        with pytest.raises(InvalidInput, match="no old key"):
            await secret.drop_old()
        second = (await secret.rotate()).newest
        await secret.drop_old(new_names=True)
        with pytest.raises(InvalidInput, match="no old key"):
            await secret.drop_old(new_names=True)

        rows = await audited(secret.store)
    kinds = ["secret.moved", "secret.rotated", "secret.old_dropped", "secret.rotated", "secret.old_dropped"]
    of_key = [keys.newest, first, first, second, second, second]
    assert sorted((row.kind, row.detail["key"]) for row in rows) == sorted(
        zip([*kinds, "secret.names_changed"], [fingerprint(key.key)[:4].hex() for key in of_key], strict=True)
    )
    lines = [record.getMessage() for record in caplog.records if record.name == "laurels.security"]
    assert len([line for line in lines if "event=secret." in line]) == len(rows)


async def test_two_rotations_at_a_time_make_one_key(lasting: str, file: Path) -> None:
    async with opened(lasting, file) as laurels:
        await laurels.record(login("ada"))
    async with changing(lasting, file) as one, changing(lasting, file) as two:
        keys = await one.rotate()
        with pytest.raises(SettingsError, match="has not ended"):
            await two.rotate()
    assert read_keys(str(file)) == keys
