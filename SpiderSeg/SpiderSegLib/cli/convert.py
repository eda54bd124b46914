"""`spiderseg convert`: one segmentation from any format to any other, its values and grid unchanged."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from SpiderSegLib.atomic import FileWriter, make_folder, write_together
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import bytes_writer, image_suffix, read_layers
from SpiderSegLib.labels import LevelState
from SpiderSegLib.segmentation_files import (
    DICOM,
    SEGMENTATION_FORMATS,
    SLICER,
    DicomSource,
    NamedLabelmap,
    SidecarFacts,
    find_referenced_source,
    find_source,
    format_of,
    is_sidecar,
    labelmap_sidecar,
    read_segmentation,
    read_sidecar,
    segmentation_writer,
    sidecar_beside,
    sidecar_bytes,
    sidecar_of,
    stem_of,
    suffix_of,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertOptions:
    """The options of `spiderseg convert`; None means: as the input or the output's name says."""

    file_format: str | None = None
    dicom: Path | None = None
    series: str | None = None
    levels: Path | None = None
    lumbar_count: int | None = None
    is_confirmed: bool = False
    leave_out_unknown: bool = False
    overwrite: bool = False


def convert(source: Path, out: Path, options: ConvertOptions) -> int:
    """Reads a segmentation, names its levels as asked, and writes it; returns 0.

    Plain labelmaps get a sidecar beside them. Raises typer.BadParameter (usage) for an output without format, SpiderSegError for what
    can't be read, matched or written; then nothing was written.
    """
    target = _target(source, out, options)
    if target.resolve() == source.resolve():
        raise typer.BadParameter(f"the output {target} is the input; choose another output")
    if format_of(target) == DICOM and options.dicom is None:
        raise typer.BadParameter("DICOM SEG refers to the original DICOM series: give its folder with --dicom DIR")
    series = _referenced(source, options)
    read = read_segmentation(source, series, options.leave_out_unknown)
    if series is None and options.dicom is not None:
        series = find_source(options.dicom, read.named.labelmap.geometry, str(source), options.series)
    facts = read_sidecar(options.levels) if options.levels is not None else None
    named = _named(read.named, facts, options)
    files = _files(source, target, named, series, facts)
    _check(target, files, options)
    make_folder(target.parent)
    write_together(files)
    for warning in read.warnings:
        logger.warning("%s: %s", source.name, warning)
    typer.echo(_summary(target, named))
    return 0


def _target(source: Path, out: Path, options: ConvertOptions) -> Path:
    """The file to write. Raises typer.BadParameter when neither OUT nor --format says in which format, or they contradict each other."""
    named = "" if out.is_dir() else format_of(out)
    if options.file_format is None:
        if not named:
            raise typer.BadParameter(f"{out}: expected an output ending in .mha, .nii.gz, .nrrd, .seg.nrrd or .dcm, or --format and a folder")
        if named == "mhd":
            raise typer.BadParameter(f"{out}: .mhd would be two files; use .mha")
        return out
    if options.file_format not in SEGMENTATION_FORMATS:
        raise typer.BadParameter(f"expected the format {', '.join(SEGMENTATION_FORMATS)}, found {options.file_format!r}")
    if named and named != options.file_format:
        raise typer.BadParameter(f"--format {options.file_format} contradicts the output {out.name}")
    return out if named else out / f"{stem_of(source) or 'segmentation'}{suffix_of(options.file_format)}"


def _referenced(source: Path, options: ConvertOptions) -> DicomSource | None:
    """The series in --dicom that a DICOM SEG itself refers to; None for other inputs. Raises InputError when it is not there."""
    if options.dicom is None or not source.exists() or (source.is_file() and image_suffix(source)):
        return None
    return find_referenced_source(options.dicom, source)


def _named(named: NamedLabelmap, facts: SidecarFacts | None, options: ConvertOptions) -> NamedLabelmap:
    """The labelmap with the naming of --levels, then --lumbar, then --confirmed."""
    if facts is not None:
        named = replace(named, naming=facts.naming, model_id=facts.model_id or named.model_id, confidences={**named.confidences, **facts.confidences})
    naming = named.naming
    if options.lumbar_count is not None:
        # Another count is another anatomy: what was confirmed was the one before.
        state = LevelState.ASSUMED if naming.is_asserted and naming.lumbar_count != options.lumbar_count else naming.state
        naming = replace(naming, state=state, lumbar_count=options.lumbar_count)
    return replace(named, naming=naming.confirmed() if options.is_confirmed else naming)


def _files(source: Path, target: Path, named: NamedLabelmap, series: DicomSource | None, facts: SidecarFacts | None) -> dict[Path, FileWriter]:
    """What to write, the segmentation last."""
    files: dict[Path, FileWriter] = {}
    if format_of(target) not in (DICOM, SLICER):
        earlier = facts or (sidecar_of(source) if source.is_file() and image_suffix(source) else None)
        record = labelmap_sidecar(named, earlier.record if earlier is not None else None)
        files[sidecar_beside(target)] = bytes_writer(sidecar_bytes(record))
    files[target] = segmentation_writer(target, named, series, _like(source, named))
    return files


def _like(source: Path, named: NamedLabelmap) -> Path | None:
    """The input when its grid is the output's: a segmentation cut out of its grid has another one."""
    if not source.is_file() or not image_suffix(source):
        return None
    if image_suffix(source) != ".nrrd":
        return source
    return source if read_layers(source).geometry == named.labelmap.geometry else None


def _check(target: Path, files: dict[Path, FileWriter], options: ConvertOptions) -> None:
    """Raises OutputError for files that exist, but for a sidecar of ours that describes the same run."""
    for path in files:
        if path.exists() and not options.overwrite and not (path != target and is_sidecar(path)):
            raise OutputError(f"{path} exists; give --overwrite to replace it")


def _summary(target: Path, named: NamedLabelmap) -> str:
    state = named.naming.state.value
    lines = [f"{target}   {len(named.values)} structures, level {state}, model {named.model_id or 'none'}"]
    lines.extend(f"{value:>5}  {named.full_name(value)}" for value in named.values)
    return "\n".join(lines)
