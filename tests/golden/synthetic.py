"""Weights and images both sides of a golden compute for themselves, so that none is stored: element i of the array
called `name` is a hash of (name, i). The C++ twin is synthetic_weights.h; both give the same float32 bits."""

import math

import numpy as np
import torch


def _fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def uniform(name, count):
    """`count` float32 values in [-1, 1): the top 24 bits of splitmix64(fnv1a(name) + i * golden ratio)."""
    with np.errstate(over="ignore"):
        z = np.uint64(_fnv1a(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def image(name, shape):
    """Pixels as if normalized: [-2, 2)."""
    return torch.from_numpy(uniform(name, math.prod(shape)).reshape(shape) * np.float32(2))


TOKENS = ("cls_token", "pos_embed", "position_embeddings", "register_tokens", "reg_token", "storage_tokens")
ATTENTION = ("qkv.weight", "query.weight", "key.weight", "value.weight", "q_proj.weight", "k_proj.weight", "v_proj.weight")


def parameter(name, shape, gain):
    """Positions and CLS within 0.5; biases within 0.1; norm weights 1 +- 0.2; the weight-norm gain 1; temperatures of
    XCiT 4 +- 2; every matrix or filter within gain / sqrt(fan in), so that signals keep their size at any width; queries,
    keys and values three times that, so that attention is far from uniform."""
    values = uniform(name, math.prod(shape))
    if name.endswith("weight_g"):
        values = np.ones_like(values)
    elif name.endswith("temperature"):
        values = np.float32(4) + values * np.float32(2)
    elif name.endswith(TOKENS):
        values = values * np.float32(0.5)
    elif name.endswith(".bias"):
        values = values * np.float32(0.1)
    elif len(shape) == 1:
        values = np.float32(1) + values * np.float32(0.2)
    else:
        gain *= 3 if name.endswith(ATTENTION) else 1
        values = values * np.float32(gain / math.sqrt(math.prod(shape[1:])))
    return torch.from_numpy(values.reshape(tuple(shape)))


def statistic(name, shape):
    """A batch norm's running mean within 0.3, running variance 1 +- 0.5, counter 0."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(tuple(shape), dtype=torch.int64)
    values = uniform(name, math.prod(shape))
    values = values * np.float32(0.3) if name.endswith("mean") else np.float32(1) + values * np.float32(0.5)
    return torch.from_numpy(values.reshape(tuple(shape)))


@torch.no_grad()
def fill_parameters(module, gain=0.7):
    for name, tensor in module.named_parameters():
        tensor.copy_(parameter(name, tensor.shape, gain))
    return module
