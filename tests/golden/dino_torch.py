"""DINO (Caron et al. 2021) in plain PyTorch, written from the method's description: the oracle of the goldens
and the step that bench/peers times. Eager, one operation at a time, as a reader of the paper would write it;
nothing here is tuned. Parameter names are the published checkpoints' names."""

import math

import torch
import torch.nn.functional as F
from torch import nn

ARCHITECTURES = {  # name: (D, depth, heads)
    "vit_tiny": (192, 12, 3),
    "vit_small": (384, 12, 6),
    "vit_base": (768, 12, 12),
}


class DropPath(nn.Module):
    """Drops a whole residual branch per sample in training, scaling the kept ones by 1/keep."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1.0 - self.rate
        mask = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype) + keep
        return x / keep * mask.floor_()


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)  # [B, H, N, N]
        x = (weights @ v).transpose(1, 2).reshape(b, n, d)
        return self.proj(x), weights


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio, drop_path):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        x = x + self.drop_path(self.attn(self.norm1(x))[0])
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self, channels, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)  # [B, P, D]


def interpolate_positions(table, grid, height, width):
    """Position table [1, 1 + M*M, D] -> [1, 1 + height*width, D] by DINO's rule: bicubic with the explicit scale
    (size + 0.1) / M, which the resampler uses for its coordinates (not out / in)."""
    if height == grid and width == grid:
        return table
    patches = table[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, scale_factor=((height + 0.1) / grid, (width + 0.1) / grid),
                            mode="bicubic", align_corners=False, recompute_scale_factor=False)
    assert patches.shape[-2:] == (height, width)
    return torch.cat([table[:, :1], patches.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


class VisionTransformer(nn.Module):
    def __init__(self, image_size, patch, channels, dim, depth, heads, mlp_ratio=4.0, drop_path=0.0):
        super().__init__()
        self.patch, self.grid = patch, image_size // patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, dim))
        self.patch_embed = PatchEmbed(channels, dim, patch)
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, rate) for rate in rates)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        for parameter in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.apply(_initialize_linear)

    def tokens(self, images):
        height, width = images.shape[-2] // self.patch, images.shape[-1] // self.patch
        x = torch.cat([self.cls_token.expand(len(images), -1, -1), self.patch_embed(images)], dim=1)
        return x + interpolate_positions(self.pos_embed, self.grid, height, width)

    def forward_tokens(self, images):
        x = self.tokens(images)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)  # [B, N, D]

    def forward(self, images):
        return self.forward_tokens(images)[:, 0]

    def last_attention(self, images):
        x = self.tokens(images)
        for block in self.blocks[:-1]:
            x = block(x)
        last = self.blocks[-1]
        return last.attn(last.norm1(x))[1]


def _initialize_linear(module):
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class DinoHead(nn.Module):
    """Three linears with GELU, L2 normalization, weight-normalized linear to K prototypes (gain 1, frozen if asked)."""

    def __init__(self, in_dim, prototypes, layers=3, hidden=2048, bottleneck=256, norm_last_layer=True):
        super().__init__()
        widths = [in_dim] + [hidden] * (layers - 1) + [bottleneck]
        modules = []
        for i in range(layers):
            modules.append(nn.Linear(widths[i], widths[i + 1]))
            if i + 1 < layers:
                modules.append(nn.GELU())
        self.mlp = nn.Sequential(*modules)
        self.apply(_initialize_linear)
        self.last_layer = _WeightNormLinear(bottleneck, prototypes, trainable_gain=not norm_last_layer)

    def forward(self, x):
        return self.last_layer(F.normalize(self.mlp(x), dim=-1, p=2))


class _WeightNormLinear(nn.Module):
    """y = x W^T with W = g v / |v| per output row."""

    def __init__(self, in_dim, out_dim, trainable_gain):
        super().__init__()
        self.weight_g = nn.Parameter(torch.ones(out_dim, 1), requires_grad=trainable_gain)
        self.weight_v = nn.Parameter(nn.Linear(in_dim, out_dim, bias=False).weight.detach().clone())

    def forward(self, x):
        return F.linear(x, torch._weight_norm(self.weight_v, self.weight_g, 0))


class Network(nn.Module):
    """Backbone and head; one backbone pass per resolution, then one head pass over all CLS features."""

    def __init__(self, backbone, head):
        super().__init__()
        self.backbone, self.dino_head = backbone, head

    def forward(self, crops):
        """crops: list of [B, C, h, w], equal sizes next to each other -> logits [len(crops) * B, K]."""
        features, start = [], 0
        for end in range(1, len(crops) + 1):
            if end == len(crops) or crops[end].shape != crops[start].shape:
                features.append(self.backbone(torch.cat(crops[start:end])))
                start = end
        return self.dino_head(torch.cat(features))


class DinoLoss:
    """Cross-entropy of student views against centered, sharpened teacher views, over all pairs of different views."""

    def __init__(self, prototypes, student_temperature=0.1, center_momentum=0.9):
        self.center = torch.zeros(1, prototypes)
        self.student_temperature, self.center_momentum = student_temperature, center_momentum

    def __call__(self, student_logits, teacher_logits, teacher_temperature, crops):
        student = (student_logits / self.student_temperature).chunk(crops)
        teacher = F.softmax((teacher_logits - self.center) / teacher_temperature, dim=-1).detach().chunk(2)
        total, pairs = 0, 0
        for t, target in enumerate(teacher):
            for s, logits in enumerate(student):
                if s == t:
                    continue
                total = total + torch.sum(-target * F.log_softmax(logits, dim=-1), dim=-1).mean()
                pairs += 1
        with torch.no_grad():
            mean = teacher_logits.sum(dim=0, keepdim=True) / len(teacher_logits)
            self.center = self.center * self.center_momentum + mean * (1 - self.center_momentum)
        return total / pairs


def parameter_groups(model):
    """Biases and one-dimensional parameters are not decayed; the first group follows the weight-decay schedule."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (plain if name.endswith(".bias") or parameter.ndim == 1 else decayed).append(parameter)
    return [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]


def clip_per_parameter(model, limit):
    for parameter in model.parameters():
        if parameter.grad is not None:
            coefficient = limit / (parameter.grad.norm(2).item() + 1e-6)
            if coefficient < 1:
                parameter.grad.mul_(coefficient)


@torch.no_grad()
def update_teacher(student, teacher, momentum):
    for source, target in zip(student.parameters(), teacher.parameters()):
        target.mul_(momentum).add_((1 - momentum) * source)


def cosine_schedule(base, end, total, warmup=0, start=0.0):
    """Warm-up includes its end point; the cosine never quite reaches `end`."""
    ramp = [start + (base - start) * i / (warmup - 1) if warmup > 1 else start for i in range(warmup)]
    n = total - warmup
    return ramp + [end + 0.5 * (base - end) * (1 + math.cos(math.pi * i / n)) for i in range(n)]
