"""Every setting: its area, name, type, default, bounds and help. A new one is one field here and its row in docs/settings.md.

Its file key, environment variable, command-line option and row of `laurels settings` come from the field (configuration.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

from laurels import configuration
from laurels.configuration import Secret, Sourced, setting
from laurels.engine.zones import zone
from laurels.errors import InvalidInput, SettingsError
from laurels.storage import check_schema, shown_address
from laurels.storage.contract import CONNECTIONS, SCHEMA

ORIGIN = re.compile(
    r"(?:http://(?!.*:80$)|https://(?!.*:443$))(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
)
"""An origin as browsers write it. 'null' is not accepted: every page without an origin sends it."""


class DatabaseUrl(Secret):
    """The address of a database; only the password in it is masked."""

    __slots__ = ()

    def __str__(self) -> str:
        return shown_address(self.reveal())


HOST_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\]"
)


class Origin(str):
    """The origin of a page, as browsers write it. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        if not ORIGIN.fullmatch(text):
            raise ValueError(
                f"'{text}' is not an origin; write scheme, host and port as a browser does, in lower case and without a slash at "
                'the end or a usual port, and several as ["https://app.example.com", "http://localhost:3000"]'
            )
        return super().__new__(cls, text)


class HostName(str):
    """A host name or an IP address, without a port. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        if not HOST_NAME.fullmatch(text):
            raise ValueError(
                f"'{text}' is not a host name; write it without scheme and port, such as laurels.example.com"
            )
        return super().__new__(cls, text)


class Part(str):
    """A part of a server that can be left out: api, pages, console or docs. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        if text not in ("api", "pages", "console", "docs"):
            raise ValueError(f"'{text}' is not a part of the server; choose from api, pages, console and docs")
        return super().__new__(cls, text)


HEADER_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
"""No underscore: some proxies pass on a client's X_Forwarded_User where they replace X-Forwarded-User."""

OF_BROWSERS = frozenset({"authorization", "cookie", "host", "origin", "referer", "user-agent", "x-forwarded-for"})
"""Headers that any client sends, and that proxies pass on."""


class HeaderName(str):
    """The name of a header that only a proxy sets; '' for none. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        if text and not HEADER_NAME.fullmatch(text):
            raise ValueError(f"'{text}' is not the name of a header; write letters, digits and '-': X-Forwarded-User")
        if text.lower() in OF_BROWSERS:
            raise ValueError(f"'{text}' comes from browsers too; choose a header that only the proxy sets")
        return super().__new__(cls, text)


class Network(str):
    """An IP address or a network; not all addresses. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        try:
            network = ip_network(text)
        except ValueError:
            raise ValueError(f"'{text}' is not an IP address or network; write 10.0.0.5 or 10.0.1.0/28") from None
        if network.prefixlen == 0:
            raise ValueError(f"'{text}' has all addresses; list those of the proxy")
        return super().__new__(cls, text)


class WebAddress(str):
    """An address for a link: https://..., http://... or a path on this host; '' for none. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        if text and not re.fullmatch(r"(?:https?://[^/\s\\]|/(?![/\\]))[^\s\\]*", text):
            raise ValueError(f"'{text}' is not an address; write https://auth.example.com/logout or /oauth2/sign_out")
        return super().__new__(cls, text)


class ZoneName(str):
    """The name of a time zone in tzdata. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        try:
            zone(text)
        except InvalidInput as error:
            raise ValueError(str(error)) from error
        return super().__new__(cls, text)


class SchemaName(str):
    """The name of a PostgreSQL schema for the tables of a community. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text."""
        try:
            check_schema(text)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return super().__new__(cls, text)


class DatabaseSettings(msgspec.Struct, frozen=True):
    """The database."""

    url: Annotated[
        DatabaseUrl,
        setting("the database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME", option="database"),
    ] = DatabaseUrl("sqlite:///laurels.db")
    connections: Annotated[
        int, setting("most connections to PostgreSQL per process", least=1, most=1000, option="connections")
    ] = CONNECTIONS
    schema: Annotated[
        SchemaName, setting("PostgreSQL schema of the tables: one for each community in a database", option="schema")
    ] = SchemaName(SCHEMA)
    secret_file: Annotated[
        str,
        setting(
            "file with the keys for cursors, invented names, references and erased users; empty: the database has a secret",
            option="secret-file",
        ),
    ] = ""

    def __str__(self) -> str:
        """Which database it is, for people, without its password."""
        return str(self.url) if self.schema == SCHEMA else f"{self.url}, schema '{self.schema}'"


class ServerSettings(msgspec.Struct, frozen=True):
    """Where and how the API is served."""

    host: Annotated[str, setting("address to listen on", option="host")] = "127.0.0.1"
    port: Annotated[int, setting("port to listen on; 0: a free one", least=0, most=65535, option="port")] = 8000
    workers: Annotated[int, setting("number of processes that serve", least=1, most=256, option="workers")] = 1
    receive_seconds: Annotated[
        int, setting("seconds in which a client must send its request", least=1, most=3600, option="receive-seconds")
    ] = 30
    origins: Annotated[
        tuple[Origin, ...],
        setting(
            "origins whose pages may read the API with the visitor's cookie: https://app.example.com", option="origins"
        ),
    ] = ()
    hosts: Annotated[
        tuple[HostName, ...],
        setting("host names that are answered, besides health checks; others get 421; empty: all", option="hosts"),
    ] = ()
    parts: Annotated[
        tuple[Part, ...],
        setting("what is served: api, pages for users, console for operators, docs", option="parts"),
    ] = (Part("api"), Part("pages"), Part("console"), Part("docs"))


class LimitSettings(msgspec.Struct, frozen=True):
    """What one process accepts; the rates hold for all processes together."""

    requests: Annotated[
        int,
        setting(
            "requests answered at the same time, and open connections besides streams; more get 503",
            least=1,
            most=100_000,
        ),
    ] = 1000
    streams: Annotated[int, setting("open streams of notifications; more get 503", least=0, most=100_000)] = 1000
    body_bytes: Annotated[int, setting("largest request body", least=1024, most=1024**3)] = 4 * 1024 * 1024
    all_bodies_bytes: Annotated[
        int, setting("request bodies held in memory at the same time; more get 503", least=1024, most=1024**4)
    ] = 32 * 1024 * 1024
    events: Annotated[int, setting("most events in one request", least=1, most=100_000)] = 1000
    session_body_bytes: Annotated[
        int, setting("largest request body that a session may send", least=1024, most=1024**3)
    ] = 8 * 1024
    session_requests: Annotated[
        int,
        setting(
            "requests of one session answered at the same time, besides streams; more get 429", least=1, most=100_000
        ),
    ] = 32
    public_requests: Annotated[
        int,
        setting("requests without a session or key answered at the same time; more get 503", least=1, most=100_000),
    ] = 32
    key_rate: Annotated[
        int,
        setting(
            "requests a second of one API key, each event of an array counted; 0: no limit",
            least=0,
            most=1_000_000,
            option="key-rate",
        ),
    ] = 0
    session_rate: Annotated[
        int, setting("requests a second of one session; 0: no limit", least=0, most=1_000_000, option="session-rate")
    ] = 20


class QueueSettings(msgspec.Struct, frozen=True):
    """Events that wait to be written."""

    events: Annotated[int, setting("most events that wait; more get 503", least=1, most=1_000_000)] = 10_000
    seconds: Annotated[int, setting("longest wait of an event, before it gets 503", least=1, most=3600)] = 5
    batch: Annotated[int, setting("most events written in one transaction", least=1, most=10_000)] = 500


class CatalogSettings(msgspec.Struct, frozen=True):
    """Where badges, levels, streaks and leaderboards are defined."""

    file: Annotated[str, setting("catalog file for a new database; empty: the default catalog", option="catalog")] = ""


class RuleSettings(msgspec.Struct, frozen=True):
    """Rules that are not in the catalog."""

    default_zone: Annotated[ZoneName, setting("time zone for users without one", option="default-zone")] = ZoneName(
        "UTC"
    )
    late_days: Annotated[
        int, setting("the most days that an event may be late", least=0, most=36500, option="late-days")
    ] = 30
    erase_after_days: Annotated[
        int,
        setting(
            "days until a user is erased, hidden meanwhile, in which it can be undone; 0: at once",
            least=0,
            most=365,
        ),
    ] = 0
    rarity_users: Annotated[
        int,
        setting(
            "smallest number of users with which the share of badge holders is public",
            least=1,
            most=1_000_000_000,
            option="rarity-users",
        ),
    ] = 100


class AuthSettings(msgspec.Struct, frozen=True):
    """Who may call."""

    session_days: Annotated[
        int, setting("lifetime of a session if the request sets none", least=1, most=365, option="session-days")
    ] = 30
    cookie_secure: Annotated[
        Literal["auto", "always", "never"],
        setting(
            "whether browsers send cookies over https only: always; never, for tests without https; auto: if the request came "
            "over https, server.origins has an https origin, or server.host is not of this machine alone"
        ),
    ] = "auto"
    operator_hours: Annotated[int, setting("longest session of the console, in hours", least=1, most=720)] = 12
    operator_idle_minutes: Annotated[
        int, setting("minutes without a request after which a session of the console ends", least=1, most=43_200)
    ] = 30


class RoleLists(msgspec.Struct, frozen=True):
    """Who has which role. Of several, the highest counts."""

    viewer: Annotated[tuple[str, ...], setting("those with the role viewer, as the proxy writes them")] = ()
    support: Annotated[tuple[str, ...], setting("those with the role support")] = ()
    editor: Annotated[tuple[str, ...], setting("those with the role editor")] = ()
    owner: Annotated[tuple[str, ...], setting("those with the role owner")] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no one is listed."""
        return not (self.viewer or self.support or self.editor or self.owner)


class ProxySettings(msgspec.Struct, frozen=True):
    """A proxy that signs operators in and names them in a header."""

    header: Annotated[
        HeaderName, setting("header in which the proxy names the operator, such as X-Forwarded-User; empty: none")
    ] = HeaderName("")
    groups_header: Annotated[
        HeaderName,
        setting("header in which the proxy lists the operator's groups, with commas between them; empty: none"),
    ] = HeaderName("")
    addresses: Annotated[
        tuple[Network, ...],
        setting("addresses from which the proxy connects; the headers of all other connections are ignored"),
    ] = ()
    sign_out: Annotated[
        WebAddress, setting("address at which the proxy signs out, for a link on the sign-in page; empty: none")
    ] = WebAddress("")
    names: RoleLists = RoleLists()
    groups: RoleLists = RoleLists()


class ConsoleSettings(msgspec.Struct, frozen=True):
    """How operators sign in."""

    sign_in: Annotated[
        Literal["key", "proxy", "both"],
        setting("how operators sign in: key, with an admin key; proxy, through the proxy of console.proxy; both"),
    ] = "key"
    require_totp: Annotated[
        Literal["none", "owner", "editor", "support", "all"],
        setting("from which role on operators who sign in with a key need codes of an app as well; all; none"),
    ] = "none"
    proxy: ProxySettings = ProxySettings()


class RetentionSettings(msgspec.Struct, frozen=True):
    """How long what is no longer needed is kept; servers and 'laurels retention run' remove what is older."""

    expired_session_days: Annotated[
        int, setting("days for which expired sessions of users and operators are kept; 0: forever", least=0, most=36500)
    ] = 30
    notification_days: Annotated[
        int, setting("days for which notifications are kept, received or not; 0: forever", least=0, most=36500)
    ] = 365
    audit_days: Annotated[
        int,
        setting("days for which the audit is kept, without adjustments and amnesties; 0: forever", least=0, most=36500),
    ] = 0


class LogSettings(msgspec.Struct, frozen=True):
    """What is logged to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], setting("lowest level: debug, info, warning or error")
    ] = "info"
    format: Annotated[Literal["text", "json"], setting("lines for people, or JSON for programs: text or json")] = "text"
    user_ids: Annotated[
        Literal["clear", "hashed"],
        setting("users in the security log: by their ids, or by keyed hashes: clear or hashed"),
    ] = "clear"


class Settings(msgspec.Struct, frozen=True):
    """All settings, by area."""

    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    queue: QueueSettings = QueueSettings()
    catalog: CatalogSettings = CatalogSettings()
    rules: RuleSettings = RuleSettings()
    auth: AuthSettings = AuthSettings()
    console: ConsoleSettings = ConsoleSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()


def read_settings(
    options: Mapping[str, str | None], environment: Mapping[str, str], folder: Path
) -> tuple[Settings, dict[str, Sourced]]:
    """The settings in force, and the value and source of each, by name. Raises SettingsError."""
    settings, sourced = configuration.read(Settings, options, environment, folder)
    check_proxy(settings.console)
    return settings, sourced


def check_proxy(console: ConsoleSettings) -> None:
    """Raise SettingsError for a proxy that could be anyone, or that names no one."""
    proxy = console.proxy
    if (proxy.header or proxy.groups_header) and not proxy.addresses:
        raise SettingsError(
            "console.proxy.addresses is empty: any client could send the header; list the addresses from which "
            "the proxy connects"
        )
    if console.sign_in != "key" and not proxy.header:
        raise SettingsError(f"console.sign_in is '{console.sign_in}'; set console.proxy.header and .addresses, too")
    if not proxy.groups.is_empty and not proxy.groups_header:
        raise SettingsError("console.proxy.groups lists groups; set console.proxy.groups_header, too")
    if proxy.header and proxy.header.lower() == proxy.groups_header.lower():
        raise SettingsError("console.proxy.header and .groups_header are the same; the proxy sends two headers")
