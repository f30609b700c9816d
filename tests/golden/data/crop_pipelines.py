"""Writes crop_pipelines.json: views made by the pipelines of DINOv2 and DINOv3, with everything that was drawn for them.

"dinov2" runs the DataAugmentationDINO of PyPI's package dinov2 itself and notes each torchvision operation it calls.
"dinov3" puts the same torchvision operations in DINOv3's order (its package is not on PyPI): Gram crops with and without
colors, windows of the global crops, colors shared by all crops. "frequencies": how often the package's pipeline did what.
Run with torch, torchvision, Pillow and the package dinov2 installed: python crop_pipelines.py
The source image is the formula of crop_pixels.py, twice as large.
"""
import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F
from torchvision.transforms import transforms as T

WIDTH, HEIGHT, GLOBAL, LOCAL, LOCALS = 80, 60, 32, 16, 3
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def source():
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 7 + y * 13 + c * 50 + x * y * (c + 1)) % 256).astype(np.uint8))


def package_augmentation():
    """augmentations.py of the package, without importing the rest of it."""
    folder = pathlib.Path(importlib.util.find_spec("dinov2").submodule_search_locations[0]) / "data"
    sys.modules["reference"] = types.ModuleType("reference")
    sys.modules["reference"].__path__ = [str(folder)]
    return importlib.import_module("reference.augmentations").DataAugmentationDINO


# ---- what the package draws ----
log = []


def noting(name, take):
    """Replaces an operation of torchvision's functional module by one that notes its arguments."""
    original = getattr(F, name)

    def wrapped(image, *args, **kwargs):
        log.append((name, take(*args, **kwargs)))
        return original(image, *args, **kwargs)

    setattr(T.F, name, wrapped)


noting("resized_crop", lambda top, left, height, width, size, *a, **k: (top, left, height, width, size[0]))
noting("hflip", lambda: None)
for name in ("brightness", "contrast", "saturation", "hue"):
    noting(f"adjust_{name}", lambda factor: float(factor))
noting("rgb_to_grayscale", lambda **k: None)
noting("gaussian_blur", lambda kernel, sigma: (list(kernel), float(sigma[0])))
noting("solarize", lambda threshold: threshold)


def record_of(operations):
    """One view's part of the log as a record; resized_crop comes first."""
    (name, (top, left, height, width, size)), *rest = operations
    assert name == "resized_crop"
    r = {"size": size, "left": left, "top": top, "width": width, "height": height, "flipped": False, "jittered": False,
         "grayscaled": False, "blurred": False, "solarized": False, "order": [], "brightness": 1, "contrast": 1, "saturation": 1,
         "hue": 0, "blur_radius": 0, "blur_kernel": 9}
    for name, value in rest:
        if name == "hflip":
            r["flipped"] = True
        elif name.startswith("adjust_"):
            r["jittered"] = True
            r[name[7:]] = value
            r["order"].append(["brightness", "contrast", "saturation", "hue"].index(name[7:]))
        elif name == "rgb_to_grayscale":
            r["grayscaled"] = True
        elif name == "gaussian_blur":
            assert value[0] == [9, 9]
            r["blurred"], r["blur_radius"] = True, value[1]
        elif name == "solarize":
            assert value == 128
            r["solarized"] = True
    r["order"] = r["order"] or [0, 1, 2, 3]
    return r


def run_package(augment, image):
    """The drawn records and the views of one call."""
    log.clear()
    output = augment(image)
    starts = [i for i, (name, _) in enumerate(log) if name == "resized_crop"] + [len(log)]
    return [record_of(log[a:b]) for a, b in zip(starts, starts[1:])], output["global_crops"] + output["local_crops"]


def bytes_of(view):
    """Undoes the normalization."""
    pixels = view.numpy().transpose(1, 2, 0) * STD + MEAN
    assert np.abs(pixels * 255 - np.rint(pixels * 255)).max() < 1e-3
    return np.rint(pixels * 255).astype(np.uint8).tobytes().hex()


torch.set_num_threads(1)
torch.manual_seed(0)
DataAugmentation = package_augmentation()
image = source()
augment = DataAugmentation((0.32, 1.0), (0.05, 0.32), LOCALS, GLOBAL, LOCAL)
dinov2 = []
for _ in range(6):
    for r, view in zip(*run_package(augment, image)):
        dinov2.append({**r, "pixels": bytes_of(view)})

counts = {}
small = DataAugmentation((0.32, 1.0), (0.05, 0.32), 1, 8, 8)
tiny, DRAWS = image.resize((12, 10)), 3000
for _ in range(DRAWS):
    for kind, r in zip(("global 1", "global 2", "local"), run_package(small, tiny)[0]):
        for name in ("flipped", "jittered", "grayscaled", "blurred", "solarized"):
            counts.setdefault(kind, {}).setdefault(name, 0)
            counts[kind][name] += r[name]

# ---- DINOv3 ----
rng = np.random.default_rng(1)


def draw(size):
    width, height = int(rng.integers(20, WIDTH + 1)), int(rng.integers(20, HEIGHT + 1))
    return {
        "size": size, "left": int(rng.integers(0, WIDTH + 1 - width)), "top": int(rng.integers(0, HEIGHT + 1 - height)),
        "width": width, "height": height,
        **{name: bool(rng.random() < 0.7) for name in ("flipped", "jittered", "grayscaled", "blurred", "solarized")},
        "order": [int(i) for i in rng.permutation(4)], "brightness": rng.uniform(0.6, 1.4), "contrast": rng.uniform(0.6, 1.4),
        "saturation": rng.uniform(0.8, 1.2), "hue": rng.uniform(-0.1, 0.1), "blur_radius": rng.uniform(0.1, 2.0), "blur_kernel": 9,
    }


def base_of(image, r, size):
    image = F.resized_crop(image, r["top"], r["left"], r["height"], r["width"], [size, size], InterpolationMode.BICUBIC)
    return F.hflip(image) if r["flipped"] else image


def resize(image, size):
    return image if image.size == (size, size) else F.resize(image, size, InterpolationMode.BICUBIC)


def paint(image, r):
    if r["jittered"]:
        steps = [lambda i: F.adjust_brightness(i, r["brightness"]), lambda i: F.adjust_contrast(i, r["contrast"]),
                 lambda i: F.adjust_saturation(i, r["saturation"]), lambda i: F.adjust_hue(i, r["hue"])]
        for step in r["order"]:
            image = steps[step](image)
    if r["grayscaled"]:
        image = F.rgb_to_grayscale(image, num_output_channels=3)
    if r["blurred"]:
        image = F.gaussian_blur(image, [9, 9], [r["blur_radius"]] * 2)
    return ImageOps.solarize(image) if r["solarized"] else image


def tensor(image):
    return F.normalize(F.to_tensor(image), MEAN.tolist(), STD.tolist())


def hex_of(image):
    return np.asarray(image).tobytes().hex()


dinov3 = []
for gram in (48, 24):  # larger and smaller than the global crop
    for _ in range(3):  # resized before the colors
        r, size = draw(GLOBAL), max(GLOBAL, gram)
        base = base_of(image, r, size)
        r |= {"base_size": size, "painted_size": GLOBAL}
        dinov3.append({**r, "gram_size": gram, "pixels": hex_of(paint(resize(base, GLOBAL), r)), "gram": hex_of(resize(base, gram))})
    for _ in range(2):  # resized after the colors, as normalized tensors
        r, size = draw(GLOBAL), max(GLOBAL, gram)
        painted = tensor(paint(base_of(image, r, size), r))
        r |= {"base_size": size, "painted_size": size}
        to = lambda s: [round(float(v), 4) for v in (F.resize(painted, s, InterpolationMode.BICUBIC, antialias=True) if s != size
                                                     else painted)[:, ::5, ::5].flatten()]
        dinov3.append({**r, "gram_size": gram, "floats": to(GLOBAL), "gram_floats": to(gram)})  # every fifth row and column
for _ in range(3):  # a window of the painted global crop
    r = draw(LOCAL)
    painted = paint(base_of(image, r, GLOBAL), r)
    top, left = (int(v) * 8 for v in rng.integers(0, 3, 2))
    r |= {"base_size": GLOBAL, "painted_size": GLOBAL, "window_left": left, "window_top": top}
    dinov3.append({**r, "pixels": hex_of(painted.crop((left, top, left + LOCAL, top + LOCAL)))})

path = pathlib.Path(__file__).with_suffix(".json")
rows = lambda items: "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"
path.write_text(f'{{"frequencies": {json.dumps({"draws": DRAWS, "counts": counts})},\n"dinov2": {rows(dinov2)},\n"dinov3": {rows(dinov3)}}}\n')
print(path.stat().st_size, len(dinov2), len(dinov3), counts)
