"""Containerfiles, and their contexts."""

import os
from pathlib import Path

from . import inputs as make
from .inputs import archive, extended, member, spread
from .row import Command, row, rows

# --- Containerfiles ------------------------------------------------------------------


def building(*lines, files=None, again=False, options=()):
    """A build of these lines onto a small image."""
    make.store()
    make.write_text("context/Containerfile", "FROM base", *lines)
    for name, content in (files or {"file": "x"}).items():
        make.write_text(f"context/{name}", content)
    return Command(
        ["img-build", "--quiet", *options, "-t", "out", "context"],
        before=None if again else "rm -rf cache",
    )


def on_lines(what, count, line, again=False):
    """A row whose lines are `line` with a number for each `{}`."""
    row(f"img-build/{what}", count)(
        lambda n: building(*(line.replace("{}", str(i)) for i in range(n)), again=again)
    )


on_lines("env-lines", 100, "ENV NAME{}=value")
on_lines("label-lines", 100, "LABEL label{}=value")
on_lines("arg-lines", 100, "ARG NAME{}=value")
on_lines("expose-lines", 100, "EXPOSE {}")
on_lines("volume-lines", 100, "VOLUME /volume{}")
on_lines("workdir-lines", 10, "WORKDIR /directory{}")
on_lines("onbuild-lines", 100, "ONBUILD LABEL label{}=value")
on_lines("comment-lines", 1000, "# comment {}")
on_lines("user-lines", 100, "USER {}")
on_lines("copy-lines", 10, "COPY file /file{}")
on_lines("copy-lines-cached", 10, "COPY file /file{}", again=True)
on_lines("stages", 10, "FROM base AS stage{}\nCOPY file /file{}")
on_lines("unused-stages", 100, "FROM base AS stage{}\nLABEL a={}")


def in_one_line(what, count, start, word, end=""):
    row(f"img-build/{what}", count)(
        lambda n: building(start + " ".join(word.format(i) for i in range(n)) + end)
    )


in_one_line("env-in-one-line", 300, "ENV ", "NAME{}=value")
in_one_line("label-in-one-line", 300, "LABEL ", "label{}=value")
in_one_line("arg-in-one-line", 300, "ARG ", "NAME{}=value")
in_one_line("expose-in-one-line", 300, "EXPOSE ", "{}")
in_one_line("continued-lines", 300, "LABEL", "\\\n  label{}=value")
in_one_line("shell-words", 300, "CMD [", '"word", ', '"end"]')


@row("img-build/expose-range", 600)
def _(count):
    return building(f"EXPOSE 1-{count}")


@row("img-build/expose-ranges", 5)
def _(count):
    return building(*["EXPOSE 1-1000"] * count)


@row("img-build/chained-stages", 10)
def _(count):
    lines = []
    for n in range(count):
        lines += [f"FROM {'base' if n == 0 else f's{n - 1}'} AS s{n}", f"COPY file /file{n}"]
    return building(*lines)


@row("img-build/expansions", 100)
def _(count):
    return building("ARG A=x", "LABEL a=" + "${A}" * count)


@row("img-build/replaced-characters", 300)
def _(count):
    return building(f"ARG A={'a' * count}", "LABEL a=${A//a/bb}", "LABEL b=${A//*b/x}", "LABEL c=${A##*b}")


@row("img-build/build-args", 100)
def _(count):
    options = [word for n in range(count) for word in ("--build-arg", f"NAME{n}=value")]
    return building("ARG NAME0", "LABEL a=$NAME0", options=options)


@row("img-build/here-document-lines", 100)
def _(count):
    return building("COPY <<EOF /file", *(f"line {n}" for n in range(count)), "EOF")


@row("img-build/here-documents", 10)
def _(count):
    lines = (line for n in range(count) for line in (f"COPY <<EOF /file{n}", "line", "EOF"))
    return building(*lines)


@row("img-build/copy-sources", 100)
def _(count):
    return building(
        "COPY " + " ".join(str(n) for n in range(count)) + " /copy/",
        files={str(n): "x" for n in range(count)},
    )


@row("img-build/context-files", 300)
def _(count):
    return building("COPY . /copy/", files={f"d{n // 100}/{n}": "x" for n in range(count)})


@row("img-build/context-files-cached", 300)
def _(count):
    return building(
        "COPY . /copy/", files={f"d{n // 100}/{n}": "x" for n in range(count)}, again=True
    )


@row("img-build/globbed-files", 300)
def _(count):
    return building("COPY f* /copy/", files={f"f{n}": "x" for n in range(count)})


def changed(explain):
    def prepare(count):
        options = ["--explain"] if explain else []
        command = building(
            "COPY . /copy/", files={f"d/{n}": "x" for n in range(count)}, options=options
        )
        if explain:
            command.argv.remove("--quiet")
        command.before = (
            "rm -rf cache; for f in context/d/*; do echo y >$f; done; img-build -q context 2>/dev/null;"
            "for f in context/d/*; do echo z >$f; done"
        )
        return command

    return prepare


row("img-build/changed-files", 100)(changed(False))
row("img-build/changed-files-explained", 100)(changed(True))


def one_changed(count):
    command = building("COPY . /copy/", files={f"d/{n}": "x" for n in range(count)})
    command.before = "rm -rf cache; echo y >context/d/0; img-build -q context; echo z >context/d/0"
    return command


row("img-build/files-of-one-changed", 300)(one_changed)


def ignoring(pattern, files):
    def prepare(count):
        command = building(
            "COPY . /copy/", files={"d/file": "x", **{f"d/{n}": "x" for n in range(files)}}
        )
        make.write_text("context/.dockerignore", *(pattern.format(n) for n in range(count)))
        return command

    return prepare


row("img-build/ignore-patterns", 100)(ignoring("no-{}", 10))
row("img-build/ignore-patterns-with-stars", 100)(ignoring("**/no-{}*", 10))
row("img-build/ignore-exceptions", 100)(ignoring("!d/no-{}/more", 10))


@row("img-build/ignored-files", 300)
def _(count):
    command = building("COPY . /copy/", files={f"d/{n}": "x" for n in range(count)})
    make.write_text("context/.dockerignore", "*", "!d/0")
    return command


@row("img-build/copy-from-names", 300)
def _(count):
    make.store(layers=[archive(spread(count))])
    make.write_text("context/Containerfile", "FROM scratch", "COPY --from=base / /")
    return Command(["img-build", "--quiet", "-t", "out", "context"], before="rm -rf cache")


@row("img-build/copy-from-layers", 30)
def _(count):
    make.store(layers=make.small_layers(count))
    make.write_text("context/Containerfile", "FROM scratch", "COPY --from=base / /")
    return Command(["img-build", "--quiet", "-t", "out", "context"], before="rm -rf cache")


@row("img-build/onbuild-of-the-base", 100)
def _(count):
    make.store(config={"OnBuild": [f"LABEL label{n}=value" for n in range(count)]})
    make.write_text("context/Containerfile", "FROM base")
    return Command(["img-build", "--quiet", "-t", "out", "context"], before="rm -rf cache")


@row("img-build/ignore-patterns-and-files", 30)
def _(count):
    """Both at once would be their product: one file for each pattern would be quadratic."""
    return ignoring("no-{}", 300)(count)
