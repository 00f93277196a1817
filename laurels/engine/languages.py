"""Languages: the tags of languages, the texts of a catalog in each of them, and the choice of one for a reader.

Texts decide nothing. A text without a translation is read in a broader language ('de' for 'de-AT'), else in the catalog's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

ENGLISH = "en"
"""The own language of a catalog that does not say another."""

TAG = "[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?"
"""A language, with its script and its region if they matter: 'de', 'de-AT', 'zh-Hant', 'es-419'."""

_TAG = re.compile(TAG)
_PARTS = re.compile("([A-Za-z]{2,3})([-_][A-Za-z]{4})?([-_](?:[A-Za-z]{2}|[0-9]{3}))?")

MOST_LANGUAGES = 50
"""How many languages a catalog may have."""


def is_tag(text: str) -> bool:
    """Whether a text is a tag of a language, written as usual."""
    return bool(_TAG.fullmatch(text))


def usual_tag(text: str) -> str:
    """A tag that is written in another way ('DE_at') as usual ('de-AT'); '' for a text that is none."""
    found = _PARTS.fullmatch(text)
    if not found:
        return ""
    language, script, region = (part or "" for part in found.groups())
    return language.lower() + script.title().replace("_", "-") + region.upper().replace("_", "-")


def broader(tag: str) -> Iterator[str]:
    """A tag and those of broader languages, the nearest first: 'zh-Hant-TW', 'zh-Hant', 'zh'."""
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


def text_in(texts: Mapping[str, str], tag: str, own: str) -> str | None:
    """A text in a language, a broader one, or the catalog's own."""
    return next((texts[one] for one in broader(tag) if one in texts), texts.get(own))


def best_language(wanted: Iterable[str], known: Collection[str], own: str) -> str:
    """The language of a catalog for someone who reads these, the preferred one first; its own if they read none of it."""
    for tag in map(usual_tag, wanted):
        found = next((one for one in broader(tag) if one in known), None)
        found = found or next((one for one in sorted(known) if tag and one.startswith(f"{tag}-")), None)
        if found:
            return found
    return own


@dataclass(slots=True)
class Texts:
    """The texts of one catalog while it is read.

    own     the language that every text must have
    read    the language in which texts are read now; '': the own one
    all     the texts by their places, each by language
    """

    own: str = ENGLISH
    read: str = ""
    all: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def add(self, place: str, texts: dict[str, str]) -> str:
        """Add the text at a place, in some languages. Returns the one to read."""
        self.all[_PLACE_IN_LIST.sub(r" '", place)] = texts
        return self.chosen(texts)

    def chosen(self, texts: Mapping[str, str]) -> str:
        """The one to read of a text in some languages."""
        return text_in(texts, self.read or self.own, self.own) or ""

    @property
    def others(self) -> tuple[str, ...]:
        """The languages besides the own one, in order."""
        return tuple(sorted({tag for texts in self.all.values() for tag in texts} - {self.own}))


_PLACE_IN_LIST = re.compile(r"\[\d+\] '")
"""The number of a thing that has an id, too, in a place: "badges[2] 'bookworm'.name"."""


def untranslated(texts: Mapping[str, Mapping[str, str]], tag: str) -> Sequence[str]:
    """The places of texts that readers of a language read in the catalog's own, because they have no translation."""
    return [place for place, one in texts.items() if not any(broad in one for broad in broader(tag))]
