#!/usr/bin/env python3
"""Tar archives by Python's tarfile, one per dialect, for tests/format/tar_test.cpp; and the other way round: reads
what our TarWriter wrote (ours.tar, stored beside) and checks it. Run from this folder: python3 make_tar.py"""
import io
import tarfile

LONG = "folder_" * 20 + "/" + "name_" * 30 + ".png"  # 140 + 1 + 154 bytes
MEMBERS = [
    ("./a/first.jpg", b"\xff\xd8 first"),
    ("a/empty.cls", b""),
    ("split/" * 24 + "b.png", bytes(range(256)) * 4),  # more than 100 bytes, fits a prefix
    (LONG, b"long"),
    ("caf\u00e9.png", b"x" * 512),
]


def write(name, dialect):
    with tarfile.open(name, "w", format=dialect) as archive:
        folder = tarfile.TarInfo("a")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for path, data in MEMBERS:
            if dialect == tarfile.USTAR_FORMAT and path == LONG:
                continue
            info = tarfile.TarInfo(path)
            info.size = len(data)
            info.mtime = 1.5 if dialect == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(data))
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.FIFOTYPE, "fifo")):
            info = tarfile.TarInfo(name + ".png")
            info.type = kind
            info.linkname = "a/first.jpg" if kind != tarfile.FIFOTYPE else ""
            archive.addfile(info)


def check_ours():
    with tarfile.open("ours.tar") as archive:
        found = [(m.name, archive.extractfile(m).read()) for m in archive.getmembers()]
    expected = [(path.removeprefix("./"), data) for path, data in MEMBERS]
    assert found == expected, found
    print("ours.tar is as tarfile would have it")


if __name__ == "__main__":
    write("ustar.tar", tarfile.USTAR_FORMAT)
    write("gnu.tar", tarfile.GNU_FORMAT)
    write("pax.tar", tarfile.PAX_FORMAT)
    check_ours()
