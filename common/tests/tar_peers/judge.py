"""Reads archives as Python's tarfile sees them.

Each archive comes on standard input after its length (eight bytes, big-endian);
one line of JSON per archive goes to standard output: a list of members, or an
object with the error.
"""

import hashlib
import io
import json
import struct
import sys
import tarfile


def octets(text):
    return text.encode("utf-8", "surrogateescape").hex()


TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}


class Member(tarfile.TarInfo):
    """A member without one known fault of tarfile: in a GNU header it takes the
    times where ustar has a prefix of the name for such a prefix."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        member = super().frombuf(buf, encoding, errors)
        prefix = tarfile.nts(buf[345:500], encoding, errors)
        if buf[257:265] == b"ustar  \0" and member.name.startswith(prefix + "/"):
            member.name = member.name[len(prefix) + 1 :]
        return member


def read(archive):
    members = []
    with tarfile.open(
        fileobj=io.BytesIO(archive),
        mode="r:",
        encoding="utf-8",
        errors="surrogateescape",
        tarinfo=Member,
    ) as tar:
        for member in tar:
            kind = TYPES.get(member.type, "other")
            content = tar.extractfile(member).read() if kind == "file" else b""
            link = member.linkname if kind in ("symlink", "hardlink") else ""
            device = kind in ("char", "block")
            members.append(
                {
                    "path": octets(member.name),
                    "kind": kind,
                    "target": octets(link),
                    "device": [member.devmajor, member.devminor] if device else [0, 0],
                    "mode": member.mode & 0o7777,
                    "uid": member.uid,
                    "gid": member.gid,
                    "mtime": member.pax_headers.get("mtime", str(member.mtime)),
                    "len": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "xattrs": {
                        octets(key[len("SCHILY.xattr.") :]): octets(value)
                        for key, value in member.pax_headers.items()
                        if key.startswith("SCHILY.xattr.")
                    },
                }
            )
        # tarfile takes a bad header for the end of the archive, without a word.
        if archive[tar.offset :][: tarfile.BLOCKSIZE].strip(b"\0"):
            raise tarfile.ReadError("stopped at a bad header")
    return members


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout
    while header := stdin.read(8):
        archive = stdin.read(struct.unpack(">Q", header)[0])
        try:
            answer = read(archive)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        stdout.write(json.dumps(answer) + "\n")
        stdout.flush()


main()
