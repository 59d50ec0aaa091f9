"""An address that an account gave, taken apart once and strictly; the same reading serves the check and the request.

Only what is not in doubt is accepted: two programs that read one URL differently are how guards are passed.
"""

import functools
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

import idna

from soloist.infra.outbound_addresses import Address, address_of, is_allowed, is_listed
from soloist.infra.settings import Networks

MOST_CHARACTERS = 2048
URL_NOT_ALLOWED = (
    "This address can't be used. Give a public one such as 'https://example.com/hook': https, port 443 or from 1024, "
    "no user or password, at most 2,048 characters, and nothing in a private network."
)

_SHAPE = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[^\[\]/?#:@%]+)(?::([0-9]{1,5}))?([/?][^#]*)?(?:#.*)?", re.ASCII | re.IGNORECASE
)
_DOUBTFUL = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_LOCAL = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class UrlNotAllowed(ValueError):
    """An address that requests may not be sent to. Its text is always URL_NOT_ALLOWED: a reason would be a scanner."""

    def __init__(self) -> None:
        super().__init__(URL_NOT_ALLOWED)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `host` is an ASCII name in small letters, or the canonical text of `literal`."""

    scheme: str
    host: str
    port: int
    path: str
    literal: Address | None

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def check_url(url: str, allow: Networks) -> None:
    """Raises UrlNotAllowed for an address that can't be sent to, whatever a name in it may resolve to.

    https to a public host; http only into the networks of `allow`. A name is judged when it is resolved: at
    `Outbound.check_save` and at every connection.
    """
    target = target_of(url)
    if target.scheme == "http" and not allow:
        raise UrlNotAllowed
    if target.literal is not None:
        judge = is_listed if target.scheme == "http" else is_allowed
        if not judge(target.literal, allow):
            raise UrlNotAllowed
    elif target.host.split(".")[-1] == "localhost" and not any(is_listed(local, allow) for local in _LOCAL):
        raise UrlNotAllowed


@functools.lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """The parts of an http or https address; raises UrlNotAllowed for one that could be read in two ways."""
    found = None if len(url) > MOST_CHARACTERS or _DOUBTFUL.search(url) else _SHAPE.fullmatch(url)
    if found is None:
        raise UrlNotAllowed
    scheme, host, port_text, path = found[1].lower(), found[2].lower(), found[3], found[4] or "/"
    port = int(port_text) if port_text else 443 if scheme == "https" else 80
    if port not in (80, 443) and not 1024 <= port <= 65535:
        raise UrlNotAllowed
    try:
        if host.startswith("["):
            literal: Address | None = address_of(host[1:-1])
        else:
            host = _name(host)
            literal = _in_numbers(host)
        path = quote(path if path.startswith("/") else f"/{path}", safe=_PRINTABLE)
    except (ValueError, OSError):  # OSError: from inet_aton
        raise UrlNotAllowed from None
    return Target(scheme, str(literal) if literal is not None else host, port, path, literal)


def _name(host: str) -> str:
    """A name as it is asked for in the DNS: ASCII, small letters, without the dot of the root."""
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode().lower()  # also turns full-width digits into plain ones
    host = host.removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError
    return host


def _in_numbers(host: str) -> IPv4Address | None:
    """The address that a host of numbers is (2130706433, 0x7f.1, 0177.0.0.1); None for a name."""
    if not _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        return None
    return IPv4Address(socket.inet_aton(host))
