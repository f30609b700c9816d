"""Writes prepare.json and prepare.safetensors: what torchvision and Pillow make of synthetic pictures with each way of
fitting them to a network. 8-bit transforms are kept as size and CRC-32 of the pixels, transforms in floats as their values.
Run: python tests/golden/data/prepare.py (torch, torchvision, transformers, safetensors, Pillow 12 or later, numpy)."""
import json
import pathlib
import zlib

import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms
from torchvision.transforms import InterpolationMode as Mode
from torchvision.transforms import v2
from transformers import DINOv3ViTImageProcessorFast

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MODES = {"nearest": Mode.NEAREST, "bilinear": Mode.BILINEAR, "bicubic": Mode.BICUBIC, "lanczos": Mode.LANCZOS}


def picture(width, height, channels=3):
    """The same integer arithmetic as in tests/data/prepare/preprocess_test.cpp."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((x * x * 3 + y * 7 + x * y * 5 + c * 85) % 256).astype(np.uint8)


def pad_to_square(image, size):
    """Long side to `size`, the rest split evenly, the odd pixel to the right or below; black."""
    width, height = image.size
    if width <= height:
        resized = (max(1, size * width // height), size)
    else:
        resized = (size, max(1, size * height // width))
    square = Image.new(image.mode, (size, size))
    square.paste(image.resize(resized, Image.Resampling.BICUBIC), ((size - resized[0]) // 2, (size - resized[1]) // 2))
    return square


def thumbnail(image, size):
    image = image.copy()
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return image


# ---- 8 bits: fit -> (operation, filter); cases are width, height, image_size ----
BYTES = {
    "stretch": (lambda i, s: transforms.Resize((s, s), Mode.BICUBIC)(i), "bicubic",
                [(50, 37, 32), (20, 31, 32), (32, 32, 32), (200, 41, 24)]),
    "short_side": (lambda i, s: transforms.Resize(s, Mode.BICUBIC)(i), "bicubic",
                   [(50, 37, 32), (37, 50, 32), (97, 64, 30), (20, 33, 40), (64, 64, 48)]),
    # Thumbnails below a quarter of the size take Pillow's box averages first.
    "long_side": (thumbnail, "lanczos",
                  [(50, 37, 32), (37, 50, 32), (20, 31, 32), (301, 200, 48), (97, 401, 33), (203, 202, 50), (130, 2, 32),
                   (3, 333, 20), (1024, 769, 100), (640, 480, 224), (333, 500, 224), (77, 45, 23)]),
    "pad": (pad_to_square, "bicubic", [(50, 37, 32), (37, 50, 33), (20, 31, 32), (90, 3, 16), (24, 24, 32)]),
}
cases = []
for fit, (operation, name, sizes) in BYTES.items():
    for width, height, size in sizes:
        result = operation(Image.fromarray(picture(width, height)), size)
        cases.append({"fit": fit, "filter": name, "width": width, "height": height, "image_size": size, "out": list(result.size),
                      "crc32": zlib.crc32(np.asarray(result).tobytes())})

# ---- floats ----
tensors, float_cases = {}, []


def add(fit, mode, width, height, size, resize, *steps):
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), *steps, v2.Normalize(MEAN, STD)])
    result = transform(Image.fromarray(picture(width, height)))
    name = str(len(tensors))
    tensors[name] = result.contiguous()
    float_cases.append({"tensor": name, "fit": fit, "filter": mode, "width": width, "height": height, "image_size": size,
                        "resize": resize})
    return result


for width, height, size in [(50, 37, 16), (20, 9, 24), (61, 200, 20), (16, 40, 16)]:
    for mode in ("bilinear", "bicubic"):
        result = add("stretch", mode, width, height, size, 0, v2.Resize((size, size), MODES[mode], antialias=True))
        if mode == "bilinear":  # Hugging Face's processor of DINOv3 is the same transform
            processor = DINOv3ViTImageProcessorFast(size={"height": size, "width": size})
            theirs = processor(Image.fromarray(picture(width, height)), return_tensors="pt")["pixel_values"][0]
            assert (theirs - result).abs().max() < 1e-5, (theirs - result).abs().max()
for width, height, size in [(50, 37, 16), (20, 33, 24)]:
    for mode in ("bilinear", "bicubic"):
        add("short_side", mode, width, height, size, 0, v2.Resize(size, MODES[mode], antialias=True))
add("center_crop", "bicubic", 50, 37, 16, 19, v2.Resize(19, Mode.BICUBIC, antialias=True), v2.CenterCrop(16))
add("center_crop", "bilinear", 33, 60, 20, 25, v2.Resize(25, Mode.BILINEAR, antialias=True), v2.CenterCrop(20))

# The whole of DINO's 8-bit transform, and patches of 7 px around it, padded evenly with zeros.
evaluation = transforms.Compose([transforms.Resize(27, Mode.BICUBIC), transforms.CenterCrop(24), transforms.ToTensor(),
                                 transforms.Normalize(MEAN, STD)])
tensors["dino"] = evaluation(Image.fromarray(picture(50, 37)))
native = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])(Image.fromarray(picture(24, 17)))
tensors["padded"] = functional.pad(native, (2, 2, 2, 2))  # 24 -> 28, 17 -> 21

folder = pathlib.Path(__file__).parent
(folder / "prepare.json").write_text(json.dumps({"bytes": cases, "floats": float_cases}, indent=1) + "\n")
save_file(tensors, folder / "prepare.safetensors")
print(len(cases), len(tensors), (folder / "prepare.safetensors").stat().st_size)
