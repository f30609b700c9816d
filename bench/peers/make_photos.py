"""Writes a deterministic set of JPEG files that weigh what ImageNet's do: about 500 px, 4:2:0, quality 90, 100 kB.

No photograph set can be shipped, so every file is a cut of one of scikit-learn's two sample photographs, turned,
zoomed, recolored and blended with the other, plus the grain of a sensor. Needs numpy, Pillow, scikit-learn.

  python make_photos.py DIR [--count 200]
"""
import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SHAPES = [(500, 375)] * 5 + [(375, 500)] * 2 + [(500, 333), (500, 500), (640, 480)]  # as ImageNet's mix, roughly


def cut(photo, size, rng):
    """A turned, zoomed, mirrored cut of the photograph."""
    turned = photo.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC)
    width, height = size
    share = rng.uniform(0.45, 0.75) * min(photo.width / width, photo.height / height)
    w, h = width * share, height * share
    left = rng.uniform(0.1 * photo.width, 0.9 * photo.width - w) if w < 0.8 * photo.width else 0.1 * photo.width
    top = rng.uniform(0.1 * photo.height, 0.9 * photo.height - h) if h < 0.8 * photo.height else 0.1 * photo.height
    out = turned.resize(size, Image.Resampling.LANCZOS, box=(left, top, min(left + w, photo.width), min(top + h, photo.height)))
    return out.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else out


def make(photos, rng):
    size = SHAPES[rng.integers(len(SHAPES))]
    first, second = (np.asarray(cut(photos[i], size, rng), float) for i in rng.permutation(2))
    y, x = np.mgrid[0:size[1], 0:size[0]]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x * np.cos(angle) / size[0] + y * np.sin(angle) / size[1]) * rng.uniform(3, 10)
    weight = 1 / (1 + np.exp(-(ramp - ramp.mean() + rng.uniform(-1, 1))))[..., None]  # where the one photo ends
    pixels = first * weight + second * (1 - weight)
    pixels = pixels * rng.uniform(0.8, 1.2, 3) + rng.uniform(-15, 15, 3)
    luma = rng.normal(0, 1, (*pixels.shape[:2], 1)) * rng.uniform(6, 18)
    return Image.fromarray((pixels + luma).clip(0, 255).astype(np.uint8))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("--count", type=int, default=200)
    a = parser.parse_args()
    a.dir.mkdir(parents=True, exist_ok=True)
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    for i in range(a.count):
        make(photos, np.random.default_rng(i)).save(a.dir / f"{i:04d}.jpg", "JPEG", quality=90, subsampling=2)


if __name__ == "__main__":
    main()
