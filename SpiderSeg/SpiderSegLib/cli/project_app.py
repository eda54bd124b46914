"""`spiderseg project`: the annotation loop from a terminal. Declares the commands; what they do stands in project_*.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from SpiderSegLib.cli.console import ProgressStyle

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Annotate, retrain and compare in a project folder that many share.")

Root = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project's folder.")]
Series = Annotated[str, typer.Argument(metavar="SERIES", help="Name of the series in the project, e.g. 12_t2.")]
Annotator = Annotated[str, typer.Option(help="Your name, as colleagues know it.")]
Person = Annotated[str, typer.Option(help="Who decides: your name.")]
Comment = Annotated[str, typer.Option(help="A word to those who come after.")]
Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda or cuda:N.")]
Progress = Annotated[str, typer.Option(help="bar, json (one object a line) or none.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def init(
    root: Annotated[Path, typer.Argument(metavar="PROJECT", help="A new or empty folder.")],
    name: Annotated[str, typer.Option(help="What the project is called; the folder's name if not given.")] = "",
    weights: Annotated[str | None, typer.Option(help="The first model: bundle folder or checkpoint file; the bundled one if not given.")] = None,
) -> None:
    """Make a project; its first model is generation 0."""
    from SpiderSegLib.cli import project_upkeep as command

    _start()
    raise typer.Exit(command.init(root, name, weights))


@app.command("import")
def import_(
    root: Root,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder with images/ and masks/, data list, folder of DICOM studies or of image files.")
    ],
    annotator: Annotated[str, typer.Option(help="Who made the masks.")] = "import",
    approved_by: Annotated[str, typer.Option(help="Another person who has checked them: then they may judge models.")] = "",
    in_progress: Annotated[bool, typer.Option("--in-progress", help="The masks are not finished.")] = False,
    patient_prefix: Annotated[str, typer.Option(help="Begins every patient id, so that your 1 is not another hospital's.")] = "",
    new_ids: Annotated[bool, typer.Option("--new-ids", help="New ids for image files too; DICOM always gets them.")] = False,
    key_file: Annotated[Path | None, typer.Option(metavar="CSV", help="Which id is whom: written here, outside the project, and read again.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder the data list's paths are relative to.")] = None,
    masks: Annotated[Path | None, typer.Option(metavar="DIR", help="Masks of the same names, for a plain folder of images.")] = None,
    progress: Progress = "bar",
) -> None:
    """Take series in, with masks and gradings where there are any; without names or dates of patients."""
    from SpiderSegLib.annotation_project.import_report import ImportOptions
    from SpiderSegLib.cli import project_import as command
    from SpiderSegLib.corrections.revision import Status

    _start()
    status = Status.IN_PROGRESS if in_progress else Status.DONE
    options = ImportOptions(annotator, status, approved_by, patient_prefix, new_ids, key_file, data, masks)
    raise typer.Exit(command.project_import(root, source, options, _style(progress)))


@app.command()
def export(
    root: Root,
    out: Annotated[Path, typer.Option("-o", "--out", help="An empty or absent folder.")],
    series: Annotated[list[str] | None, typer.Option(help="Only this series; may be given again.")] = None,
    accepted_only: Annotated[bool, typer.Option("--accepted-only", help="Leave out series without an accepted mask.")] = False,
    images: Annotated[str, typer.Option(help="copy, link (hard links) or none.")] = "copy",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Write the project in SPIDER's layout with a MONAI data list; the masks' values are exact."""
    from SpiderSegLib.annotation_project.exporting import ExportOptions, ImageTransfer
    from SpiderSegLib.cli import project_export as command

    _start()
    if images not in [one.value for one in ImageTransfer]:
        raise typer.BadParameter(f"expected {', '.join(one.value for one in ImageTransfer)}, found {images!r}", param_hint="--images")
    options = ExportOptions(tuple(series or ()), accepted_only, ImageTransfer(images), overwrite)
    raise typer.Exit(command.project_export(root, out, options))


@app.command()
def grade(
    root: Root,
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Id of the patient in the project.")],
    disc: Annotated[int, typer.Argument(metavar="DISC", help="1 = the lowest disc (label 201), 2 the one above it, ..")],
    annotator: Annotator,
    grades: Annotated[list[str] | None, typer.Option("--set", metavar="ITEM=GRADE", help="E.g. pfirrmann=4, modic=1; empty: not graded.")] = None,
) -> None:
    """Show the radiological gradings of a disc, or set some of them."""
    from SpiderSegLib.cli import project_gradings as command

    _start()
    raise typer.Exit(command.grade(root, patient, disc, annotator, grades or []))


@app.command()
def status(
    root: Root,
    series: Annotated[bool, typer.Option("--series", help="A line for each series, too.")] = False,
    is_json: Json = False,
) -> None:
    """Show where the project stands."""
    from SpiderSegLib.cli import project_lists as command

    _start()
    raise typer.Exit(command.status(root, series, is_json))


@app.command("next")
def next_(
    root: Root,
    annotator: Annotated[str, typer.Option(help="Your name: series that others hold are left out.")] = "",
    strategy: Annotated[str, typer.Option(help="uncertain, random, linter or oldest.")] = "uncertain",
    number: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the random strategy.")] = 0,
    hold: Annotated[bool, typer.Option("--hold", help="Hold the next one for you, so that others are offered another.")] = False,
    is_json: Json = False,
) -> None:
    """Show which series come next, and why."""
    from SpiderSegLib.active_learning.scoring import Strategy
    from SpiderSegLib.cli import project_lists as command

    _start()
    if strategy not in [one.value for one in Strategy]:
        raise typer.BadParameter(f"expected {', '.join(one.value for one in Strategy)}, found {strategy!r}", param_hint="--strategy")
    if hold and not annotator:
        raise typer.BadParameter("say for whom", param_hint="--annotator")
    raise typer.Exit(command.next_series(root, command.NextOptions(annotator, Strategy(strategy), number, seed, is_json, hold)))


@app.command()
def release(root: Root, series: Series, annotator: Annotator) -> None:
    """Give back a series that you hold and will not finish now."""
    from SpiderSegLib.cli import project_lists as command

    _start()
    raise typer.Exit(command.release_series(root, series, annotator))


@app.command()
def history(root: Root, series: Series) -> None:
    """Show what was saved of a series, by whom and from what."""
    from SpiderSegLib.cli import project_lists as command

    _start()
    raise typer.Exit(command.history(root, series))


@app.command()
def predict(
    root: Root,
    device: Device = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many series.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Run the mirrored series too: slower, and their disagreement ranks the list.")] = False,
    progress: Progress = "bar",
) -> None:
    """Segment the open series that have no prediction, or one by an older model; interrupted, it goes on."""
    from SpiderSegLib.cli import project_runs as command

    _start()
    raise typer.Exit(command.predict(root, command.PredictOptions(device, limit, mirror, _style(progress))))


@app.command()
def save(
    root: Root,
    series: Series,
    mask: Annotated[Path, typer.Argument(metavar="MASK", help="Labelmap in SPIDER values on the grid of the series.")],
    annotator: Annotator,
    status: Annotated[str, typer.Option(help="'in progress', done or flagged.")] = "done",
    parent: Annotated[str, typer.Option(metavar="REVISION", help="The revision this goes on from; the newest if not given.")] = "",
    minutes: Annotated[float, typer.Option(min=0, help="Time spent.")] = 0.0,
    reason: Annotated[str, typer.Option(help="Why it is flagged.")] = "",
    comment: Comment = "",
) -> None:
    """Save a mask that was made or corrected elsewhere as a new revision."""
    from SpiderSegLib.cli import project_masks as command
    from SpiderSegLib.corrections.revision import Status

    _start()
    allowed = [one.value for one in Status if one is not Status.APPROVED]
    if status not in allowed:
        raise typer.BadParameter(f"expected {', '.join(allowed)}, found {status!r}", param_hint="--status")
    options = command.SaveOptions(annotator, Status(status), parent, minutes, reason, comment)
    raise typer.Exit(command.save_mask(root, series, mask, options))


@app.command()
def approve(root: Root, series: Series, annotator: Annotator, comment: Comment = "") -> None:
    """Approve the newest mask of a series that somebody else made: then it may judge models."""
    from SpiderSegLib.cli import project_masks as command

    _start()
    raise typer.Exit(command.approve(root, series, annotator, comment))


@app.command()
def flag(
    root: Root,
    series: Series,
    annotator: Annotator,
    reason: Annotated[str, typer.Option(help="What is wrong with the series.")],
    comment: Comment = "",
) -> None:
    """Flag a series, so that its mask trains nothing."""
    from SpiderSegLib.cli import project_masks as command

    _start()
    raise typer.Exit(command.flag(root, series, annotator, reason, comment))


@app.command()
def settle(
    root: Root,
    series: Series,
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="The revision that counts from now on.")],
    annotator: Annotator,
    comment: Comment = "",
) -> None:
    """End a conflict: one of the two revisions counts, both stay."""
    from SpiderSegLib.cli import project_masks as command

    _start()
    raise typer.Exit(command.settle(root, series, revision, annotator, comment))


@app.command()
def agreement(
    root: Root,
    series: Series,
    first: Annotated[str, typer.Argument(metavar="[REVISION", help="A revision; both sides of a conflict, or the last change, if not given.")] = "",
    second: Annotated[str, typer.Argument(metavar="REVISION]", help="Another one.")] = "",
    picture: Annotated[Path | None, typer.Option(help="Draw where they differ to this PNG.")] = None,
) -> None:
    """Measure how far two revisions of a series agree, level by level."""
    from SpiderSegLib.cli import project_masks as command

    _start()
    raise typer.Exit(command.agreement(root, series, first, second, picture))


@app.command()
def freeze(
    root: Root,
    patients: Annotated[list[str] | None, typer.Argument(metavar="[PATIENT...]", help="Patients; with none, who may be frozen is shown.")] = None,
    person: Annotated[str, typer.Option(help="Who decides: your name.")] = "",
    number: Annotated[int | None, typer.Option(min=1, help="So many patients by chance instead.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice.")] = 0,
    comment: Comment = "",
) -> None:
    """Freeze patients for validation: they judge models and never train one."""
    from SpiderSegLib.cli import project_models as command

    _start()
    if (patients or number is not None) and not person:
        raise typer.BadParameter("say who decides", param_hint="--person")
    raise typer.Exit(command.freeze_patients(root, list(patients or ()), number, seed, person, comment))


@app.command()
def retrain(
    root: Root,
    person: Annotated[str, typer.Option(help="Who runs it: your name.")] = "spiderseg",
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 1000,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and augmentation.")] = 0,
    replay: Annotated[Path | None, typer.Option(metavar="DATASET", help="Older data to keep in mind: a folder or data list.")] = None,
    replay_root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder the paths of DATASET are relative to.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Give up a round that was interrupted, and begin a new one.")] = False,
    progress: Progress = "bar",
) -> None:
    """Train a challenger on the accepted masks, compare it with the champion, promote it if it is better."""
    from SpiderSegLib.cli import project_runs as command

    _start()
    options = command.RetrainOptions(person, steps, device, seed, replay, replay_root, restart, _style(progress))
    raise typer.Exit(command.retrain(root, options))


@app.command()
def models(root: Root) -> None:
    """Show the models and what was decided about them."""
    from SpiderSegLib.cli import project_models as command

    _start()
    raise typer.Exit(command.models(root))


@app.command()
def promote(root: Root, model: Annotated[str, typer.Argument(metavar="MODEL")], person: Person, comment: Comment = "") -> None:
    """Make a model the champion, because you say so."""
    from SpiderSegLib.cli import project_models as command

    _start()
    raise typer.Exit(command.promote_model(root, model, person, comment))


@app.command()
def reject(root: Root, model: Annotated[str, typer.Argument(metavar="MODEL")], person: Person, comment: Comment = "") -> None:
    """Write down that a challenger was not taken."""
    from SpiderSegLib.cli import project_models as command

    _start()
    raise typer.Exit(command.reject_model(root, model, person, comment))


@app.command()
def rollback(
    root: Root,
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="An earlier model; the one before the champion if not given.")] = "",
    person: Person = "",
    comment: Comment = "",
) -> None:
    """Make an earlier model the champion again."""
    from SpiderSegLib.cli import project_models as command

    _start()
    if not person:
        raise typer.BadParameter("say who decides", param_hint="--person")
    raise typer.Exit(command.roll_back_model(root, model, person, comment))


@app.command()
def verify(root: Root) -> None:
    """Read every file and name what is damaged or missing."""
    from SpiderSegLib.cli import project_upkeep as command

    _start()
    raise typer.Exit(command.verify_project(root))


@app.command()
def rebuild(
    root: Root,
    forget_lost: Annotated[bool, typer.Option("--forget-lost", help="Stop asking for files that are gone for good.")] = False,
) -> None:
    """Make everything derived again; finish what a crash interrupted."""
    from SpiderSegLib.cli import project_upkeep as command

    _start()
    raise typer.Exit(command.rebuild_project(root, forget_lost))


def _start() -> None:
    from SpiderSegLib.cli.console import set_up_logging

    set_up_logging()


def _style(progress: str) -> ProgressStyle:
    from SpiderSegLib.cli.console import ProgressStyle

    if progress not in [style.value for style in ProgressStyle]:
        raise typer.BadParameter(f"expected bar, json or none, found {progress!r}", param_hint="--progress")
    return ProgressStyle(progress)
