#!/usr/bin/env python3
"""Writes the goldens of published backbones: networks of transformers, timm and the package dinov2 with synthetic
weights (synthetic.py, by the names the library gives its tensors), as the list of those names with their shapes, the
configuration, and slices of the features, attention and an inner block for several image sizes. The C++ test makes the
same file from the names, reads it as a published one, and must get the same numbers.

  tests/golden/weights/make.py [case ...]     needs torch, transformers, timm, and dinov2 (pip install --no-deps)
"""

import json
import sys
import types
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import synthetic  # noqa: E402

PATCHES, CHANNELS = 13, 24  # every 13th patch, the first 24 channels


def rounded(tensor):
    return [float(f"{v:.7g}") for v in tensor.double().flatten().tolist()]


def record(name, model, config, sizes, forward, batch=2, channels=3, gain=0.7):
    """forward(images) -> dict of tensors: cls [B, D], patches [B, P, D], and more of [B, ..., D]."""
    synthetic.fill_parameters(model, gain)
    model.double().eval()
    case = {"config": config, "gain": gain, "batch": batch, "channels": channels,
            "tensors": {k: list(v.shape) for k, v in model.state_dict().items()}, "sizes": {}}
    for height, width in sizes:
        images = synthetic.image("image", (batch, channels, height, width)).double()
        with torch.no_grad():
            out = forward(images)
        case["sizes"][f"{height}x{width}"] = {
            key: rounded(value if key == "attention" else
                         value[:, ::PATCHES, :CHANNELS] if value.dim() == 3 else value[:, :CHANNELS])
            for key, value in out.items()}
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
    print(name, path.stat().st_size, "bytes", {k: len(v) for k, v in next(iter(case["sizes"].values())).items()})


# ---- transformers ----

def hf(name, model_class, config_class, options, sizes, registers=0, interpolate=False, **more):
    import transformers
    config = getattr(transformers, config_class)(**options)
    config._attn_implementation = "eager"
    model = getattr(transformers, model_class)(config)
    if hasattr(model, "pooler") and name == "hf_v1":
        model.pooler = None

    def forward(images):
        arguments = {"interpolate_pos_encoding": True} if interpolate else {}
        out = model(images, output_attentions=True, **arguments)
        tokens = out.last_hidden_state
        result = {"cls": tokens[:, 0], "patches": tokens[:, 1 + registers:]}
        if registers:
            result["registers"] = tokens[:, 1:1 + registers]
        if out.attentions:
            result["attention"] = out.attentions[-1][:, :, 0, ::PATCHES]
        return result

    record(name, model, {**config.to_diff_dict(), "model_type": config.model_type}, sizes, forward, **more)


def hf_cases():
    small = dict(hidden_size=384, num_hidden_layers=3, num_attention_heads=6)
    tiny = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    v2_sizes = [(224, 224), (518, 518), (266, 266), (168, 280)]
    yield "hf_v1", lambda n: hf(n, "ViTModel", "ViTConfig", dict(
        **small, intermediate_size=1536, layer_norm_eps=1e-6, image_size=224, patch_size=16,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), [(224, 224), (176, 240)], interpolate=True, batch=1)
    yield "hf_v2", lambda n: hf(n, "Dinov2Model", "Dinov2Config", dict(
        **small, image_size=518, patch_size=14), v2_sizes[:2] + [(168, 280)], batch=1)
    yield "hf_v2_giant", lambda n: hf(n, "Dinov2Model", "Dinov2Config", dict(
        hidden_size=1536, num_hidden_layers=1, num_attention_heads=24, image_size=518, patch_size=14,
        use_swiglu_ffn=True), [(224, 224)], batch=1)
    yield "hf_v2_reg", lambda n: hf(n, "Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", dict(
        **small, image_size=518, patch_size=14, num_register_tokens=4), v2_sizes, registers=4, batch=1)
    yield "hf_v3", lambda n: hf(n, "DINOv3ViTModel", "DINOv3ViTConfig", dict(
        **small, intermediate_size=1536, num_register_tokens=4, image_size=224, patch_size=16),
        [(224, 224), (256, 256), (272, 272), (176, 240)], registers=4, batch=1)
    yield "hf_v3_gated", lambda n: hf(n, "DINOv3ViTModel", "DINOv3ViTConfig", dict(
        **tiny, intermediate_size=48, num_register_tokens=4, image_size=64, patch_size=8, use_gated_mlp=True,
        hidden_act="silu"), [(64, 64), (40, 72)], registers=4)
    yield "hf_v3_7b", lambda n: hf(n, "DINOv3ViTModel", "DINOv3ViTConfig", dict(
        hidden_size=1024, num_hidden_layers=1, num_attention_heads=8, intermediate_size=2048, num_register_tokens=4,
        image_size=224, patch_size=16, use_gated_mlp=True, hidden_act="silu", query_bias=False, value_bias=False),
        [(224, 224)], registers=4, batch=1)


# ---- timm ----

def timm_vit(name, model_name, options, sizes, registers=0, **more):
    import timm
    model = timm.create_model(model_name, num_classes=0, **options)

    def forward(images):
        tokens = model.forward_features(images)
        result = {"cls": tokens[:, 0], "patches": tokens[:, 1 + registers:]}
        if registers:
            result["registers"] = tokens[:, 1:1 + registers]
        return result

    record(name, model, {}, sizes, forward, **more)


def timm_cases():
    three = dict(depth=3)
    yield "timm_v1", lambda n: timm_vit(n, "vit_small_patch16_224", three, [(224, 224)], batch=1)
    yield "timm_v2_giant", lambda n: timm_vit(n, "vit_giant_patch14_dinov2", dict(
        depth=1, embed_dim=192, num_heads=3, img_size=56), [(56, 56)])
    yield "timm_v2_reg", lambda n: timm_vit(n, "vit_small_patch14_reg4_dinov2", dict(
        depth=3, img_size=224), [(224, 224)], registers=4, batch=1)
    yield "timm_v3", lambda n: timm_vit(n, "vit_small_patch16_dinov3", three, [(256, 256), (224, 224), (176, 240)],
                                        registers=4, batch=1)
    yield "timm_v3_plus_qkvb", lambda n: timm_vit(n, "vit_small_plus_patch16_dinov3_qkvb", dict(
        depth=2, embed_dim=128, num_heads=2), [(256, 256), (64, 96)], registers=4)


# ---- the package dinov2: the papers' own code ----

def official_v2(name, options, sizes, **more):
    sys.modules.setdefault("xformers", types.ModuleType("xformers"))
    from functools import partial
    from dinov2.layers import MemEffAttention, NestedTensorBlock
    from dinov2.models.vision_transformer import DinoVisionTransformer
    model = DinoVisionTransformer(patch_size=14, init_values=1.0, block_chunks=0,
                                  block_fn=partial(NestedTensorBlock, attn_class=MemEffAttention), **options)

    def forward(images):
        inner = model.get_intermediate_layers(images, n=[0], return_class_token=True, norm=True)[0]
        out = model.forward_features(images)
        result = {"cls": out["x_norm_clstoken"], "patches": out["x_norm_patchtokens"], "block0_cls": inner[1],
                  "block0_patches": inner[0]}
        return result

    record(name, model, {}, sizes, forward, **more)


def official_cases():
    yield "official_v2", lambda n: official_v2(n, dict(img_size=518, embed_dim=384, depth=3, num_heads=6),
                                               [(224, 224), (266, 266), (168, 280)], batch=1)
    yield "official_v2_native", lambda n: official_v2(n, dict(img_size=112, embed_dim=128, depth=2, num_heads=2),
                                                      [(112, 112), (112, 56)])


if __name__ == "__main__":
    for make in (hf_cases, timm_cases, official_cases):
        for case, write in make():
            if len(sys.argv) > 1 and case not in sys.argv[1:]:
                continue
            write(case)
