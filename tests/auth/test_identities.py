"""The identities that a proxy gives: from its own connections alone, and only if its headers can be read in one way."""

from __future__ import annotations

import pytest

from laurels.auth.identities import Identity, IdentityError, TrustedProxy
from laurels.auth.roles import ListedRoles

PROXY = TrustedProxy("x-forwarded-user", "x-forwarded-groups", ("10.0.0.5", "fd00::/64"))
ANNA = (b"x-forwarded-user", b"anna@example.com")


def groups(value: bytes) -> tuple[bytes, bytes]:
    return b"x-forwarded-groups", value


def test_a_connection_from_the_proxy_has_the_name_and_the_groups() -> None:
    found = PROXY.identity([ANNA, groups(b"staff, editors of days ,,owners")], "10.0.0.5")
    assert found == Identity("anna@example.com", frozenset({"staff", "editors of days", "owners"}))
    assert PROXY.identity([ANNA], "fd00::17") == Identity("anna@example.com")
    assert PROXY.identity([ANNA], "::ffff:10.0.0.5") == Identity("anna@example.com")
    assert PROXY.identity([(ANNA[0], " Zoë \t".encode())], "10.0.0.5") == Identity("Zoë")


@pytest.mark.parametrize(
    "peer", ["10.0.0.6", "127.0.0.1", "fd00:0:0:1::17", "", "10.0.0.5 ", "10.0.0.5, 10.0.0.9", None]
)
def test_any_other_connection_has_no_identity(peer: str | None) -> None:
    headers = [ANNA, groups(b"owners"), (b"x-forwarded-for", b"10.0.0.5"), (b"x-real-ip", b"10.0.0.5")]
    assert PROXY.identity(headers, peer) is None
    assert PROXY.identity([ANNA, ANNA, (ANNA[0], b"\xff")], peer) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(ANNA[0], b"")],
        [(ANNA[0], b" ")],
        [(b"x_forwarded_user", b"anna")],
        [(b"x-forwarded-user-name", b"anna")],
        [groups(b"owners")],
        [groups(b"owners"), groups(b"owners")],
    ],
)
def test_without_a_name_there_is_no_identity(headers: list[tuple[bytes, bytes]]) -> None:
    assert PROXY.identity(headers, "10.0.0.5") is None


@pytest.mark.parametrize(
    "headers",
    [
        [ANNA, ANNA],
        [ANNA, (ANNA[0], b"")],
        [(ANNA[0], b""), ANNA],
        [(ANNA[0], b"bob, anna@example.com")],
        [(ANNA[0], b"anna\x00")],
        [(ANNA[0], b"an\x7fna")],
        [(ANNA[0], b"\xff")],
        [(ANNA[0], "an\u200bna".encode())],
        [(ANNA[0], "\u202eanna".encode())],
        [(ANNA[0], "\u2800".encode())],
        [(ANNA[0], b"a" * 101)],
        [ANNA, groups(b"staff"), groups(b"owners")],
        [ANNA, groups(b"staff"), groups(b"")],
        [ANNA, groups(b"\xff")],
        [ANNA, groups(b"a\x00b")],
        [ANNA, groups(b"g," * 1001 + b"h" + b"".join(b",g%d" % number for number in range(1001)))],
    ],
    ids=range(16),
)
def test_headers_that_could_be_read_in_several_ways_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(IdentityError) as refused:
        PROXY.identity(headers, "10.0.0.5")
    assert "x-forwarded-" in str(refused.value)


def test_without_a_header_of_groups_there_are_none() -> None:
    proxy = TrustedProxy("x-forwarded-user", "", ("10.0.0.5",))
    assert proxy.identity([ANNA, groups(b"owners"), (b"", b"owners")], "10.0.0.5") == Identity("anna@example.com")


def test_the_highest_role_that_lists_a_name_or_a_group_counts() -> None:
    listed = ListedRoles(
        {"viewer": {"anna", "vera"}, "editor": {"anna"}},
        {"viewer": {"staff"}, "support": {"help"}, "owner": {"owners"}},
    )

    def role(name: str, *in_groups: str) -> str | None:
        return listed.role_of(Identity(name, frozenset(in_groups)))

    assert (role("anna"), role("vera"), role("bob")) == ("editor", "viewer", None)
    assert (role("bob", "staff"), role("bob", "staff", "owners"), role("anna", "help")) == ("viewer", "owner", "editor")
    assert (role("Anna"), role("bob", "Owners"), role("owners"), role("bob", "anna")) == (None, None, None, None)
