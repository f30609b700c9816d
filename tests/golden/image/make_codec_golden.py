"""Writes files/: small images of every kind decode() reads, and decoded.json: what Pillow makes of them.

Run: python make_codec_golden.py   (Pillow 13.0.0 with libjpeg-turbo 3.2.0)
"""
import json
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

from make_pixel_golden import synthetic

HERE = pathlib.Path(__file__).parent / "files"
HERE.mkdir(exist_ok=True)


def smooth(width, height, channels):
    """JPEG likes smooth images: a blurred synthetic one."""
    return synthetic(9, 7, channels, 8).resize((width, height), Image.Resampling.BICUBIC)


expected = {}


def expect(name, image=None):
    image = image or Image.open(HERE / name)
    gray_file = image.mode in ("1", "L", "LA")
    expected[name] = {"size": list(image.size), "channels": 1 if gray_file else 3,
                      "rgb": image.convert("RGB").tobytes().hex(), "gray": image.convert("L").tobytes().hex()}


def save(name, image, **options):
    image.save(HERE / name, **options)
    expect(name)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color_type, rows, extra=b"", interlace=0):
    """A PNG written by hand, for the kinds Pillow does not write. rows: raw scan lines without filter bytes."""
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


rgb, gray = smooth(29, 21, 3), smooth(29, 21, 1)
save("rgb420.jpg", rgb, quality=85)
save("rgb444.jpg", rgb, quality=95, subsampling=0)
save("rgb422_progressive.jpg", rgb, quality=80, subsampling=1, progressive=True)
save("gray.jpg", gray, quality=85)
save("cmyk.jpg", rgb.convert("CMYK"), quality=90)
# The same file once more as YCCK (Adobe marker: transform 2) and without the marker.
cmyk = (HERE / "cmyk.jpg").read_bytes()
marker = cmyk.index(b"\xff\xee\x00\x0eAdobe")
(HERE / "ycck.jpg").write_bytes(cmyk[:marker + 15] + b"\x02" + cmyk[marker + 16:])
(HERE / "cmyk_no_marker.jpg").write_bytes(cmyk[:marker] + cmyk[marker + 16:])
expect("ycck.jpg")
expect("cmyk_no_marker.jpg")
save("one_pixel.jpg", smooth(1, 1, 3), quality=90)
save("column.jpg", smooth(1, 37, 3), quality=90)

noisy, noisy_gray = synthetic(19, 14, 3, 1), synthetic(19, 14, 1, 1)
alpha = noisy_gray.rotate(90, expand=True).resize(noisy.size)
save("rgb8.png", noisy)
save("gray8.png", noisy_gray)
save("rgba8.png", Image.merge("RGBA", (*noisy.split(), alpha)))
save("gray_alpha8.png", Image.merge("LA", (noisy_gray, alpha)))
save("palette.png", noisy.quantize(40))
save("palette_transparent.png", noisy.quantize(7), transparency=bytes([0, 128, 255]))
save("gray1.png", noisy_gray.convert("1"))
save("one_pixel.png", synthetic(1, 1, 3, 2))
save("row.png", synthetic(33, 1, 1, 2))

wide = (np.asarray(noisy).astype(">u2") * 257) ^ 0x5A  # low bytes that differ from the high ones
deep = np.asarray(noisy_gray).astype(">u2") * 256 + 77
(HERE / "rgb16.png").write_bytes(png(19, 14, 16, 2, [r.tobytes() for r in wide.astype(">u2")]))
expect("rgb16.png")
(HERE / "gray16.png").write_bytes(png(19, 14, 16, 0, [r.tobytes() for r in deep.astype(">u2")]))
expect("gray16.png", noisy_gray)  # not by Pillow: it clips 16-bit gray at 255 instead of scaling
two_bit = np.asarray(noisy_gray) >> 6
packed = [bytes(int(sum(int(v) << (6 - 2 * i) for i, v in enumerate(row[x:x + 4]))) for x in range(0, 19, 4)) for row in two_bit]
(HERE / "gray2_transparent.png").write_bytes(png(19, 14, 2, 0, packed, extra=chunk(b"tRNS", b"\0\1")))
expect("gray2_transparent.png")


def adam7(pixels):
    height, width = pixels.shape[:2]
    rows = []
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y0:height:dy, x0:width:dx]
        if part.size:
            rows += [row.tobytes() for row in part]
    return rows


(HERE / "interlaced.png").write_bytes(png(19, 14, 8, 2, adam7(np.asarray(noisy)), interlace=1))
expect("interlaced.png")

with (HERE.parent / "decoded.json").open("w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(e)}" for n, e in sorted(expected.items())) + "\n}\n")
print(len(expected), sum(f.stat().st_size for f in HERE.iterdir()))
