"""Which addresses may be called for a person who is not the operator.

Whoever may name an address could otherwise have us ask what only we can reach: the metadata of a
cloud machine, a router, a database without a password. A name is looked up once, all that it
stands for is checked, and what was checked is what is called: a second look-up could answer
otherwise.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

PRIVATE = "has an address that is not public, and this Waggle serves several people"
REMEDY = "the operator can allow it: WAGGLE_PRIVATE_ADDRESSES=allow"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that has been given out for everybody (IANA's registry of IPv6 addresses). Outside of it are
# old ways to write an IPv4 address, networks of one site, and translators of one's own.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# Examples and relays that are no more, which not every Python knows of.
_NOBODYS = (ipaddress.ip_network("3fff::/20"), ipaddress.ip_network("192.88.99.0/24"))


class PrivateAddressError(httpx.TransportError):
    """The host stands for an address that may not be called."""


def is_public(address: str, *, loopback: bool = False) -> bool:
    """May this IP address be called? ValueError if it is none. `loopback`: this machine counts."""
    found = _inner(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_loopback:
        return loopback
    if isinstance(found, ipaddress.IPv6Address) and found not in _GIVEN_OUT:
        return False
    return found.is_global and not found.is_multicast and not any(found in net for net in _NOBODYS)


def is_loopback_host(host: str) -> bool:
    """Is this machine meant by a host as it stands in a URL, whatever a look-up would say?"""
    name = _name(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return _inner(ipaddress.ip_address(name)).is_loopback
    except ValueError:
        return False


def is_public_host(host: str, *, loopback: bool = False) -> bool:
    """The same of a host as it stands in a URL; of a name only a look-up can tell: True."""
    if is_loopback_host(host):
        return loopback
    try:
        return is_public(_name(host))
    except ValueError:
        return True


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system orders them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PublicOnly(httpx.BaseTransport):
    """Sends through `inner` what goes to public addresses, and refuses the rest.

    `loopback`: this machine's own addresses count as public. Raises `PrivateAddressError`.
    """

    def __init__(
        self, inner: httpx.BaseTransport, *, loopback: bool = False, resolve: Resolve = look_up
    ) -> None:
        self._inner = inner
        self._loopback = loopback
        self._resolve = resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Look the host up, check all of its addresses, and call the first that answers."""
        url = request.url
        try:
            addresses = self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except OSError as failure:
            raise httpx.ConnectError(str(failure), request=request) from None
        if any(not is_public(address, loopback=self._loopback) for address in addresses):
            raise PrivateAddressError(PRIVATE, request=request)
        # The certificate is checked against the name, as if nobody had looked it up.
        extensions = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
        failed: httpx.ConnectError | None = None
        for address in addresses:
            try:
                return self._inner.handle_request(
                    httpx.Request(
                        request.method,
                        url.copy_with(host=address),
                        headers=request.headers,  # the Host among them
                        stream=request.stream,
                        extensions=extensions,
                    )
                )
            except httpx.ConnectError as failure:
                failed = failure
        raise failed or httpx.ConnectError("the host has no address", request=request)

    def close(self) -> None:
        """Close what is under it."""
        self._inner.close()


def _name(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _inner(address: Address) -> Address:
    """The address that is meant by one that only wraps it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
