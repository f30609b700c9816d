// Writes canonical tensors in any of the published naming schemes.
#pragma once
#include <filesystem>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

struct WriteOptions {
  Layout layout = Layout::Dino;
  bool allow_loss = false;  ///< drop what the scheme cannot store instead of throwing
};

/** Writes atomically. The path selects the container: .pth, .pt and .bin are torch.save files
 * (official, timm), .safetensors is safetensors; HuggingFace needs a folder, for config.json,
 * preprocessor_config.json and model.safetensors. Our own layout stores every head, transformers'
 * only a DINOv2 classifier of CLS and mean (Dinov2ForImageClassification), the others none: see
 * left_out_heads(). Unless something was lost, reading the result gives identical tensors. Throws
 * Error{Usage} naming what the scheme cannot store (unless allow_loss) or an unsuitable path,
 * Error{Io}. */
void write(const std::filesystem::path& path, const Weights& weights, const WriteOptions& options);

/** Descriptions of what this scheme cannot store; empty if nothing is lost. */
std::vector<std::string> losses(const Weights& weights, Layout layout);

/** The names of the heads that this scheme's files cannot store. */
std::vector<std::string> left_out_heads(const Weights& weights, Layout layout);

/** Writes only the classifier, as in the papers' releases: DINO's {"state_dict":
 * {"module.linear.weight", ...}}, else {"weight", "bias"}. Throws Error{Usage} if there is none. */
void write_classifier(const std::filesystem::path& path, const Weights& weights);

}  // namespace dino::weights
