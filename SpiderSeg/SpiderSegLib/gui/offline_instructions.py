"""How to install the packages on a computer without internet: commands for one with it, and for this one."""

from __future__ import annotations

import platform
import shutil
import sys
import sysconfig
from collections.abc import Sequence

from SpiderSegLib.mrml.translation import _

#: Folder of the downloaded packages, as the commands name it.
WHEELS = "spiderseg_wheels"

#: PyTorch's builds for computers without an NVIDIA GPU are much smaller; a driver of 2025 or later runs the other one.
CPU_BUILD, GPU_BUILD = "cpu", "cu128"

PYTORCH_INDEX = "https://download.pytorch.org/whl"

#: Packages for Linux are built for one of these; the newest PyTorch for the first.
LINUX_BUILDS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")


def pip_platforms(system: str, machine: str, macos_version: str = "") -> list[str]:
    """pip's --platform values for an operating system and processor, as platform.system(), .machine() and .mac_ver() name them."""
    machine = machine.lower().replace("amd64", "x86_64")
    if system == "Windows":
        return ["win_arm64" if machine in ("arm64", "aarch64") else "win_amd64"]
    if system == "Darwin":
        major = macos_version.partition(".")[0] or "14"
        return [f"macosx_{major}_0_{machine}"]
    return [f"{build}_{machine}" for build in LINUX_BUILDS]


def download_command(requirements: Sequence[str], build: str = CPU_BUILD, platforms: Sequence[str] | None = None) -> str:
    """A pip command that downloads the requirements, and what they need, for this Slicer on a computer of the same system.

    On another system pip would look at that one's needs: it evaluates the packages' conditions (platform_system == "Linux") where it
    runs, whatever --platform says.
    """
    if platforms is None:
        platforms = pip_platforms(platform.system(), platform.machine(), platform.mac_ver()[0])
    words = ["python -m pip download", f"--dest {WHEELS}", "--only-binary=:all:"]
    words += [f"--python-version {sys.version_info.major}.{sys.version_info.minor}", "--implementation cp"]
    words += [f"--platform {name}" for name in platforms]
    if not platforms[0].startswith("macosx"):  # there PyPI has the only build
        words.append(f"--extra-index-url {PYTORCH_INDEX}/{build}")
    return " ".join([*words, *_quoted(requirements)])


def install_command(requirements: Sequence[str]) -> str:
    """The command that installs the downloaded packages into this Slicer."""
    python = shutil.which("PythonSlicer") or "PythonSlicer"
    return " ".join([f'"{python}" -m pip install --no-index --find-links {WHEELS}', *_quoted(requirements)])


def offline_instructions(requirements: Sequence[str], pins: Sequence[str]) -> str:
    """What to do, as text with the commands; `pins` ('numpy==2.4.1') keep packages of this Slicer at their versions.

    Only pins that a package index knows can be downloaded: not those of Slicer's own builds.
    """
    wanted = [*requirements, *pins]
    torch = next((pin for pin in pins if pin.startswith("torch==")), None)
    # An installed torch can only be downloaded from where its build came from.
    build = torch.partition("+")[2] if torch is not None and "+" in torch else CPU_BUILD
    choice = _("   For an NVIDIA GPU write {gpuBuild} instead of {cpuBuild} in it (some 3 GB instead of 300 MB).\n\n")
    return _(
        "Installing without internet ({system}, Python {python}):\n\n"
        "1. On a computer with internet, the same operating system and Python {python} (that of 3D Slicer will do: PythonSlicer instead of "
        "python) run\n\n{download}\n\n{choice}"
        "2. Copy the folder {wheels} to this computer.\n\n"
        "3. Close 3D Slicer and run, in a command prompt in the folder that holds {wheels},\n\n{install}\n\n"
        "4. Start 3D Slicer: the module finds the packages by itself."
    ).format(
        system=sysconfig.get_platform(),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        download=download_command(wanted, build),
        choice=choice.format(gpuBuild=GPU_BUILD, cpuBuild=CPU_BUILD) if torch is None and platform.system() != "Darwin" else "",
        wheels=WHEELS,
        install=install_command(wanted),
    )


def _quoted(requirements: Sequence[str]) -> list[str]:
    # Understood alike by cmd, PowerShell and POSIX shells; unquoted, '>' would write a file.
    return [f'"{requirement}"' for requirement in requirements]
