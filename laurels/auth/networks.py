"""Which addresses belong to one client, for what is counted or limited for each address."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_NETWORK = 64
"""The part of an IPv6 address that belongs to one customer of a provider."""


def network_of(address: str | None) -> str:
    """The IPv4 address, or of an IPv6 address the network of its owner, who has all addresses in it; '' for None.

    An IPv4 address that a socket for both versions writes as IPv6 is the IPv4 address: otherwise all would be one network.
    """
    if not address:
        return ""
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed), IPV6_NETWORK), strict=False))
