"""Times DINO's multi-crop pipeline in torchvision and Pillow, on the work of bench/multi_crop_bench.cpp, on one core.

Needs torch, torchvision, Pillow, numpy. python multi_crop.py [--seconds 5] [--json]
"""
import argparse
import io
import json
import random
import time

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode


def photograph(width, height, channels):
    """The formula of the C++ benchmark."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    shape = 80 * np.sin(x * 0.021 + c) * np.cos(y * 0.017 - c)
    texture = 25 * np.sin(x * 0.9 + y * 0.37) + 15 * np.sin(x * y * 0.05)
    pixels = (128 + shape + texture).astype(np.uint8)
    return Image.fromarray(pixels if channels == 3 else pixels[..., 0])


def multi_crop(size, scale, local_size, local_scale, local_count, jitter, blur_radius, mean, std):
    """image -> list of normalised tensors; grey images get no grayscale step."""
    colour = len(mean) == 3

    def view(crop_size, crop_scale, blur, solarize):
        steps = [T.RandomResizedCrop(crop_size, crop_scale, interpolation=InterpolationMode.BICUBIC),
                 T.RandomHorizontalFlip(0.5), T.RandomApply([T.ColorJitter(*jitter)], p=0.8)]
        if colour:
            steps.append(T.RandomGrayscale(0.2))
        steps.append(T.RandomApply([T.Lambda(
            lambda image: image.filter(ImageFilter.GaussianBlur(random.uniform(*blur_radius))))], p=blur))
        if solarize:
            steps.append(T.RandomApply([T.Lambda(ImageOps.solarize)], p=solarize))
        return T.Compose([*steps, T.ToTensor(), T.Normalize(mean, std)])

    views = [view(size, scale, 1.0, 0), view(size, scale, 0.1, 0.2)]
    views += [view(local_size, local_scale, 0.5, 0)] * local_count
    return lambda image: [make(image) for make in views]


def images_per_second(work, seconds):
    work()
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        work()
        count += 1
    return count / (time.process_time() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5, help="CPU time per row")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)

    grey = photograph(28, 28, 1)
    grey_crops = multi_crop(28, (0.5, 1), 14, (0.2, 0.5), 4, (0.8, 0.8, 0, 0), (0.1, 1.0), (0.286,), (0.353,))
    buffer = io.BytesIO()
    photograph(500, 375, 3).save(buffer, "JPEG", quality=90)
    jpeg = buffer.getvalue()
    rgb_crops = multi_crop(224, (0.4, 1), 96, (0.05, 0.4), 8, (0.4, 0.4, 0.2, 0.1), (0.1, 2.0),
                           (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    results = {
        "grey_28": images_per_second(lambda: grey_crops(grey), options.seconds),
        "jpeg_500_to_224_and_96": images_per_second(
            lambda: rgb_crops(Image.open(io.BytesIO(jpeg)).convert("RGB")), options.seconds),
    }
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in results.items()}))
    else:
        for name, value in results.items():
            print(f"{name:28} {value:10.1f} images/s")


if __name__ == "__main__":
    main()
