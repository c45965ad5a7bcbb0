"""One message to a real server: what it carries, and receivers that behave badly."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from analysis.api.webhooks import addresses, sending, signing
from tests.analysis.api.receiver import Receiver


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    receiver = Receiver()
    yield receiver
    receiver.close()


def post(url: str, **options):
    return sending.post(url, headers={"X-Mark": "1"}, body=b'{"a":1}', **options)


def test_the_signature_is_that_of_the_specifications_example():
    # https://www.standardwebhooks.com and the reference libraries' tests.
    signature = signing.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_both_secrets_sign_while_both_count():
    secrets = [signing.new_secret(), signing.new_secret()]
    header = signing.signatures(secrets, message_id="msg_1", timestamp=5, body=b"x")
    expected = []
    for secret in secrets:
        key = base64.b64decode(secret[len("whsec_") :])
        assert len(key) == 32
        mac = hmac.new(key, b"msg_1.5.x", hashlib.sha256).digest()
        expected.append("v1," + base64.b64encode(mac).decode())
    assert header.split(" ") == expected


def test_a_sealed_secret_opens_only_with_a_key_of_the_site(settings):
    sealed = signing.seal("whsec_abc")
    assert "abc" not in sealed
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key"
    assert signing.unseal(sealed) == "whsec_abc"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(signing.SecretUnreadable):
        signing.unseal(sealed)


def test_what_arrives(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    answer = post(receiver.url("/ok?x=1"))
    assert (answer.status, answer.excerpt, answer.error) == (200, "thank you", "")
    (taken,) = receiver.taken
    assert taken.body == b'{"a":1}'
    assert taken.path == "/ok?x=1"
    assert taken.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert taken.headers["X-Mark"] == "1"
    assert taken.headers["User-Agent"] == "SonicVisionPro-Webhooks/1"


def test_a_refusal_is_kept_for_people(receiver):
    answer = post(receiver.url("/status/503?120"))
    assert (answer.status, answer.excerpt) == (503, "no  thank you")
    assert answer.error == "It answered 503."
    assert answer.retry_after_s == 120


def test_redirects_are_not_followed(receiver):
    inside = Receiver()
    answer = post(receiver.url(f"/redirect?{inside.url('/ok')}"))
    inside.close()
    assert answer.status == 307
    assert "redirect" in answer.error
    assert inside.taken == []


def test_a_private_address_is_not_even_connected_to(receiver, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = False
    settings.WEBHOOK_PORTS = [str(receiver.port)]
    answer = post(receiver.url("/ok"))
    assert answer.status is None
    assert "public internet" in answer.error
    assert receiver.taken == []


def test_a_name_that_turns_inside_between_two_questions_is_asked_only_once(
    receiver, settings, monkeypatch
):
    """DNS rebinding: the checked numbers are connected to, whatever the next answer would be."""
    asked = []

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        number = "127.0.0.1" if len(asked) == 1 else "127.66.66.66"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    answer = post(receiver.url("/ok", host="turning.example.com"))
    assert answer.taken, answer
    assert asked == ["turning.example.com"]
    assert receiver.taken[0].headers["Host"] == f"turning.example.com:{receiver.port}"
    # And where the network is not allowed, the first answer is enough to refuse it.
    settings.WEBHOOK_ALLOW_PRIVATE = False
    settings.WEBHOOK_PORTS = [str(receiver.port)]
    assert "public internet" in post(receiver.url("/ok", host="turning.example.com")).error
    assert len(receiver.taken) == 1


def test_the_peer_is_looked_at_once_more(receiver, settings, monkeypatch):
    """Should a check of numbers ever be wrong, the connected socket's own word counts."""
    settings.WEBHOOK_ALLOW_PRIVATE = False
    settings.WEBHOOK_PORTS = [str(receiver.port)]
    monkeypatch.setattr(addresses, "resolve", lambda target: [ipaddress.ip_address("127.0.0.1")])
    answer = post(receiver.url("/ok", host="fooled.example.com"))
    assert "public internet" in answer.error
    assert receiver.taken == []


@pytest.mark.parametrize("path", ["/drip", "/drip_headers", "/silent"])
def test_a_slow_answer_is_cut_off_as_a_whole(receiver, path):
    started = time.monotonic()
    answer = post(receiver.url(path), total_s=0.6)
    assert 0.5 < time.monotonic() - started < 30.0  # they would go on for ever
    assert "within" in answer.error
    assert not answer.taken


def test_an_answer_without_end_is_read_only_to_a_limit(receiver):
    answer = post(receiver.url("/huge"))
    assert answer.status == 200
    assert answer.taken
    assert len(answer.excerpt) == 1_000
    assert answer.duration_ms < 2_000


def test_no_http_and_no_server(receiver):
    assert post(receiver.url("/broken")).error == "What came back is not an HTTP answer."
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/").error == "No connection: Connection refused."


def test_tls_speaks_to_the_name_at_the_checked_number(settings, tmp_path, monkeypatch):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    certificate, key = self_signed("hooks.example.com", tmp_path)
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    receiver = Receiver(context)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real("127.0.0.1", *a, **k))
    try:
        refused = post(receiver.url("/ok", host="hooks.example.com"))
        assert "certificate was not accepted" in refused.error
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert post(receiver.url("/ok", host="hooks.example.com")).taken
        wrong = post(receiver.url("/ok", host="other.example.com"))
        assert "certificate was not accepted" in wrong.error
    finally:
        receiver.close()
    assert names == ["hooks.example.com", "hooks.example.com", "other.example.com"]
    assert len(receiver.taken) == 1


def self_signed(name: str, folder):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
