#!/usr/bin/env python3
"""Has the libraries themselves load what `dino convert` writes: torch.load(weights_only=True) and load_state_dict(strict)
into modules of dinov2 and timm, transformers' from_pretrained, and the logits of a classifier. Not run by the tests.

  tests/golden/weights/check_written.py build/release/dino     needs what make_checkpoints.py needs, and transformers
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

import make_checkpoints as made


def main(program):
    folder = Path(tempfile.mkdtemp())

    def convert(source, to, out, *more):
        command = [program, "convert", "--weights", str(made.OUT / f"{source}.pth"), "--to", to, "--out", folder / out]
        subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL)
        return folder / out

    def written(*arguments):
        return torch.load(convert(*arguments), weights_only=True)

    def original(name):
        return torch.load(made.OUT / f"{name}.pth", weights_only=False)

    def fits(module, state, prefix=""):
        module.load_state_dict({k[len(prefix):]: v for k, v in state.items() if k.startswith(prefix)}, strict=True)
        return module

    def same(actual, expected):
        assert set(actual) == set(expected), set(actual) ^ set(expected)
        for name, tensor in expected.items():
            assert torch.allclose(actual[name].float(), tensor.float(), atol=1e-5), name

    full = written("v1", "checkpoint", "v1.pth")
    for network, wrapper in (("student", "module."), ("teacher", "")):
        fits(made.vit_v1(), full[network], wrapper + "backbone.")
        fits(made.head(), full[network], wrapper + "head.")
        same(full[network], original("v1")[network])
    same(full["dino_loss"], original("v1")["dino_loss"])
    normed = written("v1_batch_norm", "checkpoint", "v1_batch_norm.pth")
    fits(made.head(use_bn=True), normed["teacher"], "module.head.")
    for form in ("official", "timm"):
        fits(made.vit_v1(), written("v1", form, f"{form}.pth"))

    teacher = written("v2_teacher", "checkpoint", "v2_teacher.pth")["teacher"]
    backbone = fits(made.vit_v2(0), teacher, "backbone.").eval()
    fits(made.head(nlayers=1, mlp_bias=False), teacher, "dino_head.")
    fits(made.head(out_dim=12), teacher, "ibot_head.")
    same(written("v2_model", "checkpoint", "v2_model.pth")["model"], original("v2_model")["model"])
    same(written("v3_teacher", "checkpoint", "v3_teacher.pth")["teacher"], original("v3_teacher")["teacher"])

    heads = ("--heads", str(made.OUT / "v2_linear.pth"))
    linear = fits(torch.nn.Linear(2 * made.D, 10), written("v2_teacher", "classifier", "v2_linear.pth", *heads))
    released = written("v1", "classifier", "v1_linear.pth", "--heads", str(made.OUT / "v1_linear.pth"))
    same(released["state_dict"], original("v1_linear")["state_dict"])

    model, report = transformers.AutoModelForImageClassification.from_pretrained(
        convert("v2_teacher", "hf", "hf", *heads), output_loading_info=True)
    assert not any(report.values()), report
    images = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        features = backbone.forward_features(images)
        expected = linear(torch.cat([features["x_norm_clstoken"], features["x_norm_patchtokens"].mean(1)], 1))
        difference = (model.eval()(images).logits - expected).abs().max().item()
    assert difference < 1e-4, difference
    print(f"check_written: ok; logits of transformers and dinov2 differ by {difference:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
