"""Addresses of the pool of clips, of their files, and of takes."""

from django.urls import path

from analysis.labels import clip_views, pool_views, take_views

urlpatterns = [
    path("labels/pool/", pool_views.pool, name="label_pool"),
    path("labels/pool/run/", pool_views.run_action, name="label_pool_run"),
    path("labels/clips/<uuid:clip_id>/audio.flac", clip_views.clip_audio, name="voice_clip_audio"),
    path(
        "labels/clips/<uuid:clip_id>/spectrogram.png",
        clip_views.clip_spectrogram,
        name="voice_clip_spectrogram",
    ),
    path("labels/clips/<uuid:clip_id>/usable/", pool_views.clip_state, name="voice_clip_state"),
    path("labels/takes/", take_views.vocal_takes, name="vocal_takes"),
    path(
        "labels/takes/<uuid:take_id>/delete/",
        take_views.vocal_take_delete,
        name="vocal_take_delete",
    ),
    path("profile/training/", take_views.training_clips, name="training_clips"),
    path(
        "profile/training/takes/<uuid:take_id>/delete/",
        take_views.own_take_delete,
        name="own_take_delete",
    ),
]
