"""Commands that run in images."""

import os
from pathlib import Path

from . import inputs as make
from .inputs import archive, extended, member, spread
from .row import Command, row, rows

def runnable():
    """A layer with a program that does nothing."""
    program = Path("/bin/busybox").read_bytes()
    return archive([
        member("bin", b"5"), member("bin/busybox", content=program, mode=b"0000755"),
    ])


# --- Commands in images --------------------------------------------------------------


def running(tool, count, **config):
    make.store(layers=[runnable()], config=config)
    run = ["img-run", "base"] if tool == "img-run" else ["union-mount", "--image", "base", "--"]
    return Command([*run, "/bin/busybox", "true"])


@row("img-run/env", 300)
def _(count):
    return running("img-run", count, Env=[f"NAME{n}=value" for n in range(count)])


@row("img-run/volumes", 5)
def _(count):
    return running("img-run", count, Volumes={f"/volume{n}": {} for n in range(count)})


@row("img-run/env-options", 100)
def _(count):
    command = running("img-run", count)
    options = [word for n in range(count) for word in ("-e", f"NAME{n}=value")]
    command.argv = ["img-run", *options, *command.argv[1:]]
    return command


@row("img-run/volume-options", 5)
def _(count):
    command = running("img-run", count)
    os.mkdir("volume")
    options = [word for n in range(count) for word in ("-v", f"{os.getcwd()}/volume:/volume{n}")]
    command.argv = ["img-run", *options, *command.argv[1:]]
    return command


def running_layers(tool, count):
    command = running(tool, count)
    make.store(layers=[runnable(), *make.small_layers(count)])
    return command


# One overlay mount holds 999.
rows("img-run/layers union-mount/layers", 9, running_layers)


def running_names(tool, count):
    command = running(tool, count)
    make.store(layers=[runnable(), archive(spread(count))])
    return command


def running_first(tool, count):
    command = running_names(tool, count)
    command.before = "rm -rf cache"
    return command


rows("img-run/names union-mount/names", 300, running_names)
rows("img-run/names-to-unpack union-mount/names-to-unpack", 300, running_first)


@row("union-mount/layer-directories", 4)
def _(count):
    make.store(layers=[runnable()])
    directories = []
    for n in range(count):
        make.write_text(f"layers/{n}/file-{n}", "x")
        directories.append(f"layers/{n}")
    Path("layers/root.tar").write_bytes(runnable())
    prepare = "mkdir -p layers/root && tar -xf layers/root.tar -C layers/root"
    return Command(["union-mount", "layers/root", *directories, "--", "/bin/busybox", "true"],
                   before=prepare)


