"""Images, and stores of them."""

import os
from pathlib import Path

from . import inputs as make
from .inputs import archive, extended, member, spread
from .row import Command, row, rows

# --- Images and stores ---------------------------------------------------------------

# What is done with the image `base` of the store.
USES = {
    "img-commit": ["img-commit", "--config-only", "-t", "out", "base"],
    "img-history": ["img-history", "base"],
    "img-inspect": ["img-inspect", "base"],
    "img-ls": ["img-ls"],
    "img-rm": ["img-rm", "base"],
    "img-copy": ["img-copy", "--quiet", "base", "oci:out:copy"],
    "img-build": ["img-build", "--quiet", "-t", "out", "context"],
    "img-run": ["img-run", "base", "/bin/true"],
    "union-mount": ["union-mount", "--image", "base", "--", "/bin/true"],
    "layer-apply": ["layer-apply", "--image", "base", "out"],
}


def using(tool, **parts):
    """A command of a tool on an image of these parts."""
    make.store(**parts)
    if tool == "img-build":
        make.write_text("context/Containerfile", "FROM base", "LABEL key=value")
    return used(tool)


def used(tool):
    return Command(USES[tool], before=" && ".join([
        "rm -rf out", "if [ -f index.json ]; then cp index.json store/; else cp store/index.json .; fi",
        *(["mkdir out"] if tool == "layer-apply" else []),
    ]))


IMAGE = ["img-commit", "img-history", "img-inspect", "img-ls", "img-copy", "img-build"]


def of_image(what, tools=IMAGE):
    return " ".join(f"{tool}/{what}" for tool in tools)


rows(
    of_image("layers", [*IMAGE, "layer-apply"]), 20,
    lambda tool, n: using(tool, layers=make.small_layers(n)),
)
rows(
    of_image("equal-layers", ["img-commit", "img-copy", "layer-apply"]), 30,
    lambda tool, n: using(tool, layers=[archive([member("file", content=b"x")])] * n),
)
rows(
    of_image("history-entries"), 200,
    lambda tool, n: using(
        tool, history=[{"created": make.TIME, "created_by": "step"}] +
        [{"created": make.TIME, "created_by": f"step {i}", "empty_layer": True} for i in range(n)],
    ),
)
rows(
    of_image("labels"), 300,
    lambda tool, n: using(tool, config={"Labels": {f"label{i}": "value" for i in range(n)}}),
)
rows(
    of_image("env"), 300,
    lambda tool, n: using(tool, config={"Env": [f"NAME{i}=value" for i in range(n)]}),
)
rows(
    of_image("expose"), 300,
    lambda tool, n: using(
        tool, config={"ExposedPorts": {f"{i % 65535 + 1}/tcp": {} for i in range(n)}},
    ),
)
rows(
    of_image("volumes"), 300,
    lambda tool, n: using(tool, config={"Volumes": {f"/volume{i}": {} for i in range(n)}}),
)
rows(
    of_image("annotations"), 300,
    lambda tool, n: using(
        tool, extra={"annotations": {f"key{i}": "value" for i in range(n)}},
    ),
)
rows(
    of_image("unknown-fields"), 300,
    lambda tool, n: using(tool, changes={f"field{i}": i for i in range(n)}),
)


def nested(tool, count):
    """A config with arrays in each other: refused, once they are more than 127."""
    text = "[" * count + "]" * count
    layer = make.descriptor("store", make.LAYER, archive([member("file", content=b"x")]))
    config = (
        '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]},'
        '"history":[],"unknown":%s}' % (layer["digest"], text)
    ).encode()
    manifest = make.encode({
        "schemaVersion": 2, "mediaType": make.MANIFEST, "layers": [layer],
        "config": make.descriptor("store", make.CONFIG, config),
    })
    make.write_index("store", [("base:latest", make.descriptor("store", make.MANIFEST, manifest))])
    command = used(tool)
    command.status = None
    return command


rows(of_image("json-depth", ["img-commit", "img-history", "img-inspect", "img-copy"]), 10_000, nested)


def of_names(tool, count):
    make.store_of_names(count)
    words = [word.replace("base", "image-0") for word in USES[tool]]
    if tool == "img-build":
        make.write_text("context/Containerfile", "FROM image-0", "LABEL key=value")
    command = used(tool)
    command.argv = words
    return command


# 100n is more than 4 MiB of index.json.
rows(of_image("names-in-the-store", [*IMAGE, "img-rm"]), 300, of_names)


@row("img-ls/check", 50)
def _(count):
    make.store_of_names(count)
    return Command(["img-ls", "--check"])


@row("img-rm/prune", 50)
def _(count):
    make.store_of_names(count)
    make.write_index("store", [])
    return Command(["img-rm", "--prune", "--dry-run"])


@row("img-rm/operands", 50)
def _(count):
    make.store_of_names(count)
    command = used("img-rm")
    command.argv = ["img-rm", *(f"image-{n}" for n in range(count))]
    return command


@row("img-inspect/operands", 50)
def _(count):
    make.store_of_names(count)
    return Command(["img-inspect", *(f"image-{n}" for n in range(count))])


def platforms(tool, count):
    """An index of images that differ in their variant."""
    layer = archive([member("file", content=b"x")])
    images = []
    for n in range(count):
        image = make.write_image("store", [layer], changes={"variant": f"v{n}"})
        platform = {"architecture": "amd64", "os": "linux", "variant": f"v{n}"}
        images.append({**image, "platform": platform})
    media_type = "application/vnd.oci.image.index.v1+json"
    index = make.encode({"schemaVersion": 2, "mediaType": media_type, "manifests": images})
    make.write_index("store", [("base:latest", make.descriptor("store", media_type, index))])
    command = used(tool)
    if tool == "img-copy":
        command.argv = ["img-copy", "--quiet", "--all", "base", "oci:out:copy"]
    return command


rows(of_image("platforms", ["img-ls", "img-rm", "img-copy", "img-inspect"]), 8, platforms)


def archived(tool, count):
    """Of a docker archive with many images, one is named."""
    layer = archive([member("file", content=b"x")])
    members, manifest = [member("layer.tar", content=layer)], []
    digest = make.hashlib.sha256(layer).hexdigest()
    for n in range(count):
        config = make.encode({
            "architecture": "amd64", "os": "linux", "config": {"User": str(n + 1)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        })
        members.append(member(f"config-{n}.json", content=config))
        manifest.append({"Config": f"config-{n}.json", "RepoTags": [f"image-{n}:latest"],
                         "Layers": ["layer.tar"]})
    members.append(member("manifest.json", content=make.encode(manifest)))
    Path("images.tar").write_bytes(archive(members))
    return Command([tool, "docker-archive:images.tar:image-0:latest"])


rows("img-inspect/archived-images img-history/archived-images", 100, archived)


@row("img-copy/layers-to-an-archive", 50)
def _(count):
    make.store(layers=make.small_layers(count))
    return Command(["img-copy", "--quiet", "base", "docker-archive:out.tar"], before="rm -f out.tar")


@row("img-copy/mebibytes", 2, bounded=True)
def _(count):
    data = archive([member("file", content=bytes(range(256)) * 4096 * count)])
    return using("img-copy", layers=[data])


for what, instruction in {
    "labels": "LABEL label{}=value", "env": "ENV NAME{}=value", "expose": "EXPOSE {}",
    "volumes": "VOLUME /volume{}", "onbuild": "ONBUILD LABEL label{}=value",
}.items():
    def _(count, instruction=instruction):
        command = using("img-commit")
        changes = [word for n in range(count) for word in ("-c", instruction.format(n % 65535 + 1))]
        command.argv = ["img-commit", "--config-only", "-t", "out", *changes, "base"]
        return command

    row(f"img-commit/changes-{what}", 100)(_)


@row("img-commit/squash-layers", 50)
def _(count):
    command = using("img-commit", layers=make.small_layers(count))
    command.argv = ["img-commit", "--squash", "--config-only", "-t", "out", "base"]
    return command


