"""Albums: made, changed, put in order."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from catalog import services
from catalog.models import Album, Track
from catalog.pictures import PictureRefused, reencode
from tests.memory import growth_kb

pytestmark = pytest.mark.django_db


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(out, kind, **options)
    return out.getvalue()


def test_a_new_album_with_artwork(browser, artist):
    answer = browser.post(
        reverse("album_new"),
        {
            "title": "First",
            "release_date": "2024-05-06",
            "new_artwork": SimpleUploadedFile("my cover.exe", picture("PNG")),
        },
    )
    album = Album.objects.get()
    assert answer["Location"] == album.get_absolute_url()
    assert (album.title, str(album.release_date), album.artist) == ("First", "2024-05-06", artist)
    art = browser.get(reverse("album_artwork", args=[album.pk]))
    assert art["Content-Type"] == "image/webp"
    assert Image.open(io.BytesIO(art.getvalue())).size == (40, 30)


def test_what_is_not_a_picture_is_refused_with_a_reason(browser):
    files = {
        "text.png": b"this is text",
        "page.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "cut.jpg": picture("JPEG", (400, 400))[:300],
        "anim.gif": picture("GIF"),
    }
    for name, data in files.items():
        answer = browser.post(
            reverse("album_new"), {"title": "x", "new_artwork": SimpleUploadedFile(name, data)}
        )
        assert answer.status_code == 422, name
        assert "Choose a JPEG, PNG or WebP file" in answer.content.decode()
    assert Album.objects.count() == 0


def test_nothing_but_pixels_is_kept():
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    exif[0x0112] = 6  # turned by 90 degrees
    clean = reencode(io.BytesIO(picture("JPEG", (40, 20), exif=exif.tobytes()))).read()
    assert b"secret" not in clean
    with Image.open(io.BytesIO(clean)) as result:
        assert result.size == (20, 40)
        assert not result.getexif()
    with_icc = reencode(io.BytesIO(picture("PNG", icc_profile=b"x" * 500))).read()
    assert b"xxxxx" not in with_icc


def test_a_picture_of_a_palette_is_turned_upright_and_keeps_what_is_transparent():
    exif = Image.Exif()
    exif[0x0112] = 6
    source = Image.new("P", (40, 20))
    source.putpalette([255, 0, 0, 0, 0, 255])
    source.paste(1, (20, 0, 40, 20))
    out = io.BytesIO()
    source.save(out, "PNG", transparency=0, exif=exif.tobytes())
    out.seek(0)
    with Image.open(reencode(out)) as result:
        assert (result.size, result.mode) == ((20, 40), "RGBA")
        assert result.getpixel((10, 5))[3] < 20
        assert result.getpixel((10, 35))[3] > 235


def test_a_huge_picture_in_a_small_file_is_not_copied_again_and_again():
    out = io.BytesIO()
    Image.new("RGB", (5000, 5000), (1, 2, 3)).save(out, "PNG")
    decoded_kb = 5000 * 5000 * 4 >> 10  # Pillow keeps RGB in four bytes
    assert len(out.getvalue()) < 200_000
    out.seek(0)
    assert growth_kb(lambda: reencode(out)) < 1.6 * decoded_kb


def test_bombs_and_giants_are_refused_without_being_decoded():
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    for side in (8_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        bomb += chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
        with pytest.raises(PictureRefused, match="megapixels"):
            reencode(io.BytesIO(bomb))
    with pytest.raises(PictureRefused, match="10 MB"):
        reencode(io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)))


def test_large_pictures_are_shrunk():
    big = reencode(io.BytesIO(picture("JPEG", (3000, 1500)))).read()
    assert Image.open(io.BytesIO(big)).size == (1200, 600)


def test_editing_an_album(browser, artist):
    album = services.create_album(artist=artist, title="Old", artwork=io.BytesIO(picture()))
    url = reverse("album_edit", args=[album.pk])
    browser.post(url, {"title": "New", "remove_artwork": "on"})
    album.refresh_from_db()
    assert (album.title, bool(album.artwork)) == ("New", False)
    assert browser.post(url, {"title": " \x00 "}).status_code == 422
    album.refresh_from_db()
    assert album.title == "New"


def order(album: Album) -> list[str]:
    return [track.title for track in album.tracks.all()]


def test_tracks_move_up_and_down_without_javascript(browser, artist):
    album = services.create_album(artist=artist, title="A")
    for title in "abc":
        Track.objects.create(artist=artist, album=album, title=title, position=1)
    url = reverse("album_track_order", args=[album.pk])
    c = Track.objects.get(title="c")
    browser.post(url, {"track": str(c.pk), "direction": "up"})
    assert order(album) == ["a", "c", "b"]
    browser.post(url, {"track": str(c.pk), "direction": "up"})
    browser.post(url, {"track": str(c.pk), "direction": "up"})
    assert order(album) == ["c", "a", "b"]
    browser.post(url, {"track": str(c.pk), "direction": "down"})
    assert order(album) == ["a", "c", "b"]
    assert browser.post(url, {"track": str(c.pk), "direction": "left"}).status_code == 400
    page = browser.get(album.get_absolute_url()).content.decode()
    assert page.index(">a<") < page.index(">c<") < page.index(">b<")


def test_tracks_are_dragged_into_an_order(browser, artist, other):
    album = services.create_album(artist=artist, title="A")
    tracks = {t: Track.objects.create(artist=artist, album=album, title=t) for t in "abc"}
    url = reverse("album_track_order", args=[album.pk])
    answer = browser.post(url, {"order": [str(tracks[t].pk) for t in "cab"]})
    assert answer.status_code == 204
    assert order(album) == ["c", "a", "b"]
    assert browser.post(url, {"order": ["nonsense"]}).status_code == 400
    stranger = Track.objects.create(artist=other, title="x")
    browser.post(url, {"order": [str(stranger.pk), str(tracks["b"].pk)]})
    assert order(album) == ["b", "c", "a"]
    stranger.refresh_from_db()
    assert (stranger.album, stranger.position) == (None, 0)


def test_albums_have_an_order_too(browser, artist):
    made = {t: services.create_album(artist=artist, title=t) for t in "abc"}
    browser.post(reverse("album_move", args=[made["c"].pk]), {"direction": "up"})
    assert [a.title for a in artist.albums.all()] == ["a", "c", "b"]
    browser.post(reverse("albums_order"), {"order": [str(made[t].pk) for t in "bca"]})
    assert [a.title for a in artist.albums.all()] == ["b", "c", "a"]
    page = browser.get(reverse("albums")).content.decode()
    assert page.count('class="tile"') == 3
