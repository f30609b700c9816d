#!/usr/bin/env python3
"""Arrays by NumPy and archives by zipfile and tarfile, for tests/data/sources/dataset_arrays_test.cpp and
dataset_archives_test.cpp. Needs numpy and Pillow. Run from this folder: python3 make_sources.py"""
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile
import zipfile

import numpy as np
from PIL import Image

N, H, W = 5, 4, 6
i, y, x, c = np.meshgrid(np.arange(N), np.arange(H), np.arange(W), np.arange(3), indexing="ij")
COLOR = (40 * i + 20 * c + 5 * y + x).astype(np.uint8)  # [N, H, W, C]
GRAY = COLOR[..., 0]
LABELS = np.array([2, 0, 1, 2, 0])


def arrays():
    np.save("gray_u1.npy", GRAY)
    np.save("gray_u1_labels.npy", LABELS)
    np.save("hwc_u1.npy", COLOR)
    np.save("chw_u2.npy", (COLOR.transpose(0, 3, 1, 2).astype(np.uint16) * 256 + 77))
    np.save("hwc_f4_unit.npy", (COLOR / 255).astype(">f4"))
    np.save("hwc_f4_bytes.npy", COLOR.astype(np.float32))
    rgba = np.concatenate([COLOR, np.full((N, H, W, 1), 9, np.uint8)], axis=3)
    np.save("rgba_u1.npy", rgba)
    np.savez("named.npz", images=COLOR, labels=LABELS.astype(np.int8), other=np.zeros((2, 2)))
    np.savez_compressed("packed.npz", x_train=GRAY, y_train=LABELS.astype(">u2"))
    np.savez("unclear.npz", a=GRAY, b=GRAY)


def labels():
    """The same labels in the forms that people keep them in; strings name them a, b, c."""
    names = np.array(["b\u00e9", "a", "c"])  # 0, 1, 2
    for kind, array in {
        "column": LABELS[:, None].astype(np.uint8),
        "one_hot": np.eye(3)[LABELS],
        "float": LABELS.astype(np.float32),
        "unicode": names[LABELS],
        "unicode_big": names[LABELS].astype(">U2"),
        "bytes": np.char.encode(names, "utf-8")[LABELS],
        "some": np.where(LABELS == 1, -1, LABELS),
    }.items():
        np.savez_compressed(f"labels_{kind}.npz", train_images=GRAY, train_labels=array, val_images=GRAY[:1],
                            info=np.array([{"an": "object"}], dtype=object), note=np.array("text"))


def sparse():
    """An image with holes among others, by GNU tar."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        for value in (10, 30):
            (folder / f"{value // 10 - 1}.png").write_bytes(png(value))
        picture = np.zeros((256, 256), np.uint8)
        picture[128:160] = 77
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "bmp")
        data = buffer.getvalue()
        with open(folder / "1.bmp", "wb") as file:
            for at in range(0, len(data), 4096):
                if any(data[at:at + 4096]):
                    file.seek(at)
                    file.write(data[at:at + 4096])
            file.truncate(len(data))
        subprocess.run(["tar", "-c", "-f", os.path.abspath("sparse_images.tar"), "--sparse", "--format=posix",
                        "--owner=0", "--group=0", "--mtime=@1", "-C", name, "0.png", "1.bmp", "2.png"], check=True)


def png(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 3), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def archives():
    with zipfile.ZipFile("folders.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set/")
        archive.writestr("set/dogs/1.png", png(1), zipfile.ZIP_STORED)
        archive.writestr("set/cats/2.png", png(2))
        archive.writestr("set/cats/.hidden.png", png(3))
        archive.writestr("set/README.txt", "nothing")

    class Unseekable(io.RawIOBase):  # zipfile then writes sizes and sum behind the data
        def __init__(self, path):
            self.file = open(path, "wb")

        def writable(self):
            return True

        def write(self, data):
            return self.file.write(data)

    with zipfile.ZipFile(Unseekable("streamed.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for value in (10, 20):
            archive.writestr(f"{value}.png", png(value))
            archive.writestr(f"{value}.cls", str(value // 10))

    with tarfile.open("shard.tar", "w") as archive:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        add("000001.png", png(1))
        add("000001.json", json.dumps({"label": "seven", "width": 3}).encode())
        add("000000.left.png", png(100))
        add("000000.right.png", png(200))
        add("000000.cls", b"zero\n")


if __name__ == "__main__":
    arrays()
    labels()
    archives()
    sparse()
