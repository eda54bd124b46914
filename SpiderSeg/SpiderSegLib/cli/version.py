"""`spiderseg version`: the environment, for bug reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import typer

import SpiderSegLib
from SpiderSegLib.errors import SpiderSegError

PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "nibabel", "einops", "matplotlib", "typer")


def version() -> int:
    """Prints versions of SpiderSeg, its weights, Python, packages and devices; names nothing of the user."""
    typer.echo(f"SpiderSeg {SpiderSegLib.__version__}")
    typer.echo(f"Python    {platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors")
    for package in PACKAGES:
        typer.echo(f"{package:<10}{_version_of(package)}")
    typer.echo(f"device    {_device()}")
    typer.echo(f"weights   {_weights()}")
    return 0


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _device() -> str:
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    from SpiderSegLib.inference import cpu_has_bf16

    if torch.cuda.is_available():
        return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return "CPU with bfloat16" if cpu_has_bf16() else "CPU"


def _weights() -> str:
    try:
        from SpiderSegLib.weights import load_weights

        checkpoint = load_weights(None)
    except (ImportError, SpiderSegError) as error:
        return str(error)
    return f"{checkpoint.provenance.model_id} (SHA-256 {checkpoint.sha256[:16]}..)"
