"""Labels of this site for tests: clips of the pool with ballots of raters."""

from __future__ import annotations

from collections.abc import Callable

from analysis.labels.models import Answer, Ballot, TimbreTag, VoiceClip, Vote
from tests.analysis.registry.labelled_voices import TAGS, sound_of
from tests.factories import UserFactory


def tags(*slugs: str) -> dict[str, TimbreTag]:
    """Live tags by slug, made where there are none."""
    return {
        slug: TimbreTag.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})[0]
        for slug in slugs
    }


def vote(clip: VoiceClip, rater, **answers: bool | None) -> Ballot:
    """A ballot: True is yes, False is no, None is can't tell."""
    ballot = Ballot.objects.create(clip=clip, rater=rater)
    meaning = {True: Answer.YES, False: Answer.NO, None: Answer.UNSURE}
    found = tags(*answers)
    Vote.objects.bulk_create(
        Vote(ballot=ballot, tag=found[slug], answer=meaning[answer])
        for slug, answer in answers.items()
    )
    return ballot


def labelled_pool(
    make_clip: Callable[..., VoiceClip],
    *,
    learn: int = 4,
    held_out: int = 3,
    each: int = 5,
    truth: Callable[[dict[str, bool], int], dict[str, bool]] = lambda labels, number: labels,
) -> list[VoiceClip]:
    """Clips of singers to learn from and of held-out ones, one vote each; ``truth`` may turn what
    is heard in clip ``number`` into other answers."""
    rater = UserFactory(is_staff=True)
    clips = []
    for singer in range(learn + held_out):
        for number in range(each):
            heard = {"breathy": bool(number % 2), "thin": bool((number // 2) % 2)}
            name = f"pool{singer}_{number}"
            clip = make_clip(
                f"pool{singer}",
                sound=sound_of(name, {tag: float(heard[tag]) for tag in TAGS}),
                name=f"{name}.flac",
                is_held_out=singer >= learn,
                lot=0.5,
            )
            vote(clip, rater, **truth(heard, len(clips)))
            clips.append(clip)
    return clips


class Beating:
    """A heart that only remembers what it was told; ``stop_after`` calls it says that the work was
    taken away."""

    def __init__(self, *, stop_after: int | None = None, error: type[Exception] = Exception):
        self.messages: list[str] = []
        self.shares: list[float] = []
        self._left = stop_after
        self._error = error

    def progress(self, fraction: float, message: str) -> None:
        self.check()
        self.shares.append(fraction)
        if not self.messages or self.messages[-1] != message:
            self.messages.append(message)

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise self._error
