"""Tags, guidelines, disputes and the pages of tables: what staff do, and what others may not."""

from __future__ import annotations

import random
import re

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from analysis.labels import tags as services
from analysis.labels.ballots import recount
from analysis.labels.consensus import consensus
from analysis.labels.guideline_markup import as_html
from analysis.labels.guidelines import add_example
from analysis.labels.keys import RESERVED_KEYS, is_free_for_tags
from analysis.labels.models import (
    AdjudicationChange,
    Ballot,
    ClipState,
    LabelImport,
    TagExample,
    TimbreTag,
    Vote,
)
from tests.analysis.labels.rows import ballot, clip, labeller, staff
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PAGES = ["label_agreement", "label_disputed", "label_tags", "label_import", "label_export"]


@pytest.fixture
def chief(client):
    user = staff()
    client.force_login(user)
    return user


def live() -> list[str]:
    return [row.tag.slug for row in services.rows()[0]]


def test_the_default_tags_have_guidelines_and_keys_that_the_page_leaves_free():
    tags = list(TimbreTag.objects.all())
    assert [tag.slug for tag in tags] == ["warm", "bright", "breathy", "rough", "clean"]
    for tag in tags:
        assert is_free_for_tags(tag.key)
        for heading in ("## Yes", "## No", "## Not to be confused with"):
            assert heading in tag.guideline
    assert len({tag.key for tag in tags}) == 5


def test_a_tag_is_added_renamed_moved_retired_and_brought_back_with_its_votes(client, chief):
    added = client.post(reverse("label_tags"), {"name": "Nasal", "key": "", "slug": ""})
    assert added.url == reverse("label_guideline_edit", args=["nasal"])
    tag = TimbreTag.objects.get(slug="nasal")
    assert tag.key == "n"
    change = reverse("label_tag_change", args=["nasal"])
    client.post(change, {"action": "save", "name": "Nasality", "key": "Q"})
    client.post(change, {"action": "up"})
    tag.refresh_from_db()
    assert (tag.name, tag.slug, tag.key) == ("Nasality", "nasal", "q")
    assert live() == ["warm", "bright", "breathy", "rough", "nasal", "clean"]

    ballot(clip("voice.flac"), labeller("anna"), nasal="yes")
    client.post(change, {"action": "retire"})
    assert "nasal" not in live()
    services.change_tag(TimbreTag.objects.get(slug="warm"), name="Warm", key="q")
    client.post(change, {"action": "back"})
    tag.refresh_from_db()
    assert tag.retired_at is None
    assert tag.key not in ("", "q")
    assert Vote.objects.get().tag == tag


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"key": "s"}, "skip the clip"),
        ({"key": "w"}, "Another tag has this key"),
        ({"key": "W"}, "Another tag has this key"),
        ({"key": "é"}, "one letter"),
        ({"key": "7"}, "one letter"),
        ({"name": "WARM"}, "Another tag is called so"),
        ({"name": "Rater"}, "another column"),
        ({"name": " \0 "}, "cannot be blank"),
    ],
)
def test_what_clashes_is_refused_in_words(fields, reason):
    with pytest.raises(ValidationError, match=reason):
        services.add_tag(**{"name": "Nasal", **fields})
    assert len(live()) == 5


def test_every_key_of_the_page_itself_is_kept_from_tags():
    assert not any(is_free_for_tags(key) for key in RESERVED_KEYS)
    assert not set(services.free_keys()) & set(RESERVED_KEYS)


def test_each_tag_says_whether_the_serving_model_knows_it(client, chief):
    services.add_tag(name="Nasal")
    page = client.get(reverse("label_tags")).content.decode()
    cards = {slug: page.split(f'id="tag-{slug}"')[1].split("</li>")[0] for slug in live()}
    assert "Not known to the serving model" in cards["nasal"]
    assert all("Known to the serving model" in cards[slug] for slug in ("warm", "clean"))


@pytest.mark.parametrize("name", PAGES)
def test_only_staff_decide(client, name):
    address = reverse(name)
    assert client.get(address).status_code == 302
    for user in (UserFactory(), labeller("anna")):
        client.force_login(user)
        assert client.get(address).status_code == 403
        assert client.post(address).status_code == 403
    client.force_login(staff())
    assert client.get(address).status_code == 200


def test_labelling_staff_read_guidelines_and_cannot_write_them(client):
    client.force_login(UserFactory())
    assert client.get(reverse("label_guidelines")).status_code == 403
    client.force_login(labeller("anna"))
    assert "half-whisper" in client.get(reverse("label_guidelines")).content.decode()
    edit = reverse("label_guideline_edit", args=["warm"])
    assert client.post(edit, {"action": "text", "guideline": "x"}).status_code == 403


def test_markup_is_light_and_never_runs():
    assert as_html("One **two** *three*\nfour\n\n## Five\n- six\n- seven & <b>") == (
        "<p>One <strong>two</strong> <em>three</em> four</p>\n"
        "<h4>Five</h4>\n<ul><li>six</li><li>seven &amp; &lt;b&gt;</li></ul>"
    )
    parts = ["<script>", "</p>", "**", "*", "## ", "- ", "\n", '"', "javascript:", "&", "<", "a "]
    rng = random.Random(1)
    for _ in range(2_000):
        made = as_html("".join(rng.choices(parts, k=rng.randint(1, 12))))
        left = re.sub(r"</?(?:p|ul|li|h4|strong|em)>", "", made)
        assert "<" not in left
        assert ">" not in left


def test_guidelines_have_examples_that_give_no_answer_away(client, chief):
    breathy = TimbreTag.objects.get(slug="breathy")
    good, gold = clip("good.flac"), clip("gold.flac", gold={"breathy": "yes"})
    held_out, out = clip("held.flac", is_held_out=True), clip("x.flac", state=ClipState.DUPLICATE)
    for voice in (gold, held_out, out):
        with pytest.raises(ValidationError):
            add_example(breathy, voice, shows="yes")
    edit = reverse("label_guideline_edit", args=["breathy"])
    for voice in (good, gold, held_out):
        ballot(voice, labeller(voice.name[:-5]), breathy="yes")
    page = client.get(edit).content.decode()
    assert f'value="{good.pk}"' in page
    assert f'value="{gold.pk}"' not in page
    assert f'value="{held_out.pk}"' not in page

    client.post(edit, {"action": "add", "clip": "good.flac", "shows": "no", "caption": "<i>Dry"})
    refused = client.post(edit, {"action": "add", "clip": "nobody\0.flac", "shows": "yes"})
    assert refused.status_code == 400
    client.post(edit, {"action": "text", "guideline": "Like *wind*.<script>"})
    page = client.get(reverse("label_guidelines")).content.decode()
    assert "Like <em>wind</em>.&lt;script&gt;" in page
    assert "&lt;i&gt;Dry" in page
    assert reverse("voice_clip_audio", args=[good.pk]) in page
    client.post(edit, {"action": "remove", "example": TagExample.objects.get().pk})
    assert not TagExample.objects.exists()
    assert client.post(edit, {"action": "remove", "example": "9" * 30}).status_code == 404


def test_staff_settle_a_dispute_change_their_mind_and_it_is_written_down(client, chief):
    voice = clip("voice.flac")
    ballot(voice, labeller("anna"), rough="yes", warm="yes")
    ballot(voice, labeller("bea"), rough="no", warm="yes")
    page = client.get(reverse("label_disputed")).content.decode()
    assert "Rough?" in page
    assert "Warm?" not in page
    assert "anna@example.org" in page
    recount([voice.pk])
    decide = reverse("label_decide", args=[voice.pk, "rough"])
    answer = client.post(
        decide, {"answer": "yes", "note": "Creak."}, headers={"HX-Request": "true"}
    )
    assert "Settled: Yes" in answer.content.decode()
    assert consensus([voice.pk])[voice.pk]["rough"].adjudicated
    voice.refresh_from_db()
    assert (voice.votes, voice.is_disputed) == (2, False)
    assert "No open dispute" in client.get(reverse("label_disputed")).content.decode()
    client.post(decide, {"answer": "no", "note": ""})
    page = client.get(reverse("label_disputed"), {"settled": "1"}).content.decode()
    assert "Settled: No" in page
    history = AdjudicationChange.objects.values_list("answer", "note", "by_email")
    assert list(history) == [
        ("no", "", "chief@example.org"),
        ("yes", "Creak.", "chief@example.org"),
    ]
    assert client.post(decide, {"answer": "perhaps"}).status_code == 404
    assert client.get(reverse("label_disputed"), {"clip": "x"}).status_code == 404
    client.force_login(labeller("cleo"))
    assert client.post(decide, {"answer": "yes"}).status_code == 403


def test_a_table_is_uploaded_looked_through_and_written(client, chief):
    clip("lawson.flac")
    raw = "file,warm,Nasal\nlawson,1,1\nnobody,1,0\n".encode("utf-16")
    read = client.post(reverse("label_import"), {"file": SimpleUploadedFile("own.csv", raw)})
    page = client.get(read.url).content.decode()
    assert "UTF-16" in page
    assert "No clip here is called “nobody”." in page
    assert "Make a tag of “Nasal”" in page
    assert not Ballot.objects.exists()
    assert client.post(read.url, {"action": "write"}).status_code == 409
    assert not Ballot.objects.exists()
    chosen = {"action": "write", "skip_bad_rows": "1", "new_tag": ["2", "x"]}
    assert client.post(read.url, chosen).status_code == 302
    assert "Written" in client.get(read.url).content.decode()
    assert set(Vote.objects.values_list("tag__slug", flat=True)) == {"warm", "nasal"}
    answer = client.get(
        reverse("label_export"), {"kind": "shares", "encoding": "utf-8", "delimiter": "tab"}
    )
    assert answer.getvalue().decode().splitlines()[1] == "lawson.flac\t1\t\t\t\t\t1\t1\t\t\t\t\t1"
    assert "labels-shares" in answer["Content-Disposition"]


def test_hostile_uploads_and_wishes_are_answered_in_words(client, chief, settings):
    clip("세레나데.flac")
    for raw in (b"", b"\x00\x01\x02", b"only", b'file,warm\n"x', b"\xff\xfe\xff"):
        answer = client.post(reverse("label_import"), {"file": SimpleUploadedFile("a.csv", raw)})
        assert answer.status_code == 400
    assert not LabelImport.objects.exists()
    for wish in ({"kind": "x"}, {"encoding": "rot13"}, {"delimiter": "\0"}):
        assert client.get(reverse("label_export"), wish).status_code == 400
    wish = {"encoding": "latin-1", "unlabelled": "1"}
    answer = client.get(reverse("label_export"), wish)
    assert (answer.status_code, "Choose UTF-8" in answer.content.decode()) == (400, True)
