"""Writes preprocessor.json and preprocessor.safetensors: what transformers' own image processors make of synthetic pictures
with the settings of many a preprocessor_config.json.
Run: python tests/golden/weights/make_preprocessor.py (transformers 4, Pillow, numpy, safetensors; PyTorch is not needed)."""
import json
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers import BitImageProcessor, CLIPImageProcessor, ViTImageProcessor

PROCESSORS = {"BitImageProcessor": BitImageProcessor, "CLIPImageProcessor": CLIPImageProcessor,
              "ViTImageProcessor": ViTImageProcessor}
BIT, VIT = {"image_processor_type": "BitImageProcessor"}, {"image_processor_type": "ViTImageProcessor"}
SMALL = BIT | {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}

CONFIGS = [
    SMALL, SMALL | IMAGENET,
    SMALL | {"crop_size": 28}, SMALL | {"crop_size": {"height": 27, "width": 27}}, SMALL | {"crop_size": 25},
    SMALL | {"size": 32}, SMALL | {"size": 31}, SMALL | {"do_center_crop": False},
    SMALL | {"do_normalize": False}, SMALL | {"do_rescale": False}, SMALL | {"rescale_factor": 1 / 127.5},
    SMALL | {"do_rescale": False, "do_normalize": False}, SMALL | {"do_convert_rgb": True, "do_pad": None},
    SMALL | {"do_resize": False, "do_center_crop": False}, SMALL | {"image_mean": 0.5, "image_std": 0.25},
    *[SMALL | {"resample": n} for n in (0, 1, 2, 3)],
    SMALL | {"image_processor_type": "CLIPImageProcessor"},
    VIT | {"size": {"height": 28, "width": 28}}, VIT | {"size": 28}, VIT | {"size": [28, 28]} | IMAGENET,
    VIT | {"size": 28, "resample": 3, "do_rescale": True}, VIT | {"size": 28, "do_normalize": False},
    VIT | {"do_resize": False},
    {"feature_extractor_type": "ViTFeatureExtractor", "size": 28, "resample": 2, "do_normalize": True} | IMAGENET,
]
STRIDE = 41  # of the values that are kept
SIZES = [(40, 33), (33, 40), (64, 37), (41, 41), (29, 90)]


def picture(width, height):
    """The same integer arithmetic as in tests/weights/preprocessor_config_test.cpp."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * x * 3 + y * 7 + x * y * 5 + c * 85) % 256).astype(np.uint8))


cases, tensors = [], {}
for index, config in enumerate(CONFIGS):
    kind = config.get("image_processor_type", "ViTImageProcessor")
    processor = PROCESSORS[kind](**{k: v for k, v in config.items() if not k.endswith("_type")})
    for width, height in SIZES[:2 + index % 4]:
        name = f"{index}_{width}x{height}"
        pixels = processor(picture(width, height), return_tensors="np")["pixel_values"][0]
        tensors[name] = np.ascontiguousarray(pixels.ravel()[::STRIDE], dtype=np.float32)
        cases.append({"name": name, "width": width, "height": height, "config": config,
                      "shape": list(pixels.shape)})

folder = pathlib.Path(__file__).parent
folder.joinpath("preprocessor.json").write_text(
    "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
save_file(tensors, folder / "preprocessor.safetensors")
