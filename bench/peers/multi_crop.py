"""Times crops of JPEG files in torchvision with Pillow and in DALI on the CPU, on the work of `dino bench data`.

  python multi_crop.py DIR [--peer torchvision|dali] [--recipe multi|single] [--threads 1] [--seconds 5]

Needs torch, torchvision, Pillow, or nvidia-dali-cuda130. Prints one JSON line. Files are read from disk (the page
cache) each time, as `dino bench data` does. "multi" is DINO's 2 x 224 + 8 x 96, "single" one 224 px crop with mirroring
and normalization, ImageNet's usual training input. Augmentations and their probabilities are those of main_dino.py;
where DALI has no such operation the nearest one stands in, named in the code.
"""
import argparse
import json
import random
import time
from pathlib import Path

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GLOBALS, LOCALS = (224, (0.4, 1.0)), (96, (0.05, 0.4))


def torchvision_steps(recipe):
    from PIL import ImageFilter, ImageOps
    from torchvision import transforms as T
    bicubic = T.InterpolationMode.BICUBIC
    end = [T.ToTensor(), T.Normalize(MEAN, STD)]
    if recipe == "single":
        return [T.Compose([T.RandomResizedCrop(224, interpolation=bicubic), T.RandomHorizontalFlip(), *end])]

    def view(size, scale, blur, solarize):
        steps = [T.RandomResizedCrop(size, scale, interpolation=bicubic), T.RandomHorizontalFlip(),
                 T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8), T.RandomGrayscale(0.2),
                 T.RandomApply([T.Lambda(lambda i: i.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2))))], p=blur)]
        if solarize:
            steps.append(T.RandomApply([T.Lambda(ImageOps.solarize)], p=solarize))
        return T.Compose([*steps, *end])

    return [view(*GLOBALS, 1.0, 0), view(*GLOBALS, 0.1, 0.2)] + [view(*LOCALS, 0.5, 0)] * 8


def torchvision_batches(files, recipe, threads):
    """One process, as a loader's worker; threads are processes there."""
    import torch
    from PIL import Image

    class Files(torch.utils.data.Dataset):
        def __init__(self):
            self.steps = torchvision_steps(recipe)

        def __len__(self):
            return 1 << 30

        def __getitem__(self, index):
            with open(files[index % len(files)], "rb") as file:
                image = Image.open(file).convert("RGB")
            return [step(image) for step in self.steps]

    torch.set_num_threads(1)
    workers = 0 if threads == 1 else threads
    loader = torch.utils.data.DataLoader(Files(), batch_size=32, num_workers=workers)
    return iter(loader)


def dali_batches(files, recipe, threads):
    from nvidia.dali import fn, pipeline_def, types

    def coin(p):
        return fn.random.coin_flip(probability=p, dtype=types.BOOL)

    def view(jpegs, size, scale, blur, solarize, plain=False):
        out = fn.random_resized_crop(jpegs, size=size, random_area=scale, random_aspect_ratio=(3 / 4, 4 / 3),
                                     interp_type=types.INTERP_CUBIC, antialias=True)
        if not plain:
            # One fixed order, hue in degrees. An `if` here is DALI's: the operation runs only where it is drawn.
            if coin(0.8):
                out = fn.color_twist(out, brightness=fn.random.uniform(range=(0.6, 1.4)),
                                     contrast=fn.random.uniform(range=(0.6, 1.4)),
                                     saturation=fn.random.uniform(range=(0.8, 1.2)),
                                     hue=fn.random.uniform(range=(-36.0, 36.0)))
            if coin(0.2):
                out = fn.saturation(out, saturation=0.0)
            if blur == 1:
                out = fn.gaussian_blur(out, sigma=fn.random.uniform(range=(0.1, 2.0)))
            elif coin(blur):
                out = fn.gaussian_blur(out, sigma=fn.random.uniform(range=(0.1, 2.0)))
            if solarize:
                if coin(solarize):
                    bright = out >= 128
                    out = fn.cast(bright * (255 - out) + (bright == False) * out, dtype=types.UINT8)  # noqa: E712
        return fn.crop_mirror_normalize(out, mirror=fn.random.coin_flip(), mean=[255 * m for m in MEAN],
                                        std=[255 * s for s in STD], output_layout="CHW", dtype=types.FLOAT)

    @pipeline_def(batch_size=32, num_threads=threads, device_id=None, enable_conditionals=True, seed=1,
                  prefetch_queue_depth=1)
    def pipeline():
        encoded, _ = fn.readers.file(files=[str(f) for f in files], random_shuffle=False)
        images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB)
        if recipe == "single":
            return view(images, 224, (0.08, 1.0), 0, 0, plain=True)
        views = [view(images, *GLOBALS, 1, 0), view(images, *GLOBALS, 0.1, 0.2)]
        return tuple(views + [view(images, *LOCALS, 0.5, 0) for _ in range(8)])

    pipe = pipeline()
    pipe.build()
    while True:
        yield pipe.run()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("--peer", choices=["torchvision", "dali"], default="torchvision")
    parser.add_argument("--recipe", choices=["multi", "single"], default="multi")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    a = parser.parse_args()
    random.seed(0)
    files = sorted(a.dir.glob("*.jpg"))
    batches = (torchvision_batches if a.peer == "torchvision" else dali_batches)(files, a.recipe, a.threads)
    next(batches)
    images, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < a.seconds:
        next(batches)
        images += 32
    elapsed = time.perf_counter() - start
    print(json.dumps({"peer": a.peer, "recipe": a.recipe, "threads": a.threads, "images": images,
                      "images_per_second": images / elapsed}))


if __name__ == "__main__":
    main()
