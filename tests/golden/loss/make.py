#!/usr/bin/env python3
"""Writes dino_loss.json: DINO losses and centers over three consecutive calls, from lightly's DINOLoss and from a numpy
float64 reading of the method, which must agree. Logits are synthetic (tests/golden/synthetic.py), so none is stored.

  tests/golden/loss/make.py         needs torch, lightly, numpy
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from lightly.loss import DINOLoss

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import synthetic  # noqa: E402

CALLS = 3
CENTER_MOMENTUM = 0.9
STUDENT_TEMPERATURE = 0.1
# (B, local crops V, K, teacher temperature): usual, no locals, one image, warm-up temperature.
CASES = [(4, 6, 64, 0.04), (3, 0, 32, 0.04), (1, 8, 256, 0.07), (5, 2, 1000, 0.055)]


def logits(name, views, batch, prototypes):
    """Cosines in [-1, 1), as a head with a frozen gain gives: [views, B, K]."""
    return synthetic.uniform(name, views * batch * prototypes).reshape(views, batch, prototypes)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def numpy_loss(student, teacher, center, temperature):
    target = softmax((teacher - center) / temperature)
    prediction = softmax(student / STUDENT_TEMPERATURE)
    terms = [-(target[t] * np.log(prediction[s])).sum(-1).mean()
             for t in range(2) for s in range(len(student)) if s != t]
    new_center = CENTER_MOMENTUM * center + (1 - CENTER_MOMENTUM) * teacher.reshape(-1, teacher.shape[-1]).mean(0)
    return np.mean(terms), new_center


def gradient(student, teacher, center, temperature):
    """d loss / d student logits in float64, by autograd over the same formula."""
    s = torch.from_numpy(student).requires_grad_()
    q = torch.from_numpy(softmax((teacher - center) / temperature))
    log_p = torch.log_softmax(s / STUDENT_TEMPERATURE, -1)
    terms = [-(q[t] * log_p[v]).sum(-1).mean() for t in range(2) for v in range(len(s)) if v != t]
    torch.stack(terms).mean().backward()
    return s.grad


def main():
    cases = []
    for batch, local_count, prototypes, temperature in CASES:
        peer = DINOLoss(prototypes, warmup_teacher_temp=temperature, teacher_temp=temperature,
                        warmup_teacher_temp_epochs=1, student_temp=STUDENT_TEMPERATURE,
                        center_momentum=CENTER_MOMENTUM).double()
        center = np.zeros(prototypes)
        calls = []
        for call in range(CALLS):
            student = logits(f"student{call}", 2 + local_count, batch, prototypes).astype(np.float64)
            teacher = logits(f"teacher{call}", 2, batch, prototypes).astype(np.float64)
            slope = gradient(student, teacher, center, temperature)
            loss, center = numpy_loss(student, teacher, center, temperature)
            peer_loss = peer(list(torch.from_numpy(teacher)), list(torch.from_numpy(student)), epoch=0).item()
            peer_center = peer.center.flatten().numpy()
            assert abs(loss - peer_loss) < 1e-6 * loss, (loss, peer_loss)
            assert np.abs(center - peer_center).max() < 1e-9
            calls.append({"loss": peer_loss, "center": peer_center[:8].tolist(),
                          "center_norm": float(np.linalg.norm(peer_center)),
                          "gradient": slope.flatten()[:8].tolist(), "gradient_norm": slope.norm().item()})
        cases.append({"batch": batch, "local_count": local_count, "prototypes": prototypes,
                      "teacher_temperature": temperature, "calls": calls})
    document = {"student_temperature": STUDENT_TEMPERATURE, "center_momentum": CENTER_MOMENTUM, "cases": cases}
    (HERE / "dino_loss.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
