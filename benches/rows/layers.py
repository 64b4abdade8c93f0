"""Layers as archives, and trees."""

import os
import subprocess
from pathlib import Path

from . import inputs as make
from .inputs import archive, extended, member, spread
from .row import Command, row, rows

# --- Layers as archives --------------------------------------------------------------

EMPTY = "rm -rf out && mkdir out"


def reading(tool, *members, name="layer"):
    """A command of a tool that reads one layer."""
    Path(name).write_bytes(archive(members))
    if tool == "layer-apply":
        return Command([tool, "out", name], before=EMPTY)
    if tool == "img-commit":
        make.write_index("store", [])
        return Command([tool, "-t", "out", "scratch", name], before="rm -rf store")
    return Command([tool, name])


READERS = ["layer-apply", "layer-merge", "layer-ls", "img-commit"]


def of_readers(what, tools=READERS):
    return " ".join(f"{tool}/{what}" for tool in tools)


rows(of_readers("names"), 500, lambda tool, n: reading(tool, *spread(n)))
rows(
    of_readers("names-in-a-directory"), 500,
    lambda tool, n: reading(tool, *make.names_in_a_directory(n)),
)
rows(
    of_readers("whiteouts"), 500,
    lambda tool, n: reading(tool, member("d", b"5"), *(member(f"d/.wh.{i}") for i in range(n))),
)
rows(
    of_readers("hard-links"), 500,
    lambda tool, n: reading(
        tool, member("file", content=b"x"), *(member(f"l{i}", b"1", link="file") for i in range(n))
    ),
)
rows(
    of_readers("hard-links-to-many"), 300,
    lambda tool, n: reading(
        tool, *(member(f"f{i}", content=b"x") for i in range(n)),
        *(member(f"l{i}", b"1", link=f"f{i}") for i in range(n)),
    ),
)
rows(of_readers("depth"), 20, lambda tool, n: reading(tool, *make.deep(n)))
rows(
    of_readers("same-name"), 500,
    lambda tool, n: reading(tool, *(member("file", content=b"%d" % i) for i in range(n))),
)
rows(
    of_readers("pax-records"), 300,
    lambda tool, n: reading(
        tool, extended([(f"VENDOR.key{i}", "v") for i in range(n)]), member("file", content=b"x")
    ),
)
rows(
    of_readers("pax-records-of-one-key"), 300,
    lambda tool, n: reading(
        tool, extended([("mtime", str(i)) for i in range(n)]), member("file", content=b"x")
    ),
)
rows(
    of_readers("pax-headers"), 300,
    lambda tool, n: reading(
        tool, *(part for i in range(n)
                for part in (extended([("mtime", f"{i}.5")]), member(f"f{i}", content=b"x")))
    ),
)
rows(
    of_readers("pax-global-headers"), 15,
    lambda tool, n: reading(
        tool, *(extended([(f"VENDOR.key{i}", "v")], b"g") for i in range(n)), member("file")
    ),
)
rows(
    of_readers("mebibytes"), 2,
    lambda tool, n: reading(tool, member("file", content=bytes(range(256)) * 4096 * n)),
    bounded=True,
)


def layers_of_whiteouts(tool, count):
    """A layer that deletes what the one below it has."""
    Path("lower").write_bytes(archive(make.names_in_a_directory(count)))
    wanted = [member("d", b"5"), *(member(f"d/.wh.{n}") for n in range(count))]
    Path("upper").write_bytes(archive(wanted))
    if tool == "layer-apply":
        return Command([tool, "out", "lower", "upper"], before=EMPTY)
    return Command([tool, "lower", "upper"])


rows("layer-apply/deletions layer-merge/deletions", 300, layers_of_whiteouts)


def many_layers(tool, count):
    names = []
    for n, data in enumerate(make.small_layers(count)):
        Path(f"layer-{n}").write_bytes(data)
        names.append(f"layer-{n}")
    if tool == "layer-apply":
        return Command([tool, "out", *names], before=EMPTY)
    return Command([tool, *names])


rows("layer-apply/layers layer-merge/layers layer-ls/layers", 20, many_layers)


def opaque_layers(tool, count):
    """Layers that each hide the directory of the last and fill it again."""
    data = archive([member("d", b"5"), member("d/.wh..wh..opq"), member("d/file", content=b"x")])
    Path("layer").write_bytes(data)
    names = ["layer"] * count
    if tool == "layer-apply":
        return Command([tool, "out", *names], before=EMPTY)
    return Command([tool, *names])


rows("layer-apply/opaque-layers layer-merge/opaque-layers", 20, opaque_layers)


# --- Trees ---------------------------------------------------------------------------


@row("layer-diff/names", 500)
def _(count):
    for n in range(0, count, 100):
        make.write_files(f"tree/{n}", min(100, count - n))
    return Command(["layer-diff", "tree"])


@row("layer-diff/names-in-a-directory", 500)
def _(count):
    make.write_files("tree", count)
    return Command(["layer-diff", "tree"])


@row("layer-diff/changed-files", 300)
def _(count):
    make.write_files("old", count)
    make.write_files("new", count, content="changed")
    return Command(["layer-diff", "old", "new"])


@row("layer-diff/deleted-files", 500)
def _(count):
    make.write_files("old", count)
    os.mkdir("new")
    return Command(["layer-diff", "old", "new"])


@row("layer-diff/hard-links", 300)
def _(count):
    for n in range(count):
        make.write_text(f"tree/{n // 1000}/{n}", "content")
        os.makedirs(f"tree/links/{n // 1000}", exist_ok=True)
        os.link(f"tree/{n // 1000}/{n}", f"tree/links/{n // 1000}/{n}")
    return Command(["layer-diff", "tree"])


@row("layer-diff/whiteouts-of-an-overlay", 300)
def _(count):
    os.mkdir("upper")
    for n in range(count):
        os.mknod(f"upper/{n}", 0o020000, 0)
    return Command(["layer-diff", "--overlay", "upper"])


@row("layer-diff/depth", 20)
def _(count):
    # Equal trees: names of a layer would be as long as the square of their number.
    for tree in ("old", "new"):
        subprocess.run(["mkdir", "-p", tree + "/a" * count], check=True)
    return Command(["layer-diff", "--list", "old", "new"])


@row("layer-diff/exclude-patterns", 30)
def _(count):
    make.write_files("tree", 300)
    patterns = [word for n in range(count) for word in ("--exclude", f"no-{n}")]
    return Command(["layer-diff", *patterns, "tree"])


@row("layer-diff/mebibytes", 2, bounded=True)
def _(count):
    os.mkdir("tree")
    Path("tree/file").write_bytes(bytes(range(256)) * 4096 * count)
    return Command(["layer-diff", "tree"])


