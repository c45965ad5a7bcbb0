"""The demo discography: 28 generated tracks of the package ``immich-memories-music`` (MIT).

Demo accounts have a published password; they exist only where ``settings.DEMO`` is on.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from catalog import services
from catalog.models import Artist, Role, Track, UploadState, User
from catalog.names import clean_text

PASSWORD = "sonic-demo"
ARTWORK_SIDE_PX = 600
_PACKAGE = "immich_memories_music"

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class DemoAccount:
    """A log-in that is printed when the demo is loaded."""

    email: str
    role: Role
    artist_name: str = ""
    superuser: bool = False
    bio: str = ""
    style: str = ""


ACCOUNTS = (
    DemoAccount(
        "artist@demo.local",
        Role.ARTIST,
        "Paper Lanterns",
        bio="Guitars, piano and brushes, recorded close. A demo artist: the music is generated.",
        style="acoustic",
    ),
    DemoAccount(
        "second@demo.local",
        Role.ARTIST,
        "Neon Harbor",
        bio="Drum machines and slow pads by the water. A demo artist: the music is generated.",
        style="electronic",
    ),
    DemoAccount("admin@demo.local", Role.ARTIST, "Demo Admin", superuser=True),
    DemoAccount("labeller@demo.local", Role.LABELLER),
    DemoAccount("partner@demo.local", Role.PARTNER),
)

# mood: (album of the acoustic artist, album of the electronic artist, dark colour, bright colour)
_ALBUMS: dict[str, tuple[str, str, Colour, Colour]] = {
    "calm": ("Still Water", "Low Tide", (14, 38, 52), (96, 170, 176)),
    "energetic": ("Kindling", "Overdrive Pier", (58, 16, 24), (240, 110, 62)),
    "happy": ("Open Windows", "Sunday Arcade", (66, 40, 12), (250, 196, 92)),
    "nostalgic": ("Attic Tapes", "Long Exposure", (38, 26, 52), (186, 130, 168)),
    "tender": ("Letters Home", "Soft Signals", (52, 22, 40), (240, 154, 154)),
}

_TITLES = {
    "calm_acoustic_1": "Morning on the Lake",
    "calm_acoustic_s411": "Reeds",
    "calm_acoustic_s522": "Slow Ferry",
    "calm_electronic_s411": "Harbor Lights, Far Off",
    "calm_electronic_s522": "Moorings",
    "energetic_acoustic_1": "Downhill",
    "energetic_acoustic_2": "Sparks on Gravel",
    "energetic_acoustic_s522": "Kick the Door",
    "energetic_electronic_2": "Night Crane",
    "energetic_electronic_s411": "Voltage",
    "happy_acoustic_1": "Lemon Tree Street",
    "happy_acoustic_2": "Washing Line",
    "happy_acoustic_s411": "Bicycle Bell",
    "happy_electronic_1": "High Score",
    "happy_electronic_2": "Token",
    "happy_electronic_s411": "Candy Floss",
    "nostalgic_acoustic_1": "Side B",
    "nostalgic_acoustic_s411": "Grandfather's Radio",
    "nostalgic_acoustic_s522": "The House We Left",
    "nostalgic_electronic_2": "Polaroid",
    "nostalgic_electronic_s411": "Last Tram",
    "nostalgic_electronic_s522": "Streetlight Film",
    "tender_acoustic_1": "Dear You",
    "tender_acoustic_2": "Paper Boats",
    "tender_acoustic_s411": "Goodnight, Kitchen",
    "tender_electronic_1": "Whisper Relay",
    "tender_electronic_2": "Warm Circuit",
    "tender_electronic_s411": "Blue Hour",
}


def load() -> bool:
    """Make the demo accounts and their discographies, all or nothing.

    Returns False, and changes nothing, if any demo account is there already.
    Raises ImproperlyConfigured if the package of the music holds no tracks.
    """
    if User.objects.filter(email__in=[account.email for account in ACCOUNTS]).exists():
        return False
    tracks = sorted(Path(str(files(_PACKAGE) / "tracks")).glob("*/*.opus"))
    if not tracks:
        raise ImproperlyConfigured(f"the package {_PACKAGE} holds no tracks")
    password = make_password(PASSWORD)  # slow on purpose, so once for all
    with transaction.atomic():
        for account in ACCOUNTS:
            user = _make_account(account, password)
            if account.style:
                _load_discography(user.artist, account, tracks)
    return True


def _make_account(account: DemoAccount, password_hash: str) -> User:
    user = services.create_account(
        email=account.email,
        password=None,
        role=account.role,
        artist_name=account.artist_name,
        superuser=account.superuser,
    )
    user.password = password_hash
    user.save(update_fields=["password"])
    services.mark_email_verified(user)
    return user


def _load_discography(artist: Artist, account: DemoAccount, tracks: list[Path]) -> None:
    services.update_profile(
        artist,
        name=account.artist_name,
        bio=account.bio,
        default_genre="",
        auto_separate=False,
        auto_voice=False,
        picture=artwork((24, 28, 40), (232, 132, 92), seed=account.artist_name),
    )
    for mood, (acoustic, electronic, dark, bright) in _ALBUMS.items():
        title = acoustic if account.style == "acoustic" else electronic
        album = services.create_album(
            artist=artist, title=title, artwork=artwork(dark, bright, seed=title)
        )
        for path in tracks:
            if path.parent.name == mood and f"_{account.style}_" in path.name:
                upload = services.complete_upload(
                    services.adopt_file(
                        artist=artist, path=path, filename=path.name, album=album, keep=True
                    )
                )
                if upload.state != UploadState.ACCEPTED or upload.revision is None:
                    raise ImproperlyConfigured(f"{path.name} was refused: {upload.reason}")
                _describe(upload.revision.track)
    artist.uploads.all().delete()  # nobody uploaded these by hand


def _describe(track: Track) -> None:
    revision = track.revisions.get()
    name = revision.original_name.removesuffix(".opus")
    services.update_track(
        track,
        title=_TITLES.get(name) or clean_text(name.replace("_", " ")).title(),
        version="",
        composer="",
        isrc="",
        release_date=None,
        discoverable=True,
    )


def artwork(dark: Colour, bright: Colour, *, seed: str) -> io.BytesIO:
    """A quiet square picture: a diagonal gradient with a few soft lights, the same for one seed."""
    rng = random.Random(seed)
    small = 150
    ramp = Image.linear_gradient("L").rotate(rng.uniform(20, 70), expand=True)
    side = min(ramp.size) // 2
    left, top = (ramp.width - side) // 2, (ramp.height - side) // 2
    ramp = ramp.crop((left, top, left + side, top + side)).resize((small, small))
    lights = Image.new("L", (small, small))
    draw = ImageDraw.Draw(lights)
    for _ in range(4):
        angle, distance = rng.uniform(0, math.tau), rng.uniform(0.1, 0.45) * small
        x = small / 2 + distance * math.cos(angle)
        y = small / 2 + distance * math.sin(angle)
        radius = rng.uniform(0.08, 0.3) * small
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rng.randint(70, 150))
    lights = lights.filter(ImageFilter.GaussianBlur(small / 10))
    amount = ImageChops.screen(ramp, lights)
    picture = Image.composite(
        Image.new("RGB", amount.size, bright), Image.new("RGB", amount.size, dark), amount
    ).resize((ARTWORK_SIDE_PX, ARTWORK_SIDE_PX), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    out.seek(0)
    return out
