"""Pictures from outside: decoded, shrunk and written anew, so that nothing but pixels remains."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from typing import BinaryIO

from django.core.files.base import ContentFile
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PICTURE_BYTES = 10 * 1024 * 1024
MAX_PICTURE_PIXELS = 50_000_000
PICTURE_SIDE_PX = 1200
_FORMATS = ("JPEG", "PNG", "WEBP")

# Decoding 50 megapixels takes some hundred MB, whatever size the file has.
_one_at_a_time = threading.Lock()


class PictureRefused(Exception):
    """A picture cannot be taken; ``str()`` says what is wrong and what to do."""


def reencode(file: BinaryIO) -> ContentFile[bytes]:
    """A WebP of at most 1200 x 1200 pixels without any metadata.

    Raises
    ------
    PictureRefused
        For files above 10 MB or 50 megapixels, and for what is not a JPEG, PNG or WebP picture.
    """
    data = file.read(MAX_PICTURE_BYTES + 1)
    if len(data) > MAX_PICTURE_BYTES:
        raise PictureRefused("The picture is larger than 10 MB. Save it smaller and try again.")
    try:
        with _one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PICTURE_PIXELS:
                    raise PictureRefused(_too_many_pixels())
                pixels = _small_and_upright(picture)
    except Image.DecompressionBombError as error:
        raise PictureRefused(_too_many_pixels()) from error
    # Pillow leaves all of these behind on one broken file or another.
    except (
        UnidentifiedImageError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise PictureRefused(
            "This is not a picture that can be read. Choose a JPEG, PNG or WebP file."
        ) from error
    clean = Image.new(pixels.mode, pixels.size)
    clean.paste(pixels)
    out = io.BytesIO()
    clean.save(out, "WEBP", quality=86, method=4)
    return ContentFile(out.getvalue(), name="picture.webp")


def _small_and_upright(picture: Image.Image) -> Image.Image:
    """The picture as RGB or RGBA, shrunk before anything else makes a copy of it."""
    transparent = picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info
    picture.draft("RGB", (PICTURE_SIDE_PX, PICTURE_SIDE_PX))
    if picture.mode not in {"RGB", "RGBA"} or "transparency" in picture.info:
        picture = picture.convert("RGBA" if transparent else "RGB")
    picture.thumbnail((PICTURE_SIDE_PX, PICTURE_SIDE_PX))
    return ImageOps.exif_transpose(picture)


def _too_many_pixels() -> str:
    return (
        f"The picture has more than {MAX_PICTURE_PIXELS // 1_000_000} megapixels. "
        "Save it smaller and try again."
    )
