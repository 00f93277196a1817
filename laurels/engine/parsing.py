"""Reading the tables of a catalog: typed getters that collect all faults instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any, Protocol, cast

from laurels.engine.events import MAX_NUMBER, UNSAFE
from laurels.engine.languages import Texts, is_tag, usual_tag
from laurels.errors import Fault

_REQUIRED: Any = object()
SIMILAR = 0.6
"""How similar a word must be to one that it was probably meant to be."""

LONGEST_SHOWN = 40

NONE_EARLIER: Mapping[str, str] = {}
"""For names of which none has changed."""

MOST_BRACKETS = 100
"""More brackets than this inside each other are an error. Reading them would exceed Python's limit somewhat later."""

TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]', re.DOTALL
)
"""The texts and comments of TOML, in which brackets mean nothing, and the brackets."""

MISSING = "is missing"
"""What a fault says of a key that must be given."""

MOST_OF_TEXT = 100
"""How many characters of a text that someone sent a message repeats."""

MOST_DIGITS = 15
"""The most digits of a text for which a fix writes the same number."""

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9000, 12, 31)
"""The days that a catalog may have; the last one means no end."""


class Language(Protocol):
    """What is known of the keys of a table, for the fixes of unknown ones. `asked` are the keys that a reader asked for."""

    def inside(self, key: str, *, several: bool) -> Language | None:
        """The table under a key, or each of several; None if nothing is known of them."""
        ...

    def meant(self, key: str, asked: Collection[str]) -> str:
        """The key that an unknown one was probably meant to be; '' without one."""
        ...

    def fix(self, key: str, asked: Collection[str]) -> str:
        """The fix for an unknown key."""
        ...


class Table:
    """One TOML table. Each getter marks its key as known; `done` reports all keys that no getter asked for."""

    def __init__(
        self,
        raw: dict[str, Any],
        where: str,
        faults: list[Fault],
        language: Language | None = None,
        translations: Texts | None = None,
    ) -> None:
        """`language` is what is known of its keys, `translations` the texts of the whole file."""
        self.raw = raw
        self.translations = translations or Texts()
        self.where = where
        self.faults = faults
        self.instead: dict[str, str] = {}  # a key -> the one that is not missing where it is there
        self.language = language
        self.asked: set[str] = set()

    def fault(self, key: str, what: str, fix: str) -> None:
        """Add a fault at one of this table's keys ('' for the table itself)."""
        self.faults.append(Fault(f"{self.where}.{key}".strip("."), what, fix))

    def has(self, key: str) -> bool:
        """Whether the table has this key."""
        return key in self.raw

    def text(self, key: str, default: str = _REQUIRED, *, lines: bool = False) -> str:
        """A text that is not empty and has no control characters, except line breaks and tabs with `lines`."""
        value = self._take(key, default)
        if key not in self.raw and default is not _REQUIRED:
            return default
        if not isinstance(value, str) or not value.strip():
            if value is not _REQUIRED:
                self.fault(key, f"must be a text, not {shown(value)}", f'write {key} = "..."')
            return ""
        self._check_printable(key, re.sub(r"[\n\r\t]", " ", value) if lines else value)
        return value

    def words(self, key: str, default: str = _REQUIRED, *, lines: bool = False) -> str:
        """A text that people read: one, or a table with one for each language, of which the catalog's own must be there."""
        place = f"{self.where}.{key}".strip(".")
        if not isinstance(self.raw.get(key), dict):
            text = self.text(key, default, lines=lines)
            return self.translations.add(place, {self.translations.own: text}) if key in self.raw else text
        raw, own = self._take(key, default), self.translations.own
        if own and own not in raw:
            fix = f'add {key}.{own} = "...", or write language at the top of the file'
            self.fault(key, f"has no text in '{own}', the catalog's own language", fix)
        found = {tag: self._translation(key, tag, value, lines=lines) for tag, value in raw.items()}
        return self.translations.add(place, found)

    def _translation(self, key: str, tag: str, value: Any, *, lines: bool) -> str:
        """The text in one language."""
        place = f"{key}.{printable(tag)}"
        if not is_tag(tag):
            usual = usual_tag(tag)
            fix = f"did you mean '{usual}'?" if is_tag(usual) else "write a tag such as de, pt-BR or zh-Hant"
            self.fault(place, f"'{printable(tag)}' is no language", fix)
        inner = Table({tag: value}, f"{self.where}.{key}".strip("."), self.faults)
        return inner.text(tag, lines=lines)

    def words_of(self, value: Any) -> str:
        """A text that is read elsewhere, in the language that is read."""
        return self.translations.chosen(cast(dict[str, str], value)) if isinstance(value, dict) else str(value)

    def integer(self, key: str, default: int = _REQUIRED, least: int = 0) -> int:
        """A whole number, at least `least`."""
        value = self._take(key, default)
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            if value is not _REQUIRED:
                meant = int(value) if _is_number(value) and int(value) >= least else max(least, 1)
                self.fault(
                    key, f"must be a whole number of {least} or more, not {shown(value)}", f"write {key} = {meant}"
                )
            return least
        return value

    def boolean(self, key: str) -> bool:
        """True or false; without the key, false."""
        value = self._take(key, default=False)
        if type(value) is not bool:
            self.fault(key, f"must be true or false, not {shown(value)}", f"write {key} = true")
            return False
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of one or more texts."""
        value = self._take(key, _REQUIRED)
        items = cast(list[Any], value) if isinstance(value, list) else []
        if items and all(isinstance(item, str) and item for item in items):
            for item in items:
                self._check_printable(key, item)
            return tuple(dict.fromkeys(items))
        if value is not _REQUIRED:
            self.fault(key, f"must be a list of texts, not {shown(value)}", f'write {key} = ["..."]')
        return ()

    def choice(
        self,
        key: str,
        known: Collection[str],
        kind: str,
        default: str = _REQUIRED,
        *,
        renamed: Mapping[str, str] = NONE_EARLIER,
        others: Mapping[str, str] = NONE_EARLIER,
    ) -> str:
        """A text that must be one of `known`; `kind` names them in the error text.

        `renamed` gives the current text of each earlier one, and `others` what each name of another kind is the name of.
        """
        value = self.text(key, default)
        if not value or value in known:
            return value
        fix = f"did you mean '{renamed[value]}' (renamed)?" if value in renamed else closest(value, known)
        if value in others and value not in renamed:
            fix = f"it is the name of a {others[value]}; {fix}"
        self.fault(key, f"unknown {kind} '{value}'", fix)
        return ""

    def instant(self, key: str) -> datetime:
        """A date and time with its offset."""
        value = self._take(key, _REQUIRED)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if value is not _REQUIRED:
            self.fault(key, "must be a date and time with its offset", f"write {key} = 2026-01-01T00:00:00Z")
        return datetime(1970, 1, 1, tzinfo=UTC)

    def day(self, key: str) -> int:
        """A date as its ordinal, between FIRST_DAY and LAST_DAY, so that it has a beginning and an end in every zone."""
        value = self._take(key, _REQUIRED)
        if isinstance(value, date) and not isinstance(value, datetime):
            if FIRST_DAY <= value <= LAST_DAY:
                return value.toordinal()
            self.fault(key, f"must lie between {FIRST_DAY} and {LAST_DAY}", f"write {key} = 2026-03-01")
        elif value is not _REQUIRED:
            self.fault(key, f"must be a date, not {shown(value)}", f"write {key} = {_day_meant(value)}")
        return 1

    def table(self, key: str) -> Table | None:
        """A table inside this one; None if it is missing or not a table."""
        value = self._take(key, _REQUIRED)
        if isinstance(value, dict):
            return self._inner(key, f"{self.where}.{key}".strip("."), cast(dict[str, Any], value), several=False)
        if value is not _REQUIRED:
            self.fault(key, f"must be a table, not {shown(value)}", f"write {key} = {{ ... }}")
        return None

    def named_tables(self, key: str) -> list[tuple[str, Table]]:
        """The tables under [key.NAME], in order; there may be none."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.fault(key, f"must be tables by name, not {shown(value)}", f"write [{key}.some_name]")
            return []
        entries = cast(dict[str, Any], value)
        for name in entries:
            self._check_printable(f"{key}.{printable(name)}", name)
        return [(name, self._named(key, name, entries[name])) for name in entries if self._is_table(key, name, entries)]

    def list_of_tables(self, key: str, default: Any = _REQUIRED) -> list[Table]:
        """The tables under [[key]], in order."""
        value = self._take(key, default)
        if value is _REQUIRED:
            return []
        entries = cast(list[Any], value) if isinstance(value, list) else None
        if entries is None or not all(isinstance(entry, dict) for entry in entries):
            self.fault(key, f"must be a list of tables, not {shown(value)}", f"write [[{key}]]")
            return []
        return [self._inner(key, self._place(key, index, entry), entry) for index, entry in enumerate(entries)]

    def done(self) -> None:
        """Add a fault for each key that no getter asked for. A key that is missing because it is misspelled is one fault."""
        for key in sorted(self.raw.keys() - self.asked):
            fix = self.language.fix(key, self.asked) if self.language else closest(key, self.asked)
            meant = self.language.meant(key, self.asked) if self.language else ""
            missing = {f"{self.where}.{name}".strip(".") for name in (meant, self.instead.get(meant, meant))}
            self.faults[:] = [one for one in self.faults if one.what != MISSING or one.where not in missing]
            self.fault(key, f"unknown key '{printable(key)}'", fix)

    def _take(self, key: str, default: Any) -> Any:
        self.asked.add(key)
        value = self.raw.get(key, default)
        if value is _REQUIRED:
            self.fault(key, MISSING, f"add {key} = ...")
        return value

    def _place(self, key: str, index: int, entry: dict[str, Any]) -> str:
        label = entry.get("id") or entry.get("title")
        place = f"{self.where}.{key}[{index + 1}]".strip(".")
        return f"{place} '{printable(label)}'" if isinstance(label, str) else place

    def _check_printable(self, key: str, text: str) -> None:
        """Add a fault if a text has characters that are unsafe in databases or terminals."""
        if UNSAFE.search(text):
            self.fault(key, f"must not hold control characters, as {shown(text)} does", "take them out")

    def _is_table(self, key: str, name: str, entries: dict[str, Any]) -> bool:
        if isinstance(entries[name], dict):
            return True
        self.fault(f"{key}.{name}", f"must be a table, not {shown(entries[name])}", f"write [{key}.{name}]")
        return False

    def _named(self, key: str, name: str, entry: dict[str, Any]) -> Table:
        return self._inner(key, f"{self.where}.{key}.{printable(name)}".strip("."), entry)

    def _inner(self, key: str, where: str, raw: dict[str, Any], *, several: bool = True) -> Table:
        language = self.language.inside(key, several=several) if self.language else None
        return Table(raw, where, self.faults, language, self.translations)


def line_of_deep_brackets(text: str) -> int:
    """The number of the line of a TOML file in which brackets are first open inside MOST_BRACKETS others; 1 if nowhere."""
    levels, line, last = 0, 1, 0
    for found in TOKENS.finditer(text):
        line, last = line + text.count("\n", last, found.start()), found.start()
        levels += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if levels > MOST_BRACKETS:
            return line
    return 1


def printable(text: str) -> str:
    """A text for messages, with a replacement character instead of each control character."""
    return UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def excerpt(text: str) -> str:
    """A text that someone sent, for messages: printable, and cut."""
    return printable(text[:MOST_OF_TEXT]) + ("…" if len(text) > MOST_OF_TEXT else "")


def closest(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown word: the nearest known one, or all of them."""
    known = sorted(known)
    near = nearest(word, known)
    if near:
        return f"did you mean '{near}'?"
    return f"known are {', '.join(known)}" if known else "none are defined yet"


def nearest(word: str, known: Iterable[str], similar: float = SIMILAR) -> str:
    """The known word that an unknown one was probably meant to be: a similar one, or one of the same letters; '' without one.

    `similar` is how similar it must be, from 0 to 1.
    """
    known = sorted(known)
    anagrams = [one for one in known if sorted(one) == sorted(word)]
    return next(iter(anagrams or get_close_matches(word, known, n=1, cutoff=similar)), "")


def _is_number(value: Any) -> bool:
    """Whether a value is a text of few digits, which was probably meant to be a number."""
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS


def _day_meant(value: Any) -> str:
    """The date that a value was probably meant to be."""
    if isinstance(value, datetime):
        return str(value.date())
    try:
        return str(date.fromisoformat(value))
    except (TypeError, ValueError):
        return "2026-03-01"


def shown(value: Any) -> str:
    """A value for messages, shortened. Dates and times are as a catalog writes them."""
    try:
        text = value.isoformat() if isinstance(value, date | time) else repr(value)
    except RecursionError:
        text = "tables in too many others"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
