"""Where webhooks may go: every way to name a machine inside is refused, and names that turn."""

from __future__ import annotations

import socket

import pytest

from analysis.api.webhooks import addresses
from analysis.api.webhooks.addresses import AddressRefused, parse, resolve

INSIDE = [
    "http://127.0.0.1/",
    "http://127.8.8.8/",
    "http://0.0.0.0/",
    "http://10.0.0.7/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::808:808]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:a00:1::]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://db.localhost/",
    "http://postgres/",
    "http://printer.local/",
    "http://vault.internal/",
]
DISGUISED = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://127.0.0.0x1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127.0.0.1./",
    "http://127.0.0.1%00.example.com/",
    "http://example.com\t@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
]
MALFORMED = [
    "",
    "example.com/hook",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "http://",
    "http:///path",
    "http://example.com:99999/",
    "http://example.com:0/",
    "http://example.com:22/",
    "http://example.com:6379/",
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://@example.com/",
    "http://exa mple.com/",
    "http://example.com/\r\nX-Evil: 1",
    "http://example.com/\x00",
    "http://ex_ample..com/",
    "http://-.com/",
    "http://[::1/",
    "http://[v1.x]/",
    "https://example.com/" + "x" * 500,
    "https://example.com/ü",
]


@pytest.mark.parametrize("url", [*INSIDE, *DISGUISED, *MALFORMED])
def test_refused_in_words(url):
    with pytest.raises(AddressRefused) as refusal:
        parse(url)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path", "header"),
    [
        ("https://example.com/hook?a=1", "https", "example.com", 443, "/hook?a=1", "example.com"),
        ("http://Example.COM", "http", "example.com", 80, "/", "example.com"),
        ("https://bücher.example:8443/x", "https", "xn--bcher-kva.example", 8443, "/x", None),
        ("https://8.8.8.8/", "https", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:4700::1111]/", "https", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
    ],
)
def test_accepted(url, scheme, host, port, path, header):
    target = parse(url)
    assert (target.scheme, target.host, target.port, target.path) == (scheme, host, port, path)
    assert target.host_header == (header or f"{host}:{port}")


def answers(*numbers: str):
    """A name server's answer."""

    def getaddrinfo(host, port, *args, **kwargs):
        return [
            (
                socket.AF_INET6 if ":" in number else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (number, port),
            )
            for number in numbers
        ]

    return getaddrinfo


@pytest.mark.parametrize(
    "numbers",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1"], ["64:ff9b::a00:1"], []],
)
def test_a_name_that_stands_for_an_inside_address_is_refused(monkeypatch, numbers):
    monkeypatch.setattr(addresses.socket, "getaddrinfo", answers(*numbers))
    with pytest.raises(AddressRefused):
        resolve(parse("https://rebound.example.com/"))


def test_a_public_name_gives_its_numbers(monkeypatch):
    monkeypatch.setattr(addresses.socket, "getaddrinfo", answers("8.8.8.8", "2606:4700::1111"))
    assert [str(n) for n in resolve(parse("https://example.com/"))] == [
        "8.8.8.8",
        "2606:4700::1111",
    ]


def test_a_site_may_allow_its_own_network(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert parse("http://127.0.0.1:9000/x").port == 9000
    assert parse("http://collector/x").host == "collector"
    for refused in (
        "http://user@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://168.63.129.16/",
        "http://0.0.0.0/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ):
        with pytest.raises(AddressRefused):
            parse(refused)
