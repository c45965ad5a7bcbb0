"""The page of similar tracks: from anything to what sounds like it, and verdicts on both."""

from __future__ import annotations

import uuid
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from analysis import background
from analysis.discovery import gallery_feedback, gallery_selectors, snippet
from analysis.discovery.gallery_models import Playlist, Verdict
from analysis.discovery.gallery_request import PAGE_SIZE, page_of, request_of, seeds_of
from analysis.discovery.keys import name_of_code
from analysis.discovery.models import Snippet
from analysis.discovery.request import Asker, BadRequest, Seed, SeedKind
from analysis.discovery.seeds import SeedNotFound, SeedNotHeard
from analysis.lyrics_languages import LANGUAGES
from analysis.mixing import ANY_GENRE, load_targets
from catalog.access import UserRequest
from catalog.models import User
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process.
_SEARCHES = TokenBuckets(rate=2.0, burst=40)

_KEYS = tuple(name_of_code(code) for code in range(24))
_MOST_WORDS = 100


@login_required
@require_safe
def discover(request: UserRequest) -> HttpResponse:
    """Similar tracks, or how to look for them."""
    wait_s = _SEARCHES.wait_s(str(request.user.pk))
    too_often: dict[str, Any] = {"problem": asked_too_often(wait_s), "status": 429}
    context = too_often if wait_s else _state(request)
    status = int(context.pop("status", 200))
    # htmx shows what comes with 200 only; the words say what is wrong.
    status = 200 if request.htmx else status
    return render(request, "discovery/discover.html", {**context, **_form(request)}, status=status)


@login_required
@require_safe
def choices(request: UserRequest) -> HttpResponse:
    """What the search box offers to start from."""
    return render(request, "discovery/_choices.html", _choices(request))


def _state(request: UserRequest) -> dict[str, Any]:
    """What the page shows: chips, and hits or why there are none."""
    asker = Asker.of_user(request.user)
    context: dict[str, Any] = {}
    try:
        seeds = seeds_of(request.GET)
        context["chips"] = [
            {
                "chip": chip,
                "without": _query(request, drop=chip.name),
                "turned": _query(request, turn=chip.name),
            }
            for chip in gallery_selectors.chips_of(seeds, asker)
        ]
        if not seeds:
            return context | {"nothing_heard": not gallery_selectors.is_anything_heard(asker)}
        page = gallery_selectors.similar_page(request_of(request.GET, asker, seeds))
    except BadRequest as error:
        return context | {"problem": str(error), "status": 400}
    except SeedNotFound:
        raise Http404 from None
    except SeedNotHeard as error:
        return context | _not_heard(seeds, str(error))
    number = page_of(request.GET)
    return context | {
        "page": page,
        "number": number,
        "is_first_page": number == 1,
        "first_place": (number - 1) * PAGE_SIZE,
        "next": _query(request, page=number + 1) if page.has_more else None,
        "previous": _query(request, page=number - 1) if number > 1 else None,
        "playlists": _playlists(request.user),
        "can_keep": getattr(request.user, "artist", None) is not None,
        "here": request.get_full_path(),
    }


def _not_heard(seeds: list[Seed], message: str) -> dict[str, Any]:
    """A snippet that is still to be heard is waited for; anything else is said in words."""
    ids = [seed.id for seed in seeds if seed.kind == SeedKind.SNIPPET]
    for work in Snippet.objects.filter(pk__in=ids):
        if work.state == background.WorkState.FAILED:
            return {"problem": work.reason}
        if not work.is_over:
            return {"waiting": work}
    return {"problem": message}


def _form(request: UserRequest) -> dict[str, Any]:
    """What the form of filters offers, and what stands in it."""
    given = request.GET
    return {
        **_choices(request),
        "given": given,
        "carried": [
            (name, value)
            for name, values in given.lists()
            for value in values
            if value and name not in ("q", "page")
        ],
        "seeds_given": [(n, v) for n in ("add", "less") for v in given.getlist(n)],
        "given_genres": given.getlist("genre"),
        "genres": [name for name in load_targets().genres if name != ANY_GENRE],
        "keys": _KEYS,
        "languages": sorted(LANGUAGES.items(), key=lambda item: item[1]),
        "is_filtered": any(value for name, value in given.items() if name not in _NO_FILTERS),
    }


_NO_FILTERS = frozenset({"add", "less", "page", "q"})


def _choices(request: UserRequest) -> dict[str, Any]:
    words = request.GET.get("q", "")[:_MOST_WORDS]
    taken = set(request.GET.getlist("add")) | set(request.GET.getlist("less"))
    offered = gallery_selectors.choices_for(words, Asker.of_user(request.user))
    return {
        "words": words,
        "choices": [
            {
                "chip": chip,
                "plus": _query(request, put=("add", chip.name)),
                "minus": _query(request, put=("less", chip.name)),
            }
            for chip in offered
            if chip.name not in taken
        ],
        "has_seeds": bool(request.GET.getlist("add")),
    }


def _query(
    request: HttpRequest,
    *,
    drop: str = "",
    turn: str = "",
    put: tuple[str, str] | None = None,
    page: int | None = None,
) -> str:
    """The page's address with a seed dropped, turned from added to taken away, or put in."""
    pairs = []
    for name, values in request.GET.lists():
        if name in ("page", "q"):
            continue
        for value in values:
            if name in ("add", "less") and value == drop:
                continue
            turned = name in ("add", "less") and value == turn
            opposite = "less" if name == "add" else "add"
            if value:
                pairs.append((opposite if turned else name, value))
    if put is not None:
        pairs.append(put)
    if page is not None and page > 1:
        pairs.append(("page", str(page)))
    return f"{reverse('discover')}?{urlencode(pairs)}"


def _playlists(user: User) -> list[Playlist]:
    artist = getattr(user, "artist", None)
    return [] if artist is None else list(Playlist.objects.filter(artist=artist))


@login_required
@require_POST
def send_snippet(request: UserRequest) -> HttpResponse:
    """Take a piece of sound and go where its hits will be."""
    file = request.FILES.get("sound")
    if file is None or file.file is None:
        messages.error(request, "Choose a file first.")
        return redirect("discover")
    try:
        work = snippet.receive(file.file, name=file.name or "", by=request.user)
    except snippet.SnippetRefused as error:
        messages.error(request, error.message)
        return redirect("discover")
    return redirect(f"{reverse('discover')}?{urlencode([('add', f'snippet-{work.pk}')])}")


@login_required
@require_POST
def judge(request: UserRequest) -> HttpResponse:
    """Keep, change or take back a verdict on a pair; the buttons alone where htmx asks."""
    given = request.POST
    try:
        a, b = uuid.UUID(given.get("a", "")), uuid.UUID(given.get("b", ""))
        verdict = Verdict(given.get("verdict", ""))
    except ValueError:
        return HttpResponse("That is no pair of tracks.", status=400, content_type="text/plain")
    try:
        stands = gallery_feedback.judge(request.user, a, b, verdict)
    except gallery_feedback.PairNotFound:
        raise Http404 from None
    except gallery_feedback.PairRefused as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    if request.htmx:
        return render(
            request,
            "discovery/_verdict.html",
            {"a": a, "b": b, "verdict": stands or "", "here": given.get("next", "")},
        )
    return redirect(safe_next(request, reverse("discover")))


def safe_next(request: HttpRequest, otherwise: str) -> str:
    """Where a form wants to go on to, if that is on this site."""
    wanted = cast(str, request.POST.get("next", ""))
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return otherwise
