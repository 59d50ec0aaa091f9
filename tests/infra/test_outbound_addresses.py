"""Which addresses are special, and which URLs may be sent to: tables of cases, no socket."""

from ipaddress import ip_network

import pytest

from soloist.infra.outbound import URL_NOT_ALLOWED, UrlNotAllowed, check_url
from soloist.infra.outbound_addresses import address_of, is_allowed, is_special
from soloist.infra.outbound_urls import target_of
from soloist.infra.settings import SettingsInvalid, load

_SPECIAL = """
    0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
    169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.0 192.0.0.9 192.0.0.170 192.0.0.255
    192.0.2.1 192.88.99.0 192.88.99.3 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 224.0.0.1 232.1.1.1 239.255.255.255 240.0.0.1 255.255.255.254 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1
    64:ff9b::127.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 100:0:0:1::1 200::1 400::1
    2001::1 2001:0:53aa:64c:0:0:80ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1 2001:db8::1
    2002:7f00:1::1 2002:808:808::1 3fff::1 3fff:fff::1 4000::1 5f00::1 8000::1 fc00::1 fd00:ec2::254
    fe80::1 fe80::1%lo febf::1 fec0::1 ff02::1 ff0e::1
    2606:4700::5efe:127.0.0.1 2606:4700::200:5efe:10.0.0.1 2606:4700::1%eth0 ::ffff:8.8.8.8%1
"""
SPECIAL = _SPECIAL.split()

_PUBLIC = """
    1.0.0.1 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255
    192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255
    203.0.114.0 223.255.255.255 ::ffff:8.8.8.8 2000::1 2001:200::1 2001:470::1 2001:db7:ffff::1 2001:db9::1
    2003::1 2606:4700:4700::1111 2a00:1450:4001::1 3ffe::1 2606:4700::5efe:8.8.8.8
"""
PUBLIC = _PUBLIC.split()


@pytest.mark.parametrize("text", SPECIAL)
def test_special_address_is_refused(text: str) -> None:
    assert is_special(address_of(text))
    assert not is_allowed(address_of(text), ())


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_allowed(text: str) -> None:
    assert not is_special(address_of(text))
    assert is_allowed(address_of(text), ())


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "8.8.8.8"])
def test_networks_of_the_operator_win(text: str) -> None:
    allow = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert is_allowed(address_of(text), allow)


@pytest.mark.parametrize("text", ["10.2.0.1", "127.0.0.1", "fe80::1", "fd00::1%lo"])
def test_networks_of_the_operator_allow_nothing_else(text: str) -> None:
    assert not is_allowed(address_of(text), (ip_network("10.1.0.0/16"), ip_network("fd00::/8")))


USABLE = {
    "https://example.com": ("example.com", 443, "/"),
    "HTTPS://Example.COM/Hook": ("example.com", 443, "/Hook"),
    "https://example.com./hook": ("example.com", 443, "/hook"),
    "https://example.com?key=1": ("example.com", 443, "/?key=1"),
    "https://example.com/hook?a=1&b=%20#part": ("example.com", 443, "/hook?a=1&b=%20"),
    "https://example.com:8443/a@b:c": ("example.com", 8443, "/a@b:c"),
    "https://example.com:443/": ("example.com", 443, "/"),
    "https://my_host-1.example.com/": ("my_host-1.example.com", 443, "/"),
    "https://bücher.example/ä?ü": ("xn--bcher-kva.example", 443, "/%C3%A4?%C3%BC"),
    "https://8.8.8.8/hook": ("8.8.8.8", 443, "/hook"),
    "https://134744072/hook": ("8.8.8.8", 443, "/hook"),
    "https://[2606:4700:4700:0::1111]:8443/": ("2606:4700:4700::1111", 8443, "/"),
    "https://[::ffff:8.8.8.8]/": ("8.8.8.8", 443, "/"),
    "https://localhost.example.com/": ("localhost.example.com", 443, "/"),
    "https://1password.com/": ("1password.com", 443, "/"),
    "https://example.com/" + "a" * 2028: ("example.com", 443, "/" + "a" * 2028),
}


@pytest.mark.parametrize("url", USABLE)
def test_public_address_can_be_saved(url: str) -> None:
    check_url(url, ())
    target = target_of(url)
    assert (target.host, target.port, target.path) == USABLE[url]


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://example.com:443/", "example.com"),
        ("https://example.com:80/", "example.com:80"),
        ("http://example.com/", "example.com"),
        ("https://[2606:4700::1]:8443/", "[2606:4700::1]:8443"),
        ("https://[::ffff:8.8.8.8]/", "8.8.8.8"),
    ],
)
def test_host_header_names_the_port_where_it_is_not_the_usual(url: str, authority: str) -> None:
    assert target_of(url).authority == authority


# Each of these must be refused, whatever it leads to; most were ways round some other guard.
REFUSED_URLS = [
    *(f"https://[{text}]/" if ":" in text else f"https://{text}/" for text in SPECIAL),
    *(f"https://{host}:8600/" for host in ("127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F000001", "0x7f.1")),
    *(f"https://{host}:8600/" for host in ("0177.0.0.1", "0177.1", "017700000001", "127.000.000.001", "127.0.0.1.")),
    *(f"https://{host}:8600/" for host in ("0", "0x0", "00", "3232235521", "0xa9fea9fe", "0251.0376.0251.0376")),
    *(
        f"https://{host}:8600/"
        for host in (
            "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
            "\u2460\u2461\u2466.0.0.1",
            "127\u30020\u30020\u30021",
            "0x7f\u30021",
            "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
        )
    ),
    *(f"https://{host}:8600/" for host in ("localhost", "LOCALHOST", "localhost.", "LocalHost.", "db.localhost")),
    *(f"https://{host}/" for host in ("%31%32%37.0.0.1", "127%2e0%2e0%2e1", "localhost%00.example.com", "%6c%6f")),
    *(f"https://{host}/" for host in ("1.2.3.256", "1.2.3.4.5", "4294967296", "08.0.0.1", "0x", "example.0x7f")),
    *(f"https://{host}/" for host in ("[::1", "::1", "[::1]x", "[]", "[v1.a]", "[127.0.0.1]", "[fe80::1%25lo]")),
    *(f"https://{host}/" for host in ("", ".", "a..b", ".example.com", "example..", "-a.example", "a-.example", "a,b")),
    *(
        f"https://{host}/"
        for host in ("a" * 64 + ".example", ".".join(["abc"] * 64), "exa mple.com", "exa\u00admple..")
    ),
    *(
        f"https://example.com:{port}/"
        for port in ("0", "22", "25", "1023", "65536", "99999", "-1", "a", "\uff14\uff14\uff13", "+443")
    ),
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com:80@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1?@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https:///example.com/",
    "https:example.com/",
    "https:/example.com/",
    "//example.com/",
    "example.com",
    "",
    " https://example.com/",
    "https://example.com/ ",
    "https://example.com/a b",
    "https://example.com/\tb",
    "ht\ntps://example.com/",
    "https://example.com/\r\nX-Injected: 1",
    "https://example.com\x00.evil.example/",
    "https://example.com/\x7f",
    "https://example.com/\ud800",
    "https://exa\u2028mple.com/",
    "https://example.com\uff0f@127.0.0.1/",
    "https://example.com\uff1a443/",
    "http\u017f://example.com/",
    "gopher://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,hello",
    "unix:///var/run/docker.sock",
    "ws://example.com/",
    "http://example.com/",
    "http://8.8.8.8/",
    "http://localhost/",
    "https://example.com/" + "a" * 2029,
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_doubtful_or_special_url_is_refused_with_one_sentence(url: str) -> None:
    with pytest.raises(UrlNotAllowed) as refused:
        check_url(url, ())
    assert str(refused.value) == URL_NOT_ALLOWED


LAN = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5678/hook",
        "http://0x7f.1:5678/",
        "http://[::1]/",
        "http://localhost:5678/",
        "http://n8n.lan/",  # a name is judged when it is resolved
        "https://10.0.0.1/",
        "https://8.8.8.8/",
    ],
)
def test_operators_networks_can_be_saved_also_with_http(url: str) -> None:
    check_url(url, LAN)


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "http://192.168.0.1/", "https://192.168.0.1/", "http://10.0.0.1:22/"]
)
def test_allowed_networks_allow_no_other(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        check_url(url, LAN)


def test_nothing_is_allowed_by_default() -> None:
    assert load({}).outbound_allow == ()


def test_allowed_networks_are_read_from_the_environment() -> None:
    settings = load({"SOLOIST_OUTBOUND_ALLOW": "127.0.0.0/8, fd00::/8"})
    assert settings.outbound_allow == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    with pytest.raises(SettingsInvalid, match="SOLOIST_OUTBOUND_ALLOW"):
        load({"SOLOIST_OUTBOUND_ALLOW": "10.0.0.1/8"})
