"""Making, changing and deleting accounts and artist pages."""

from __future__ import annotations

from typing import BinaryIO

from allauth.account.models import EmailAddress
from django.db import transaction

from catalog.models import Artist, Role, User
from catalog.names import clean_text
from catalog.pictures import reencode


def create_account(
    *,
    email: str,
    password: str | None,
    role: Role = Role.ARTIST,
    artist_name: str = "",
    superuser: bool = False,
) -> User:
    """An account, with an artist page where it is an artist's. Raises ValidationError."""
    with transaction.atomic():
        make = User.objects.create_superuser if superuser else User.objects.create_user
        user = make(email, password, role=role)
        if role == Role.ARTIST:
            ensure_artist(user, name=artist_name)
    return user


def mark_email_verified(user: User) -> None:
    """Spare an account the confirmation mail."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


def ensure_artist(user: User, *, name: str = "") -> Artist:
    """The account's artist page, made now if there is none, named after the e-mail's local part
    where no name is given."""
    fallback = user.email.partition("@")[0].replace(".", " ").replace("_", " ").title()
    artist = Artist(user=user, name=clean_text(name, 200) or clean_text(fallback, 200) or "Artist")
    artist.full_clean(validate_unique=False)
    found, _ = Artist.objects.get_or_create(user=user, defaults={"name": artist.name})
    user.artist = found  # a freshly made page is visible through the same object
    return found


def update_profile(
    artist: Artist,
    *,
    name: str,
    bio: str,
    default_genre: str,
    auto_separate: bool,
    auto_voice: bool,
    auto_lyrics: bool = False,
    picture: BinaryIO | None = None,
    remove_picture: bool = False,
) -> Artist:
    """Change what an artist page says and does. Raises ValidationError, PictureRefused."""
    artist.name = clean_text(name, 200)
    artist.bio = bio.replace("\0", "").strip()
    artist.default_genre = default_genre
    artist.auto_separate = auto_separate
    artist.auto_voice = auto_voice
    artist.auto_lyrics = auto_lyrics
    artist.full_clean()
    with transaction.atomic():
        replace_picture(artist, "picture", picture, remove=remove_picture)
        # Consent is not among them: a page that is older than its withdrawal must not give it back.
        artist.save(
            update_fields=[
                "name", "bio", "default_genre", "auto_separate", "auto_voice", "auto_lyrics",
                "picture",
            ]
        )  # fmt: skip
    return artist


def replace_picture(
    instance: object, field: str, picture: BinaryIO | None, *, remove: bool = False
) -> None:
    """Set or remove a picture without saving the row, which the caller does in one transaction: the
    old file goes once that is committed."""
    file = getattr(instance, field)
    old_name, storage = file.name, file.storage
    if picture is not None:
        file.save("picture.webp", reencode(picture), save=False)
    elif remove:
        setattr(instance, field, "")
    else:
        return
    if old_name:
        transaction.on_commit(lambda: storage.delete(old_name))


def delete_account(user: User) -> None:
    """Delete an account and everything it owns, files included."""
    user.delete()
