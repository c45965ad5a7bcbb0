"""Teachers that hear pictures: taggers of sound, retrained to answer from a picture as they do from
the sound itself.

A picture's columns lie 77.5 ms apart, so a tagger hears the sound imagined from it worse. But where
there is sound beside the picture, it can be taught what it would have heard. Then it can judge any
picture: of recordings of which there is no sound, changed or mixed in any way. A trunk can be
taught as much by it as there is time for (:mod:`analysis.training.distillation`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from analysis.neural.front_ends import FrontEnd, front_end_of, picture_gain
from analysis.neural.imagination import PATCH_COLUMNS, patches_of
from analysis.neural.taggers import MusiCNN, Tagger
from analysis.neural.yamnet import YAMNet
from analysis.sound.mel import COLUMNS_PER_SECOND
from analysis.training import transfer
from analysis.training.augment import (
    Augmentation,
    draw_seconds,
    mix_pictures,
    random_windows,
)
from analysis.training.distributed import ALONE, Processes, has_fast_16_bits, pick_device
from analysis.training.loop import fit, generators
from analysis.training.picture_bank import PictureBank
from analysis.training.recipe import Optimisation

if TYPE_CHECKING:
    from analysis.training.lessons import Lessons

_FIRST = "taggers.0."


@dataclass(frozen=True)
class AdaptationRecipe(Optimisation):
    """How taggers are retrained on pictures; ``batch_size`` counts places of 3 s.

    ``mixed`` is the share of places where two recordings are heard at once, and ``own`` that of
    places in the corpus that the model will judge; None draws it as often as any other music.
    The changes are those of masters and copies, small ones: the answer stays that to the sound.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.1
    ema_decay: float = 0.99
    batch_size: int = 96
    patches_per_excerpt: int = 8
    mixed: float = 0.3
    own: float | None = None
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            stretch=0.0,
            shift_bands=0,
            tilt=0.03,
            equaliser=0.04,
            contrast=0.1,
            floor=0.15,
            masks=0,
            short=0.0,
        )
    )


# MusiCNN's steps are too long for a network of 27 layers.
OF_YAMNET = AdaptationRecipe(learning_rate=2e-4, own=0.5, epochs=4, batch_size=24)


def recipe_of(tagger: Tagger) -> AdaptationRecipe:
    """How a tagger is retrained where nothing else is said."""
    return OF_YAMNET if isinstance(tagger, YAMNet) else AdaptationRecipe()


class PictureTeacher(nn.Module):
    """Some taggers whose answers stand side by side, standardised.

    Normalisation layers stay as they were trained, in training as well. Raises ValueError for
    taggers that do not take in sound in the same way.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, taggers: Sequence[Tagger]) -> None:
        super().__init__()
        self.taggers = nn.ModuleList(copy.deepcopy(tagger) for tagger in taggers)
        self.front_end: FrontEnd = front_end_of(cast(Tagger, self.taggers[0]))
        if any(front_end_of(tagger).name != self.front_end.name for tagger in taggers):
            raise ValueError("these taggers do not hear the same frames")
        for tagger in self.taggers:
            # One scale and shift, that the filters can learn as well; without it no gradient has to
            # go back to the input.
            norm = cast(Tagger, tagger).input_norm
            if norm is not None:
                norm.requires_grad_(False)
        self.answers = sum(tagger.features + tagger.tag_count for tagger in taggers)
        self.register_buffer("mean", torch.zeros(self.answers))
        self.register_buffer("deviation", torch.ones(self.answers))
        self.eval()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def _raw(self, patches: Tensor) -> Tensor:
        parts = []
        device = patches.device
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_16_bits(device)):
            for tagger in self.taggers:
                tags, features = tagger(patches)
                parts += [features, tags]
        return torch.cat(parts, dim=1).to(torch.float32)

    def forward(self, patches: Tensor) -> Tensor:
        """Standardised answers (n, ``answers``) to patches of frames, of MusiCNN's (n, 187, 96)."""
        return (self._raw(patches) - self.mean) / self.deviation

    def judge(self, windows: Tensor) -> Tensor:
        """Standardised answers (n, ``answers``) to pictures (n, 128, width) in 0..1: the mean over
        the patches that cover them."""
        patches = patches_of(self.front_end.imagine(windows), self.front_end.patch_frames)
        return self(patches.flatten(0, 1)).unflatten(0, patches.shape[:2]).mean(dim=1)

    @torch.no_grad()
    def standardise(self, patches: Sequence[Tensor]) -> None:
        """Scale the answers by their mean and deviation over batches of patches."""
        answers = torch.cat([self._raw(batch) for batch in patches])
        # Most of YAMNet's 1,024 features are silent most of the time.
        least = 1.0 if self.front_end.name == "yamnet" else LEAST_DEVIATION
        mean, deviation = scale_of(answers, least=least)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)


LEAST_DEVIATION = 0.1


def scale_of(answers: Tensor, *, least: float = LEAST_DEVIATION) -> tuple[Tensor, Tensor]:
    """Mean and deviation (d,) of answers (n, d), to standardise them by.

    Answers that hardly ever vary stay small: they are scaled by no less than ``least`` times the
    usual deviation.
    """
    deviation = answers.std(dim=0)
    return answers.mean(dim=0), deviation.clamp(min=least * float(deviation.median()))


class AdaptationTask:
    """Answering from a picture as from the sound; see :class:`analysis.training.loop.Task`."""

    def __init__(
        self,
        lessons: Lessons,
        original: PictureTeacher,
        *,
        recipe: AdaptationRecipe,
        own: Lessons | None = None,
        held_out: Lessons | None = None,
        device: torch.device,
    ) -> None:
        """``original`` is asked about the sound; its answers are standardised by the lessons.
        ``own`` are those of the corpus that the model will judge."""
        self._front = original.front_end
        both = lessons if own is None else lessons.joined(own)
        self._pairs = _Pairs(both, self._front, device)
        self._original = original
        self._recipe = recipe
        self._held_out = None if held_out is None else _Pairs(held_out, self._front, device)
        self._drawn = drawn_in_an_epoch(len(lessons), len(both) - len(lessons), recipe)
        generator = torch.Generator(device).manual_seed(recipe.seed)
        everything = torch.arange(len(self._pairs), device=device).split(recipe.batch_size)
        drawn = [self._pairs.draw(tracks, generator) for tracks in everything]
        for tagger in original.taggers:
            if isinstance(tagger, YAMNet):
                tagger.picture_gain.copy_(self._gain(drawn))
        original.standardise([_patches(self._pairs.heard(*where), self._front) for where in drawn])

    def _gain(self, drawn: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """How much YAMNet's bands of these pictures are to be raised by."""
        untouched = front_end_of(YAMNet().to(self._pairs.device))
        imagined, heard = [], []
        for where in drawn:
            frames = self._pairs.heard(*where)
            imagined.append(untouched.imagine(self._pairs.seen(*where))[:, : frames.shape[1]])
            heard.append(frames)
        return picture_gain(torch.cat(imagined).flatten(0, 1), torch.cat(heard).flatten(0, 1))

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-self._drawn.numel() // self._recipe.batch_size)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Imagined patches, of MusiCNN's (n, 187, 96), and the answers to the real ones."""
        recipe, pairs, front = self._recipe, self._pairs, self._front
        common, own = generators(recipe.seed, epoch, processes, pairs.device)
        order = self._drawn[torch.randperm(self._drawn.numel(), generator=common)]
        for batch in order.split(recipe.batch_size):
            tracks, start = pairs.draw(processes.share_of(batch).to(pairs.device), own)
            real = pairs.heard(tracks, start)
            windows = pairs.seen(tracks, start)
            second, gain = draw_seconds(len(tracks), share=recipe.mixed, generator=own)
            windows = mix_pictures(windows, windows[second], gain)
            real = front.mixed(real, real[second], gain)
            changed = random_windows(
                PictureBank.of_windows(windows),
                torch.arange(len(tracks), device=pairs.device),
                width=PATCH_COLUMNS,
                augmentation=recipe.augmentation,
                generator=own,
            )
            with torch.no_grad():
                answers = self._original(_patches(real, front))
            yield _patches(front.imagine(changed), front), answers

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Smooth distance between the answers to the imagined and to the real sound."""
        return functional.smooth_l1_loss(network(inputs), targets)

    @torch.inference_mode()
    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Share of the variance of the answers to held-out sound that those to its pictures
        explain, every fifth epoch and after the last one."""
        if self._held_out is None or (epoch % 5 != 4 and epoch + 1 != self._recipe.epochs):
            return {}
        pairs, teacher = self._held_out, cast(PictureTeacher, network)
        generator = torch.Generator(pairs.device).manual_seed(0)
        given, wanted = [], []
        for tracks in torch.arange(len(pairs), device=pairs.device).split(32):
            where = pairs.draw(tracks, generator)
            given.append(teacher(_patches(self._front.imagine(pairs.seen(*where)), self._front)))
            wanted.append(self._original(_patches(pairs.heard(*where), self._front)))
        return {"held_out_explained": explained(torch.cat(given), torch.cat(wanted))}


def explained(given: Tensor, wanted: Tensor) -> float:
    """Mean over the answers (n, d) of the share of their variance that is explained (R²).

    Answers that hardly vary here (variance below 0.001) say nothing and are left out.
    """
    missed = (given - wanted).square().mean(dim=0)
    spread = wanted.var(dim=0, correction=0)
    return float((1.0 - missed / spread)[spread > 1e-3].mean())


def drawn_in_an_epoch(music: int, own: int, recipe: AdaptationRecipe) -> Tensor:
    """The lessons of an epoch, each as often as it is drawn; those of ``music`` are numbered before
    the corpus's ``own``."""
    each = torch.arange(music + own)
    if recipe.own is None or not own or not music:
        return each.repeat(recipe.patches_per_excerpt)
    of_music = each[:music].repeat(recipe.patches_per_excerpt)
    wanted = round(of_music.numel() * recipe.own / (1.0 - recipe.own))
    return torch.cat([of_music, each[music:].repeat(-(-wanted // own))[:wanted]])


def _patches(frames: Tensor, front: FrontEnd) -> Tensor:
    """The patches (n, frames, bands) that frames (n, T, bands) of places of 3 s begin with."""
    fitting = frames.shape[1] // front.patch_frames
    patches = frames[:, : fitting * front.patch_frames].unflatten(1, (fitting, front.patch_frames))
    return patches.flatten(0, 1)


class _Pairs:
    """Lessons on a device, to be read at the same places of picture and sound."""

    def __init__(self, lessons: Lessons, front: FrontEnd, device: torch.device) -> None:
        self.device = device
        self._front = front
        columns = PATCH_COLUMNS / COLUMNS_PER_SECOND * front.frames_per_second
        self._length = int(columns) // front.patch_frames * front.patch_frames
        self._pictures = PictureBank(lessons.pictures, device=device)
        self._frames = torch.cat([torch.from_numpy(part.copy()) for part in lessons.frames])
        self._frames = self._frames.to(device)
        self._count = torch.tensor([len(part) for part in lessons.frames], device=device)
        self._first = self._count.cumsum(0) - self._count

    def __len__(self) -> int:
        return len(self._pictures)

    def draw(self, tracks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Tracks (n,), and a random column of each from which a patch of 3 s follows."""
        room = (self._pictures.count[tracks] - PATCH_COLUMNS).clamp(min=0)
        drawn = torch.rand(len(tracks), generator=generator, device=self.device)
        return tracks, (drawn * (room + 1)).floor()

    def seen(self, tracks: Tensor, start: Tensor) -> Tensor:
        """Pictures (n, 128, 40) in 0..1 from columns ``start`` (n,) on."""
        at = torch.arange(PATCH_COLUMNS, device=self.device)
        return self._pictures.read(tracks, start[:, None] + at).transpose(1, 2)

    def heard(self, tracks: Tensor, start: Tensor) -> Tensor:
        """Log-mel frames of the same sound, as many as whole patches have: MusiCNN's
        (n, 187, 96), YAMNet's (n, 288, 64)."""
        rate = self._front.frames_per_second / COLUMNS_PER_SECOND
        first = (start * rate).round().to(torch.int64)
        at = first[:, None] + torch.arange(self._length, device=self.device)
        at = torch.minimum(at, self._count[tracks, None] - 1) + self._first[tracks, None]
        return self._front.frames(self._frames[at])


def adapt(
    taggers: Sequence[Tagger],
    lessons: Lessons,
    *,
    recipe: AdaptationRecipe,
    run_dir: Path,
    own: Lessons | None = None,
    init_from: PictureTeacher | None = None,
    held_out: Lessons | None = None,
    device: str = "auto",
    processes: Processes = ALONE,
) -> PictureTeacher:
    """Retrain taggers to hear pictures; returns the teacher on the CPU.

    ``own`` are lessons of the corpus that the model will judge, drawn as often as the recipe says.
    Goes on from the taggers of ``init_from``, an earlier teacher of the same ones, if there is one.
    Resumes, logs and spreads over processes as :func:`analysis.training.genre.train_trunk` does.
    """
    torch.manual_seed(recipe.seed)
    where = pick_device(device)
    original = PictureTeacher(taggers).to(where).eval().requires_grad_(False)
    task = AdaptationTask(
        lessons, original, recipe=recipe, own=own, held_out=held_out, device=where
    )
    teacher = PictureTeacher(taggers)
    teacher.load_state_dict(original.state_dict())
    learned_from: list[object] = [lessons.digest(), transfer.digest(original.state_dict())]
    if own is not None:
        learned_from.append(own.digest())
    if init_from is not None:
        # The scale of the answers is that of these lessons.
        teacher.taggers.load_state_dict(init_from.taggers.state_dict())
        learned_from.append(transfer.digest(init_from.state_dict()))
    fingerprint = json.dumps([asdict(recipe), *learned_from], sort_keys=True)
    average = fit(
        teacher,
        task,
        recipe=recipe,
        run_dir=run_dir,
        fingerprint=fingerprint,
        device=where,
        processes=processes,
    )
    return cast(PictureTeacher, average)


def tagger_of_pictures(file: Path) -> MusiCNN | YAMNet:
    """The MusiCNN or YAMNet of a ``teacher.safetensors`` of it alone, without the scale of its
    answers.

    Raises OSError, or ValueError for a teacher of another tagger.
    """
    try:
        parts = {
            name.removeprefix(_FIRST): value
            for name, value in load_file(file).items()
            if name.startswith(_FIRST)
        }
        tagger = YAMNet() if "picture_gain" in parts else MusiCNN()
        tagger.load_state_dict(parts)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{file} is no teacher that is a MusiCNN or a YAMNet: {error}") from error
    return tagger.eval()
