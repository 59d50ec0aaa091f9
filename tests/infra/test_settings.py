"""Settings: from the command line, the environment, a file, the defaults; what is not understood stops the start."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from soloist.infra.settings import Rate, Settings, SettingsInvalid, load

MINUTE = 60


def test_nothing_set_gives_the_documents_limits() -> None:
    settings = load({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8600)
    assert settings.rates() == {
        **settings.rates(),
        "read": Rate(100, MINUTE),
        "write": Rate(50, MINUTE),
        "sync": Rate(5, MINUTE),
    }
    assert settings.registration == "first"
    assert settings.max_body_bytes == 1024 * 1024


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/minute", Rate(100, 60)),
        ("1/second", Rate(1, 1)),
        ("5000/hour", Rate(5000, 3600)),
        ("999999999/day", Rate(999_999_999, 86_400)),
        (" 7/MINUTE ", Rate(7, 60)),
        ("off", None),
        ("OFF", None),
    ],
)
def test_rates_are_read_as_written(text: str, rate: Rate | None) -> None:
    settings = load({"SOLOIST_RATE_LIMIT_READ": text})
    assert settings.rate_limit_read == rate
    assert settings.rates()["read"] == rate


BAD: dict[str, tuple[Mapping[str, str], list[str]]] = {
    "unknown name": ({"SOLOIST_RATE_LIMIT_RED": "1/minute"}, ["SOLOIST_RATE_LIMIT_RED", "SOLOIST_RATE_LIMIT_READ"]),
    "unknown, nothing like it": ({"SOLOIST_COLOUR": "red"}, ["SOLOIST_COLOUR", "no such setting"]),
    "rate without a unit": ({"SOLOIST_RATE_LIMIT_READ": "100"}, ["SOLOIST_RATE_LIMIT_READ", "100/minute", "off"]),
    "rate of zero": ({"SOLOIST_RATE_LIMIT_READ": "0/minute"}, ["SOLOIST_RATE_LIMIT_READ", "100/minute"]),
    "rate per week": ({"SOLOIST_RATE_LIMIT_WRITE": "5/week"}, ["SOLOIST_RATE_LIMIT_WRITE", "minute, hour or day"]),
    "negative rate": ({"SOLOIST_RATE_LIMIT_SYNC": "-5/minute"}, ["SOLOIST_RATE_LIMIT_SYNC"]),
    "empty rate": ({"SOLOIST_RATE_LIMIT_READ": ""}, ["SOLOIST_RATE_LIMIT_READ"]),
    "port in words": ({"SOLOIST_PORT": "http"}, ["SOLOIST_PORT", "integer"]),
    "port too high": ({"SOLOIST_PORT": "65536"}, ["SOLOIST_PORT", "65535"]),
    "negative port": ({"SOLOIST_PORT": "-1"}, ["SOLOIST_PORT", "0"]),
    "registration": ({"SOLOIST_REGISTRATION": "no"}, ["SOLOIST_REGISTRATION", "first", "open", "closed"]),
    "no pool": ({"SOLOIST_POOL_SIZE": "0"}, ["SOLOIST_POOL_SIZE", "1"]),
    "no workers": ({"SOLOIST_WORKERS": "0"}, ["SOLOIST_WORKERS", "1"]),
    "short secret": ({"SOLOIST_SECRET": "x" * 31}, ["SOLOIST_SECRET", "32"]),
    "log level": ({"SOLOIST_LOG_LEVEL": "loud"}, ["SOLOIST_LOG_LEVEL", "debug"]),
    "body too small": ({"SOLOIST_MAX_BODY_BYTES": "10"}, ["SOLOIST_MAX_BODY_BYTES", "1024"]),
    "proxies": ({"SOLOIST_TRUSTED_PROXIES": "localhost"}, ["SOLOIST_TRUSTED_PROXIES", "CIDR"]),
    "proxies with host bits": ({"SOLOIST_TRUSTED_PROXIES": "10.0.0.1/8"}, ["SOLOIST_TRUSTED_PROXIES", "CIDR"]),
    "secret of a platform alone": ({"SOLOIST_TOKEN_SECRET": "x" * 32}, ["SOLOIST_TOKEN_ISSUER"]),
    "platform without an audience": (
        {"SOLOIST_TOKEN_ISSUER": "p", "SOLOIST_TOKEN_SECRET": "x" * 32}, ["SOLOIST_TOKEN_AUDIENCE"]
    ),
    "two keys of a platform": (
        {"SOLOIST_TOKEN_ISSUER": "p", "SOLOIST_TOKEN_AUDIENCE": "a", "SOLOIST_TOKEN_SECRET": "x" * 32,
         "SOLOIST_TOKEN_JWKS_URL": "https://p.example/keys"},
        ["exactly one of SOLOIST_TOKEN_SECRET and SOLOIST_TOKEN_JWKS_URL"],
    ),
    "short secret of a platform": (
        {"SOLOIST_TOKEN_ISSUER": "p", "SOLOIST_TOKEN_AUDIENCE": "a", "SOLOIST_TOKEN_SECRET": "é" * 15},
        ["SOLOIST_TOKEN_SECRET", "32 bytes"],
    ),
    "several at once": (
        {"SOLOIST_PORT": "x", "SOLOIST_POOL_SIZE": "0", "SOLOIST_NO": "1"},
        ["SOLOIST_PORT", "SOLOIST_POOL_SIZE", "SOLOIST_NO"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "says"), BAD.values(), ids=BAD)
def test_bad_setting_is_named_with_what_is_allowed(environ: Mapping[str, str], says: list[str]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(environ)
    for words in says:
        assert words in str(caught.value)


def test_secret_is_not_shown_when_refused_or_printed() -> None:
    short, whole = "hunter2hunter2", "correct-horse-battery-staple-0123456789"
    with pytest.raises(SettingsInvalid) as caught:
        load({"SOLOIST_SECRET": short})
    assert short not in str(caught.value)
    settings = load({"SOLOIST_SECRET": whole, "DATABASE_URL": f"postgresql://u:{whole}@h/d"})
    assert whole not in repr(settings)
    assert whole not in settings.model_dump_json()


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "soloist.toml"
    file.write_text('port = 1\nhost = "file"\nlog_level = "debug"\nrate_limit_read = "5/second"\n')
    environ = {"SOLOIST_CONFIG": str(file), "SOLOIST_PORT": "2", "SOLOIST_HOST": "environment"}
    settings = load(environ, port=3, host=None)
    assert (settings.port, settings.host, settings.log_level) == (3, "environment", "debug")
    assert settings.rate_limit_read == Rate(5, 1)
    assert settings.pool_size == Settings().pool_size


def test_bad_setting_is_looked_for_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "soloist.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(SettingsInvalid, match=f"prot in {file}.*SOLOIST_PORT"):
        load({"SOLOIST_CONFIG": str(file)})
    with pytest.raises(SettingsInvalid, match="--pool-size"):
        load({}, pool_size=0)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "can't be read"), (b"port = ", "not valid TOML"), (b"\xff", "not valid TOML")]
)
def test_unreadable_file_stops_the_start(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "soloist.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=says):
        load({"SOLOIST_CONFIG": str(file)})


def test_other_programs_settings_are_none_of_ours() -> None:
    load({"PATH": "/bin", "SOLOISTS": "x", "SOLOIST_TEST_ANYTHING": "x"})


def test_networks_are_read_one_by_one() -> None:
    settings = load({"SOLOIST_TRUSTED_PROXIES": "10.0.0.0/8, ::1,192.0.2.7 ,"})
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("192.0.2.7/32"))


def test_database_url_is_read_by_both_names() -> None:
    for environ in ({"DATABASE_URL": "postgresql:///x"}, {"SOLOIST_DATABASE_URL": "postgresql:///x"}):
        url = load(environ).database_url
        assert url is not None
        assert url.get_secret_value() == "postgresql:///x"


def test_settings_can_not_be_changed_later() -> None:
    settings = load({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_settings_survive_being_handed_to_another_process() -> None:
    given = {"SOLOIST_RATE_LIMIT_READ": "7/hour", "SOLOIST_RATE_LIMIT_WRITE": "off", "SOLOIST_PORT": "9000"}
    settings = load(given)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
