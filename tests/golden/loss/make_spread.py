#!/usr/bin/env python3
"""Writes spread.json: Sinkhorn-Knopp targets and the KoLeo loss with its gradient, from numpy float64 readings of SwAV's
and DINOv2's code that share nothing with ours: the plain order of divisions without any maximum, and differences
instead of a backward pass. Inputs are cosines of the index, which both sides compute.

  tests/golden/loss/make_spread.py         needs numpy
"""

import json
from pathlib import Path

import numpy as np

SINKHORN = [(8, 32, 0.07, 3), (6, 300, 0.04, 3), (64, 16, 0.05, 3), (5, 7, 0.1, 1)]  # R, K, temperature, rounds
KOLEO = [(4, 3), (16, 24), (33, 5)]  # B, D


def values(rows, columns, pace):
    return np.cos(pace * np.arange(rows * columns, dtype=np.float64)).reshape(rows, columns)


def sinkhorn(logits, temperature, rounds):
    q = np.exp(logits / temperature).T  # K x R
    k, r = q.shape
    q /= q.sum()
    for _ in range(rounds):
        q /= q.sum(axis=1, keepdims=True)
        q /= k
        q /= q.sum(axis=0, keepdims=True)
        q /= r
    return (q * r).T


def koleo(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = x @ x.T
    np.fill_diagonal(similarity, -1)
    distance = np.linalg.norm(x - x[similarity.argmax(1)] + 1e-8, axis=1)
    return -np.log(distance + 1e-8).mean()


def slope(f, x, step=1e-6):
    result = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        result[i] = (f(up) - f(down)) / (2 * step)
    return result


def main():
    document = {"sinkhorn": [], "koleo": []}
    for rows, prototypes, temperature, rounds in SINKHORN:
        q = sinkhorn(values(rows, prototypes, 1.7), temperature, rounds)
        document["sinkhorn"].append({"rows": rows, "prototypes": prototypes, "temperature": temperature, "rounds": rounds,
                                     "first": q[0, :7].tolist(), "last": q[-1, -7:].tolist(),
                                     "entropy": float(-(q * np.log(q)).sum(1).mean())})
    for batch, dim in KOLEO:
        x = 3 * values(batch, dim, 2.3)
        gradient = slope(koleo, x)
        document["koleo"].append({"batch": batch, "dim": dim, "loss": float(koleo(x)),
                                  "gradient": gradient.flatten()[:8].tolist(),
                                  "gradient_norm": float(np.linalg.norm(gradient))})
    (Path(__file__).resolve().parent / "spread.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
