"""Training on the site's labels, from the click to the candidate and its comparison."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import background, work_folders
from analysis.background import Lost, Refused, WorkState
from analysis.labels import label_settings
from analysis.labels.clip_files import delete_clip
from analysis.labels.models import TimbreTag, VoiceClip
from analysis.registry import serving, snapshots, storing, training_runs, training_schedule
from analysis.registry.models import (
    LabelSnapshot,
    ModelComparison,
    ModelVersion,
    TrainingRun,
    Trigger,
    Verdict,
)
from analysis.registry.training_runs import CannotTrain, do_training, start_training
from tests.analysis.registry.site_labels import Beating, labelled_pool, tags, vote
from tests.factories import UserFactory

QUICK = {"epochs": 2, "least_steps": 4, "clips_per_batch": 4}


@pytest.fixture(autouse=True)
def _starter(db):
    storing.register_shipped()


def claimed(run: TrainingRun) -> TrainingRun:
    """A run as its worker has it."""
    TrainingRun.objects.filter(pk=run.pk).update(ticket=uuid.uuid4())
    waiting = TrainingRun.objects.get(pk=run.pk)
    found = background.claim(TrainingRun, run.pk, waiting.ticket)
    assert found is not None
    return found


def test_from_the_click_to_the_comparison(make_clip, client):
    clips = labelled_pool(make_clip, each=4)
    staff = UserFactory(is_staff=True)
    run = start_training(by=staff, recipe=QUICK)
    assert run.snapshot.clips == 28
    with pytest.raises(CannotTrain, match="under way"):
        start_training(by=staff)

    heart = Beating()
    do_training(claimed(run), heart)
    run.refresh_from_db()
    assert run.state == WorkState.DONE
    assert heart.shares == sorted(heart.shares)
    assert [line["epoch"] for line in run.curves] == [1, 2]
    assert all(0 < line["stopping_loss"] < 2 for line in run.curves)
    assert run.device in ("cpu", "cuda")
    assert run.recipe["epochs"] == 2
    assert run.recipe["base"].startswith("timbre-1.0.0-")
    assert run.code_version
    assert not training_runs.run_folder(run).exists()

    made = run.made
    assert (made.version, made.origin, made.is_serving) == ("1.1.0", "trained", False)
    assert made.created_by == staff
    assert made.manifest["snapshot"] == run.snapshot.sha256
    assert made.manifest["settings"]["tags"][-1] == "thin"
    assert run.snapshot.sha256 in made.card
    assert "12 labelled clips by 3 singers to learn from, and 4 by 1 other" in made.card

    comparison = ModelComparison.objects.get(candidate=made)
    assert comparison.baseline.version == "1.0.0"
    assert comparison.figures["clips"] == 12
    assert comparison.figures["singers"] == 3
    assert comparison.figures["compared_tags"] == ["breathy"]
    assert list(comparison.figures["only_candidate"]) == ["thin"]
    held_out = [row for row in snapshots.current_rows() if row["held_out"]]
    assert comparison.held_out_sha256 == snapshots.sha256_of(held_out)
    held_out_names = {clip.name for clip in clips if clip.is_held_out}
    assert {mistake["name"] for mistake in comparison.mistakes} <= held_out_names
    assert ModelVersion.objects.get(is_serving=True, model="timbre").version == "1.0.0"

    # The same labels, recipe and seed: the same weights, and not a version of their own.
    again = start_training(by=staff, recipe=QUICK)
    assert again.snapshot == run.snapshot
    with pytest.raises(Refused, match=r"exactly like 1\.1\.0"):
        do_training(claimed(again), Beating())

    _pages_of(run, comparison, staff, client)


def _pages_of(run, comparison, staff, client):
    client.force_login(staff)
    page = client.get(f"/models/runs/{run.pk}/").content.decode()
    assert run.snapshot.sha256 in page
    assert "Cross entropy" in page
    assert f"/models/comparisons/{comparison.pk}/" in page
    page = client.get(f"/models/comparisons/{comparison.pk}/").content.decode()
    assert "1.1.0 against 1.0.0" in page
    for mistake in comparison.mistakes:
        assert f"/labels/clips/{mistake['clip']}/audio.flac" in page
    promote = f"/models/versions/{run.made.pk}/promote/"
    for verdict in Verdict:
        ModelComparison.objects.filter(pk=comparison.pk).update(verdict=verdict)
        page = client.get(f"/models/comparisons/{comparison.pk}/").content.decode()
        assert (promote in page) == (verdict in (Verdict.BETTER, Verdict.NOT_WORSE))


def test_stopped_and_gone_on(make_clip):
    labelled_pool(make_clip, held_out=0)
    run = start_training(recipe=QUICK)
    work = claimed(run)
    with pytest.raises(Lost):
        do_training(work, Beating(stop_after=70, error=Lost))
    assert background.cancel(run)
    # A worker that lost the run writes nothing into it any more.
    with pytest.raises(Lost):
        training_runs._record(work, device="stolen")
    assert training_runs.run_folder(run).exists()
    assert background.resume(TrainingRun.objects.get(pk=run.pk))
    # Meanwhile one singer takes back her consent: the rest goes on without her clips.
    for clip in VoiceClip.objects.filter(singer="pool3")[:2]:
        delete_clip(clip)
    do_training(claimed(run), Beating())
    run.refresh_from_db()
    assert run.state == WorkState.DONE
    assert run.snapshot.clips == 18
    # Nobody was held out, so nothing can be said.
    comparison = ModelComparison.objects.get(candidate=run.made)
    assert comparison.verdict == Verdict.UNDECIDED
    assert "0 held-out clips" in comparison.figures["why"]


def test_withdrawn_clips_leave_nothing(make_clip):
    clip, other = make_clip("anna"), make_clip("berta")
    rater = UserFactory()
    for one in (clip, other):
        vote(one, rater, breathy=True)
    snapshot = start_training().snapshot
    cache = training_runs.cache_folder()
    cache.mkdir(parents=True)
    kept = [cache / f"v1-{one.content_sha256[:40]}-changed.npy" for one in (clip, other)]
    for path in kept:
        path.write_bytes(b"")
    sha256 = snapshot.sha256
    delete_clip(clip)
    training_runs.tidy()
    snapshot.refresh_from_db()
    assert [row["clip"] for row in snapshot.rows] == [other.content_sha256]
    assert snapshot.sha256 == sha256
    assert not snapshots.is_whole(snapshot)
    assert [path.exists() for path in kept] == [False, True]


def test_the_same_labels_give_the_same_snapshot(make_clip):
    anna, berta = make_clip("anna"), make_clip("berta", is_held_out=True)
    raters = [UserFactory() for _ in range(3)]
    for rater, answer in zip(raters, (True, True, False), strict=True):
        vote(anna, rater, breathy=answer, warm=None)
    vote(berta, raters[0], breathy=False)
    first = snapshots.take()
    rows = {row["singer"]: row for row in first.rows}
    assert rows["anna"]["labels"] == {"breathy": 0.666667}
    assert rows["anna"]["votes"] == {"breathy": 3}
    assert (rows["anna"]["held_out"], rows["berta"]["held_out"]) == (False, True)
    canonical = json.dumps(first.rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert first.sha256 == snapshots.sha256_of(json.loads(canonical))
    assert snapshots.take() == first
    vote(berta, raters[1], breathy=True)
    assert snapshots.take() != first
    TimbreTag.objects.update(retired_at=timezone.now())
    assert snapshots.take().clips == 0
    assert LabelSnapshot.objects.count() == 3


REFUSED = {
    "none": ("no_labels", "no labelled clip"),
    "three": ("few_clips", "3 labelled clips"),
    "two singers": ("few_singers", "2 singers"),
    "one class": ("one_sided", "every answer is yes"),
    "contradictory": ("contradictory", "contradict each other"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_labels_that_teach_nothing_are_refused(make_clip, case):
    tags("breathy")
    count = {"none": 0, "three": 3}.get(case, 18)
    singers = 2 if case == "two singers" else 4
    one, other = UserFactory(), UserFactory()
    for number in range(count):
        clip = make_clip(f"singer{number % singers}", seconds=1.0)
        answer = case == "one class" or bool(number % 2)
        vote(clip, one, breathy=answer)
        if case == "contradictory":
            vote(clip, other, breathy=not answer)
    run = start_training()
    work = claimed(run)
    code, words = REFUSED[case]
    with pytest.raises(Refused, match=words) as refusal:
        do_training(work, Beating())
    assert refusal.value.code == code
    assert not ModelVersion.objects.filter(trained_by=run).exists()
    assert not ModelComparison.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_reaches_the_page(client):
    """With the real heart: the queue's task fails for good, and says why."""
    storing.register_shipped()
    run = start_training()
    ticket = uuid.uuid4()
    TrainingRun.objects.filter(pk=run.pk).update(ticket=ticket)
    background.run("analysis.TrainingRun", run.pk, ticket)
    run.refresh_from_db()
    assert (run.state, run.reason_code) == (WorkState.FAILED, "no_labels")
    client.force_login(UserFactory(is_staff=True))
    page = client.get(f"/models/runs/{run.pk}/").content.decode()
    assert "There is no labelled clip to learn from yet." in page


def test_labels_at_odds_with_the_sound_never_pass(make_clip):
    """Labels drawn by lot: refused because nothing was learned, or a comparison that is not good
    enough to promote."""
    lots = "0110100110010110100101100110100110010110"
    labelled_pool(
        make_clip,
        truth=lambda heard, n: {
            "breathy": lots[n] == "1",
            "thin": lots[(7 * n + 3) % 40] == "1",
        },
    )
    run = start_training(recipe=QUICK)
    ended = ""
    try:
        do_training(claimed(run), Beating())
    except Refused as refusal:
        ended = refusal.code
    made = ModelVersion.objects.filter(trained_by=run).first()
    if made is None:
        assert ended == "nothing_learned"
    else:
        assert made.comparisons.get().verdict in (Verdict.WORSE, Verdict.UNDECIDED)
        assert serving.why_not(made)


def test_it_starts_by_itself(make_clip):
    clips = [make_clip("anna", seconds=1.0) for _ in range(3)]
    rater = UserFactory()
    wishes = label_settings.current()
    for clip in clips[:2]:
        vote(clip, rater, breathy=True)
    assert training_schedule.start_if_due() is None
    wishes.train_after_labels = 3
    wishes.save()
    assert training_schedule.start_if_due() is None
    vote(clips[2], rater, breathy=False)
    run = training_schedule.start_if_due()
    assert run.trigger == Trigger.LABELS
    assert training_schedule.start_if_due() is None
    TrainingRun.objects.update(state=WorkState.FAILED)
    assert training_schedule.start_if_due() is None
    wishes.train_after_labels, wishes.train_every_days = 0, 2
    wishes.save()
    vote(clips[0], UserFactory(), breathy=False)
    assert training_schedule.start_if_due() is None
    TrainingRun.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert training_schedule.start_if_due().trigger == Trigger.SCHEDULE


def test_pages_are_for_staff(client, make_clip):
    labeller = UserFactory(role="labeller")
    run = start_training()
    pages = ["/models/timbre/train/", f"/models/runs/{run.pk}/", f"/models/runs/{run.pk}/state/"]
    for page in pages:
        assert client.get(page).status_code == 302
    client.force_login(labeller)
    for page in [*pages, "/models/comparisons/1/"]:
        assert client.get(page).status_code == 403
    assert client.post(f"/models/runs/{run.pk}/stop/").status_code == 403
    client.force_login(UserFactory(is_staff=True))
    assert client.get("/models/comparisons/999999999999999999/").status_code == 404
    assert client.get("/models/comparisons/9999999999999999999/").status_code == 404
    assert "Waiting for a worker" in client.get(pages[2]).content.decode()
    assert client.get(f"/models/runs/{run.pk}/stop/").status_code == 405
    client.post(f"/models/runs/{run.pk}/stop/")
    run.refresh_from_db()
    assert run.state == WorkState.CANCELLED
    assert client.get(pages[2])["HX-Refresh"] == "true"
    page = client.get("/models/timbre/train/").content.decode()
    assert "There is no labelled clip to learn from yet." in page
    client.post(f"/models/runs/{run.pk}/go-on/")
    run.refresh_from_db()
    assert run.state == WorkState.QUEUED


def test_folders_of_runs_that_are_over_go(make_clip):
    run = start_training()
    with work_folders.work_folder(training_runs.KIND, str(run.pk), waiting=lambda: None):
        pass
    TrainingRun.objects.update(state=WorkState.DONE)
    training_runs.tidy()
    assert not training_runs.run_folder(run).exists()
