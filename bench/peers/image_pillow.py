"""Times Pillow (and torchvision's Pillow paths) on the work of bench/image_bench.cpp, one core, microseconds of CPU time per call.

Run: taskset -c 0 python bench/peers/image_pillow.py
"""
import io
import statistics
import time

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from torchvision.transforms import functional as tvf


def photo(width, height, channels):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 16 + 2, width // 16 + 2, channels), dtype=np.uint8)
    image = Image.fromarray(noise.squeeze()).resize((width, height), Image.Resampling.BICUBIC)
    samples = np.asarray(image).astype(int) + rng.integers(0, 16, np.asarray(image).shape)
    return Image.fromarray(samples.clip(0, 255).astype(np.uint8))


def report(name, call):
    call()
    times = []
    for _ in range(7):
        count, start = 0, time.process_time()
        while time.process_time() - start < 0.05:
            call()
            count += 1
        times.append((time.process_time() - start) / count * 1e6)
    print(f"{name:45s} {statistics.median(times):9.1f} us  ({min(times):.1f} .. {max(times):.1f})")


for w, h, c, share, to in [(500, 375, 3, 80, 224), (500, 375, 3, 40, 96), (500, 375, 3, 100, 96), (28, 28, 1, 80, 28),
                           (28, 28, 1, 80, 14), (28, 28, 1, 50, 14), (28, 28, 3, 80, 28), (28, 28, 3, 80, 14)]:
    image = photo(w, h, c)
    box = (3, 2, min(3 + round(w * share / 100), w), min(2 + round(h * share / 100), h))
    report(f"resize_crop w:{w} h:{h} c:{c} share:{share} to:{to}",
           lambda: image.resize((to, to), Image.Resampling.BICUBIC, box=box))
for side in (224, 96, 28):
    image = photo(side, side, 3 if side > 28 else 1)
    channels = len(image.getbands())
    for name, call in {
        "brightness": lambda: tvf.adjust_brightness(image, 1.3),
        "contrast": lambda: tvf.adjust_contrast(image, 1.3),
        "saturation": lambda: tvf.adjust_saturation(image, 1.2),
        "hue": lambda: tvf.adjust_hue(image, 0.07),
        "grayscale": lambda: tvf.to_grayscale(image, channels),
        "solarize": lambda: ImageOps.solarize(image),
        "flip": lambda: tvf.hflip(image),
        "blur": lambda: image.filter(ImageFilter.GaussianBlur(1.1)),
    }.items():
        report(f"{name} side:{side}", call)
buffer = io.BytesIO()
photo(500, 375, 3).save(buffer, "JPEG", quality=90, subsampling=2)
report("decode_jpeg 500 x 375", lambda: Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
small = io.BytesIO()
photo(28, 28, 1).save(small, "PNG")
report("decode_png 28 x 28", lambda: Image.open(io.BytesIO(small.getvalue())).convert("L"))
