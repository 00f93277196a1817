"""The usual changes of a catalog, as changes of its text: comments, order and everything else stay as they are. Pure.

Values are replaced by tomlkit, which keeps the text around them. New lines are put in as lines, because tomlkit puts what is
added to a table behind the comments of the next one. In the end the text is read again: if anything but the change differs, it
is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from laurels.console.places import Path, last_line_of, line_of_path
from laurels.engine.toml_text import toml_value
from laurels.engine.values import plain
from laurels.errors import InvalidInput

TEXTS = ("name", "title", "description", "condition", "icon", "one", "many")
"""The keys whose values users read."""

NAMED = ("badges", "levels", "points", "streaks", "leaderboards", "metrics", "categories")
LONGEST_SHOWN = 60


@plain
class Target:
    """A value that a form may change: where it is, what it is in words, and the value."""

    path: Path
    label: str
    value: str | int

    @property
    def key(self) -> str:
        """The path as a text for a form."""
        return "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in self.path)


def targets(text: str, kind: str) -> Sequence[Target]:
    """What a form of this kind (points, threshold, text) may change, in the order of the file. Raises TOMLDecodeError."""
    return list(FINDERS[kind](tomllib.loads(text)))


def target_of(text: str, kind: str, key: str) -> Target:
    """One of `targets`. Raises InvalidInput."""
    for one in targets(text, kind):
        if one.key == key:
            return one
    raise InvalidInput("target", "is not in the text any more; choose again")


def _points(raw: dict[str, Any]) -> Iterator[Target]:
    for path, label, entry in _entries(raw, ("badges", "points")):
        key = "points" if path[0] == "badges" else "amount"
        if type(entry.get(key)) is int:
            yield Target((*path, key), label, entry[key])


def _thresholds(raw: dict[str, Any]) -> Iterator[Target]:
    for path, label, entry in _entries(raw, ("badges", "levels")):
        if path[0] == "levels" and type(entry.get("points")) is int:
            yield Target((*path, "points"), label, entry["points"])
        if path[0] == "badges":
            yield from _numbers(entry.get("when"), (*path, "when"), label)


def _numbers(value: Any, path: Path, label: str) -> Iterator[Target]:
    """The whole numbers of a condition, each with the texts next to it."""
    if isinstance(value, dict):
        table = cast(dict[str, Any], value)
        near = " ".join(f"{key} {one}" for key, one in table.items() if isinstance(one, str))
        for key, one in table.items():
            if type(one) is int:
                yield Target((*path, key), f"{label}: {f'{near}, ' if near else ''}{key}", one)
            else:
                yield from _numbers(one, (*path, key), label)
    elif isinstance(value, list):
        for index, one in enumerate(cast(list[Any], value)):
            yield from _numbers(one, (*path, index), label)


def _texts(raw: dict[str, Any]) -> Iterator[Target]:
    if isinstance(raw.get("name"), str):
        yield Target(("name",), "catalog: name", raw["name"])
    for path, label, entry in _entries(raw, NAMED):
        for key in TEXTS:
            yield from _leaves(entry.get(key), (*path, key), f"{label}: {key}")


def _leaves(value: Any, path: Path, label: str) -> Iterator[Target]:
    """A text, or the texts of a table, as those of several languages are."""
    if isinstance(value, str):
        yield Target(path, label, value)
    elif isinstance(value, dict):
        for key, one in cast(dict[str, Any], value).items():
            yield from _leaves(one, (*path, key), f"{label}.{key}")


FINDERS = {"points": _points, "threshold": _thresholds, "text": _texts}


def _entries(raw: dict[str, Any], keys: Sequence[str]) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """The tables under these keys, with their paths and names."""
    for key in keys:
        found = raw.get(key)
        if isinstance(found, list):
            for index, entry in enumerate(cast(list[Any], found)):
                if isinstance(entry, dict):
                    table = cast(dict[str, Any], entry)
                    name = table.get("id") or table.get("title") or index + 1
                    yield (key, index), f"{key} '{name}'", table
        elif isinstance(found, dict):
            for name, entry in cast(dict[str, Any], found).items():
                if isinstance(entry, dict):
                    yield (key, name), f"{key} '{name}'", cast(dict[str, Any], entry)


# ---- changing the text ------------------------------------------------------------------------


def with_values(text: str, values: Mapping[Path, str | int]) -> str:
    """The text with other values; keys that are not there follow the first of the keys that is. Raises InvalidInput."""
    expected = tomllib.loads(text)
    changed, added = text, list[tuple[Path, str | int]]()
    try:
        document: Any = tomlkit.parse(text)
        for path, value in values.items():
            is_new = path[-1] not in _at(expected, path[:-1])
            _at(expected, path[:-1])[path[-1]] = value
            if is_new and line_of_path(text, path[:-1]):
                added.append((path, value))
            else:
                _at(document, path[:-1])[path[-1]] = value
        changed = tomlkit.dumps(document)
    except (TOMLKitError, KeyError, IndexError, TypeError):
        raise InvalidInput("target", BY_HAND) from None
    for path, value in added:
        changed = _with_line(changed, path, f"{path[-1]} = {_written(value)}", values)
    return _checked(changed, expected)


def _with_line(text: str, path: Path, line: str, values: Mapping[Path, str | int]) -> str:
    """The text with one more line in a table: after a key that is changed too, else after its header."""
    near = [one for one in values if one[:-1] == path[:-1] and one != path] or [(*path[:-1], "points")]
    lines = text.split("\n")
    at = max(line_of_path(text, one) for one in (*near, path[:-1]))
    return "\n".join([*lines[:at], line, *lines[at:]])


def with_badge(text: str, badge: Mapping[str, Any]) -> str:
    """The text with one more badge, after the last one. Raises InvalidInput."""
    expected = tomllib.loads(text)
    badges = expected.setdefault("badges", [])
    if not isinstance(badges, list):
        raise InvalidInput("id", BY_HAND)
    cast(list[Any], badges).append(deepcopy(dict(badge)))
    count = len(cast(list[Any], badges))
    if line_of_path(text, ("badges", count - 2)) or count == 1:
        return _checked(_with_block(text, badge, count), expected)
    document: Any = tomlkit.parse(text)
    document["badges"].append(_inline(badge))
    return _checked(tomlkit.dumps(document), expected)


def _with_block(text: str, badge: Mapping[str, Any], count: int) -> str:
    lines = text.rstrip("\n").split("\n")
    at = last_line_of(text, ("badges", count - 2)) if count > 1 else len(lines)
    values = [f"{key} = {_written(value)}" for key, value in badge.items()]
    return "\n".join([*lines[:at], "", "[[badges]]", *values, *lines[at:], ""])


def _inline(value: Any) -> Any:
    """A value as tomlkit writes it on one line."""
    if not isinstance(value, Mapping):
        return cast(Any, tomlkit.item(value))
    table = tomlkit.inline_table()
    for key, one in cast(Mapping[str, Any], value).items():
        table.append(key, _inline(one))
    return table


def _written(value: Any) -> str:
    """A value on one line, as catalogs are usually written: keys without quotes."""
    if not isinstance(value, Mapping):
        return toml_value(value)
    return f"{{ {', '.join(f'{key} = {_written(one)}' for key, one in cast(Mapping[str, Any], value).items())} }}"


def with_number_in_text(text: str, old: int, new: int) -> str:
    """A sentence with a number replaced wherever it stands alone, with and without separators of thousands."""
    for written, other in ((f"{old:,}", f"{new:,}"), (str(old), str(new))):
        text = re.sub(rf"(?<![\d.,]){re.escape(written)}(?![\d]|[.,]\d)", other, text)
        if old < 1000:  # noqa: PLR2004  # both are written alike
            break
    return text


BY_HAND = "cannot be changed by this form, because of how the text is written; change the text by hand"


def _checked(text: str, expected: dict[str, Any]) -> str:
    """The text if it says what is expected, and nothing else. Raises InvalidInput."""
    try:
        if tomllib.loads(text) == expected:
            return text
    except tomllib.TOMLDecodeError:
        pass
    raise InvalidInput("target", BY_HAND)


def _at(raw: Any, path: Path) -> Any:
    for step in path:
        raw = raw[step]
    return raw
