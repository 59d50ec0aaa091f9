"""The settings: one frozen object, read once at start from the environment and an optional TOML file.

The environment wins over the file. A name or value that is not understood stops the start with the name
and what is allowed.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import getaddresses
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)

from soloist.infra.clock import Clock, shifted

PREFIX = "SOLOIST_"
TEST_PREFIX = "SOLOIST_TEST_"  # read by the test set-up only


class SettingsInvalid(Exception):
    """The settings can't be used; the message names each bad one and what is allowed."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` requests in any window of `seconds`."""

    amount: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.amount}/{_UNIT_NAMES.get(self.seconds, f'{self.seconds}s')}"


_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_UNIT_NAMES = {seconds: name for name, seconds in _UNITS.items()}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")


def _rate(value: object) -> Rate | None:
    if isinstance(value, Rate):
        return value
    text = str(value).strip().lower()
    if text == "off":
        return None
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError("write a number per second, minute, hour or day, such as '100/minute', or 'off'")
    return Rate(int(found[1]), _UNITS[found[2]])


def _networks(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("write networks as CIDR, separated by commas, such as '10.0.0.0/8,127.0.0.1/32'")
    try:
        return tuple(ip_network(str(part).strip()) for part in parts if str(part).strip())
    except ValueError as fault:
        raise ValueError(f"{fault}: write networks as CIDR, such as '10.0.0.0/8'") from None


def _origin(value: object) -> object:
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("write an address such as 'https://crm.example.com', without a user or a query")
    return text


def _sender(value: object) -> object:
    text = str(value).strip()
    found = [address for _, address in getaddresses([text])]
    # No stricter than that: the domain may be one that only the mail server knows.
    if not (text.isprintable() and len(found) == 1 and re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", found[0])):
        raise ValueError("write an address such as 'crm@example.com' or 'Soloist <crm@example.com>'")
    return text


Sender = Annotated[str, BeforeValidator(_sender)]
WebOrigin = Annotated[str, BeforeValidator(_origin)]
RateSetting = Annotated[Rate | None, BeforeValidator(_rate), PlainSerializer(lambda rate: str(rate) if rate else "off")]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]


class Settings(BaseModel):
    """Every setting, with its default. The environment name is SOLOIST_ and the field in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8600, ge=0, le=65535, description="port to listen on; 0 lets the system choose")
    data_dir: Path = Field(Path("soloist-data"), description="folder for the database, secrets and documents")
    database_url: SecretStr | None = Field(
        None,
        description="another PostgreSQL (15 or newer) instead of the embedded one; also read from DATABASE_URL",
    )
    secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="signing secret, the same on every machine; else made once in the data folder",
    )
    pg_bin: Path | None = Field(None, description="folder with PostgreSQL's programs, instead of the bundled ones")
    workers: int = Field(1, ge=1, le=64, description="server processes")
    pool_size: int = Field(10, ge=1, le=200, description="database connections per server process")
    pool_wait_seconds: float = Field(1.5, gt=0, le=60, description="wait for a free connection before answering 503")

    clock_offset: int = Field(
        0,
        ge=-(2**32),
        le=2**32,
        description="seconds the clock is set ahead (negative: back), as by `serve --now`; only with demo data",
    )

    registration: Literal["first", "open", "closed"] = Field(
        "first", description="who may register: until one account exists, anybody, or nobody"
    )
    token_issuer: str | None = Field(None, description="issuer (iss) of a platform whose tokens are accepted")
    token_audience: str | None = Field(None, description="audience (aud) such tokens must name")
    token_secret: SecretStr | None = Field(None, description="shared secret of that platform, at least 32 bytes")
    token_jwks_url: str | None = Field(None, description="address of that platform's public keys, instead of a secret")

    rate_limit_read: RateSetting = Field(Rate(100, 60), description="GET requests of an account")
    rate_limit_write: RateSetting = Field(
        Rate(50, 60), description="POST, PATCH, PUT and DELETE requests of an account"
    )
    rate_limit_sync: RateSetting = Field(Rate(5, 60), description="sync requests of an account")
    rate_limit_anonymous: RateSetting = Field(Rate(300, 60), description="requests of an address without a valid token")
    trusted_proxies: Networks = Field((), description="networks whose X-Forwarded-For is believed")
    outbound_allow: Networks = Field(
        (), description="networks that webhooks may reach although private, such as '127.0.0.0/8'; also by plain http"
    )

    reminder_overdue_hours: int = Field(
        24, ge=1, le=8760, description="hours after which an open reminder is announced as overdue"
    )

    password_memory_kib: int = Field(65536, ge=8, le=1048576, description="argon2id memory for one password hash")
    password_passes: int = Field(3, ge=1, le=20, description="argon2id passes")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="largest JSON body")

    public_url: WebOrigin | None = Field(
        None, description="address under which people reach this server, for links; else the one a request came to"
    )
    max_upload_bytes: int = Field(
        50 * 1024 * 1024, ge=1024, le=1024 * 1024 * 1024, description="largest file of a document"
    )
    upload_stall_seconds: int = Field(
        60, ge=1, le=3600, description="seconds without a byte after which an upload is cut off"
    )
    s3_bucket: str | None = Field(
        None, min_length=3, max_length=63, description="bucket for documents, instead of the data folder"
    )
    s3_endpoint: WebOrigin | None = Field(None, description="address of an S3-compatible store; else AWS")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_access_key: str | None = Field(None, description="access key; else found where AWS's own programs look")
    s3_secret_key: SecretStr | None = Field(None, description="secret key that goes with the access key")

    smtp_host: str | None = Field(None, min_length=1, description="mail server; without one, no mail is sent")
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="its port; else 587 with starttls, 465 with tls, 25 with none"
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection is encrypted: after the greeting, from the start, or not at all"
    )
    smtp_user: str | None = Field(None, min_length=1, description="user to sign in as at the mail server")
    smtp_password: SecretStr | None = Field(None, description="password that goes with the user")
    smtp_from: Sender | None = Field(None, description="address that mail comes from, with or without a name")

    market_url: WebOrigin | None = Field(
        None, description="address of the Market that accounts without one of their own are connected to"
    )
    market_token: SecretStr | None = Field(
        None, min_length=1, description="token for that Market: every such account reads as its freelancer"
    )

    def clock(self) -> Clock:
        """What everything takes the time from."""
        return shifted(timedelta(seconds=self.clock_offset))

    def rates(self) -> dict[str, Rate | None]:
        """The rate limits by class; None where a class is not limited."""
        return {
            "read": self.rate_limit_read,
            "write": self.rate_limit_write,
            "sync": self.rate_limit_sync,
            "anonymous": self.rate_limit_anonymous,
        }

    @model_validator(mode="after")
    def _bucket_is_whole(self) -> Self:
        given = self.s3_access_key is not None
        if given != (self.s3_secret_key is not None):
            raise ValueError("set both of SOLOIST_S3_ACCESS_KEY and SOLOIST_S3_SECRET_KEY, or neither")
        if self.s3_bucket is None and (given or self.s3_endpoint is not None):
            raise ValueError("SOLOIST_S3_BUCKET is needed with the other S3 settings")
        return self

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("set both of SOLOIST_SMTP_USER and SOLOIST_SMTP_PASSWORD, or neither")
        if self.smtp_host is None:
            if {"smtp_port", "smtp_security", "smtp_user", "smtp_from"} & _chosen(self):
                raise ValueError("SOLOIST_SMTP_HOST is needed with the other SMTP settings")
        elif self.smtp_from is None:
            raise ValueError("SOLOIST_SMTP_FROM is needed with SOLOIST_SMTP_HOST")
        elif self.smtp_security == "none" and self.smtp_user is not None and not _is_loopback(self.smtp_host):
            raise ValueError(
                "SOLOIST_SMTP_SECURITY=none would send the password readable over the network: "
                "use starttls or tls, or leave out SOLOIST_SMTP_USER"
            )
        return self

    @model_validator(mode="after")
    def _market_is_whole(self) -> Self:
        if self.market_token is not None and self.market_url is None:
            raise ValueError("SOLOIST_MARKET_URL is needed with SOLOIST_MARKET_TOKEN")
        return self

    @model_validator(mode="after")
    def _platform_is_whole(self) -> Self:
        given = [self.token_secret is not None, self.token_jwks_url is not None]
        if self.token_issuer is None and any(given):
            raise ValueError("SOLOIST_TOKEN_ISSUER is needed with a token secret or a JWKS address")
        if self.token_issuer is not None:
            if sum(given) != 1:
                raise ValueError("set exactly one of SOLOIST_TOKEN_SECRET and SOLOIST_TOKEN_JWKS_URL for the issuer")
            if not self.token_audience:
                raise ValueError("SOLOIST_TOKEN_AUDIENCE is needed with SOLOIST_TOKEN_ISSUER")
        if self.token_secret is not None and len(self.token_secret.get_secret_value().encode()) < 32:
            raise ValueError("SOLOIST_TOKEN_SECRET is too short: at least 32 bytes")
        return self


def _chosen(settings: Settings) -> set[str]:
    return {name for name, field in Settings.model_fields.items() if getattr(settings, name) != field.default}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def load(environ: Mapping[str, str] | None = None, **given: object) -> Settings:
    """The settings from `given` (command line), the environment, the TOML file, the defaults; first found wins.

    SOLOIST_CONFIG names the file. Raises SettingsInvalid that names each unknown or bad setting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    if config := environ.get(f"{PREFIX}CONFIG"):
        for name, value in _from_file(Path(config)).items():
            values[name], origin[name] = value, f"{name} in {config}"
    if url := environ.get("DATABASE_URL"):
        values["database_url"], origin["database_url"] = url, "DATABASE_URL"
    for key, value in environ.items():
        if key.startswith(PREFIX) and not key.startswith(TEST_PREFIX) and key != f"{PREFIX}CONFIG":
            name = key.removeprefix(PREFIX).lower()
            values[name], origin[name] = value, key
    for name, chosen in given.items():
        if chosen is not None:
            values[name], origin[name] = chosen, f"--{name.replace('_', '-')}"
    try:
        return Settings(**values)
    except ValidationError as fault:
        raise SettingsInvalid(_explain(fault, origin)) from None


def _from_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise SettingsInvalid(f"SOLOIST_CONFIG: {path} can't be read: {fault.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingsInvalid(f"SOLOIST_CONFIG: {path} is not valid TOML: {fault}.") from None


def _explain(fault: ValidationError, origin: Mapping[str, str]) -> str:
    lines = []
    for error in fault.errors(include_url=False):
        name = str(error["loc"][0]) if error["loc"] else ""
        shown = origin.get(name, f"{PREFIX}{name.upper()}")
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
            lines.append(f"{shown}: there is no such setting{hint}")
        elif not name:
            lines.append(error["msg"].removeprefix("Value error, "))
        else:
            lines.append(f"{shown}: {error['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
