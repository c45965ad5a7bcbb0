"""Refusals: what is wrong with a file and what to do, said to the person whose file it is."""

from __future__ import annotations

FORMAT_NAMES = "WAV, AIFF, FLAC, MP3, OGG, Opus or M4A"


class UndecodableAudio(Exception):
    """A file that cannot be used as sound.

    Attributes
    ----------
    code : stable slug, for machines: ``empty``, ``not_found``, ``not_audio``, ``broken``,
        ``truncated``, ``too_short``, ``too_long``, ``silent``, ``video``, ``not_finite``,
        ``too_hot``, ``too_many_channels``, ``unsupported_rate``, ``unsupported_codec``,
        ``protected``, ``overloaded``.
    message : what is wrong and what to do, for the person whose file it is. ``str()`` gives it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def clock(seconds: float) -> str:
    """A duration as people write it: ``3:20`` or ``1:02:03``."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def truncated(declared_s: float, present_s: float) -> UndecodableAudio:
    return UndecodableAudio(
        "truncated",
        f"The file breaks off: it says it lasts {clock(declared_s)}, but only "
        f"{clock(present_s)} of sound is there. Upload or export it again.",
    )


def end_is_missing() -> UndecodableAudio:
    """A file that breaks off, in a format that does not say how much is missing."""
    return UndecodableAudio(
        "truncated",
        "The file breaks off: its end is missing. Upload or export it again.",
    )


def too_long(max_duration_s: float, detail: str) -> UndecodableAudio:
    return UndecodableAudio(
        "too_long",
        f"The file is too long: {detail}, and up to {clock(max_duration_s)} is accepted. "
        "Upload single tracks.",
    )


def broken() -> UndecodableAudio:
    return UndecodableAudio(
        "broken",
        "The file is damaged: its sound cannot be decoded. Export it again, or upload another "
        "copy.",
    )


def video() -> UndecodableAudio:
    return UndecodableAudio("video", "This is a video; export its sound as WAV, FLAC or MP3.")


def not_audio(what: str = "This is not a sound file.") -> UndecodableAudio:
    """The file holds something else, or nothing that is sound."""
    return UndecodableAudio("not_audio", f"{what} Choose a {FORMAT_NAMES} file.")


def empty() -> UndecodableAudio:
    """The file has no bytes."""
    return UndecodableAudio("empty", "The file is empty (0 bytes). Export or upload it again.")


def not_found() -> UndecodableAudio:
    """The file is gone, or may not be read."""
    return UndecodableAudio(
        "not_found", "The file cannot be opened. Check that it exists and may be read."
    )


def unsupported_rate(sample_rate: int) -> UndecodableAudio:
    """The sample rate is outside 8 to 192 kHz."""
    return UndecodableAudio(
        "unsupported_rate",
        f"The file has a sample rate of {sample_rate:,} Hz; rates from 8,000 to 192,000 Hz are "
        "accepted. Export it at 44,100 or 48,000 Hz.",
    )


def too_many_channels(channels: int, *, most: int) -> UndecodableAudio:
    """More channels than 7.1."""
    return UndecodableAudio(
        "too_many_channels",
        f"The file has {channels} channels; up to {most} (7.1) are accepted. Export a stereo mix.",
    )


def unsupported_codec() -> UndecodableAudio:
    """Sound, but in a codec that is not on the list."""
    return UndecodableAudio(
        "unsupported_codec",
        "The sound in this file is encoded in a way that is not accepted. "
        "Export it as WAV, FLAC or MP3.",
    )


def rate_changes() -> UndecodableAudio:
    """The sample rate changes in the middle."""
    return UndecodableAudio(
        "broken",
        "The sample rate changes in the middle of the file, as if two files were glued "
        "together. Export it again as one file.",
    )


def not_finite(at_s: float) -> UndecodableAudio:
    """NaN or infinite samples."""
    return UndecodableAudio(
        "not_finite",
        "The file holds samples that are not numbers (NaN or infinite), usually from a faulty "
        f"plug-in, near {clock(at_s)}. Find it and export again.",
    )


def too_hot(above_full_scale_db: float, at_s: float) -> UndecodableAudio:
    """Floats so large that they cannot be meant: integers written as floats, or damage."""
    return UndecodableAudio(
        "too_hot",
        f"The file's samples reach {above_full_scale_db:.0f} dB above full scale near "
        f"{clock(at_s)}, which is a faulty export and no music. Export it again as a 24-bit WAV "
        "or FLAC.",
    )


def overloaded() -> UndecodableAudio:
    """Far more pictures, notes or empty parts than sound."""
    return UndecodableAudio(
        "overloaded",
        "The file is overloaded with pictures, notes or empty parts beside its sound. Remove "
        "them, or export it again.",
    )


def protected() -> UndecodableAudio:
    """Encrypted sound, as some shops sell it."""
    return UndecodableAudio(
        "protected",
        "The sound in this file is copy-protected and cannot be decoded. Export it from your "
        "project as WAV, FLAC or MP3.",
    )


def too_short(duration_s: float, *, least_s: float) -> UndecodableAudio:
    """Less sound than is needed to say anything."""
    return UndecodableAudio(
        "too_short",
        f"The file holds {duration_s:.2f} s of sound; at least {least_s:g} s are needed. "
        "Choose the whole track.",
    )


def silent() -> UndecodableAudio:
    """Nothing but silence."""
    return UndecodableAudio(
        "silent",
        "The file is silent from start to end. Check the export: the wrong bus or a muted "
        "track is the usual cause.",
    )
