"""Which addresses are this machine's own, and which are on the premises."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


INTERNAL = (".local", ".internal", ".lan", ".home.arpa", ".svc", ".localhost")
"""Endings of names that no public resolver knows (RFC 6762, RFC 8375, RFC 6761, Kubernetes' services)."""


def is_internal(host: str) -> bool:
    """Whether a host name or address is on the premises: private (RFC 1918, RFC 4193), or a name of no public domain.

    Nothing is resolved: a name says by itself where it belongs.
    """
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        plain = host.lower().rstrip(".")
        return bool(plain) and ("." not in plain or plain.endswith(INTERNAL))
    return address.is_private and not address.is_unspecified
