"""A whole data set resampled into another folder, with a manifest; interrupted, the same call goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from SpiderSegLib.atomic import make_folder, write_together
from SpiderSegLib.cases import Case, CaseSet, Track
from SpiderSegLib.errors import Cancelled, DatasetError, GeometryError, OutputError, SpiderSegError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.io import bytes_writer, image_suffix, read_labelmap, read_volume, volume_writer, write_text_atomically
from SpiderSegLib.overview import OVERVIEW_NAME
from SpiderSegLib.resampling.recipe import ResamplingConfig, resample_volume
from SpiderSegLib.volume import Geometry, Volume

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class FailedCase:
    """A case that could not be resampled, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ResampledSet:
    """Names of the cases resampled now, of those that were done before, and the failed ones."""

    resampled: tuple[str, ...]
    present: tuple[str, ...]
    failed: tuple[FailedCase, ...]


def resample_dataset(case_set: CaseSet, out: Path, config: ResamplingConfig, track: Track[Case] = iter) -> ResampledSet:
    """Writes every image and mask of a data set resampled to `out`, at the same relative paths (.mhd becomes .mha).

    manifest.json says for every case what it was and became, with SHA-256 of source and output; a case whose source and outputs
    still match it is not done again. A case that can't be read, or whose image and mask are on different grids, fails and the
    others go on. Raises DatasetError when `out` is or lies in the source folder, OutputError when it holds a set resampled
    otherwise, or can't be written.
    """
    _refuse_source_folder(case_set, out)
    make_folder(out)
    manifest = _read_manifest(out, config)
    resampled, present, failed = [], [], []
    for case in track(case_set.cases):
        try:
            if _is_done(case, case_set.root, out, manifest["series"].get(case.name)):
                present.append(case.name)
                continue
            manifest["series"][case.name] = _resample_case(case, case_set.root, out, config)
        except (Cancelled, OutputError):
            raise
        except SpiderSegError as error:
            manifest["series"].pop(case.name, None)
            failed.append(FailedCase(case.name, str(error)))
            continue
        resampled.append(case.name)
        _write_manifest(out, manifest)
    _write_manifest(out, manifest)
    _copy_overview(case_set.root, out)
    return ResampledSet(tuple(resampled), tuple(present), tuple(failed))


def _refuse_source_folder(case_set: CaseSet, out: Path) -> None:
    root = case_set.root.resolve()
    if out.resolve().is_relative_to(root):
        raise DatasetError(f"{out}: expected a folder outside the data set {root}, whose files would else be mixed with resampled ones")
    sources = {path.resolve() for path in case_set.files}
    overwritten = [path for case in case_set.cases for path in _targets(case, case_set.root, out).values() if path.resolve() in sources]
    if overwritten:
        raise DatasetError(f"{out}: expected a folder of its own, but {overwritten[0]} is a file of the data set")


def _sources(case: Case) -> dict[str, Path]:
    return {role: path for role, path in (("image", case.image), ("mask", case.reference)) if path is not None}


def _targets(case: Case, root: Path, out: Path) -> dict[str, Path]:
    targets = {}
    for role, path in _sources(case).items():
        relative = path.relative_to(root)
        targets[role] = out / (relative.with_suffix(".mha") if image_suffix(path) == ".mhd" else relative)
    return targets


def _resample_case(case: Case, root: Path, out: Path, config: ResamplingConfig) -> dict[str, Any]:
    sources, targets = _sources(case), _targets(case, root, out)
    volumes = {role: read_labelmap(path) if role == "mask" else read_volume(path) for role, path in sources.items()}
    if len(volumes) == 2 and not volumes["image"].geometry.is_same_grid(volumes["mask"].geometry):
        raise GeometryError(f"{case.name}: image and mask are not on the same grid ({sources['image']}, {sources['mask']})")
    results = {role: resample_volume(volume, config, is_labelmap=role == "mask") for role, volume in volumes.items()}
    for target in targets.values():
        make_folder(target.parent)
    write_together({targets[role]: volume_writer(targets[role], volume) for role, volume in results.items()})
    return {"patient_id": case.patient_id} | {
        role: _record(sources[role], targets[role], root, out, volumes[role], results[role]) for role in sources
    }


def _record(source: Path, target: Path, root: Path, out: Path, old: Volume, new: Volume) -> dict[str, Any]:
    return {
        "source": source.relative_to(root).as_posix(),
        "source_sha256": sha256_of(source),
        "output": target.relative_to(out).as_posix(),
        "output_sha256": sha256_of(target),
        "old": _described(old.geometry),
        "new": _described(new.geometry),
    }


def _described(geometry: Geometry) -> dict[str, Any]:
    return {"size": list(geometry.size_ijk), "spacing": list(geometry.spacing_ijk_mm), "orientation": geometry.orientation}


def _is_done(case: Case, root: Path, out: Path, entry: dict[str, Any] | None) -> bool:
    sources, targets = _sources(case), _targets(case, root, out)
    if entry is None or {"patient_id", *sources} != set(entry):
        return False
    if not all(isinstance(entry[role], dict) and {"source_sha256", "output_sha256"} <= set(entry[role]) for role in sources):
        return False
    return all(
        sources[role].is_file()
        and targets[role].is_file()
        and entry[role]["source_sha256"] == sha256_of(sources[role])
        and entry[role]["output_sha256"] == sha256_of(targets[role])
        for role in sources
    )


def _settings(config: ResamplingConfig) -> dict[str, Any]:
    # Through JSON, so that tuples compare equal to the lists of a manifest.
    return json.loads(json.dumps(asdict(config)))


def _read_manifest(out: Path, config: ResamplingConfig) -> dict[str, Any]:
    path, empty = out / MANIFEST_NAME, {"settings": _settings(config), "series": {}}
    if not path.exists():
        return empty
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        settings, series = manifest["settings"], dict(manifest["series"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: expected the manifest of an earlier call, found something else; choose another folder") from error
    if settings != empty["settings"]:
        raise OutputError(f"{out}: holds series resampled with {settings}, expected {empty['settings']}; choose another folder")
    return {"settings": settings, "series": series}


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    write_text_atomically(out / MANIFEST_NAME, json.dumps(manifest, indent=1) + "\n")


def _copy_overview(root: Path, out: Path) -> None:
    """So that SPIDER's subsets and scanner data are known of the resampled set too."""
    source = root / OVERVIEW_NAME
    if source.is_file() and not (out / OVERVIEW_NAME).exists():
        write_together({out / OVERVIEW_NAME: bytes_writer(source.read_bytes())})
