"""Writes bombs/: files of a few bytes whose pixels would take a gigabyte, one per format that allows it.

Run: python make_bomb_golden.py   (Pillow 13.0.0, pillow-heif 1.8.1, imagecodecs 2026.3.6, numpy 2.4.6)
"""
import io
import pathlib
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image

HERE = pathlib.Path(__file__).parent / "bombs"
HERE.mkdir(exist_ok=True)
pillow_heif.register_heif_opener()
SIDE = 13_377  # squared just below Pillow's limit


def write(name, data):
    (HERE / name).write_bytes(data)
    print(name, len(data))


# A screen of that size around a frame of one pixel, in 35 bytes.
write("canvas.gif", b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0, 0, 0) + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
      + b"\x02\x02\x44\x01\x00;")
# A frame of that size, whose pixels take more codes than there are.
write("frame.gif", b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0, 0, 0) + b"\x2c" + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0)
      + b"\x02\x02\x44\x01\x00;")
for bits, coding in ((8, 1), (4, 2)):
    palette = b"\0\0\0\0\xff\xff\xff\0"
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, bits, coding, 2, 0, 0, 2, 0)
    write(f"rle{bits}.bmp", b"BM" + struct.pack("<IHHI", 64, 0, 0, 62) + header + palette + b"\x00\x01")
flat = np.zeros((SIDE, SIDE), np.uint8)
buffer = io.BytesIO()
Image.fromarray(flat).convert("RGB").save(buffer, "WEBP", lossless=True, quality=0, method=0)
write("flat.webp", buffer.getvalue())
write("flat.jxl", imagecodecs.jpegxl_encode(flat, lossless=True, effort=1))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


write("flat.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
      + chunk(b"IDAT", zlib.compress(bytes(20_000), 9)) + chunk(b"IEND", b""))
code = bytearray(imagecodecs.jpeg2k_encode(flat[:16, :16], level=0, reversible=True, codecformat="j2k"))
at = code.index(b"\xff\x51") + 6
code[at:at + 8] = code[at + 16:at + 24] = struct.pack(">II", SIDE, SIDE)
write("flat.j2k", bytes(code))
# The size that the container tells against the size of the coded picture, either way.
small = Image.fromarray(flat[:64, :64]).convert("RGB")
large = Image.fromarray(flat[:8192, :8192]).convert("RGB")
for kind, options in (("avif", {"speed": 10, "quality": 10}), ("heic", {"quality": 1})):
    for name, image, side in (("flat", small, SIDE), ("hidden", large, 64)):
        buffer = io.BytesIO()
        image.save(buffer, "AVIF" if kind == "avif" else "HEIF", **options)
        data = bytearray(buffer.getvalue())
        at = 0
        while (at := data.find(b"ispe", at + 1)) > 0:
            data[at + 8:at + 16] = struct.pack(">II", side, side)
        write(f"{name}.{kind}", bytes(data))
