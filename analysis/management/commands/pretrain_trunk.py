"""Teach the trunk to hear music: ``manage.py pretrain_trunk --audio FOLDER --tagger FOLDER``."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from analysis.neural.front_ends import FrontEnd
    from analysis.neural.taggers import Tagger
    from analysis.training.distributed import Processes
    from analysis.training.judges import Judge, UInt8
    from analysis.training.lessons import Lessons
    from analysis.training.picture_teacher import PictureTeacher

# Columns between the places where a teacher judges a picture beforehand.
_NEAR, _FAR = 15, 50


class Command(BaseCommand):
    help = (
        "Pretrain the trunk on music without labels. Taggers of sound learn to answer from mel "
        "pictures, then the trunk learns to answer as they do. Goes on where a killed run stopped. "
        "Writes teacher.safetensors, for train_companion --picture-tagger, and trunk.safetensors, "
        "for train_genre --init, to --run."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--audio", required=True, nargs="+", help="folders with music")
        parser.add_argument(
            "--every", type=int, default=40, metavar="SECONDS", help="of it an excerpt of 30 s"
        )
        parser.add_argument(
            "--tagger",
            required=True,
            nargs="+",
            help="checkpoint folders of the package musicnn: MSD_musicnn and others; or the folder "
            "of a saved YAMNet",
        )
        parser.add_argument(
            "--pictures", help="folder with train.npz: its pictures, not its labels"
        )
        parser.add_argument(
            "--sound", nargs="*", default=[], help="folders with sound of these tracks (ID.flac)"
        )
        parser.add_argument(
            "--own-share",
            type=float,
            metavar="SHARE",
            help="of the teacher's lessons, above 0 and below 1, that are of --sound; default: its "
            "excerpts are drawn as often as any others",
        )
        parser.add_argument("--init", metavar="FILE", help="safetensors of a trunk to go on with")
        parser.add_argument("--held-out", nargs="*", default=[], help="folders to check with only")
        parser.add_argument(
            "--teacher",
            metavar="FILE",
            help="a teacher.safetensors of the same taggers: finished, or with --teacher-epochs "
            "one to go on from",
        )
        parser.add_argument(
            "--judge",
            choices=("always", "once"),
            help="let the teacher judge every window that the trunk is shown, or every picture "
            "once, beforehand. Default: always on CUDA, else once",
        )
        parser.add_argument("--teacher-epochs", type=int, help="of retraining the taggers")
        parser.add_argument(
            "--only-teacher", action="store_true", help="retrain the taggers and stop there"
        )
        # torchrun takes --run for an option of its own.
        parser.add_argument(
            "--run", "--run-dir", default="runs/trunk", help="lessons, checkpoints, metrics"
        )
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--steps", type=int, help="batches of an epoch")
        parser.add_argument("--learning-rate", type=float)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
        parser.add_argument("--threads", type=int, help="CPU threads")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        from analysis.neural.front_ends import front_end_of
        from analysis.neural.published_taggers import load_tagger
        from analysis.training.distillation import JUDGED_ONCE, DistillationRecipe, distil
        from analysis.training.distributed import pick_device, processes
        from analysis.training.judges import Always, Once, judged_once
        from analysis.training.lessons import EXCERPT_SECONDS, lessons_from_sound
        from analysis.training.sound_files import music_files
        from analysis.training.transfer import is_of_trunk

        logging.getLogger("analysis").setLevel(logging.INFO)
        if options["own_share"] is not None and not 0.0 < options["own_share"] < 1.0:
            raise CommandError("--own-share lies above 0 and below 1")
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        run = Path(options["run"])
        try:
            taggers = [load_tagger(Path(folder)) for folder in options["tagger"]]
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"no tagger: {error}") from error
        front_end = front_end_of(taggers[0])
        device = pick_device(options["device"])
        judge = options["judge"] or ("always" if device.type == "cuda" else "once")
        names = ("epochs", "steps", "seed", "learning_rate")
        changes = {name: options[name] for name in names if options[name] is not None}
        recipe = replace(DistillationRecipe() if judge == "always" else JUDGED_ONCE, **changes)
        with processes(device) as together:

            def lessons_of(folders: list[str]) -> Lessons:
                files = music_files(map(Path, folders), least_seconds=EXCERPT_SECONDS)
                return together.in_turn(
                    lambda: lessons_from_sound(
                        files,
                        cache=run / "lessons",
                        every_seconds=options["every"],
                        front_end=front_end,
                    )
                )

            lessons, held_out = lessons_of(options["audio"]), lessons_of(options["held_out"])
            if not len(lessons):
                raise CommandError(f"no music of {EXCERPT_SECONDS} s in {options['audio']}")
            corpus, sound = together.in_turn(
                lambda: _corpus(options, cache=run / "lessons", front_end=front_end)
            )
            teacher = _teacher(taggers, options, lessons, sound, held_out, together=together)
            if together.is_first:
                weights = {name: part.contiguous() for name, part in teacher.state_dict().items()}
                save_file(weights, run / "teacher.safetensors")
            if options["only_teacher"]:
                self.stdout.write(f"{len(lessons)} excerpts; {run / 'teacher.safetensors'}")
                return

            music, own = list(lessons.pictures), [*corpus, *sound.pictures]
            checked = list(held_out.pictures)

            def ask() -> tuple[Judge, tuple[Judge, list[UInt8]] | None]:
                if judge == "always":
                    always = Always(teacher, device)
                    return always, (always, checked) if checked else None
                # The corpus is judged closely, music at large where its pieces do not overlap.
                hops = [_FAR] * len(music) + [_NEAR] * len(own)
                kept: dict[str, Any] = {"cache": run / "answers", "device": device}
                answers = [
                    *judged_once(teacher, music, hop=_FAR, **kept),
                    *judged_once(teacher, own, hop=_NEAR, **kept),
                ]
                once = Once(answers, hops=hops, device=device)
                if not checked:
                    return once, None
                said = judged_once(teacher, checked, hop=_FAR, **kept)
                theirs = Once(said, hops=[_FAR] * len(said), device=device, like=once)
                return once, (theirs, checked)

            judging, checking = together.in_turn(ask)
            state = distil(
                judging,
                music,
                corpus=own,
                held_out=checking,
                recipe=recipe,
                run_dir=run / "trunk",
                init_from=load_file(options["init"]) if options["init"] else None,
                device=options["device"],
                processes=together,
            )
        if together.is_first:
            trunk = {name: value.contiguous() for name, value in state.items() if is_of_trunk(name)}
            save_file(trunk, run / "trunk.safetensors")
            self.stdout.write(f"{len(music) + len(own)} excerpts; {run / 'trunk.safetensors'}")


def _corpus(
    options: dict[str, Any], *, cache: Path, front_end: FrontEnd
) -> tuple[list[UInt8], Lessons]:
    """The training pictures of ``--pictures``, and lessons from ``--sound`` of the same tracks.

    Files of other tracks are passed over, so that nothing held out is learned.
    """
    from analysis.training.datasets import load_gtzan
    from analysis.training.lessons import Lessons, lessons_from_sound

    if not options["pictures"]:
        return [], Lessons([], [])
    corpus = load_gtzan(Path(options["pictures"]), "train")
    known = set(corpus.ids)
    folders = map(Path, options["sound"])
    files = [path for one in folders for path in sorted(one.glob("*.flac")) if path.stem in known]
    sound = lessons_from_sound(files, cache=cache, front_end=front_end)
    return list(corpus.pictures()), sound


def _teacher(
    taggers: list[Tagger],
    options: dict[str, Any],
    lessons: Lessons,
    sound: Lessons,
    held_out: Lessons,
    *,
    together: Processes,
) -> PictureTeacher:
    """The taggers, retrained on pictures; or the teacher that ``--teacher`` names, which goes on
    learning if ``--teacher-epochs`` says for how long."""
    from safetensors.torch import load_file

    from analysis.training.picture_teacher import PictureTeacher, adapt, recipe_of

    earlier, epochs = None, options["teacher_epochs"]
    if options["teacher"]:
        earlier = PictureTeacher(taggers)
        try:
            earlier.load_state_dict(load_file(options["teacher"]))
        except (OSError, RuntimeError) as error:
            raise CommandError(f"{options['teacher']} is no teacher of these taggers") from error
        if epochs is None:
            return earlier
    recipe = recipe_of(taggers[0])
    if options["own_share"] is not None:
        recipe = replace(recipe, own=options["own_share"])
    return adapt(
        taggers,
        lessons,
        own=sound if len(sound) else None,
        recipe=recipe if epochs is None else replace(recipe, epochs=epochs),
        run_dir=Path(options["run"]) / "teacher",
        init_from=earlier,
        held_out=held_out if len(held_out) else None,
        device=options["device"],
        processes=together,
    )
