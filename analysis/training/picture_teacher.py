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

from analysis.neural.imagination import LOUDEST_FRAME, PATCH_COLUMNS, imagine, patch_of, patches_of
from analysis.neural.taggers import (
    FRAMES_PER_SECOND,
    PATCH_FRAMES,
    TAGS,
    MusiCNN,
    Tagger,
    compressed,
)
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
    """How taggers are retrained on pictures; ``batch_size`` counts patches of 3 s.

    ``mixed`` is the share of patches that are two recordings at once, heard so by the tagger, and
    ``own`` that of patches from the corpus that the model will judge; None draws its excerpts as
    often as any others.
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


class PictureTeacher(nn.Module):
    """Some taggers whose answers stand side by side, standardised.

    Normalisation layers stay as they were trained, in training as well.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, taggers: Sequence[Tagger]) -> None:
        super().__init__()
        self.taggers = nn.ModuleList(copy.deepcopy(tagger) for tagger in taggers)
        for tagger in self.taggers:
            # One scale and shift, that the filters can learn as well; without it no gradient has to
            # go back to the input.
            cast(Tagger, tagger).input_norm.requires_grad_(False)
        self.answers = sum(tagger.features + TAGS for tagger in taggers)
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
        """Standardised answers (n, ``answers``) to patches of frames (n, 187, 96)."""
        return (self._raw(patches) - self.mean) / self.deviation

    def judge(self, windows: Tensor) -> Tensor:
        """Standardised answers (n, ``answers``) to pictures (n, 128, width) in 0..1: the mean over
        the patches that cover them."""
        patches = patches_of(imagine(windows))
        return self(patches.flatten(0, 1)).unflatten(0, patches.shape[:2]).mean(dim=1)

    @torch.no_grad()
    def standardise(self, patches: Sequence[Tensor]) -> None:
        """Scale the answers by their mean and deviation over batches of patches (n, 187, 96)."""
        mean, deviation = scale_of(torch.cat([self._raw(batch) for batch in patches]))
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)


def scale_of(answers: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (d,) of answers (n, d), to standardise them by.

    Answers that hardly ever vary stay small: they are scaled by a tenth of the usual deviation.
    """
    deviation = answers.std(dim=0)
    return answers.mean(dim=0), deviation.clamp(min=0.1 * float(deviation.median()))


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
        everything = lessons if own is None else lessons.joined(own)
        self._pairs = _Pairs(everything, device)
        self._drawn = drawn_in_an_epoch(len(lessons), len(everything) - len(lessons), recipe)
        self._original = original
        self._recipe = recipe
        self._held_out = None if held_out is None else _Pairs(held_out, device)
        generator = torch.Generator(device).manual_seed(recipe.seed)
        sample = torch.arange(len(self._pairs), device=device).split(recipe.batch_size)
        original.standardise([self._pairs.heard(*self._pairs.draw(t, generator)) for t in sample])

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-self._drawn.numel() // self._recipe.batch_size)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Imagined patches (n, 187, 96) and the answers to the real ones."""
        recipe, pairs = self._recipe, self._pairs
        common, own = generators(recipe.seed, epoch, processes, pairs.device)
        order = self._drawn[torch.randperm(self._drawn.numel(), generator=common)]
        for batch in order.split(recipe.batch_size):
            tracks, start = pairs.draw(processes.share_of(batch).to(pairs.device), own)
            real = pairs.heard(tracks, start)
            windows = pairs.seen(tracks, start)
            second, gain = draw_seconds(len(tracks), share=recipe.mixed, generator=own)
            windows = mix_pictures(windows, windows[second], gain)
            real = _mix_frames(real, real[second], gain)
            changed = random_windows(
                PictureBank.of_windows(windows),
                torch.arange(len(tracks), device=pairs.device),
                width=PATCH_COLUMNS,
                augmentation=recipe.augmentation,
                generator=own,
            )
            with torch.no_grad():
                answers = self._original(real)
            yield patch_of(changed), answers

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
            given.append(teacher(patch_of(pairs.seen(*where))))
            wanted.append(self._original(pairs.heard(*where)))
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


class _Pairs:
    """Lessons on a device, to be read at the same places of picture and sound."""

    def __init__(self, lessons: Lessons, device: torch.device) -> None:
        self.device = device
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
        """Log-mel frames (n, 187, 96) of the same sound."""
        first = (start * (FRAMES_PER_SECOND / COLUMNS_PER_SECOND)).round().to(torch.int64)
        at = first[:, None] + torch.arange(PATCH_FRAMES, device=self.device)
        at = torch.minimum(at, self._count[tracks, None] - 1) + self._first[tracks, None]
        return self._frames[at].to(torch.float32) * (LOUDEST_FRAME / 255.0)


def _mix_frames(first: Tensor, second: Tensor, gain_db: Tensor) -> Tensor:
    """Log-mel frames (n, 187, 96) of two sounds at once, the second at ``gain_db`` (n,)."""
    power = 10.0**first + 10.0 ** (gain_db[:, None, None] / 10.0) * 10.0**second
    return compressed(power / 10_000.0 / (1.0 + 10.0 ** (gain_db[:, None, None] / 10.0)))


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


def tagger_of_pictures(file: Path) -> MusiCNN:
    """The MusiCNN of a ``teacher.safetensors`` of it alone, without the scale of its answers.

    Raises OSError, or ValueError for a teacher of another tagger.
    """
    tagger = MusiCNN()
    try:
        parts = load_file(file)
        tagger.load_state_dict(
            {
                name.removeprefix(_FIRST): value
                for name, value in parts.items()
                if name.startswith(_FIRST)
            }
        )
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"{file} is no teacher that is a MusiCNN: {error}") from error
    return tagger.eval()
