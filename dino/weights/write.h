// Canonical tensors written under any of the published naming schemes.
#pragma once
#include <filesystem>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

struct WriteOptions {
  Layout layout = Layout::Dino;
  bool allow_loss = false;  ///< drop what the scheme cannot hold instead of refusing
};

/** Writes atomically. Container by the path: .pth, .pt and .bin are torch.save files (official,
 * timm), .safetensors safetensors; HuggingFace takes a folder and fills it with config.json,
 * preprocessor_config.json and model.safetensors. Our own form holds every head; transformers' a
 * DINOv2 classifier of CLS and mean (Dinov2ForImageClassification); the others are backbones alone:
 * see left_out_heads(). Reading the result gives the same tensors, bit for bit, unless something
 * was lost. Throws Error{Usage} naming what the scheme cannot hold (unless allow_loss) or a path
 * that does not suit it, Error{Io}. */
void write(const std::filesystem::path& path, const Weights& weights, const WriteOptions& options);

/** What writing to this scheme would lose, in words; empty if nothing. */
std::vector<std::string> losses(const Weights& weights, Layout layout);

/** Names of the heads that this scheme's files have no place for. */
std::vector<std::string> left_out_heads(const Weights& weights, Layout layout);

/** Writes the classifier alone as the papers' releases do: DINO's {"state_dict":
 * {"module.linear.weight", ...}}, else {"weight", "bias"}. Throws Error{Usage} if there is none. */
void write_classifier(const std::filesystem::path& path, const Weights& weights);

}  // namespace dino::weights
