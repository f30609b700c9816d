"""Writes pixel_ops.json: fingerprints of what Pillow (and torchvision's Pillow paths) make of synthetic images.

The images are an integer formula that tests/image/synthetic.h repeats, so nothing but the fingerprints is stored.
Run: python make_pixel_golden.py   (Pillow 13.0.0, torchvision 0.26)
"""
import json
import pathlib

import numpy as np
import PIL
import torchvision
from PIL import Image, ImageFilter, ImageOps
from torchvision.transforms import functional as tvf

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def synthetic(width, height, channels, seed):
    """Ramps that wrap (hard edges, so that filters over- and undershoot) with noise on top."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    x, y, c = (a.astype(np.uint32) for a in (x, y, c))
    h = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791)) ^ np.uint32(seed * 2654435761 % 2**32)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0x5BD1E995)
    h ^= h >> np.uint32(15)
    v = (x * np.uint32(5) + y * np.uint32(3) + c * np.uint32(40) + (h & np.uint32(63))) & np.uint32(255)
    return Image.fromarray(v.astype(np.uint8).squeeze(2) if channels == 1 else v.astype(np.uint8))


def fingerprint(image):
    samples = np.asarray(image).reshape(-1).astype(np.uint64)
    index = np.arange(samples.size, dtype=np.uint64)
    with np.errstate(over="ignore"):
        total = ((samples + np.uint64(1)) * ((index * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1))).sum(dtype=np.uint64)
    return f"{int(total):016x}"


def main():
    cases = []


    def add(op, source, result, **parameters):
        samples = np.asarray(result).reshape(-1)
        cases.append({"op": op, "source": source, **parameters, "out": list(result.size),
                      "head": samples[:6].tolist(), "fingerprint": fingerprint(result)})


    def add_resize(source, size, filter_name, box=None):
        image = synthetic(*source)
        result = image.resize(size, FILTERS[filter_name], box=box)
        add("resize", list(source), result, box=list(box or (0, 0) + image.size), filter=filter_name)


    for channels in (1, 3):
        for name in FILTERS:
            for source, size in [((61, 47), (23, 19)), ((23, 19), (61, 47)), ((28, 28), (14, 14)), ((5, 3), (2, 9)),
                                 ((1, 1), (7, 5)), ((1, 40), (3, 11)), ((40, 1), (11, 3)), ((300, 20), (7, 20)),
                                 ((33, 64), (33, 20)), ((17, 17), (17, 17)), ((64, 64), (1, 1)),
                                 ((40, 200), (30, 24))]:
                add_resize((*source, channels, 1), size, name)
            for source, box, size in [((61, 47), (3.5, 2.25, 57.75, 40.5), (24, 24)), ((28, 28), (5, 7, 21, 23), (28, 28)),
                                      ((28, 28), (5, 7, 21, 23), (16, 16)), ((28, 28), (0.5, 0, 28, 28), (28, 28)),
                                      ((28, 28), (3, 0, 25, 28), (28, 28)), ((28, 28), (0, 3, 28, 20), (28, 28)),
                                      ((90, 300), (11, 13, 71, 283), (32, 32)), ((64, 48), (60, 40, 64, 48), (9, 31))]:
                add_resize((*source, channels, 2), size, name, box)
    geometries = np.random.default_rng(0)
    for case in range(32):  # up, down and mixed, of either shape
        low, high = [((8, 64), (65, 200)), ((65, 200), (8, 64)), ((8, 200), (8, 200)), ((150, 400), (2, 12))][case % 4]
        source, size = geometries.integers(*low, 2).tolist(), geometries.integers(*high, 2).tolist()
        for name in ("bilinear", "bicubic"):
            add_resize((*source, 1 if case % 8 == 7 else 3, 6), size, name)
    for size, box in [((224, 224), (37, 21, 411, 330)), ((96, 96), (201, 101, 351, 271)), ((96, 96), (80.5, 3, 150, 75))]:
        add_resize((500, 375, 3, 3), size, "bicubic", box)

    for channels in (1, 3):
        source = (37, 29, channels, 4)
        image = synthetic(*source)
        for factor in (0.0, 0.2, 0.6, 1.0, 1.4, 1.8, 0.3333333, 2.5):
            add("brightness", list(source), tvf.adjust_brightness(image, factor), value=factor)
            add("contrast", list(source), tvf.adjust_contrast(image, factor), value=factor)
            add("saturation", list(source), tvf.adjust_saturation(image, factor), value=factor)
        for turns in (-0.5, -0.1, -0.013, 0.0, 0.05, 0.1, 0.2, 0.5):
            add("hue", list(source), tvf.adjust_hue(image, turns), value=turns)
        add("grayscale", list(source), tvf.to_grayscale(image, num_output_channels=channels))
        for threshold in (128, 0, 200, 255):
            add("solarize", list(source), ImageOps.solarize(image, threshold), value=threshold)
        add("flip", list(source), tvf.hflip(image))
        for radius in (0.0, 0.1, 0.4, 0.57, 1.0, 1.3, 2.0, 3.7, 30.0):
            add("blur", list(source), image.filter(ImageFilter.GaussianBlur(radius)), value=radius)
        for shape in ((1, 1), (1, 9), (9, 1), (3, 2), (130, 70)):
            source = (*shape, channels, 5)
            image = synthetic(*source)
            add("blur", list(source), image.filter(ImageFilter.GaussianBlur(1.7)), value=1.7)
            add("contrast", list(source), tvf.adjust_contrast(image, 0.7), value=0.7)
            add("flip", list(source), tvf.hflip(image))

    # Every color once, for the hue conversion: 256 x 65536 does not fit Pillow's habits, 4096 x 4096 does.
    codes = np.arange(1 << 24, dtype=np.uint32).reshape(4096, 4096)
    colors = Image.fromarray(np.stack([codes >> 16, (codes >> 8) & 255, codes & 255], axis=-1).astype(np.uint8))
    cube = {f"{turns}": fingerprint(tvf.adjust_hue(colors, turns)) for turns in (0.0, 0.1, -0.37)}

    path = pathlib.Path(__file__).with_name("pixel_ops.json")
    with path.open("w") as file:
        file.write('{"pillow": "%s", "torchvision": "%s",\n' % (PIL.__version__, torchvision.__version__.split("+")[0]))
        file.write('"hue_of_every_color": %s,\n"cases": [\n' % json.dumps(cube))
        file.write(",\n".join(json.dumps(case) for case in cases) + "\n]}\n")
    print(len(cases), path.stat().st_size)


if __name__ == "__main__":
    main()
