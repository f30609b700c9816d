#!/usr/bin/env python3
"""The C interface (dino/capi.h) from another language: features of an image, without PyTorch in Python.
  05_ctypes.py build/release/libdino_c.so WEIGHTS photo.jpg"""
import ctypes
import json
import sys


class Features(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int64) for n in ("batch", "dim", "registers", "grid_height", "grid_width")] + \
               [(n, ctypes.POINTER(ctypes.c_float)) for n in ("cls", "register_tokens", "patches")]


library, weights, image = sys.argv[1:4]
dino = ctypes.CDLL(library)
dino.dino_last_error.restype = dino.dino_describe.restype = ctypes.c_char_p


def check(status):
    if status:
        sys.exit(dino.dino_last_error().decode())


model = ctypes.c_void_p()
check(dino.dino_load(weights.encode(), 0, ctypes.byref(model)))
features = Features()
check(dino.dino_image_features(model, image.encode(), ctypes.byref(features)))
print(json.loads(dino.dino_describe(model))["architecture"]["family"], "CLS", features.cls[:3],
      f"{features.grid_width} x {features.grid_height} patches")
dino.dino_free_features(ctypes.byref(features))
dino.dino_free(model)
