"""A `kill -9` at every step of moving a secret and of replacing it: nothing is lost, and the command can be repeated."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from laurels.engine.events import Event
from laurels.errors import SettingsError, UserErased
from laurels.service.laurels import Laurels
from laurels.storage.contract import Store
from laurels.storage.secret_file import read_keys
from laurels.storage.secrets import Keyring
from tests.cli.conftest import Cli, environment
from tests.cli.test_moving import ERASED, address, filled, source, use  # noqa: F401  # fixtures
from tests.support import behind

MOST_STEPS = 40
NAMED = "laurels.key"


@contextmanager
def killed(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program that kills this command at the steps that it is sent."""
    program = [sys.executable, "-m", "tests.support.killed_steps", *arguments]
    root = str(Path(__file__).parents[2])
    env = environment(PYTHONPATH=root, LAURELS_SECRET_FILE=NAMED)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(program, cwd=folder, env=env, **pipes) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            started.kill()


def ended(started: subprocess.Popen[str], step: int) -> int:
    """How the command ended that was to be killed at this step."""
    asking, answers = cast(IO[str], started.stdin), cast(IO[str], started.stdout)
    asking.write(f"{step}\n")
    asking.flush()
    return int(answers.readline())


def is_whole(database: str, file: str, keyring: Keyring, *erased: str) -> bool:
    """Whether the database can be used with this setting; then the erased users are known, and references are the same."""
    usable: list[bool] = []

    async def look(store: Store) -> None:
        store.use_secret_file(file)
        try:
            found = await store.keyring()
        except SettingsError:
            return
        assert (found.references, found.pseudonyms) == (keyring.references, keyring.pseudonyms)
        answers = await Laurels(store).record_many([Event(user, "late", "message.sent") for user in erased])
        assert [type(answer) for answer in answers] == [UserErased] * len(erased)
        usable.append(True)

    use(database, look)
    return bool(usable)


def keyring_of(database: str) -> Keyring:
    found: list[Keyring] = []

    async def read(store: Store) -> None:
        found.append(await store.keyring())

    use(database, read)
    return found[0]


def moved_back(database: str, secret: bytes) -> None:
    async def back(store: Store) -> None:
        async with behind(store) as ask:
            await ask("DELETE FROM secrets")
            await ask("INSERT INTO secrets (name, value) VALUES ('tombstones', ?)", secret)
            await ask("DELETE FROM audit WHERE kind = 'secret.moved'")

    use(database, back)


def kinds(database: str) -> list[str]:
    """What was done with the secret, by the audit."""
    found: list[str] = []

    async def read(store: Store) -> None:
        found.extend(row.kind for row in await store.audit(500) if row.kind.startswith("secret."))

    use(database, read)
    return sorted(found)


@pytest.fixture
def keyed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("LAURELS_SECRET_FILE", NAMED)
    return cli


def test_a_move_that_is_killed_loses_nothing(keyed: Cli, source: str) -> None:  # noqa: F811
    keyring, file = keyring_of(source), keyed.folder / NAMED
    command = ("secret", "move", "--database", source)
    steps = 0
    with killed(keyed.folder, *command) as program:
        for step in range(1, MOST_STEPS):
            file.unlink(missing_ok=True)
            moved_back(source, keyring.references)
            if ended(program, step) != -9:
                break
            steps = step
            with_file = is_whole(source, NAMED, keyring, ERASED) if file.exists() else False
            assert with_file or is_whole(source, "", keyring, ERASED), step
            assert keyed(*command).code == 0
            assert is_whole(source, NAMED, keyring, ERASED), step
            assert not is_whole(source, "", keyring), step
            assert read_keys(str(file)).newest.key == keyring.references
            assert kinds(source) == ["secret.moved"]
    assert steps >= 8


def test_a_rotation_that_is_killed_loses_nothing(keyed: Cli, source: str) -> None:  # noqa: F811
    keyring, file = keyring_of(source), str(keyed.folder / NAMED)
    assert keyed("secret", "move", "--database", source).code == 0
    command = ("secret", "rotate", "--database", source)
    steps = 0
    with killed(keyed.folder, *command) as program:
        for step in range(1, MOST_STEPS):
            before = read_keys(file)
            if ended(program, step) != -9:
                break
            steps = step
            assert is_whole(source, NAMED, keyring, ERASED), step
            keyed(*command)
            keys = read_keys(file)
            assert keys.old == before.newest
            assert is_whole(source, NAMED, keyring, ERASED), step
            assert kinds(source).count("secret.rotated") == step
            assert keyed("secret", "drop-old", "--database", source).code == 0
            assert is_whole(source, NAMED, keyring, ERASED), step
    assert steps >= 8


def test_the_end_of_a_rotation_that_is_killed_loses_nothing(keyed: Cli, source: str) -> None:  # noqa: F811
    keyring, file = keyring_of(source), str(keyed.folder / NAMED)
    assert keyed("secret", "move", "--database", source).code == 0
    command = ("secret", "drop-old", "--database", source)
    steps = 0
    with killed(keyed.folder, *command) as program:
        for step in range(1, MOST_STEPS):
            assert keyed("secret", "rotate", "--database", source).code == 0
            if ended(program, step) != -9:
                break
            steps = step
            assert is_whole(source, NAMED, keyring, ERASED), step
            keyed(*command)
            keys = read_keys(file)
            assert (len(keys.keys), len(keys.kept)) == (1, step)
            assert is_whole(source, NAMED, keyring, ERASED), step
            assert kinds(source).count("secret.old_dropped") == step
    assert steps >= 8
