"""Writes values/: TIFF files of every type of sample, with ranges, marks of no data, tiles left out and images below others, PNG files
with odd metadata, photographs turned by every kind of tag; and values.json: what tifffile, NumPy and Pillow make of them.

Run: python make_value_golden.py   (Pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6, NumPy 2.4.6)
An entry of "samples" holds size, samples per pixel, type, range (the stored values that are black and white), the number of samples
that are no data, "unit": (stored - low) / (high - low) as float32, 0 where there is no data, and "bytes": the same of 255, clipped and rounded.
"turned" holds Pillow's pixels after exif_transpose; "refused" a part of the message.
"""
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image, ImageOps, PngImagePlugin

HERE = pathlib.Path(__file__).parent / "values"
HERE.mkdir(exist_ok=True)
rng = np.random.default_rng(12)
samples, turned, refused = {}, {}, {}
SPAN = {"float": (0, 1), "bool": (0, 1)}
NODATA = 42113


def span(dtype):
    if np.dtype(dtype).kind == "f":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def expect(name, stored, low, high, type, empty=None, high_byte=False, colors=None, key=None):
    """stored: [h, w] or [h, w, samples] as tifffile reads them; empty: which are no data."""
    stored = stored.reshape(stored.shape[0], stored.shape[1], -1)
    empty = np.zeros(stored.shape, bool) if empty is None else empty.reshape(stored.shape)
    empty = empty | ~np.isfinite(stored.astype(np.float64))
    value = np.where(empty, low, stored.astype(np.float64))
    unit = (value - low) / (float(high) - float(low))
    levels = value.astype(np.int64) >> 8 if high_byte else np.rint(np.clip(unit, 0, 1) * 255)
    samples[key or name] = {"file": name, "size": [stored.shape[1], stored.shape[0]], "samples": stored.shape[2], "type": type, "range": [float(low), float(high)],
                     "no_data": int(empty.sum()), "unit": unit.astype("<f4").tobytes().hex(),
                     "bytes": levels.astype(np.uint8).tobytes().hex()}


def tiff(name, array, type=None, empty=None, range=None, key=None, **options):
    tifffile.imwrite(HERE / name, array, metadata=None, **options)
    stored = tifffile.imread(HERE / name)
    if options.get("planarconfig") == "separate":
        stored = stored.transpose(1, 2, 0)
    low, high = range or span(stored.dtype)
    expect(name, stored, low, high, type or str(stored.dtype), empty, high_byte=stored.dtype == np.uint16 and (low, high) == (0, 65535))


def whole(dtype, shape=(9, 11)):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def mark(text):
    return [(NODATA, "s", 0, text, True)]


# Every type, in both byte orders, in strips, tiles and planes
for order, letter in ((">", "be"), ("<", "le")):
    for dtype in ("i1", "i2", "i4", "i8", "u4", "u8"):
        tiff(f"{dtype}_{letter}.tif", whole(np.dtype(dtype)), byteorder=order)
    for dtype in ("f2", "f4", "f8"):
        tiff(f"{dtype}_{letter}.tif", (rng.random((9, 11)) * 1.5 - 0.25).astype(dtype), byteorder=order)
tiff("i2_tiled.tif", whole(np.int16, (35, 20)), tile=(16, 16), compression="zlib", predictor=True)
tiff("i2_planar.tif", whole(np.int16, (4, 9, 11)), planarconfig="separate", photometric="minisblack")
tiff("f2_predictor.tif", rng.random((20, 17)).astype("f2"), compression="zlib", predictor=True)
tiff("u1_rgb.tif", whole(np.uint8, (9, 11, 3)), photometric="rgb")
for bits in (9, 10, 12, 14, 15):
    tiff(f"bits{bits}.tif", rng.integers(0, 1 << bits, (7, 11), dtype=np.uint16), type=f"uint{bits}", range=(0, (1 << bits) - 1), bitspersample=bits)
tiff("bits12_rgb_tiled.tif", rng.integers(0, 4096, (20, 33, 3), dtype=np.uint16), type="uint12", range=(0, 4095), bitspersample=12, photometric="rgb", tile=(16, 16))
for bits in (3, 6):
    tiff(f"bits{bits}.tif", rng.integers(0, 1 << bits, (7, 11), dtype=np.uint8), type=f"uint{bits}", range=(0, (1 << bits) - 1), bitspersample=bits)
# White is zero of signed numbers and of 12 bits: only the ends change places.
tifffile.imwrite(HERE / "white12.tif", np.array([[0, 1000, 4095]], np.uint16), metadata=None, bitspersample=12, photometric="miniswhite")
expect("white12.tif", 4095 - np.array([[0, 1000, 4095]]), 0, 4095, "uint12")

# What files say of their range: a depth counts, a statistic does not
deep = rng.integers(0, 4096, (9, 11), dtype=np.uint16)
tiff("maximum4095.tif", deep, range=(0, 4095), extratags=[(280, "H", 1, 0, True), (281, "H", 1, 4095, True)])
tiff("statistic.tif", deep, extratags=[(280, "H", 1, 7, True), (281, "H", 1, 3172, True)])
tiff("smaximum255.tif", (rng.random((9, 11)) * 255).astype("f4"), range=(0, 255), extratags=[(340, "f", 1, 0.0, True), (341, "f", 1, 255.0, True)])
tiff("sstatistic.tif", (rng.random((9, 11)) * 255).astype("f4"), extratags=[(340, "f", 1, 0.0, True), (341, "f", 1, 211.5, True)])

# No data: NaN, infinity and GDAL's mark
gaps = rng.random((9, 11)).astype("f4")
gaps[2, 3:7] = np.nan
gaps[5, 0], gaps[6, 1] = np.inf, -np.inf
tiff("nan.tif", gaps)
tiff("nan_named.tif", gaps, extratags=mark("nan"))
for name, dtype, value, text in (("mark_float", "f4", -9999, "-9999"), ("mark_least", "f4", np.float32(-3.4028234663852886e38), "-3.4028234663852886e+38"),
                                 ("mark_tenth", "f4", np.float32(0.1), "0.1"), ("mark_double", "f8", -9999.5, "-9999.5"),
                                 ("mark_i2", "i2", -32768, "-32768"), ("mark_u1", "u1", 255, "255"), ("mark_u2", "u2", 0, "0 ")):
    array = (rng.random((9, 11)) * 0.5 + 0.3 if dtype[0] == "f" else whole(np.dtype(dtype))).astype(dtype)
    array[1:4, 2:9] = value
    tiff(f"{name}.tif", array, empty=array == value, extratags=mark(text))
tiff("mark_outside.tif", whole(np.uint8), extratags=mark("-9999"))
tiff("mark_words.tif", whole(np.uint8), extratags=mark("none"))
colors = whole(np.uint8, (9, 11, 3))
colors[0:2] = 255
colors[3, :, 0] = 255
tiff("mark_rgb.tif", colors, empty=np.repeat((colors == 255).all(2)[..., None], 3, 2), photometric="rgb", extratags=mark("255"))

# Tiles that are left out: GDAL's SPARSE_OK
def sparse(name, dtype, present, tag=None, planes=1, big=False):
    full = whole(dtype, (planes, 40, 50)) if np.dtype(dtype).kind != "f" else rng.random((planes, 40, 50)).astype(dtype)
    held = np.zeros((planes, 40, 50), bool)
    def tiles():
        i = 0
        for p in range(planes):
            for y in range(0, 40, 16):
                for x in range(0, 50, 16):
                    tile = np.zeros((16, 16), dtype)
                    part = full[p, y:y + 16, x:x + 16]
                    tile[:part.shape[0], :part.shape[1]] = part
                    if i in present:
                        held[p, y:y + 16, x:x + 16] = True
                        yield tile
                    else:
                        yield None
                    i += 1
    tifffile.imwrite(HERE / name, tiles(), shape=(planes, 40, 50) if planes > 1 else (40, 50), dtype=dtype, tile=(16, 16), photometric="minisblack",
                     planarconfig="separate" if planes > 1 else None, metadata=None, bigtiff=big, extratags=mark(tag) if tag else ())
    low, high = span(dtype)
    full = np.where(held, full, 0)
    if tag:
        full = np.where(held, full, np.dtype(dtype).type(float(tag)))
    empty = ~held | (full == np.dtype(dtype).type(float(tag)) if tag else False)
    expect(name, full.transpose(1, 2, 0), low, high, str(np.dtype(dtype)), empty.transpose(1, 2, 0), high_byte=dtype == np.uint16)


sparse("sparse_u1.tif", np.uint8, {0, 5, 11})
sparse("sparse_u2_mark.tif", np.uint16, {0, 2, 3}, "777")
sparse("sparse_i2.tif", np.int16, {0, 7}, big=True)
sparse("sparse_f4.tif", np.float32, {0, 6}, "-9999")
sparse("sparse_planar.tif", np.uint8, {0, 13, 14, 25}, planes=3)

# A small image in front of the real one
small, large, other = whole(np.uint8, (8, 8, 3)), whole(np.uint8, (24, 32, 3)), whole(np.uint8, (24, 30, 3))


def below(name, subs, first=1, **options):
    with tifffile.TiffWriter(HERE / name, **options) as writer:
        writer.write(small, photometric="rgb", subifds=len(subs), subfiletype=first, metadata=None)
        for array, kind in subs:
            writer.write(array, photometric="rgb", subfiletype=kind, metadata=None)
    expect(name, large, 0, 255, "uint8")


below("below_le.tif", [(large, 0)], byteorder="<")
below("below_be.tif", [(large, 0)], byteorder=">")
below("below_big.tif", [(large, 0)], bigtiff=True)
below("below_preview.tif", [(other, 1), (large, 0)])
below("below_untold.tif", [(large, 0)], first=0)
with tifffile.TiffWriter(HERE / "behind.tif") as writer:
    writer.write(small, photometric="rgb", subfiletype=1, metadata=None)
    writer.write(large, photometric="rgb", metadata=None)
expect("behind.tif", large, 0, 255, "uint8")
with tifffile.TiffWriter(HERE / "behind_old.tif") as writer:
    writer.write(small, photometric="rgb", extratags=[(255, "H", 1, 2, True)], metadata=None)
    writer.write(large, photometric="rgb", extratags=[(255, "H", 1, 1, True)], metadata=None)
expect("behind_old.tif", large, 0, 255, "uint8")
with tifffile.TiffWriter(HERE / "pyramid.tif") as writer:
    writer.write(large, photometric="rgb", subifds=1, metadata=None)
    writer.write(large[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
expect("pyramid.tif", large, 0, 255, "uint8")

# What is not read, by name
tifffile.imwrite(HERE / "jpeg2000.tif", large, photometric="rgb", compression="jpeg2000", metadata=None)
refused["jpeg2000.tif"] = "JPEG 2000"
tifffile.imwrite(HERE / "complex.tif", np.ones((4, 4), np.complex64), metadata=None)
refused["complex.tif"] = "complex"
data = bytearray((HERE / "i2_le.tif").read_bytes())
at = data.index(struct.pack("<HHI", 262, 3, 1))
data[at + 8:at + 10] = struct.pack("<H", 32803)
(HERE / "mosaic.tif").write_bytes(data)
refused["mosaic.tif"] = "raw mosaic"

# PNG with odd metadata
photo = Image.fromarray(whole(np.uint8, (6, 9, 3)))


def chunk(kind, body, crc=None):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if crc is None else crc)


def png(name, *chunks, behind=False):
    out = io.BytesIO()
    photo.save(out, "PNG")
    data = out.getvalue()
    at = data.index(b"IDAT" if not behind else b"IEND") - 4
    (HERE / name).write_bytes(data[:at] + b"".join(chunks) + data[at:])
    shown(name)


def shown(name):
    image = ImageOps.exif_transpose(Image.open(HERE / name)).convert("RGB")
    turned[name] = {"size": list(image.size), "rgb": image.tobytes().hex()}


def exif(value, order="<", kind=3, entries=()):
    form = {1: "B", 3: "H", 4: "I"}[kind]
    body = struct.pack(order + form, value).ljust(4, b"\0")
    every = [struct.pack(order + "HHI", 274, kind, 1) + body, *entries]
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(every)) + b"".join(every) + struct.pack(order + "I", 0)


def raw_profile(block, name=b"exif"):
    digits = block.hex()
    lines = "\n".join(digits[i:i + 72] for i in range(0, len(digits), 72))
    return b"\n" + name + b"\n%8d\n" % len(block) + lines.encode() + b"\n"


png("text1100.png", *[chunk(b"tEXt", b"key%d\0value" % i) for i in range(1100)])
png("packed_text1500.png", *[chunk(b"zTXt", b"key%d\0\0" % i + zlib.compress(b"v")) for i in range(1500)])
png("text_behind.png", *[chunk(b"iTXt", b"k%d\0\0\0\0\0v" % i) for i in range(1001)], behind=True)
png("empty_exif.png", chunk(b"eXIf", b""))
png("unknown2000.png", *[chunk(b"prVt", b"x") for _ in range(2000)])
png("exif_le.png", chunk(b"eXIf", exif(6)))
png("exif_long_be.png", chunk(b"eXIf", exif(8, ">", 4)))
block = b"Exif\0\0" + exif(6, ">")
png("profile_text.png", chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(block)))
png("profile_packed.png", chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif(5, "<", 4)))))
png("profile_international.png", chunk(b"iTXt", b"Raw profile type exif\0\1\0en\0name\0" + zlib.compress(raw_profile(block))))
png("profile_behind.png", chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(block))), behind=True)
png("profile_beside_exif.png", chunk(b"eXIf", exif(3)), chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(block)))
xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
element = "<x:xmpmeta><tiff:Orientation>7</tiff:Orientation></x:xmpmeta>"
png("xmp.png", chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()))
png("xmp_beside_exif.png", chunk(b"eXIf", exif(3)), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()))

# The orientation as SHORT and LONG in both byte orders, in every kind of file that has it; 9 and 0 are none
for order, letter in (("<", "le"), (">", "be")):
    for kind, word in ((3, "short"), (4, "long")):
        for value in (6, 8, 2):
            name = f"{word}_{letter}{value}.jpg"
            photo.save(HERE / name, exif=b"Exif\0\0" + exif(value, order, kind), quality=95)
            shown(name)
    name = f"long_{letter}.webp"
    photo.save(HERE / name, exif=exif(6, order, 4), lossless=True)
    shown(name)
for value in (0, 9, 65542):
    photo.save(HERE / f"none{value}.jpg", exif=b"Exif\0\0" + exif(value, "<", 4), quality=95)
    shown(f"none{value}.jpg")
photo.save(HERE / "xmp.jpg", xmp=element.encode(), quality=95)
shown("xmp.jpg")
photo.save(HERE / "xmp.webp", xmp=xmp.encode(), lossless=True)
shown("xmp.webp")

with (HERE.parent / "values.json").open("w") as file:
    json.dump({"samples": samples, "turned": turned, "refused": refused}, file, separators=(",", ":"), sort_keys=True)
    file.write("\n")
print(len(samples), len(turned), len(refused), sum(f.stat().st_size for f in HERE.iterdir()), (HERE.parent / "values.json").stat().st_size)
