"""The account's connection to a Market: the only writer of `market_connections`, and the way to what is behind it."""

import asyncio
import contextlib

from soloist.infra.clock import Clock
from soloist.infra.db import Tx
from soloist.infra.errors import Fault, Problem, ValidationFailed
from soloist.infra.outbound import Outbound, UrlNotAllowed
from soloist.infra.outbound_urls import URL_NOT_ALLOWED
from soloist.infra.sealing import SealBroken, Vault
from soloist.infra.secrets import derived
from soloist.infra.settings import Settings
from soloist.infra.statement import statement
from soloist.market import queries
from soloist.market.gateway import Market, MarketRefused, Markets, Patience
from soloist.market.model import MarketAccess

UNREADABLE = (
    "The stored token can't be read any more, for the installation's secret has changed. "
    "Give it again (PUT /me/market)."
)


class Doors:
    """The way from an account to its Market; one for each process. It opens when it is first used.

    `url` and `token` are the installation's: an account without a connection of its own uses both, one that gives
    only its token uses the address.
    """

    def __init__(self, outbound: Outbound, markets: Markets, vault: Vault, url: str | None, token: str | None) -> None:
        self._outbound = outbound
        self._markets = markets
        self._vault = vault
        self._token = token
        self.url = url
        self._opening = asyncio.Lock()
        self._opened: contextlib.AsyncExitStack | None = None

    @property
    def has_default(self) -> bool:
        """Whether an account is connected without having said anything."""
        return self.url is not None and self._token is not None

    async def market(self, tx: Tx) -> Market | None:
        """The account's Market; None if it is not connected. Asks the Market nothing.

        Raises MarketRefused where the token can't be read any more.
        """
        own = await queries.door(tx)
        url = (own["base_url"] if own is not None else None) or self.url
        token = self._open_token(tx, own["sealed_token"]) if own is not None else self._token
        if url is None or token is None:
            return None
        await self._open()
        return self._markets.at(url, token)

    def _open_token(self, tx: Tx, sealed: str) -> str:
        try:
            return self._vault.open(tx.account_id, sealed)
        except SealBroken:
            raise MarketRefused(UNREADABLE) from None

    async def check_save(self, url: str) -> None:
        """Raises UrlNotAllowed for a base URL that an account may not use; not while a transaction is open."""
        await self._markets.check_save(url)

    def seal(self, tx: Tx, access: MarketAccess) -> str:
        """The token, encrypted for this account."""
        return self._vault.seal(tx.account_id, access.token.get_secret_value())

    async def _open(self) -> None:
        async with self._opening:
            if self._opened is None:
                stack = contextlib.AsyncExitStack()
                await stack.enter_async_context(self._outbound)
                await stack.enter_async_context(self._markets)
                self._opened = stack

    async def close(self) -> None:
        """Hang up; harmless when asked twice."""
        stack, self._opened = self._opened, None
        if stack is not None:
            await stack.aclose()


def doors_of(settings: Settings, secret: bytes, clock: Clock, patience: Patience | None = None) -> Doors:
    """Those of an installation with this secret."""
    outbound = Outbound(settings.outbound_allow)
    markets = Markets(outbound, clock, settings.market_url, patience)
    token = settings.market_token.get_secret_value() if settings.market_token is not None else None
    return Doors(outbound, markets, Vault(derived(secret, "market"), "market tokens"), settings.market_url, token)


def bad_address(message: str = URL_NOT_ALLOWED) -> Problem:
    """The refusal of a base URL."""
    return ValidationFailed([Fault(field="baseUrl", code="not_allowed", message=message)])


async def judged(doors: Doors, url: str | None) -> Problem | None:
    """What is wrong with an address; asked before the transaction, for a name may have to be looked up."""
    if url is None:
        missing = "is needed: this installation has no Market of its own; give its address"
        return None if doors.url is not None else bad_address(missing)
    try:
        await doors.check_save(url)
    except UrlNotAllowed:
        return bad_address()
    return None


_CONNECT = statement(
    """
    insert into market_connections as c (account_id, base_url, sealed_token, created_at, updated_at)
    values ($1, $2, $3, $4, $4)
    on conflict (account_id) do update
        set base_url = excluded.base_url, sealed_token = excluded.sealed_token, updated_at = excluded.updated_at,
            version = c.version + 1
    """
)


async def connect(tx: Tx, access: MarketAccess, refusal: Problem | None, doors: Doors) -> None:
    """Connect the account, in the place of what it was connected to; the token is stored encrypted.

    `refusal` is what was found wrong with the address, raised here: a request that was answered before is not judged
    again.
    """
    if refusal is not None:
        raise refusal
    await _expect(tx)
    url = access.base_url if access.base_url != doors.url else None
    await tx.run(_CONNECT, url, doors.seal(tx, access), tx.now)


_DISCONNECT = statement("delete from market_connections where account_id = $1")


async def disconnect(tx: Tx) -> None:
    """Forget the account's own connection, if it has one; what was taken over stays."""
    await _expect(tx)
    await tx.run(_DISCONNECT)


async def _expect(tx: Tx) -> None:
    own = await queries.door(tx)
    tx.expect(own["version"] if own is not None else 0)
