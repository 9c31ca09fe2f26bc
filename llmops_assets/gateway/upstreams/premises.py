"""Which addresses upstreams may have: none of those at which clouds tell machines their secrets, and where data must
stay, none but private ones. resolver.py keeps the rule at every connection."""

import ipaddress
import socket

_OWN = ("localhost", "local", "internal", "lan", "home.arpa", "svc")
"""Last parts of names that only a network of one's own resolves (RFC 6761, 6762, 8375; Kubernetes)."""


def unreachable(host: str) -> bool:
    """Whether a literal address is none that a server has (link-local as metadata services are, multicast,
    unspecified), or is spelt as none is looked at (2130706433, 0x7f.1)."""
    address = _address(host)
    if address is not None:
        return _never(address)
    try:
        socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return True


def stays(host: str, *, named: bool = False) -> bool:
    """Whether what is sent to a host stays in one's own network. Of a name that says nothing of it: `named`."""
    address = _address(host)
    if address is not None:
        return _private(address)
    last = host.rstrip(".").lower()
    return named or "." not in last or any(last == own or last.endswith(f".{own}") for own in _OWN)


def addresses_elsewhere(host: str) -> list[str]:
    """The addresses of a name that lie in no network of one's own; none where it cannot be resolved now."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return []
    return sorted(address for address in found if not stays(address))


def reachable(host: str, *, own: bool) -> bool:
    """Whether a resolved address may be connected to; `own`: only one of a private network or of this machine."""
    address = _address(host)
    return address is not None and not _never(address) and (not own or _private(address))


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _never(address: _Address) -> bool:
    # ::1 is of a reserved block.
    unlike = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    return unlike and not address.is_loopback


def _private(address: _Address) -> bool:
    return not _never(address) and (address.is_loopback or address.is_private)
