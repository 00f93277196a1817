"""The public API: every type that a signature names can be imported from the package, and answers are plain JSON."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import laurels
from laurels import (
    Admin,
    BlockingLaurels,
    Catalog,
    CatalogError,
    Event,
    Laurels,
)
from laurels.present.base import Answer
from laurels.testing import sandbox

PUBLIC_CLASSES = [one for name in laurels.__all__ if inspect.isclass(one := getattr(laurels, name))]
OPAQUE = {laurels.Store: (), Catalog: ("default", "load", "parse")}
"""Values that users only make and pass on, and the methods that make them. The rest is for the package itself."""


def methods(kind: type) -> Iterator[Any]:
    """The constructor and the public methods and properties of a class, as functions."""
    for name, found in vars(kind).items():
        if name not in OPAQUE.get(kind, (name,)) or (name.startswith("_") and name != "__init__"):
            continue
        if isinstance(found, property):
            yield found.fget
        elif isinstance(found, (classmethod, staticmethod)):
            yield inspect.unwrap(found.__func__)
        elif inspect.isfunction(found):
            yield inspect.unwrap(found)


def hints(kind: type) -> Iterator[Any]:
    """The annotations of the public methods of a class, and of its fields where it is a value."""
    for method in methods(kind):
        yield from typing.get_type_hints(method).values()
    fields = issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)
    if fields and kind not in OPAQUE:
        found = typing.get_type_hints(kind)
        yield from (hint for name, hint in found.items() if not name.startswith("_"))


def named(hint: Any) -> Iterator[type]:
    """The classes of this package or of msgspec within an annotation."""
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if hint.__module__.partition(".")[0] in ("laurels", "msgspec"):
            yield hint
        return
    if isinstance(hint, (list, tuple)):
        inner: tuple[Any, ...] = tuple(hint)
    else:
        inner = typing.get_args(hint)
    for one in inner:
        yield from named(one)


@pytest.mark.parametrize("kind", PUBLIC_CLASSES, ids=lambda kind: kind.__name__)
def test_every_type_in_a_public_signature_can_be_imported_from_the_package(kind: type) -> None:
    public = {getattr(laurels, name) for name in laurels.__all__}

    assert {one for hint in hints(kind) for one in named(hint)} - {kind} <= public


def test_the_package_is_marked_as_typed() -> None:
    assert (Path(laurels.__file__).parent / "py.typed").is_file()


def test_every_answer_of_the_facade_becomes_json() -> None:
    answers = {one for kind in (Laurels, Admin) for hint in hints(kind) for one in named(hint)}
    answers -= {Laurels, Catalog, Event, BlockingLaurels, laurels.Store, laurels.LaurelsError, msgspec.UnsetType}
    answers -= {laurels.Principal, laurels.Source}

    assert len(answers) >= 15
    assert [one for one in answers if not issubclass(one, Answer)] == []


@pytest.mark.anyio
async def test_an_answer_is_a_dict_and_bytes_of_the_same_json() -> None:
    async with sandbox() as (one, _):
        result = await one.record(Event("ada", "m-1", "message.sent", quantity=100))
        profile = await one.profile("ada", include=["rank", "history"])

    assert result.to_dict() == {
        "id": "m-1",
        "userId": "ada",
        "status": "recorded",
        "awards": [{"id": "message_100", "name": "Century Club", "icon": "💬", "points": 100}],
        "points": {"before": 0, "after": 100},
        "level": {"before": 1, "after": 2, "title": "Beginner"},
        "rank": {"before": None, "after": 1},
    }
    assert json.loads(profile.to_json()) == profile.to_dict()
    assert list(profile.to_dict())[-2:] == ["rank", "history"]


@pytest.mark.anyio
async def test_a_profile_has_exactly_the_contracts_fields_unless_more_is_included() -> None:
    async with sandbox() as (one, _):
        await one.update_user("ada")
        plain = await one.profile("ada")
        more = await one.profile("ada", include=["toward", "streaks"])

    assert list(plain.to_dict()) == [
        *("badges", "points", "level", "title", "nextLevel", "progress", "streak"),
        *("badgeAwarded", "leaderboard", "userRank", "availableBadges"),
    ]
    assert list(more.to_dict())[11:] == ["toward", "streaks"]


@pytest.mark.anyio
async def test_what_is_included_and_empty_is_an_empty_list() -> None:
    rules = Catalog.parse(
        '[profile]\nlogin_event = "in"\nlogin_streak = "in"\n[streaks.in]\nevents = ["in"]\n'
        '[[levels]]\ntitle = "One"\npoints = 0\n'
    )
    async with sandbox(rules) as (one, _):
        await one.update_user("ada")
        profile = await one.profile("ada", include=["next"])

    assert profile.to_dict()["next"] == []


def test_a_catalog_is_loaded_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('name = "mine"\n' + default_catalog(), "utf-8")

    assert Catalog.load(file).name == Catalog.load(str(file)).name == "mine"


def default_catalog() -> str:
    text = (Path(laurels.__file__).parent / "engine" / "default.toml").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith('name = "default"'))


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"[[levels]]\ntitle = 1\n", "catalog.toml, levels[1].points", "is missing"),
        (b"levels = [", "catalog.toml, the file", "is not TOML"),
        (b"\xff", "catalog.toml", "is not UTF-8"),
        (None, "catalog.toml", "cannot be read"),
    ],
)
def test_a_faulty_catalog_file_is_named_with_the_place(
    tmp_path: Path, content: bytes | None, where: str, what: str
) -> None:
    file = tmp_path / "catalog.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CatalogError) as caught:
        Catalog.load(file)

    assert any(where in fault.where and what in f"{fault.where} {fault.what}" for fault in caught.value.faults)


@pytest.mark.anyio
async def test_open_takes_the_settings_of_the_queue(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'laurels.db'}"
    async with Laurels.open(address, connections=2, queue_limit=3, batch_limit=2, queue_seconds=1) as one:
        assert one.group_commit.queue_limit == 3
        await one.record(Event("ada", "e-1", "login"))
