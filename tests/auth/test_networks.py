"""Which addresses count as one client."""

from __future__ import annotations

import pytest

from laurels.auth.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, ""),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::7", "2001:db8:0:1::/64"),
        ("::1", "::/64"),
        ("fe80::7%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_ipv6_address_counts_with_its_network_and_a_mapped_one_as_ipv4(address: str | None, network: str) -> None:
    assert network_of(address) == network
