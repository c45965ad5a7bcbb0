"""Teach the trunk to hear music: ``manage.py pretrain_trunk --audio FOLDER --musicnn FOLDER``."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Pretrain the trunk on music without labels: it learns to hear in mel pictures what the "
        "MusiCNN tagger hears in the sound. Goes on where a killed run stopped. Writes "
        "trunk.safetensors to --run, for train_genre --init."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--audio", required=True, nargs="+", help="folders with music")
        parser.add_argument("--musicnn", required=True, help="checkpoint folder MSD_musicnn")
        parser.add_argument(
            "--pictures", help="folder with train.npz: its pictures, not its labels"
        )
        parser.add_argument(
            "--sound", nargs="*", default=[], help="folders with sound of these tracks (ID.flac)"
        )
        parser.add_argument("--init", metavar="FILE", help="safetensors of a trunk to go on with")
        parser.add_argument("--held-out", nargs="*", default=[], help="folders to check with only")
        # torchrun takes --run for an option of its own.
        parser.add_argument(
            "--run", "--run-dir", default="runs/trunk", help="lessons, checkpoints, metrics"
        )
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--learning-rate", type=float)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
        parser.add_argument("--threads", type=int, help="CPU threads")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        from analysis.training.course import prepare
        from analysis.training.datasets import load_gtzan
        from analysis.training.distillation import DistillationRecipe, distil
        from analysis.training.distributed import pick_device, processes
        from analysis.training.lessons import (
            EXCERPT_SECONDS,
            Lessons,
            teach_from_sound,
        )
        from analysis.training.musicnn import load_musicnn
        from analysis.training.sound_files import music_files
        from analysis.training.transfer import is_of_trunk

        logging.getLogger("analysis").setLevel(logging.INFO)
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        run = Path(options["run"])
        try:
            teacher = load_musicnn(Path(options["musicnn"]))
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(f"{options['musicnn']} holds no MusiCNN: {error}") from error
        names = ("epochs", "seed", "learning_rate")
        changes = {name: options[name] for name in names if options[name] is not None}
        with processes(pick_device(options["device"])) as together:

            def lessons_of(folders: list[str]) -> Lessons:
                files = music_files(map(Path, folders), least_seconds=EXCERPT_SECONDS)
                return teach_from_sound(files, teacher, cache=run / "lessons")

            def course_of(folder: str) -> Lessons:
                course = prepare(
                    load_gtzan(Path(folder), "train"),
                    teacher=teacher,
                    sound=map(Path, options["sound"]),
                    cache=run / "lessons",
                )
                pictures = [p for part in (course.corpus, *course.also) for p in part.pictures()]
                return Lessons(pictures, course.taught or [])

            # One process listens; the others find its lessons on disk.
            if not together.is_first:
                together.wait()
            lessons, held_out = lessons_of(options["audio"]), lessons_of(options["held_out"])
            if together.is_first:
                together.wait()
            if not len(lessons):
                raise CommandError(f"no music of {EXCERPT_SECONDS} s in {options['audio']}")
            if options["pictures"]:
                seen = course_of(options["pictures"])
                lessons = Lessons(
                    [*lessons.pictures, *seen.pictures], [*lessons.heard, *seen.heard]
                )
            state = distil(
                lessons,
                recipe=replace(DistillationRecipe(), **changes),
                run_dir=run,
                held_out=held_out if len(held_out) else None,
                init_from=load_file(options["init"]) if options["init"] else None,
                device=options["device"],
                processes=together,
            )
        if together.is_first:
            trunk = {name: value.contiguous() for name, value in state.items() if is_of_trunk(name)}
            save_file(trunk, run / "trunk.safetensors")
            self.stdout.write(f"{len(lessons)} excerpts; {run / 'trunk.safetensors'}")
