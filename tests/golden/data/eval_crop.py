"""Writes eval_crop.json: torchvision's Resize (bicubic, on PIL images) + CenterCrop of synthetic pictures, as size and CRC-32 of the pixels.
Run: python tests/golden/data/eval_crop.py (torchvision, Pillow, numpy)."""
import json
import pathlib
import zlib

import numpy as np
from PIL import Image
from torchvision import transforms

CASES = [  # width, height, channels, resize, crop
    (500, 375, 3, 256, 224), (375, 500, 3, 256, 224), (301, 299, 3, 256, 224), (64, 97, 3, 37, 32), (97, 64, 1, 37, 31),
    (40, 30, 3, 33, 28), (28, 28, 1, 32, 28), (17, 53, 1, 20, 13), (256, 301, 3, 256, 255), (33, 32, 1, 32, 29),
]


def picture(width, height, channels):
    """The same integer arithmetic as in tests/data/prepare/preprocess_test.cpp."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((x * x * 3 + y * 7 + x * y * 5 + c * 85) % 256).astype(np.uint8)


out = []
for width, height, channels, resize, crop in CASES:
    pixels = picture(width, height, channels)
    image = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    square = transforms.CenterCrop(crop)(transforms.Resize(resize, transforms.InterpolationMode.BICUBIC)(image))
    data = np.asarray(square)
    assert data.shape[:2] == (crop, crop)
    out.append({"width": width, "height": height, "channels": channels, "resize": resize, "crop": crop,
                "crc32": zlib.crc32(data.tobytes())})
path = pathlib.Path(__file__).with_name("eval_crop.json")
path.write_text(json.dumps(out, indent=1) + "\n")
print(path, len(out))
