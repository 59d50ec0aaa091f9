"""Which addresses a request on an account's behalf may reach: public ones, and the operator's allowed networks.

Python's `is_global` lets through 6to4, NAT64 and more, so every special range is listed here, and both must agree.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from soloist.infra.settings import Networks

Address = IPv4Address | IPv6Address

# The special-purpose registries of IANA, with multicast, the deprecated ranges, and what was reserved.
_SPECIAL_4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # up to the broadcast address
    )
)
# Only 2000::/3 is handed out at all: the rest (::1, NAT64, fc00::/7, fe80::/10, ff00::/8 …) needs no line.
_UNICAST_6 = ip_network("2000::/3")
_SPECIAL_6 = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",
    )
)
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # before the IPv4 address in the last 32 bits, whatever the prefix


def address_of(text: str) -> Address:
    """The address that `text` is, an IPv4 address mapped into IPv6 as the IPv4 address. Raises ValueError."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None and address.scope_id is None:
        return address.ipv4_mapped
    return address


def is_listed(address: Address, allow: Networks) -> bool:
    """Whether the operator allows this address by name of its network, special or not."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False  # a network can't say which interface is meant
    return any(address in network for network in allow)


def is_allowed(address: Address, allow: Networks) -> bool:
    """Whether a request may go there: public, or in one of the allowed networks."""
    return is_listed(address, allow) or not is_special(address)


def is_special(address: Address) -> bool:
    """Whether an address is anything but an ordinary public one; IPv4 inside IPv6 is judged as well."""
    if isinstance(address, IPv4Address):
        return not address.is_global or any(address in network for network in _SPECIAL_4)
    if address.ipv4_mapped is not None and address.scope_id is None:
        return is_special(address.ipv4_mapped)
    if address.scope_id is not None or not address.is_global or address not in _UNICAST_6:
        return True
    if any(address in network for network in _SPECIAL_6):
        return True
    number = int(address)
    return (number >> 32) & 0xFFFF_FFFF in _ISATAP and is_special(IPv4Address(number & 0xFFFF_FFFF))
