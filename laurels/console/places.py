"""Where in the text of a catalog something is: the line of a fault, from the place that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from laurels.engine.parsing import TOKENS

Path = tuple[str | int, ...]
"""Keys, and the numbers of entries in lists of tables, from 0 on."""

IN_TEXT = re.compile(r"\bline (\d+)\b")
STEP = re.compile(r"([^.\[\]']+)(?:\[(\d+)\])?(?: '([^']*)')?(?:\.|$)")
NAME = r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'"""
KEY = re.compile(rf"\s*((?:{NAME})(?:\s*\.\s*(?:{NAME}))*)\s*=")
HEADER = re.compile(rf"\s*(\[\[?)\s*((?:{NAME})(?:\s*\.\s*(?:{NAME}))*)\s*\]")
NAMES = re.compile(NAME)
ID = re.compile(r"""\s*id\s*=\s*["']([^"'\n]*)["']""")


def line_of(where: str, what: str, text: str) -> int:
    """The line of a fault, from 1 on: that of the key it names, else of the nearest one around it; 0 if none is known."""
    found = IN_TEXT.search(what) or IN_TEXT.fullmatch(where)
    if found:
        return min(int(found[1]), text.count("\n") + 1)
    lines = _lines(text)
    path = _path(where, lines.ids)
    while path:
        if path in lines.known:
            return lines.known[path]
        path = path[:-1]
    return 0


def line_of_path(text: str, path: Path) -> int:
    """The line on which a key or a table begins, from 1 on; 0 if it is within the value of another key."""
    return _lines(text).known.get(path, 0)


def last_line_of(text: str, path: Path) -> int:
    """The last line of a table and those within it, without the blank lines and comments after it; 0 without such a table."""
    headers = _lines(text).headers
    own = [index for index, (_, one) in enumerate(headers) if one[: len(path)] == path]
    if not own:
        return 0
    lines = text.split("\n")
    end = headers[own[-1] + 1][0] - 1 if own[-1] + 1 < len(headers) else len(lines)
    outer = {number for number, _ in _outer_lines(text)}
    while end in outer and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


class _Lines:
    """The lines of headers and keys, and the headers in order.

    `ids` has the path of each entry of a list by the list's key and the entry's id.
    """

    def __init__(self) -> None:
        self.known: dict[Path, int] = {}
        self.headers: list[tuple[int, Path]] = []
        self.ids: dict[tuple[str, str], Path] = {}
        self._counts: dict[Path, int] = {}
        self._here: Path = ()

    def add_header(self, names: list[str], line: int, *, is_list: bool) -> None:
        path: Path = ()
        for index, name in enumerate(names):
            path = (*path, name)
            if is_list and index == len(names) - 1:
                self.known.setdefault(path, line)
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:  # the newest entry of a list
                path = (*path, self._counts[path] - 1)
        self._here = path
        self.headers.append((line, path))
        self.known.setdefault(path, line)

    def add_key(self, names: list[str], line: int) -> None:
        for index in range(1, len(names) + 1):
            self.known.setdefault((*self._here, *names[:index]), line)

    def add_id(self, name: str) -> None:
        key = self._here[0] if self._here else ""
        if isinstance(key, str):
            self.ids.setdefault((key, name), self._here)


def _lines(text: str) -> _Lines:
    lines = _Lines()
    for number, line in _outer_lines(text):
        if header := HEADER.match(line):
            lines.add_header(_names(header[2]), number, is_list=header[1] == "[[")
        elif key := KEY.match(line):
            lines.add_key(_names(key[1]), number)
            if named := ID.match(line):
                lines.add_id(named[1])
    return lines


def _outer_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that do not begin within a text, a list or an inline table, with their numbers."""
    inside = bytearray(text.count("\n") + 1)
    depth = opened = line = last = 0
    for found in TOKENS.finditer(text):
        line, last = line + text.count("\n", last, found.start()), found.start()
        symbol = found[0]
        if symbol in "[{":
            opened = opened if depth else line
            depth += 1
        elif symbol in "]}":
            depth = max(0, depth - 1)
            if not depth:
                inside[opened + 1 : line + 1] = b"\1" * (line - opened)
        elif lines := symbol.count("\n"):
            inside[line + 1 : line + 1 + lines] = b"\1" * lines
    for number, content in enumerate(text.split("\n")):
        if not inside[number]:
            yield number + 1, content


def _names(text: str) -> list[str]:
    return [name.strip("\"'") for name in NAMES.findall(text)]


def _path(where: str, ids: Mapping[tuple[str, str], Path]) -> Path:
    """The path that a fault names, as `badges[2] 'century'.points` or `badges 'century'`; shorter if the rest is unclear."""
    path: Path = ()
    at = 0
    while at < len(where) and (step := STEP.match(where, at)):
        key, number, label = step[1].strip(), step[2], step[3]
        path = (*path, key)
        if number:
            path = (*path, int(number) - 1)
        elif label is not None:
            path = ids.get((key, label), (*path, label))
        at = step.end()
    return path
