"""The rows of `benches/growth`: a tool, a thing that can be many, how many, and the command."""

from dataclasses import dataclass
from typing import Callable, Optional


@dataclass
class Command:
    """What is timed, in a new directory that holds its inputs."""

    argv: list
    stdin: Optional[str] = None
    # None if the command may refuse its input: refusals are timed, too.
    status: Optional[int] = 0
    # A shell script that puts things back before each round.
    before: Optional[str] = None


@dataclass
class Row:
    name: str
    # n: 100n takes long enough to be told from noise, and nothing refuses it.
    count: int
    prepare: Callable[[int], Command]
    # Memory must not grow at all.
    bounded: bool = False


ROWS = []


def row(name, count, bounded=False):
    def add(prepare):
        ROWS.append(Row(name, count, prepare, bounded))
        return prepare

    return add


def rows(names, count, prepare, bounded=False):
    """The same input for several tools: `prepare` is given the part before the slash."""
    for name in names.split():
        tool = name.split("/")[0]
        ROWS.append(Row(name, count, lambda n, tool=tool: prepare(tool, n), bounded))
