"""Addresses of databases: how they are shown, and whether one can be read. No output has a password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from laurels.errors import SettingsError

MASK = "***"

SECRET_NAME = re.compile(r"password|passwd|passphrase", re.IGNORECASE)

PARAMETER = re.compile(
    r"""(?<![^\s?&;])(?P<name>[^\s?&;=]+)(?P<equals>\s*=\s*)(?P<value>'(?:[^'\\]|\\.)*'|[^&#\s]*)""", re.DOTALL
)
"""A parameter of an address, or of a connection string such as "host=db password='a b'"."""

PASSWORD_OF_USER = re.compile(r"(?<![\w+.-])(?!sqlite)([\w+.-]+://[^:@/?#\s]*?(?::|%3A))\S*@", re.IGNORECASE)
"""Up to the last '@', so that a password with an unescaped '@' is hidden completely."""

BEGINNING = re.compile(r"(?:[\w+.-]+://|postgres(?:ql)?:/?)?", re.IGNORECASE)
USER = re.compile(r"([^:@/?#]*?(?::|%3A)).*@", re.IGNORECASE | re.DOTALL)
HOSTS = re.compile(r"[^/?#]*")

FORM = "postgresql://USER:PASSWORD@HOST:PORT/NAME"


def without_password(text: str) -> str:
    """A text with addresses, as it may be shown: passwords before the host and in parameters become '***'."""
    password = _password_of(text)
    if password:
        text = text.replace(f":{password}@", f":{MASK}@", 1)
    return PASSWORD_OF_USER.sub(rf"\1{MASK}@", PARAMETER.sub(_masked, text))


def shown_address(address: str) -> str:
    """The address of a database, as it may be shown. A part that may be a password is masked, also in a malformed address."""
    if address.startswith("sqlite:"):
        return without_password(address)
    address = without_password(address)
    beginning = BEGINNING.match(address)
    start = beginning.end() if beginning else 0
    user = USER.match(address, start)
    if user:
        return f"{address[:start]}{user[1]}{MASK}@{address[user.end() :]}"
    hosts = HOSTS.match(address, start)
    if hosts and "@" not in hosts[0] and not all(map(_is_host, hosts[0].split(","))):  # a password whose '@' is missing
        return f"{address[:start]}{hosts[0].partition(':')[0]}:{MASK}{address[hosts.end() :]}"
    return address


def check_address(address: str) -> None:
    """Raise SettingsError for an address of PostgreSQL that cannot be read. Its parts are not shown: one may be a password."""
    if not _can_be_read(address):
        raise SettingsError(
            f"the address of the database cannot be read; write {FORM}, with special characters of the password "
            "percent-encoded: '@' as %40, '/' as %2F, '?' as %3F, '#' as %23, ':' as %3A"
        )


def _can_be_read(address: str) -> bool:
    try:
        parts = urlsplit(address)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return False
    return "://" in address and all(map(_is_host, parts.netloc.rpartition("@")[2].split(",")))


def _is_host(host: str) -> bool:
    """Whether a port, if there is one, is a number."""
    port = host.rpartition("]")[2].partition(":")[2]
    return not port or (port.isascii() and port.isdecimal())


def _masked(parameter: re.Match[str]) -> str:
    """A parameter, its value masked if its name, once decoded, is that of a password."""
    hidden = SECRET_NAME.search(unquote(parameter["name"]))
    return f"{parameter['name']}{parameter['equals']}{MASK}" if hidden else parameter[0]


def _password_of(address: str) -> str | None:
    """The password in an address, also one with spaces; None for a text that is no address."""
    try:
        return urlsplit(address).password
    except ValueError:
        return None
