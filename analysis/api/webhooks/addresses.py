"""Where a webhook may be sent: never to the machines behind this one, unless the site allows it.

An address is checked twice: its form when it is entered (:func:`parse`), and what its name stands
for at every delivery (:func:`resolve`). The sender connects to the numbers that were checked and
asks no name server again, so an answer that changes in between changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_LENGTH = 500
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Networks that `ipaddress` calls global, or may in some version, and that lead back inside.
_NEVER = [
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # a cloud's own service behind a public number (Azure's wire server)
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # NAT64 of local use, RFC 8215
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
]
_PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
_METADATA = {ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254")}
_INSIDE_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa")


class AddressRefused(Exception):
    """An address that nothing is sent to; the message is for its owner."""


@dataclass(frozen=True)
class Target:
    """An address in its parts. ``host`` is a name in ASCII or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The ``Host`` header: with the port where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


def parse(url: str) -> Target:
    """Check the form of an address; raises AddressRefused. Asks no name server."""
    if len(url) > MAX_LENGTH:
        raise AddressRefused(f"An address has at most {MAX_LENGTH} characters.")
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url) or "\\" in url:
        raise AddressRefused("An address has no spaces, line breaks or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("This is not an address.") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise AddressRefused("An address begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("Leave user name and password out of the address.")
    host = _host(parts.hostname or "")
    if "[" in parts.netloc and ":" not in host:
        raise AddressRefused("Only IPv6 addresses stand in brackets.")
    if port is None:
        port = _DEFAULT_PORTS[scheme]
    allowed = {int(number) for number in settings.WEBHOOK_PORTS}
    if port not in allowed and not settings.WEBHOOK_ALLOW_PRIVATE:
        names = ", ".join(str(number) for number in sorted(allowed))
        raise AddressRefused(f"Port {port} is not allowed; these are: {names}.")
    literal = _literal(host)
    if literal is not None:
        _refuse_inside(literal)
    elif not settings.WEBHOOK_ALLOW_PRIVATE:
        _refuse_inside_name(host)
    return Target(scheme, host, port, _path(parts))


def _path(parts: SplitResult) -> str:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise AddressRefused("Write letters outside ASCII in the path as %-codes.")
    return path


def _host(written: str) -> str:
    """The host in ASCII, as a name server would be asked for it; raises AddressRefused."""
    host = unicodedata.normalize("NFKC", written).lower()
    if not host:
        raise AddressRefused("The address names no host.")
    if _literal(host) is not None:
        return host
    try:
        host = host.encode("idna").decode()
    except UnicodeError as error:
        raise AddressRefused("The host's name is not valid.") from error
    host = host.rstrip(".")
    if not re.fullmatch(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?)+", host):
        raise AddressRefused("The host's name is not valid.")
    # 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 are read as numbers by some, so by nobody here.
    last = host.rpartition(".")[2]
    if re.fullmatch(r"\d+|0x[0-9a-f]*", last) and _literal(host) is None:
        raise AddressRefused("Write an IP address as four plain decimal numbers.")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refuse_inside_name(host: str) -> None:
    if "." not in host or any(host == name or host.endswith(f".{name}") for name in _INSIDE_NAMES):
        raise AddressRefused("This name belongs to a private network, which nothing is sent to.")


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, and not a door back inside."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address.version == network.version and address in network for network in _NEVER)
    )


def is_local(address: Address) -> bool:
    """Whether an address is one of a private network or of this machine. Link-local ones, at which
    clouds give away a machine's own secrets, are not."""
    if address in _METADATA:
        return False
    return address.is_loopback or any(
        address.version == network.version and address in network for network in _PRIVATE
    )


def _refuse_inside(address: Address) -> None:
    allowed = is_local(address) if settings.WEBHOOK_ALLOW_PRIVATE else False
    if not (allowed or is_public(address)):
        raise AddressRefused("This is not an address of the public internet.")


def resolve(target: Target) -> list[Address]:
    """The addresses a target stands for, all of them checked; asks the name server once.

    Raises AddressRefused if any of them is not public, or if there is none.
    """
    literal = _literal(target.host)
    if literal is not None:
        _refuse_inside(literal)
        return [literal]
    try:
        answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"The name {target.host} cannot be found.") from error
    found = list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))
    for address in found:
        _refuse_inside(address)
    if not found:
        raise AddressRefused(f"The name {target.host} cannot be found.")
    return found


def check_peer(sock: socket.socket) -> None:
    """Look once more at whom a socket is really connected to; raises AddressRefused."""
    _refuse_inside(ipaddress.ip_address(sock.getpeername()[0].partition("%")[0]))
