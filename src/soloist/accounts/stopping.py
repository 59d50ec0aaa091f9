"""Mail that is no longer wanted is stopped from the letter itself, without signing in (RFC 8058).

The address is signed for one account and one kind of mail; opening it only asks, for mail filters open links, too.
"""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from soloist.accounts import queries
from soloist.accounts.actions import change_account, nobody_yet
from soloist.accounts.model import AccountChange
from soloist.infra.db import Database
from soloist.infra.errors import NotFound
from soloist.infra.mail import page
from soloist.infra.validation import check
from soloist.mails.model import STOP_PATH, Links, Stoppable

router = APIRouter(include_in_schema=False, redirect_slashes=False)

_ADDRESS = STOP_PATH + "/{what}/{account_id}/{signature}"
_SETTING = {Stoppable.NOTICES: {"emailNotices": False}, Stoppable.DIGEST: {"digestHour": None}}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


@router.get(_ADDRESS)
async def ask_to_stop(what: str, account_id: str, signature: str, request: Request) -> Response:
    """Ask whether the mail is to stop; nothing changes yet."""
    _, stoppable = _signed_for(request, what, account_id, signature)
    return _page(stoppable, done=False)


@router.post(_ADDRESS)
async def stop(what: str, account_id: str, signature: str, request: Request) -> Response:
    """Stop the mail: the setting changes as by PATCH /me. Stopping twice is as good as once."""
    found, stoppable = _signed_for(request, what, account_id, signature)
    db: Database = request.app.state.db
    if await queries.find_holder(db, found) is None:
        raise _missing()
    async with db.changing(nobody_yet(found, "unsubscribe")) as tx:
        await change_account(tx, check(AccountChange, _SETTING[stoppable]))
    return _page(stoppable, done=True)


def _signed_for(request: Request, what: str, account_id: str, signature: str) -> tuple[UUID, Stoppable]:
    links: Links = request.app.state.links
    try:
        found, stoppable = UUID(account_id), Stoppable(what)
    except ValueError:
        raise _missing() from None
    if not links.is_signature(found, stoppable, signature):
        raise _missing()
    return found, stoppable


def _missing() -> NotFound:
    return NotFound("This address is not one of our letters'. Copy it whole, or change the settings with PATCH /me.")


def _page(what: Stoppable, *, done: bool) -> Response:
    return HTMLResponse(page("stop.html", {"what": what, "done": done}), headers=_HEADERS)
