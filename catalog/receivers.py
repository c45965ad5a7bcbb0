"""Files go when their rows go, by whatever way: a page, the admin, a cascade."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete
from django.dispatch import receiver

from catalog.models import Album, Artist, Revision, Upload
from catalog.signals import revision_removed
from catalog.spool import Spool


def _delete_file_on_commit(file: FieldFile) -> None:
    name, storage = file.name, file.storage
    if name:
        transaction.on_commit(lambda: storage.delete(name), robust=True)


@receiver(post_delete, sender=Revision)
def _revision_deleted(instance: Revision, **kwargs: Any) -> None:
    _delete_file_on_commit(instance.file)
    sha256 = instance.content_sha256
    transaction.on_commit(
        lambda: revision_removed.send_robust(Revision, content_sha256=sha256), robust=True
    )


@receiver(post_delete, sender=Artist)
def _artist_deleted(instance: Artist, **kwargs: Any) -> None:
    _delete_file_on_commit(instance.picture)


@receiver(post_delete, sender=Album)
def _album_deleted(instance: Album, **kwargs: Any) -> None:
    _delete_file_on_commit(instance.artwork)


@receiver(post_delete, sender=Upload)
def _upload_deleted(instance: Upload, **kwargs: Any) -> None:
    transaction.on_commit(Spool(instance.pk).remove, robust=True)
