"""Writes crop_geometry.json: moments of torchvision's RandomResizedCrop.get_params over many draws.

Run with torchvision and Pillow installed: python crop_geometry.py
"""
import json
import pathlib

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop

DRAWS = 100_000
CASES = [  # width, height, scale
    (500, 375, (0.4, 1.0)),
    (500, 375, (0.05, 0.4)),
    (28, 28, (0.5, 1.0)),
    (28, 28, (0.2, 0.5)),
    (300, 100, (0.4, 1.0)),  # most draws do not fit: the centered box
    (40, 200, (0.9, 1.0)),   # hardly any draw fits
]

torch.manual_seed(0)
result = []
for width, height, scale in CASES:
    image = Image.new("L", (width, height))
    draws = np.array([RandomResizedCrop.get_params(image, scale, (3 / 4, 4 / 3)) for _ in range(DRAWS)], float)
    top, left, crop_height, crop_width = draws.T
    columns = {
        "left": left, "top": top, "width": crop_width, "height": crop_height,
        "area": crop_width * crop_height / (width * height),
        "log_ratio": np.log(crop_width / crop_height),
        "area_squared": (crop_width * crop_height / (width * height)) ** 2,
        "width_times_height": crop_width * crop_height,
    }
    result.append({
        "image": [width, height], "scale": list(scale), "draws": DRAWS,
        "mean": {name: float(values.mean()) for name, values in columns.items()},
        "deviation": {name: float(values.std()) for name, values in columns.items()},
    })
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result, indent=1) + "\n")
