"""Which machines may be asked for a file that a client names."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
AddressPolicy = Callable[[Address], bool]
"""Whether an address may be connected to."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether anybody could reach it anyway: no loopback, no private network, no metadata service of a cloud.

    An address that stands for an IPv4 address (mapped, NAT64, 6to4, Teredo) is what it stands for.
    """
    if isinstance(address, IPv6Address) and (inner := _inner(address)) is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
