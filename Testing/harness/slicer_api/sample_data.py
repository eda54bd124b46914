"""SampleData: where a module registers the data of its tutorial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slicer


@dataclass
class SampleDataSource:
    """One registered data set; lists have one entry a file."""

    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    checksums: Any = None
    loadFiles: Any = None
    customDownloader: Callable[[SampleDataSource], Any] | None = None
    thumbnailFileName: str | None = None
    loadFileTypes: Any = "VolumeFile"
    loadFileProperties: dict[str, Any] = field(default_factory=dict)


class SampleDataLogic:
    """Registers sources in slicer.modules.sampleDataSources and loads those that a function makes."""

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", loadFileType: Any = "VolumeFile", **described: Any) -> None:
        source = SampleDataSource(loadFileTypes=loadFileType, **described)
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def downloadFromSource(self, source: SampleDataSource) -> Any:
        if source.customDownloader is None:
            raise NotImplementedError(f"sample '{source.sampleName}' comes from {source.uris}: the harness has no network")
        return source.customDownloader(source)

    def downloadSample(self, sampleName: str) -> Any:
        for sources in slicer.modules.sampleDataSources.values():
            for source in sources:
                if source.sampleName == sampleName:
                    return self.downloadFromSource(source)
        raise KeyError(f"no sample '{sampleName}' is registered")


def downloadSample(sampleName: str) -> Any:
    return SampleDataLogic().downloadSample(sampleName)
