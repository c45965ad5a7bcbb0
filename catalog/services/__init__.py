"""Everything that changes the catalogue. Callers have checked who may: see ``selectors``."""

from catalog.services.acceptance import complete_upload, finish_abandoned
from catalog.services.accounts import (
    create_account,
    delete_account,
    ensure_artist,
    mark_email_verified,
    update_profile,
)
from catalog.services.albums import (
    create_album,
    delete_album,
    move_album,
    move_track,
    order_albums,
    order_tracks,
    update_album,
)
from catalog.services.consent import set_artist_consent, set_track_consent
from catalog.services.receiving import (
    OffsetConflict,
    TooManyUploads,
    UploadOver,
    UploadTooLong,
    adopt_file,
    cancel_upload,
    create_upload,
    over_quota,
    receive,
    received_bytes,
    refuse_upload,
    too_large,
)
from catalog.services.sharing import count_view, create_share_link, revoke_share_link
from catalog.services.tidying import Tidied, tidy_uploads
from catalog.services.tracks import (
    delete_revision,
    delete_track,
    delete_tracks,
    move_tracks,
    reanalyse_tracks,
    update_revision_note,
    update_track,
)

__all__ = [
    "OffsetConflict",
    "Tidied",
    "TooManyUploads",
    "UploadOver",
    "UploadTooLong",
    "adopt_file",
    "cancel_upload",
    "complete_upload",
    "count_view",
    "create_account",
    "create_album",
    "create_share_link",
    "create_upload",
    "delete_account",
    "delete_album",
    "delete_revision",
    "delete_track",
    "delete_tracks",
    "ensure_artist",
    "finish_abandoned",
    "mark_email_verified",
    "move_album",
    "move_track",
    "move_tracks",
    "order_albums",
    "order_tracks",
    "over_quota",
    "reanalyse_tracks",
    "receive",
    "received_bytes",
    "refuse_upload",
    "revoke_share_link",
    "set_artist_consent",
    "set_track_consent",
    "tidy_uploads",
    "too_large",
    "update_album",
    "update_profile",
    "update_revision_note",
    "update_track",
]
