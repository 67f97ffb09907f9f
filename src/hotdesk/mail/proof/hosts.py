"""The hosts that hand mail over: their addresses, who is inside, and which count as one."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Who connects from there is a relay of ours, or a neighbour of it.
_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 "
        "::1/128 fc00::/7 fe80::/10".split(),
    )
)
_NETWORK_BITS = 64  # RFC 6177: whoever has one address of version 6 has at least these.


def address_of(text: str) -> Address | None:
    """Read the address of a host; one of version 4 written as version 6 is of version 4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_inside(address: Address) -> bool:
    """Whether it is of this machine or of a network that the internet does not reach."""
    return any(address in network for network in _INSIDE)


def network_of(address: Address) -> str:
    """What is one host to those who count hosts: the address, of version 6 its /64."""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((address, _NETWORK_BITS), strict=False))
