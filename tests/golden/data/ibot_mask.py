"""Writes ibot_mask.json: what DINOv2's own mask generator and collate function (PyPI package dinov2) draw.

"masks": moments of MaskingGenerator over many draws. "batches": the same for whole batches. "bounds": the collate function's upper
bound on the masked patches of a batch, which must agree exactly.
Run with torch, numpy and the package dinov2 installed: python ibot_mask.py
"""
import importlib.util
import json
import pathlib
import random

import numpy as np
import torch


def module(name):
    """One file of the package, without importing the rest of it."""
    folder = pathlib.Path(importlib.util.find_spec("dinov2").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location(name, folder / "data" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


MaskingGenerator, collate = module("masking").MaskingGenerator, module("collate").collate_data_and_cast
DRAWS = 8_000
MASKS = [(14, 14, 40), (14, 14, 98), (16, 16, 60), (37, 37, 500), (48, 48, 8), (48, 48, 40), (7, 7, 3), (6, 10, 25), (4, 4, 8), (2, 2, 2)]
# images, grid side, share, ratio
BATCHES = [(64, 14, 0.5, (0.1, 0.5)), (32, 16, 0.5, (0.1, 0.5)), (16, 16, 0.5, (0.1, 0.5)), (12, 16, 0.5, (0.1, 0.5)), (8, 37, 0.5, (0.1, 0.5)),
           (5, 7, 0.5, (0.2, 0.6)), (3, 14, 0.35, (0.05, 0.45)), (1, 14, 0.5, (0.3, 0.3)), (1, 14, 0.4, (0.1, 0.5)), (96, 4, 1.0, (0.0, 1.0))]


def generator(height, width):
    """As DINOv2's train.py makes it: a block covers half the grid at most."""
    return MaskingGenerator((height, width), max_num_patches=height // 2 * width)


def describe(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    high, wide = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) if len(rows) else (0, 0)
    return {
        "masked": mask.sum(), "rows_spanned": high, "columns_spanned": wide, "log_aspect": np.log(high / wide) if high else 0,
        "pairs_across": (mask[:, 1:] & mask[:, :-1]).sum(), "pairs_down": (mask[1:] & mask[:-1]).sum(),
        "squares": (mask[1:, 1:] & mask[1:, :-1] & mask[:-1, 1:] & mask[:-1, :-1]).sum(),
        "corner": mask[0, 0], "middle": mask[mask.shape[0] // 2, mask.shape[1] // 2],
    }


def moments(rows):
    columns = {name: np.array([row[name] for row in rows], float) for name in rows[0]}
    return {"draws": len(rows), "mean": {n: float(v.mean()) for n, v in columns.items()},
            "deviation": {n: float(v.std()) for n, v in columns.items()}}


def batch(images, side, share, ratio):
    sample = ({"global_crops": [torch.zeros(1)] * 2, "local_crops": [torch.zeros(1)]}, None)
    return collate([sample] * images, ratio, share, torch.float32, side * side, generator(side, side))


def describe_batch(images, result):
    counts = result["collated_masks"].sum(-1).numpy()
    views = (counts > 0).reshape(2, images).sum(0)
    return {"masked": counts.sum(), "largest": counts.max(), "smallest_of_masked": counts[counts > 0].min() if counts.any() else 0,
            "squared": (counts**2).sum(), "images_masked_twice": (views == 2).sum(), "short_of_bound": result["upperbound"] - counts.sum()}


random.seed(0)
np.random.seed(0)
result = {"masks": [], "batches": [], "bounds": []}
for height, width, target in MASKS:
    draw = generator(height, width)
    result["masks"].append({"grid": [height, width], "target": target, **moments([describe(draw(target)) for _ in range(DRAWS)])})
for images, side, share, ratio in BATCHES:
    draws = 12_000 // (images + 16)
    result["batches"].append({"images": images, "side": side, "share": share, "ratio": ratio,
                              **moments([describe_batch(images, batch(images, side, share, ratio)) for _ in range(draws)])})
collate.__globals__["random"] = type("Lowest", (), {"uniform": staticmethod(lambda a, b: 0), "shuffle": staticmethod(random.shuffle)})
for images in (1, 2, 3, 5, 7, 8, 12, 16, 24, 31, 32, 48, 64, 88, 96, 128):
    for side in (2, 7, 14, 16, 27, 32, 37, 48):
        for share, ratio in ((0.5, (0.1, 0.5)), (0.3, (0.05, 0.65)), (1.0, (0.0, 1.0))):
            bound = batch(images, side, share, ratio)["upperbound"]
            result["bounds"].append([images, side, share, *ratio, bound])
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("{" + ",\n".join(f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "]" for key, rows in result.items()) + "}\n")
print(path.stat().st_size)
