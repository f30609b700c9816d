"""Writes formats/: small WebP, TIFF, GIF, BMP and PNM files, EXIF orientations and alpha, and formats.json: what Pillow and
tifffile make of them.

Run: python make_format_golden.py   (Pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6)
An entry holds size, channels (alpha not counted), bits, alpha, pages; "rgb" and "gray": Pillow's 8-bit pixels after
exif_transpose; "over": the same over the background (10, 200, 90); "wide": the samples as stored, [h, w, samples] floats.
"""
import json
import pathlib
import struct

import numpy as np
import tifffile
from PIL import Image, ImageOps

from make_codec_golden import png, smooth
from make_pixel_golden import synthetic

HERE = pathlib.Path(__file__).parent / "formats"
HERE.mkdir(exist_ok=True)
BACKGROUND = (10, 200, 90)
expected = {}


def over(image):
    flat = Image.new("RGB", image.size, BACKGROUND)
    rgba = image.convert("RGBA")
    flat.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
    return flat


def expect(name, image=None, page=0, key=None, **more):
    if image is None:
        image = Image.open(HERE / name)
        image.seek(page)
        image = ImageOps.exif_transpose(image)
    gray = image.mode in ("1", "L", "LA")
    alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    entry = {"file": name, "size": list(image.size), "channels": 1 if gray else 3, "bits": 8, "alpha": alpha,
             "rgb": image.convert("RGB").tobytes().hex(), "gray": image.convert("L").tobytes().hex()}
    if page:
        entry["page"] = page
    if alpha:
        entry["over"] = over(image).tobytes().hex()
    expected[key or name] = entry | more


def save(name, image, more=None, **options):
    image.save(HERE / name, **options)
    expect(name, **(more or {}))


def tiff(name, array, channels, bits, alpha=False, wide=None, eight=None, **options):
    """A TIFF of samples Pillow does not read: what is stored is what was given (tifffile reads the same)."""
    tifffile.imwrite(HERE / name, array, metadata=None, **options)
    stored = tifffile.imread(HERE / name)
    assert np.array_equal(stored, array), name
    array = array.transpose(1, 2, 0) if options.get("planarconfig") == "separate" else array
    array = array.reshape(array.shape[0], array.shape[1], -1)
    scale = {np.uint8: 255, np.uint16: 65535, np.uint32: 4294967295}.get(array.dtype.type, 1)
    expected[name] = {"file": name, "size": [array.shape[1], array.shape[0]], "channels": channels, "bits": bits, "alpha": alpha,
                      "wide": [round(float(v), 9) for v in (array.astype(np.float64) / scale).ravel()]}


def pnm(name, header, body):
    (HERE / name).write_bytes(header + body)


rgb, gray = smooth(23, 17, 3), smooth(23, 17, 1)
noisy, noisy_gray = synthetic(19, 14, 3, 1), synthetic(19, 14, 1, 1)
alpha = noisy_gray.transpose(Image.Transpose.ROTATE_180)
rgba = Image.merge("RGBA", (*noisy.split(), alpha))

# WebP
save("lossy.webp", rgb, quality=80)
save("lossless.webp", noisy, lossless=True)
save("alpha.webp", rgba, lossless=True, exact=True)
save("alpha_lossy.webp", Image.merge("RGBA", (*rgb.split(), gray)), quality=70)
save("animated.webp", noisy, save_all=True, append_images=[noisy.rotate(180)], lossless=True)
exif = Image.Exif()
exif[274] = 6
save("turned.webp", noisy, lossless=True, exif=exif)

# GIF
save("palette.gif", noisy.quantize(40))
save("gray.gif", noisy_gray.quantize(256))
save("interlaced.gif", noisy.quantize(16), interlace=1)
save("transparent.gif", noisy.quantize(7), transparency=3)
save("animated.gif", noisy.quantize(9), save_all=True, append_images=[noisy.rotate(180).quantize(9)])
# A first frame that covers part of the screen: the screen's size is at offset 6, the frame's place after 0x2C.
gif = bytearray((HERE / "palette.gif").read_bytes())
gif[6:10] = struct.pack("<HH", 25, 20)
at = gif.index(b"\x2c" + struct.pack("<HHHH", 0, 0, 19, 14))
gif[at + 1:at + 5] = struct.pack("<HH", 4, 3)
(HERE / "part.gif").write_bytes(gif)
expect("part.gif")

# BMP
save("rgb24.bmp", noisy)
save("gray8.bmp", noisy_gray)
save("palette8.bmp", noisy.quantize(200))
save("bits1.bmp", noisy_gray.convert("1"))
save("rgba32.bmp", rgba, more={"alpha": False, "over": None})


def bmp(name, width, height, bits, compression, body, palette=b"", masks=b"", os2=False, colors=0):
    if os2:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 2835, 2835, colors, 0)
    offset = 14 + len(header) + len(masks) + len(palette)
    (HERE / name).write_bytes(b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + masks + palette + body)
    expect(name)


def rows(array, bits=None):
    """Bottom-up rows padded to 4 bytes."""
    out = b""
    for row in array[::-1]:
        data = row.tobytes()
        out += data + b"\0" * (-len(data) % 4)
    return out


pixels = np.asarray(noisy)
bmp("top_down.bmp", 19, -14, 24, 0, rows(pixels[::-1, :, ::-1]))
five = (pixels[..., 0].astype(np.uint16) >> 3 << 10) | (pixels[..., 1].astype(np.uint16) >> 3 << 5) | (pixels[..., 2] >> 3)
bmp("rgb555.bmp", 19, 14, 16, 0, rows(five.astype("<u2")))
six = (pixels[..., 0].astype(np.uint16) >> 3 << 11) | (pixels[..., 1].astype(np.uint16) >> 2 << 5) | (pixels[..., 2] >> 3)
bmp("rgb565.bmp", 19, 14, 16, 3, rows(six.astype("<u2")), masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
wide32 = (pixels[..., 0].astype(np.uint32) << 16) | (pixels[..., 1].astype(np.uint32) << 8) | pixels[..., 2]
bmp("rgb32.bmp", 19, 14, 32, 0, rows(wide32.astype("<u4")))
four = np.asarray(noisy_gray) >> 4
table = bytes(v for i in range(16) for v in (i * 16, 255 - i * 16, i * 7, 0))
bmp("palette4.bmp", 19, 14, 4, 0, rows(np.stack([np.append(r, [0])[0::2] << 4 | np.append(r, [0])[1::2] for r in four]).astype(np.uint8)), table)
bmp("os2.bmp", 19, 14, 8, 0, rows(four), b"".join(table[4 * i:4 * i + 3] for i in range(16)) + b"\0" * 720, os2=True)
runs8 = b""
for y, row in enumerate(four[::-1]):
    if y % 3 == 0:
        runs8 += bytes(v for x in row for v in (1, x)) + b"\0\0"
    elif y % 3 == 1:
        runs8 += b"\0\x13" + row.tobytes() + b"\0" + b"\0\0"
    else:
        runs8 += b"\5\7" + b"\0\2\3\0" + b"\4\2" + b"\0\0"
bmp("rle8.bmp", 19, 14, 8, 1, runs8 + b"\0\1", table + b"\0" * 960)
runs4 = b"".join(b"\7\x3A" + b"\0\5" + bytes([0x12, 0x34, 0x50, 0]) + b"\7\x91" + b"\0\0" for _ in range(14))
bmp("rle4.bmp", 19, 14, 4, 2, runs4 + b"\0\1", table)

# PNM
flat = pixels.tobytes()
pnm("raw.ppm", b"P6\n# a comment\n19 14\n255\n", flat)
expect("raw.ppm")
pnm("plain.ppm", b"P3 19 14 # here too\n255\n", b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in pixels))
expect("plain.ppm")
pnm("raw.pgm", b"P5 19 14 255\n", noisy_gray.tobytes())
expect("raw.pgm")
low = np.asarray(noisy_gray) % 101
pnm("maximum100.pgm", b"P5 19 14 100\n", low.astype(np.uint8).tobytes())
expect("maximum100.pgm")
pnm("plain.pgm", b"P2\n19\n14\n100\n", b"\n".join(b" ".join(b"%d" % v for v in row) for row in low))
expect("plain.pgm")
bits = np.asarray(noisy_gray) > 128
pnm("raw.pbm", b"P4 19 14\n", b"".join(np.packbits(row).tobytes() for row in bits))
expect("raw.pbm", bits=1)
pnm("plain.pbm", b"P1 19 14\n", b"\n".join(b"".join(b"%d" % v for v in row) for row in bits))
expect("plain.pbm", bits=1)
deep = np.asarray(noisy_gray).astype(np.uint16) * 251 + 13
for name, maximum, body in (("raw16.pgm", 65535, deep), ("raw12.pgm", 4095, deep % 4096)):
    pnm(name, b"P5 19 14 %d\n" % maximum, body.astype(">u2").tobytes())
    expected[name] = {"file": name, "size": [19, 14], "channels": 1, "bits": 16, "alpha": False,
                      "wide": [float(v) for v in body.ravel() / maximum]}

# TIFF that Pillow reads and writes
save("rgb.tif", noisy)
save("rgb_lzw.tif", noisy, compression="tiff_lzw")
save("rgb_deflate.tif", noisy, compression="tiff_adobe_deflate")
save("rgb_packbits.tif", noisy, compression="packbits")
save("rgb_jpeg.tif", rgb, compression="jpeg")
save("gray.tif", noisy_gray)
save("bits1.tif", noisy_gray.convert("1"), more={"bits": 1})
save("bits1_fax.tif", noisy_gray.convert("1"), compression="group4", more={"bits": 1})
save("palette.tif", noisy.quantize(30))
save("rgba.tif", rgba)
save("gray_alpha.tif", Image.merge("LA", (noisy_gray, alpha)))
save("cmyk.tif", noisy.convert("CMYK"))
save("turned.tif", noisy, tiffinfo={274: 8})
pages = [noisy, noisy_gray, rgb]
save("pages.tif", noisy, save_all=True, append_images=pages[1:], more={"pages": 3})
expect("pages.tif", page=1, key="pages.tif#1", pages=3)
expect("pages.tif", page=2, key="pages.tif#2", pages=3)
# TIFF that Pillow does not read, or reads with loss
tifffile.imwrite(HERE / "tiled.tif", np.asarray(smooth(50, 37, 3)), tile=(16, 32), metadata=None)
expect("tiled.tif")
tifffile.imwrite(HERE / "white_is_zero.tif", np.asarray(noisy_gray), photometric="miniswhite", metadata=None)
expect("white_is_zero.tif")
rng = np.random.default_rng(3)
tiff("gray16.tif", rng.integers(0, 65536, (9, 11), dtype=np.uint16), 1, 16)
tiff("gray16_big_endian.tif", rng.integers(0, 65536, (9, 11), dtype=np.uint16), 1, 16, byteorder=">")
tiff("rgb16_deflate.tif", rng.integers(0, 65536, (9, 11, 3), dtype=np.uint16), 3, 16, photometric="rgb", compression="zlib", predictor=True)
tiff("rgba16.tif", rng.integers(0, 65536, (9, 11, 4), dtype=np.uint16), 3, 16, alpha=True, photometric="rgb", extrasamples=["unassalpha"])
tiff("float32.tif", (rng.random((9, 11)) * 1.5 - 0.25).astype(np.float32), 1, 32)
tiff("float32_tiled.tif", rng.random((35, 20)).astype(np.float32), 1, 32, tile=(16, 16), compression="zlib", predictor=True)
tiff("float64.tif", rng.random((9, 11)), 1, 64)
tiff("uint32.tif", rng.integers(0, 2**32, (9, 11), dtype=np.uint32), 1, 32)
tiff("bands5.tif", rng.integers(0, 256, (9, 11, 5), dtype=np.uint8), 5, 8, photometric="minisblack", planarconfig="contig")
tiff("bands5_planar16.tif", rng.integers(0, 65536, (5, 9, 11), dtype=np.uint16), 5, 16, photometric="minisblack", planarconfig="separate")
tiff("bands4_tiled_planar.tif", rng.integers(0, 256, (4, 35, 20), dtype=np.uint8), 4, 8, photometric="minisblack", planarconfig="separate", tile=(16, 16))
tiff("big.tif", rng.integers(0, 256, (9, 11), dtype=np.uint8), 1, 8, bigtiff=True)
# Overviews are no pages.
with tifffile.TiffWriter(HERE / "overview.tif") as writer:
    writer.write(np.asarray(noisy), photometric="rgb", subifds=0, metadata=None)
    writer.write(np.asarray(noisy)[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    writer.write(np.asarray(rgb), photometric="rgb", metadata=None)
expect("overview.tif", pages=2)
expect("overview.tif", image=rgb, page=1, key="overview.tif#1", pages=2)

# EXIF orientations of JPEG and PNG, and PNG's alpha
for value in range(1, 9):
    exif = Image.Exif()
    exif[274] = value
    save(f"turned{value}.jpg", rgb, exif=exif, quality=90)
save("turned6.png", noisy, exif=exif)
save("alpha.png", rgba)
save("gray_alpha.png", Image.merge("LA", (noisy_gray, alpha)))
save("palette_alpha.png", noisy.quantize(7), transparency=bytes([0, 128, 255]))
wide = (np.asarray(noisy).astype(np.uint16) * 257) ^ 0x5A
(HERE / "rgb16.png").write_bytes(png(19, 14, 16, 2, [r.tobytes() for r in wide.astype(">u2")]))
expected["rgb16.png"] = {"file": "rgb16.png", "size": [19, 14], "channels": 3, "bits": 16, "alpha": False,
                         "wide": [float(v) / 65535 for v in wide.ravel()]}

for entry in expected.values():
    if "wide" in entry:
        entry["wide"] = [round(v, 8) for v in entry["wide"]]
    if entry.get("over", 0) is None:
        del entry["over"]
with (HERE.parent / "formats.json").open("w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(n)}: {json.dumps(e)}" for n, e in sorted(expected.items())) + "\n}\n")
print(len(expected), sum(f.stat().st_size for f in HERE.iterdir()), (HERE.parent / "formats.json").stat().st_size)
