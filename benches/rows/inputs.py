"""Inputs of `benches/growth`: archives, images, layouts and trees that hold many of something."""

import hashlib
import json
import os
from pathlib import Path

TIME = "2023-11-14T22:13:20Z"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


# --- Archives ------------------------------------------------------------------------


def member(name, kind=b"0", content=b"", link="", mode=None):
    """One member of a ustar archive: header and padded content."""
    mode = mode or (b"0000755" if kind == b"5" else b"0000644")
    header = b"".join((
        name.encode().ljust(100, b"\0"), mode + b"\0", b"0000000\0", b"0000000\0",
        b"%011o\0" % len(content), b"14524624400\0", b" " * 8, kind,
        link.encode().ljust(100, b"\0"), b"ustar\x0000", bytes(64), b"0000000\0", b"0000000\0",
        bytes(167),
    ))
    assert len(header) == 512, (name, link)
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + content + bytes(-len(content) % 512)


def record(key, value):
    """One record of an extended header, which begins with its own length."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest


def extended(records, kind=b"x"):
    """An extended header of these records."""
    return member("pax", kind, b"".join(record(key, value) for key, value in records))


def archive(members):
    """A whole archive."""
    return b"".join(members) + bytes(1024)


def names_in_a_directory(count, content=b"content"):
    return [member("d", b"5"), *(member(f"d/{n}", b"0", content) for n in range(count))]


def spread(count):
    """Names, a hundred in each directory."""
    for n in range(count):
        if n % 100 == 0:
            yield member(f"d{n // 100}", b"5")
        yield member(f"d{n // 100}/{n}", content=b"content")


def deep(count):
    """A file below so many directories, none of which has a member: with one for each,
    the names would be as long as the square of their number."""
    path = "a/" * count + "file"
    return [extended([("path", path)]), member("file", content=b"x")]


# --- Images --------------------------------------------------------------------------


def write_blob(layout, data):
    """Adds a blob. Its digest."""
    digest = hashlib.sha256(data).hexdigest()
    path = Path(layout, "blobs/sha256", digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"sha256:{digest}"


def descriptor(layout, media_type, data):
    return {"mediaType": media_type, "digest": write_blob(layout, data), "size": len(data)}


def write_image(layout, layers, config=None, history=None, extra=None, changes=None):
    """Adds an image of these layers, each the bytes of an archive. Its descriptor."""
    known = {}
    for data in layers:
        if id(data) not in known:
            known[id(data)] = descriptor(layout, LAYER, data)
    descriptors = [known[id(data)] for data in layers]
    if history is None:
        history = [{"created": TIME, "created_by": f"step {n}"} for n in range(len(layers))]
    document = {
        "created": TIME, "architecture": "amd64", "os": "linux", "config": config or {},
        "rootfs": {"type": "layers", "diff_ids": [d["digest"] for d in descriptors]},
        "history": history, **(changes or {}),
    }
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(layout, CONFIG, encode(document)),
        "layers": descriptors, **(extra or {}),
    }
    return descriptor(layout, MANIFEST, encode(manifest))


def encode(document):
    return json.dumps(document, separators=(",", ":")).encode()


def write_index(layout, named):
    """Ends a layout: `named` are pairs of a name and a descriptor."""
    Path(layout).mkdir(exist_ok=True)
    Path(layout, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    key = "org.opencontainers.image.ref.name"
    manifests = [{**image, "annotations": {key: name}} for name, image in named]
    Path(layout, "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": manifests}))


def store(layers=None, layout="store", name="base:latest", **parts):
    """A store that holds one image."""
    layers = [archive([member("file", content=b"x")])] if layers is None else layers
    write_index(layout, [(name, write_image(layout, layers, **parts))])


def small_layers(count):
    """Layers of one file each, every one with another."""
    return [archive([member(f"file-{n}", content=b"x")]) for n in range(count)]


def store_of_names(count):
    """A store of many images, each with its own name and config."""
    layer = archive([member("file", content=b"x")])
    named = [(f"image-{n}:latest", write_image("store", [layer], config={"User": str(n + 1)}))
             for n in range(count)]
    write_index("store", named)


# --- Trees ---------------------------------------------------------------------------


def write_files(directory, count, content="content"):
    """Many files in one directory."""
    os.makedirs(directory, exist_ok=True)
    for n in range(count):
        Path(directory, str(n)).write_text(content)


def write_text(path, *lines):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(f"{line}\n" for line in lines))
