"""The JSON contract of accounts: signing in and out, the owner's settings, exchange rates and API keys."""

from functools import partial
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Depends, Request, Response
from pydantic import BeforeValidator

from soloist.accounts import actions, keys, mailing, queries, sessions
from soloist.accounts.actor import Identifier, Reader, Writer
from soloist.accounts.model import (
    AccountChange,
    Actor,
    ApiKeyNotFound,
    EmailAlreadyRegistered,
    ForgottenPassword,
    InvalidCredentials,
    NewApiKey,
    PasswordReset,
    RateList,
    Refresh,
    Registration,
    RegistrationClosed,
    SignIn,
    SignOut,
)
from soloist.accounts.shapes import (
    Account,
    ApiKey,
    ApiKeys,
    ExchangeRates,
    MadeApiKey,
    Notice,
    PasswordChanged,
    SignedIn,
    SignedOut,
)
from soloist.accounts.tokens import Tokens, new_key
from soloist.infra import routing
from soloist.infra.changes import Deleted, Found, change, deleted, reading, shown
from soloist.infra.errors import AccessDenied, TokenExpired, Unauthorized
from soloist.infra.http import BASE, JSON, Replay, answer, enveloped
from soloist.infra.ids import new_id
from soloist.infra.mail import mail_server
from soloist.infra.paging import Query

router = routing.router("Account")
KeyId = Annotated[UUID, BeforeValidator(routing.record_id(ApiKeyNotFound))]
NO_TOKEN = SignOut()


@router.post("/auth/register", status_code=201)
@routing.answers(SignedIn, RegistrationClosed, EmailAlreadyRegistered)
async def register(body: Registration, request: Request) -> Response:
    """Open an account and sign in"""
    found = await sessions.register(request.app.state.db, _identifier(request).vault, body)
    return enveloped(found.raw, 201, {"Location": f"{BASE}/me"})


@router.post("/auth/login")
@routing.answers(SignedIn, InvalidCredentials, AccessDenied)
async def login(body: SignIn, request: Request) -> Response:
    """Sign in with e-mail address and password"""
    vault = _identifier(request).vault
    return shown(await sessions.sign_in(request.app.state.db, vault, body, request.state.address))


@router.post("/auth/refresh")
@routing.answers(SignedIn, Unauthorized, TokenExpired, AccessDenied)
async def refresh_tokens(body: Refresh, request: Request) -> Response:
    """Exchange the refresh token for the next pair of tokens; each works once"""
    return shown(await sessions.refresh(request.app.state.db, _identifier(request).vault, body.refresh_token))


@router.post("/auth/logout")
@routing.answers(SignedOut)
async def logout(request: Request, actor: Reader, body: SignOut = NO_TOKEN) -> Response:
    """End the session of the token, and that of the refresh token if one is sent"""
    async with change(request, actor) as tx:
        ended = await sessions.sign_out(tx, _identifier(request).vault.tokens, actor.session_id, body.refresh_token)
        if not ended:
            raise AccessDenied(
                "This credential belongs to no session: delete an API key with DELETE /me/api-keys/:id; "
                "other tokens end by themselves."
            )
        _forget_after(request, actor, tx.after_commit)
        return await tx.answer(200, Found(None, '{"signedOut":true}'))


@router.post("/auth/password/forgot")
@routing.answers(Notice)
async def forgot_password(body: ForgottenPassword, request: Request) -> Response:
    """Ask for a link to set a new password; the answer does not tell whether the address is known"""
    if mail_server(request.app.state.settings) is not None:
        await mailing.ask_reset(request.app.state.db, body.email)
    return answer({"message": "If this address has an account and mail is set up here, a link is on its way."})


@router.post("/auth/password/reset")
@routing.answers(PasswordChanged)
async def reset_password(body: PasswordReset, request: Request) -> Response:
    """Set a new password with a reset token; every session ends"""
    await sessions.reset_password(request.app.state.db, _identifier(request).vault, body.token, body.password)
    return answer({"passwordChanged": True})


@router.get("/me")
@routing.answers(Account)
async def get_account(request: Request, actor: Reader) -> Response:
    """Get the account and its settings"""
    async with reading(request, actor) as tx:
        return shown(await queries.get(tx))


@router.patch("/me")
@routing.answers(Account)
async def update_account(body: AccountChange, request: Request, actor: Writer) -> Response:
    """Change the settings that are sent"""
    async with change(request, actor) as tx:
        await actions.change_account(tx, body)
        _forget_after(request, actor, tx.after_commit)
        return await tx.answer(200, await queries.get(tx))


@router.get("/me/exchange-rates")
@routing.answers(ExchangeRates)
async def get_exchange_rates(request: Request, actor: Reader) -> Response:
    """Get the exchange rates, by currency and day"""
    async with reading(request, actor) as tx:
        return shown(await queries.exchange_rates(tx))


@router.put("/me/exchange-rates")
@routing.answers(ExchangeRates)
async def replace_exchange_rates(body: RateList, request: Request, actor: Writer) -> Response:
    """Replace all exchange rates; amounts in other currencies are converted anew"""
    async with change(request, actor) as tx:
        await actions.set_rates(tx, body.rates)
        return await tx.answer(200, await queries.exchange_rates(tx))


@router.get("/me/api-keys")
@routing.answers(ApiKeys)
async def list_api_keys(
    asked: Annotated[Query, Depends(routing.query(Query))], request: Request, actor: Reader
) -> Response:
    """List the API keys, newest first"""
    async with reading(request, actor) as tx:
        return shown(await queries.list_api_keys(tx))


@router.post("/me/api-keys", status_code=201)
@routing.answers(MadeApiKey)
async def create_api_key(body: NewApiKey, request: Request, actor: Writer) -> Response:
    """Make an API key; this answer alone shows it"""
    _own_hands(actor)
    tokens = _identifier(request).vault.tokens
    try:
        async with change(request, actor) as tx:
            key_id = new_id()
            await keys.make(tx, key_id, body, new_key(tokens.key_seed(key_id)))
            location = f"{BASE}/me/api-keys/{key_id}"
            response = await tx.answer(201, await queries.get_api_key(tx, key_id), location)
    except Replay as replay:
        response = replay.response
    return _with_key(response, tokens)


@router.get("/me/api-keys/{key_id}")
@routing.answers(ApiKey)
async def get_api_key(key_id: KeyId, request: Request, actor: Reader) -> Response:
    """Get an API key, without the key itself"""
    async with reading(request, actor) as tx:
        return shown(await queries.get_api_key(tx, key_id))


@router.delete("/me/api-keys/{key_id}")
@routing.answers(Deleted)
async def delete_api_key(key_id: KeyId, request: Request, actor: Writer) -> Response:
    """End an API key, at once and for good"""
    _own_hands(actor)
    async with change(request, actor) as tx:
        await keys.delete(tx, key_id)
        _forget_after(request, actor, tx.after_commit)
        return await tx.answer(200, deleted(key_id))


def _identifier(request: Request) -> Identifier:
    found: Identifier = request.app.state.identifier
    return found


def _forget_after(request: Request, actor: Actor, after_commit: list[object]) -> None:
    after_commit.append(partial(_identifier(request).forget, actor.account_id))


def _own_hands(actor: Actor) -> None:
    """A key that leaked must not be able to make more keys."""
    if actor.label.startswith("key:"):
        raise AccessDenied("API keys are made and deleted with the token of a signed-in user, not with an API key.")


def _with_key(response: Response, tokens: Tokens) -> Response:
    # The stored answer holds no key: it is put in on the way out, so that also a repeated request gets it.
    envelope = orjson.loads(response.body)
    made = envelope["data"]
    made["key"] = new_key(tokens.key_seed(UUID(made["id"])))
    headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    return Response(orjson.dumps(envelope), response.status_code, headers, JSON)
