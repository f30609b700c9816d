"""Writes modern/: small HEIC, AVIF, JPEG XL and JPEG 2000 files, and modern.json: what other readers make of them.

Run: python make_modern_golden.py
     (Pillow 13.0.0, pillow-heif 1.8.1, pillow-jxl-plugin 1.3.8, imagecodecs 2026.3.6, numpy 2.4.6)
An entry holds size, channels (alpha not counted), bits, alpha; "rgb": 8-bit pixels, each within "tolerance" of ours; "wide": the
samples over their range, [h, w, samples] floats, within "wide_tolerance".
"""
import io
import json
import pathlib

import imagecodecs
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401, registers itself
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent / "modern"
HERE.mkdir(exist_ok=True)
pillow_heif.register_heif_opener()
expected = {}


def expect(name, eight=None, wide=None, channels=3, bits=8, alpha=False, tolerance=0, wide_tolerance=1e-6, **more):
    some = eight if eight is not None else wide
    entry = {"size": [some.shape[1], some.shape[0]], "channels": channels, "bits": bits, "alpha": alpha}
    if eight is not None:
        entry |= {"rgb": eight.astype(np.uint8).tobytes().hex(), "tolerance": tolerance}
    if wide is not None:
        entry |= {"wide": [round(float(v), 7) for v in wide.reshape(-1)], "wide_tolerance": wide_tolerance}
    expected[name] = entry | more


def decoded(name, upright=True):
    image = Image.open(HERE / name)
    return np.asarray((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))


def synthetic(width, height, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels.squeeze())


def smooth(width, height, channels):
    """Lossy formats like smooth images."""
    return synthetic(5, 4, channels, 8).resize((width, height), Image.Resampling.BICUBIC)


rgb, gray = smooth(37, 26, 3), smooth(37, 26, 1)
noisy, noisy_gray = synthetic(19, 14, 3, 1), synthetic(19, 14, 1, 1)
rgba = Image.merge("RGBA", (*noisy.split(), noisy_gray.transpose(Image.Transpose.ROTATE_180)))
array = np.asarray(noisy)
ramp = np.arange(19 * 14 * 3, dtype=np.uint32).reshape(14, 19, 3)


def levels(bits, samples=3):
    """Samples that use the whole range of their bits."""
    return (ramp[..., :samples] * 7919 % (1 << bits)).astype(np.uint16)


# HEIC. Versions of libheif scale chroma up differently: 4:4:4 but for one file.
for name, image, options in (("lossy444.heic", rgb, {"quality": 80, "chroma": 444}),
                             ("lossy420.heic", rgb, {"quality": 90}),
                             ("alpha.heic", rgba, {"quality": 90, "chroma": 444}),
                             ("gray.heic", gray, {"quality": 90})):
    image.save(HERE / name, **options)
    expect(name, decoded(name), alpha=image.mode == "RGBA", tolerance=12 if "420" in name else 2)
exif = Image.Exif()
exif[274] = 6
rgb.save(HERE / "turned.heic", quality=80, chroma=444, exif=exif)
expect("turned.heic", decoded("turned.heic"), tolerance=2)
for bits in (10, 12):
    samples = np.stack([np.asarray(c, np.uint16) * ((1 << bits) - 1) // 255 for c in rgb.split()], -1)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    sixteen = (samples.astype(np.uint32) << (16 - bits)).astype(np.uint16)
    heif = pillow_heif.from_bytes("RGB;16", rgb.size, sixteen.tobytes())
    heif.save(HERE / f"bits{bits}.heic", quality=90, chroma=444)
    back = pillow_heif.open_heif(HERE / f"bits{bits}.heic", convert_hdr_to_8bit=False)
    stored = np.asarray(back).astype(np.float64) / (65535 >> (16 - bits) << (16 - bits))
    expect(f"bits{bits}.heic", decoded(f"bits{bits}.heic"), stored, bits=bits, tolerance=2, wide_tolerance=0.004)

# AVIF
for name, image, options in (("lossy444.avif", rgb, {"quality": 80, "subsampling": "4:4:4"}),
                             ("alpha.avif", rgba, {"quality": 95, "subsampling": "4:4:4"}),
                             ("gray.avif", rgb.convert("L"), {"quality": 90, "subsampling": "4:0:0"})):
    image.save(HERE / name, **options)
    expect(name, decoded(name), alpha=image.mode == "RGBA", tolerance=2)
rgb.save(HERE / "turned.avif", quality=80, subsampling="4:4:4", exif=exif)
expect("turned.avif", decoded("turned.avif"), tolerance=2)
noisy.save(HERE / "animated.avif", save_all=True, append_images=[noisy.rotate(180)], quality=95, subsampling="4:4:4")
expect("animated.avif", decoded("animated.avif"), tolerance=2, frames=2)
for bits in (10, 12):
    samples = levels(bits)
    (HERE / f"bits{bits}.avif").write_bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=bits))
    back = imagecodecs.avif_decode((HERE / f"bits{bits}.avif").read_bytes())
    expect(f"bits{bits}.avif", None, back / ((1 << bits) - 1), bits=bits, wide_tolerance=0.003)

# JPEG XL
float_samples = (ramp / ramp.max()).astype(np.float32) * 1.5 - 0.25
for name, data, bits, alpha, options in (
        ("lossless.jxl", array, 8, False, {"lossless": True}),
        ("container.jxl", array, 8, False, {"lossless": True, "usecontainer": True}),
        ("gray.jxl", np.asarray(noisy_gray), 8, False, {"lossless": True}),
        ("alpha.jxl", np.asarray(rgba), 8, True, {"lossless": True}),
        ("bits16.jxl", levels(16), 16, False, {"lossless": True}),
        ("bits12.jxl", levels(12), 12, False, {"lossless": True, "bitspersample": 12}),
        ("gray16.jxl", levels(16, 1)[..., 0], 16, False, {"lossless": True}),
        ("float32.jxl", float_samples, 32, False, {"lossless": True})):
    (HERE / name).write_bytes(imagecodecs.jpegxl_encode(data, **options))
    samples = data.reshape(*data.shape[:2], -1)
    wide = samples if bits == 32 else samples / ((1 << bits) - 1)
    eight = None
    if bits == 8:
        eight = np.asarray(Image.open(HERE / name).convert("RGB"))
        assert np.array_equal(eight, samples[..., :3] if samples.shape[2] >= 3 else np.repeat(samples, 3, 2))
    expect(name, eight, wide, channels=1 if samples.shape[2] == 1 else 3, bits=bits, alpha=alpha, wide_tolerance=1e-5)
lossy = imagecodecs.jpegxl_encode(np.asarray(rgb), distance=1.0)
(HERE / "lossy.jxl").write_bytes(lossy)
expect("lossy.jxl", imagecodecs.jpegxl_decode(lossy), tolerance=2)
# JPEG files packed without loss; their EXIF orientation becomes the codestream's.
for turn in (1, 3, 6):
    jpeg = io.BytesIO()
    exif = Image.Exif()
    exif[274] = turn
    rgb.save(jpeg, "JPEG", quality=85, subsampling=0, exif=exif)
    name = "jpeg.jxl" if turn == 1 else f"turned{turn}.jxl"
    code = imagecodecs.jpegxl_encode_jpeg(jpeg.getvalue())
    (HERE / name).write_bytes(code)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(jpeg)))
    assert upright.shape == imagecodecs.jpegxl_decode(code).shape
    # libjxl and libjpeg differ by a few levels in steep places.
    expect(name, imagecodecs.jpegxl_decode(code), tolerance=2,
           stored=np.asarray(Image.open(jpeg)).tobytes().hex(), stored_size=list(rgb.size))
frames = np.stack([array, 255 - array])
(HERE / "animated.jxl").write_bytes(imagecodecs.jpegxl_encode(frames, lossless=True))
expect("animated.jxl", array, frames=2)

# JPEG 2000
for name, image, options in (("lossless.jp2", noisy, {"irreversible": False}),
                             ("lossy.j2k", rgb, {"irreversible": True, "quality_mode": "rates", "quality_layers": [8]}),
                             ("gray.jp2", noisy_gray, {}), ("alpha.jp2", rgba, {}),
                             ("tiled.j2k", noisy, {"tile_size": (8, 8)})):
    image.save(HERE / name, **options)
    expect(name, decoded(name), channels=1 if image.mode == "L" else 3, alpha=image.mode == "RGBA",
           tolerance=1 if "lossy" in name else 0)
for name, bits, samples in (("gray16.jp2", 16, 1), ("bits12.jp2", 12, 3), ("bits10.j2k", 10, 1), ("bits1.jp2", 1, 1)):
    data = levels(bits, samples)
    data = data[..., 0] if samples == 1 else data
    data = data.astype(np.uint8) if bits <= 8 else data
    code = imagecodecs.jpeg2k_encode(data, level=0, reversible=True, bitspersample=bits,
                                     codecformat="j2k" if name.endswith("j2k") else "jp2")
    assert np.array_equal(imagecodecs.jpeg2k_decode(code).squeeze(), data), name
    (HERE / name).write_bytes(code)
    expect(name, None, data / ((1 << bits) - 1), channels=samples, bits=bits, wide_tolerance=0.002 if bits < 8 else 1e-5)
bands = np.concatenate([levels(16), levels(16)[..., ::-1] // 2], -1)[..., :5]
code = imagecodecs.jpeg2k_encode(bands, level=0, reversible=True, mct=False)
(HERE / "bands5.jp2").write_bytes(code)
expect("bands5.jp2", None, bands / 65535, channels=5, bits=16, wide_tolerance=1e-5)
signed = levels(12, 1)[..., 0].astype(np.int16) - 2048
code = imagecodecs.jpeg2k_encode(signed, level=0, reversible=True, bitspersample=12)
(HERE / "signed12.jp2").write_bytes(code)
expect("signed12.jp2", None, (signed.astype(np.float64) + 2048) / 4095, channels=1, bits=12, wide_tolerance=1e-5)

with open(HERE.parent / "modern.json", "w") as out:
    out.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")
