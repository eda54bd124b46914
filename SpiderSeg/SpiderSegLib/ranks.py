"""Which of several processes this one is, when `torchrun` starts the same command more than once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from SpiderSegLib.errors import InputError

Case = TypeVar("Case")


@dataclass(frozen=True)
class Rank:
    """Process `number` of `world` processes, `local` among those of its machine; 0 of 1 when there is but one."""

    number: int = 0
    world: int = 1
    local: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.world or self.local < 0:
            raise InputError(f"expected a rank from 0 to below the number of processes, found {self.number} of {self.world} (local {self.local})")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Rank:
        """What torchrun tells its processes in RANK, WORLD_SIZE and LOCAL_RANK; 0 of 1 without them.

        Raises InputError when they are not whole numbers that fit each other.
        """
        if "RANK" not in environment or "WORLD_SIZE" not in environment:
            return cls()
        found = {name: environment.get(name, "0") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        try:
            return cls(*(int(value) for value in found.values()))
        except ValueError as error:
            raise InputError(f"expected whole numbers in RANK, WORLD_SIZE and LOCAL_RANK, found {found}") from error

    @property
    def is_of_torchrun(self) -> bool:
        """Whether the other processes can be waited for."""
        return self.world > 1 and "MASTER_ADDR" in os.environ

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.number == 0

    def share_of(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Every world-th case, beginning at this rank's: together the ranks have each case once."""
        return cases[self.number :: self.world]
