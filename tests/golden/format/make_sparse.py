#!/usr/bin/env python3
"""Tar archives with sparse members by GNU tar (its old form and its three pax forms) and by bsdtar, for
tests/format/tar_sparse_test.cpp. Needs both programs, and a file system with holes. Run from this folder:
python3 make_sparse.py"""
import os
import pathlib
import subprocess
import tempfile

BLOCK = 4096  # of the file system: the least hole
PARTS = 6     # more than the four that an old header has room for


def write_files(folder):
    (folder / "a.txt").write_bytes(b"before")
    (folder / "z.txt").write_bytes(b"behind")
    with open(folder / "holes.bin", "wb") as file:
        for i in range(PARTS):
            file.seek((2 * i + 1) * BLOCK)
            file.write(bytes([i + 1]) * BLOCK)
        file.truncate(2 * PARTS * BLOCK + 1)  # a hole at the end, and an odd size


def pack(out, program, *options):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        write_files(folder)
        subprocess.run([program, "-c", "-f", os.path.abspath(out), "-C", name, *options,
                        "a.txt", "holes.bin", "z.txt"], check=True)


if __name__ == "__main__":
    owner = ("--owner=0", "--group=0", "--mtime=@1")
    pack("sparse_gnu.tar", "tar", "--sparse", "--format=gnu", *owner)
    for version in ("0.0", "0.1", "1.0"):
        pack(f"sparse_pax_{version}.tar", "tar", "--sparse", "--format=posix", f"--sparse-version={version}", *owner)
    pack("sparse_bsdtar.tar", "bsdtar", "--format=pax", "--uid=0", "--gid=0")
