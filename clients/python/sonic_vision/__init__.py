"""A client for the Sonic Vision Pro API: typed, patient, and of the standard library alone."""

from sonic_vision.client import Client
from sonic_vision.errors import (
    ApiError,
    ConnectionLost,
    Refused,
    SonicVisionError,
    TookTooLong,
    WorkFailed,
)
from sonic_vision.models import (
    Album,
    Artist,
    Heatmap,
    Hit,
    Job,
    Lyrics,
    Playlist,
    PlaylistItem,
    Report,
    Result,
    Revision,
    StageState,
    Stem,
    Track,
    Upload,
    Webhook,
)
from sonic_vision.webhooks import Message, SignatureWrong, sign, verify

__all__ = [
    "Album",
    "ApiError",
    "Artist",
    "Client",
    "ConnectionLost",
    "Heatmap",
    "Hit",
    "Job",
    "Lyrics",
    "Message",
    "Playlist",
    "PlaylistItem",
    "Refused",
    "Report",
    "Result",
    "Revision",
    "SignatureWrong",
    "SonicVisionError",
    "StageState",
    "Stem",
    "TookTooLong",
    "Track",
    "Upload",
    "Webhook",
    "WorkFailed",
    "sign",
    "verify",
]
__version__ = "1.0.0"
