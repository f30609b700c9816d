"""Writes crop_pixels.json: views made with torchvision and Pillow, step by step as DINO's DataAugmentationDINO does, from drawn values.

Run with torchvision and Pillow installed: python crop_pixels.py
The source image is a formula (see source() here and in multi_crop_test.cpp), so it is not stored.
"""
import json
import pathlib

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F


def source(channels):
    y, x, c = np.meshgrid(np.arange(30), np.arange(40), np.arange(channels), indexing="ij")
    pixels = ((x * 7 + y * 13 + c * 50 + x * y * (c + 1)) % 256).astype(np.uint8)
    return Image.fromarray(pixels if channels == 3 else pixels[..., 0])


def view(image, r):
    image = F.resized_crop(image, r["top"], r["left"], r["height"], r["width"], [r["size"], r["size"]],
                           InterpolationMode.BICUBIC)
    if r["flipped"]:
        image = F.hflip(image)
    if r["jittered"]:
        steps = [lambda i: F.adjust_brightness(i, r["brightness"]), lambda i: F.adjust_contrast(i, r["contrast"]),
                 lambda i: F.adjust_saturation(i, r["saturation"]), lambda i: F.adjust_hue(i, r["hue"])]
        for step in r["order"]:
            image = steps[step](image)
    if r["grayscaled"]:
        image = F.rgb_to_grayscale(image, num_output_channels=len(image.getbands()))
    if r["blurred"]:
        image = image.filter(ImageFilter.GaussianBlur(radius=r["blur_radius"]))
    if r["solarized"]:
        image = ImageOps.solarize(image)
    return image


rng = np.random.default_rng(0)
records = []
for case in range(24):
    width, height = int(rng.integers(3, 41)), int(rng.integers(3, 31))
    r = {
        "channels": 1 if case % 4 == 3 else 3, "size": int(rng.choice([8, 14, 20])),
        "width": width, "height": height,
        "left": int(rng.integers(0, 41 - width)), "top": int(rng.integers(0, 31 - height)),
        **{name: bool(rng.random() < 0.6) for name in ("flipped", "jittered", "grayscaled", "blurred", "solarized")},
        "order": [int(i) for i in rng.permutation(4)],
        "brightness": rng.uniform(0.2, 1.8), "contrast": rng.uniform(0.2, 1.8),
        "saturation": rng.uniform(0.8, 1.2), "hue": rng.uniform(-0.1, 0.1), "blur_radius": rng.uniform(0.1, 2.0),
    }
    r["pixels"] = np.asarray(view(source(r["channels"]), r)).tobytes().hex()
    records.append(r)
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join(json.dumps(r) for r in records) + "\n]\n")
