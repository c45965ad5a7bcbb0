"""Byte ranges as RFC 9110 has them, on a real stored file behind the permission check."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.http import http_date

from catalog.streaming import RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-499", (0, 499)),
        ("bytes=500-999", (500, 999)),
        ("bytes=500-", (500, 9999)),
        ("bytes=-500", (9500, 9999)),
        ("bytes=-20000", (0, 9999)),
        ("bytes=9999-", (9999, 9999)),
        ("bytes=9999-99999", (9999, 9999)),
        ("BYTES = 1 - 2", (1, 2)),
        ("bytes=0-0,-1", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1.5-2", None),
        ("bytes=--5", None),
        ("items=0-5", None),
        ("", None),
        ("bytes=0-" + "9" * 5000, None),
        ("bytes=²-³", None),
    ],
)
def test_ranges_of_a_file_of_10000_bytes(header, expected):
    # The first rows are the examples of RFC 9110 section 14.1.2.
    assert parse_range(header, 10_000) == expected


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
def test_ranges_outside_the_file(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10_000)


def test_no_range_of_an_empty_file_can_be_given():
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=-5", 0)


@pytest.fixture
def revision(track):
    return track.revisions.get()


@pytest.fixture
def content(revision):
    with revision.file.open("rb") as file:
        return file.read()


@pytest.fixture
def url(revision):
    return reverse("revision_audio", args=[revision.pk])


def test_the_whole_file(browser, url, content, revision):
    answer = browser.get(url)
    assert answer.status_code == 200
    assert answer.getvalue() == content
    assert answer["Content-Length"] == str(len(content))
    assert answer["Content-Type"] == "audio/wav"
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer["Cache-Control"]
    assert "Content-Disposition" not in answer


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 99), (1000, 65_999), (44, None)])
def test_a_range_gives_exactly_its_bytes(browser, url, content, first, last):
    header = f"bytes={first}-{'' if last is None else last}"
    answer = browser.get(url, headers={"Range": header})
    last = len(content) - 1 if last is None else last
    assert answer.status_code == 206
    assert answer.getvalue() == content[first : last + 1]
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
    assert answer["Content-Length"] == str(last - first + 1)


def test_the_last_bytes(browser, url, content):
    answer = browser.get(url, headers={"Range": "bytes=-10"})
    assert (answer.status_code, answer.getvalue()) == (206, content[-10:])


def test_a_range_behind_the_end_is_416(browser, url, content):
    answer = browser.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "bytes=9-3", "lines=0-1"])
def test_ranges_that_are_ignored_give_the_whole_file(browser, url, content, header):
    answer = browser.get(url, headers={"Range": header})
    assert (answer.status_code, answer.getvalue()) == (200, content)


def test_head_tells_the_length_and_sends_nothing(browser, url, content):
    answer = browser.head(url, headers={"Range": "bytes=0-9"})
    assert answer.status_code == 200
    assert answer["Content-Length"] == str(len(content))
    assert answer["Accept-Ranges"] == "bytes"
    assert answer.content == b""


def test_if_range_with_the_same_tag_or_date_gives_the_range(browser, url, revision):
    whole = browser.get(url)
    for condition in (whole["ETag"], whole["Last-Modified"]):
        answer = browser.get(url, headers={"Range": "bytes=0-9", "If-Range": condition})
        assert answer.status_code == 206, condition


def test_if_range_with_anything_else_gives_the_whole_file(browser, url, revision):
    older = http_date((revision.created_at - timedelta(days=1)).timestamp())
    weak = f'W/"{revision.content_sha256}"'
    for condition in ('"other"', weak, older, "nonsense"):
        answer = browser.get(url, headers={"Range": "bytes=0-9", "If-Range": condition})
        assert answer.status_code == 200, condition


def test_an_unchanged_file_is_304_even_with_a_range(browser, url):
    whole = browser.get(url)
    for name, value in (
        ("If-None-Match", whole["ETag"]),
        ("If-None-Match", f'"x", W/{whole["ETag"]}'),
        ("If-None-Match", "*"),
        ("If-Modified-Since", whole["Last-Modified"]),
    ):
        answer = browser.get(url, headers={name: value, "Range": "bytes=0-9"})
        assert answer.status_code == 304, name
        assert answer["ETag"] == whole["ETag"]
    assert browser.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_download_uses_a_safe_name(browser, url, track):
    track.title = 'Söng "one"/../two\r\n'
    track.save()
    header = browser.get(url, {"download": "1"})["Content-Disposition"]
    assert header.startswith("attachment;")
    assert "/" not in header.replace("utf-8''", "")
    assert "\n" not in header
    assert header.endswith(".wav") or header.endswith('.wav"')


def test_nginx_gets_the_name_and_django_sends_nothing(browser, url, settings, revision):
    settings.MEDIA_ACCEL_PREFIX = "/protected/"
    answer = browser.get(url, headers={"Range": "bytes=0-9"})
    assert answer["X-Accel-Redirect"] == f"/protected/{revision.file.name}"
    assert answer.content == b""
    assert answer["Content-Type"] == "audio/wav"


def test_a_file_that_is_not_there_is_404(browser, url, revision):
    revision.file.storage.delete(revision.file.name)
    assert browser.get(url).status_code == 404


def test_the_body_is_sent_in_pieces(browser, url, content):
    answer = browser.get(url)
    assert max(len(piece) for piece in answer.streaming_content) <= 256 * 1024


def test_who_may_hear(client, url, track, other, login):
    assert client.get(url).status_code == 404
    assert login(other).get(url).status_code == 404
    track.discoverable = True
    track.save()
    assert login(other).get(url).status_code == 200
    assert client.get(url).status_code == 404
    other.user.is_superuser = True
    other.user.save()
    track.discoverable = False
    track.save()
    assert login(other).get(url).status_code == 200


def test_others_hear_only_the_newest_version(url, track, other, login, make_revision):
    track.discoverable = True
    track.save()
    newer = make_revision(track.artist, hz=523.0, track=track)
    assert login(other).get(url).status_code == 404
    assert login(other).get(reverse("revision_audio", args=[newer.pk])).status_code == 200
    assert login(track.artist).get(url).status_code == 200


def test_a_range_of_an_object_in_s3_fetches_only_that_range():
    """django-storages alone would fetch the whole object before the first seek."""
    from botocore.response import StreamingBody
    from botocore.stub import Stubber
    from storages.backends.s3 import S3Storage

    from catalog.streaming import pieces

    storage = S3Storage(
        bucket_name="music", access_key="a", secret_key="b", region_name="eu-central-1"
    )
    content = bytes(range(200))
    with Stubber(storage.connection.meta.client) as stub:
        stub.add_response(
            "get_object",
            {"Body": StreamingBody(io.BytesIO(content[10:110]), 100)},
            {"Bucket": "music", "Key": "audio/1/x", "Range": "bytes=10-109"},
        )
        assert b"".join(pieces(storage, "audio/1/x", first=10, length=100)) == content[10:110]
        stub.assert_no_pending_responses()
