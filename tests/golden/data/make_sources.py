#!/usr/bin/env python3
"""Arrays by NumPy and archives by zipfile and tarfile, for tests/data/dataset_arrays_test.cpp and
dataset_archives_test.cpp. Needs numpy and Pillow. Run from this folder: python3 make_sources.py"""
import io
import json
import tarfile
import zipfile

import numpy as np
from PIL import Image

N, H, W = 5, 4, 6
i, y, x, c = np.meshgrid(np.arange(N), np.arange(H), np.arange(W), np.arange(3), indexing="ij")
COLOUR = (40 * i + 20 * c + 5 * y + x).astype(np.uint8)  # [N, H, W, C]
GREY = COLOUR[..., 0]
LABELS = np.array([2, 0, 1, 2, 0])


def arrays():
    np.save("grey_u1.npy", GREY)
    np.save("grey_u1_labels.npy", LABELS)
    np.save("hwc_u1.npy", COLOUR)
    np.save("chw_u2.npy", (COLOUR.transpose(0, 3, 1, 2).astype(np.uint16) * 256 + 77))
    np.save("hwc_f4_unit.npy", (COLOUR / 255).astype(">f4"))
    np.save("hwc_f4_bytes.npy", COLOUR.astype(np.float32))
    rgba = np.concatenate([COLOUR, np.full((N, H, W, 1), 9, np.uint8)], axis=3)
    np.save("rgba_u1.npy", rgba)
    np.savez("named.npz", images=COLOUR, labels=LABELS.astype(np.int8), other=np.zeros((2, 2)))
    np.savez_compressed("packed.npz", x_train=GREY, y_train=LABELS.astype(">u2"))
    np.savez("unclear.npz", a=GREY, b=GREY)


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
    archives()
