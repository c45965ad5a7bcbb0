"""Agreement beside published worked examples, and the pages of raters."""

from __future__ import annotations

import numpy as np
import pytest
from django.urls import reverse

from analysis.labels.agreement import agreement, alphas, cohens_kappa, interval
from analysis.labels.disputes import settle
from analysis.labels.models import Answer, TimbreTag
from analysis.labels.raters import raters
from tests.analysis.labels.rows import ballot, clip, labeller, staff


def counts(*observers: str) -> np.ndarray:
    """Rows of observers, a column per unit, "." where somebody did not answer: as
    (units, 1, categories)."""
    categories = sorted(set("".join(observers)) - {"."})
    return np.array(
        [[[unit.count(value) for value in categories]] for unit in zip(*observers, strict=True)]
    )


@pytest.mark.parametrize(
    ("observers", "expected"),
    [
        # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": binary data, two
        # observers, 0.095; nominal data, four observers, missing answers, 0.743.
        (("0100000010", "1110010000"), 0.095),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
        # The worked example of Wikipedia and of the package ``krippendorff``: 0.691.
        ((".....34121133.3", "1.213343.......", "..21344.21133.4"), 0.691),
    ],
)
def test_alpha_is_that_of_the_published_examples(observers, expected):
    assert alphas(counts(*observers))[0] == pytest.approx([expected, expected], abs=0.0005)


def test_alpha_over_all_tags_is_no_better_for_knowing_which_tags_are_frequent():
    """Two tags, answered at random with their own frequency: no agreement, though answers about
    both together would look like it (as one variable, alpha would be about 0.6)."""
    rng = np.random.default_rng(3)
    often, seldom = (rng.binomial(3, share, size=4_000) for share in (0.9, 0.1))
    table = np.stack([np.stack([yes, 3 - yes], axis=1) for yes in (often, seldom)], axis=1)
    assert alphas(table)[0] == pytest.approx([0.0, 0.0, 0.0], abs=0.03)
    assert alphas(table.reshape(-1, 1, 2))[0, 0] == pytest.approx(0.64, abs=0.03)


def test_the_interval_holds_the_true_value_as_often_as_it_says():
    """Raters who copy a true answer with probability q, else guess: alpha is q squared."""
    rng, q, inside = np.random.default_rng(5), 0.7, 0
    for _ in range(60):
        true = rng.integers(0, 2, size=(150, 1))
        guess = rng.integers(0, 2, size=(150, 3))
        yes = np.where(rng.random((150, 3)) < q, true, guess).sum(axis=1)
        low, high = interval(np.stack([yes, 3 - yes], axis=1)[:, None])
        inside += low[0] <= q**2 <= high[0]
    assert inside >= 51  # 95 % of 60 are 57; fewer than 51 has a chance below 0.4 %


def test_nothing_is_claimed_where_nothing_can_be():
    assert np.isnan(alphas(np.array([[[1, 0]], [[0, 1]]]))).all()  # nobody answered twice
    assert np.isnan(alphas(np.array([[[2, 0]], [[3, 0]]]))).all()  # all the same
    assert np.isnan(interval(np.zeros((0, 2, 2)))).all()


def test_kappa_is_that_of_the_textbook_table():
    # Fleiss, Levin & Paik (2003), as in Wikipedia's "Cohen's kappa": 20, 5, 10, 15 gives 0.40.
    assert cohens_kappa(20, 5, 10, 15) == pytest.approx(0.40)
    assert cohens_kappa(45, 15, 25, 15) == pytest.approx(0.1304, abs=0.0001)
    assert cohens_kappa(5, 0, 0, 0) is None


@pytest.fixture
def three(db):
    """Anna and Bea mostly agree; Cleo says yes to all. Clips have known answers to the fifth."""
    anna, bea, cleo = (labeller(name) for name in ("anna", "bea", "cleo"))
    for number in range(10):
        gold = {"rough": "no"} if number < 5 else {}
        voice = clip(f"{number}.flac", gold=gold)
        true = "yes" if number >= 6 else "no"
        ballot(voice, anna, fields={"seconds": 4.0}, rough=true, warm="unsure")
        ballot(voice, bea, fields={"seconds": 8.0}, rough="yes" if number == 0 else true)
        ballot(voice, cleo, rough="yes")
    return anna, bea, cleo


def test_each_rater_is_compared_with_the_others_without_herself(three):
    figures = {rater.user: rater for rater in raters()}
    anna, bea, cleo = (figures[user] for user in three)
    # Of Anna's ten, the others are split 1:1 on 1 to 5, agree on 0 (yes) and on 6 to 9 (yes).
    assert (anna.compared, anna.share) == (5, 4 / 5)
    # Cleo: Anna and Bea differ on clip 0 only; of the nine others she is right about four.
    assert (cleo.compared, cleo.share) == (9, pytest.approx(4 / 9))
    assert cleo.kappa == pytest.approx(0.0)
    (of_rough,) = cleo.tags
    assert of_rough.yes_share == 1.0
    assert of_rough.against.lean == pytest.approx(5 / 9)
    assert (anna.gold_share, bea.gold_share, cleo.gold_share) == (1.0, 0.8, 0.0)
    assert (anna.seconds, anna.clips_an_hour, bea.clips_an_hour) == (4.0, 900.0, 450.0)
    assert anna.unsure_share == 0.5


def test_what_staff_settled_is_what_a_rater_is_compared_with(three):
    rough, chief = TimbreTag.objects.get(slug="rough"), staff()
    for voice in [clip_.clip for clip_ in three[0].ballots.all()][:6]:
        settle(voice.pk, rough, Answer.NO, by=chief)
    figures = {rater.user: rater for rater in raters()}
    assert [figures[user].share for user in three] == [1.0, 0.9, 0.4]


def test_agreement_counts_clips_answers_and_cannot_tell(three):
    rows, over_all = agreement()
    by_slug = {row.tag.slug: row.figures for row in rows}
    rough, warm = by_slug["rough"], by_slug["warm"]
    # Clip 0: no yes yes; 1 to 5: no no yes; 6 to 9: yes yes yes. n = 30, 19 yes, 11 no.
    expected = 1 - (6 * (3**2 - 2**2 - 1) / 2) / ((30**2 - 19**2 - 11**2) / 29)
    assert rough.alpha == over_all.alpha == pytest.approx(expected)
    assert rough.low < rough.alpha < rough.high
    assert (rough.clips, rough.answers, rough.unsure_share) == (10, 30, 0.0)
    assert (warm.alpha, warm.clips, warm.unsure_share) == (None, 0, 1.0)


def test_labelling_staff_see_their_own_page_only_and_staff_see_all(three, client):
    anna, bea, _ = three
    own, other = reverse("label_rater", args=[anna.pk]), reverse("label_rater", args=[bea.pk])
    assert client.get(own).status_code == 302
    client.force_login(anna)
    page = client.get(own).content.decode()
    assert "anna@example.org" in page
    assert "80 %" in page  # agrees with the others
    assert client.get(other).status_code == 403
    assert client.get(reverse("label_agreement")).status_code == 403
    client.force_login(staff())
    page = client.get(reverse("label_agreement")).content.decode()
    assert own in page
    assert other in page
    assert client.get(other).status_code == 200
    assert client.get(reverse("label_rater", args=[10**9])).status_code == 404
