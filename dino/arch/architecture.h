// Describes a backbone: every number that defines it, and the names and shapes of its tensors.
// Plain data, independent of Torch. Letters: D embedding width, L blocks, h heads, p patch side.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/prepare/preprocess.h"

namespace dino::arch {

enum class Family { Vit, ConvNext, ResNet50, Xcit };

/** The two feed-forward networks of a block. */
enum class Ffn {
  Mlp,     ///< fc2(GELU(fc1 x)), exact (erf) GELU
  SwiGlu,  ///< w3(silu(a) * b) with [a | b] = w12 x
};

/** The position encoding of a ViT. The learned modes differ only if the grid has another size than
 * the stored table. */
enum class Positions {
  LearnedOffset,     ///< bicubic with explicit scale (grid + 0.1) / M: DINO, DINOv2
  LearnedSize,       ///< bicubic to the grid's size: Hugging Face's ports of these
  LearnedAntialias,  ///< bicubic to the grid's size, antialiased: DINOv2 with registers
  Rope,              ///< axial rotary embedding of queries and keys: DINOv3
};

/** How RoPE maps patch centers to [-1, 1]. */
enum class RopeCoordinates { Separate, Max, Min };

/** Vision transformer of any of the three generations. */
struct Vit {
  std::int64_t dim = 384;   ///< D
  std::int64_t depth = 12;  ///< L
  std::int64_t heads = 6;   ///< h; D / h is the head's width
  /// Hidden width of the feed-forward network; for SwiGLU of each half
  std::int64_t hidden = 1536;
  std::int64_t patch_size = 16;  ///< px
  Ffn ffn = Ffn::Mlp;
  bool qkv_bias = true;
  bool mask_key_bias = false;  ///< DINOv3: the key part of the qkv bias is held at zero
  bool layer_scale = false;    ///< each residual branch has a learned gain (DINOv2, DINOv3)
  bool mask_token = false;     ///< masked patches are replaced by a learned token
  std::int64_t registers = 0;  ///< tokens between CLS and patches, without position encoding
  Positions positions = Positions::LearnedOffset;
  double norm_eps = 1e-6;  ///< epsilon of every LayerNorm
  double rope_base = 100;  ///< periods are base^(2 k / (d / 2)), k < d / 4, d = D / h
  /** The periods [d / 4] if they are not exact powers of one base, as in the released DINOv3 files,
   * which were rounded to bf16 in training. Empty = computed from rope_base. */
  std::vector<double> rope_periods = {};
  RopeCoordinates rope_coordinates = RopeCoordinates::Separate;
  bool untie_cls_and_patch_norms = false;  ///< CLS and registers have a separate final norm
  bool local_cls_norm = false;  ///< a third final norm, for CLS of local crops in training only
  bool rotary() const { return positions == Positions::Rope; }
  bool operator==(const Vit&) const = default;
};

/** ConvNeXt as distilled in DINOv3: four stages, total stride 32. */
struct ConvNext {
  std::vector<std::int64_t> depths = {3, 3, 9, 3};
  std::vector<std::int64_t> widths = {96, 192, 384, 768};
  double norm_eps = 1e-6;
  bool operator==(const ConvNext&) const = default;
};

/** XCiT (cross-covariance attention) as DINO trained it. */
struct Xcit {
  std::int64_t dim = 384, depth = 12, heads = 8;
  std::int64_t patch_size = 16;   ///< px, 8 or 16
  std::int64_t cls_depth = 2;     ///< class-attention blocks
  double layer_scale_init = 1.0;  ///< eta
  bool operator==(const Xcit&) const = default;
};

/** A backbone. Of vit, convnext and xcit only the member of its family is used. */
struct Architecture {
  std::string name;  ///< name in the zoo, or empty
  Family family = Family::Vit;
  int channels = 3;      ///< channels of the images
  int image_size = 224;  ///< px; a learned position table has (image_size / p)^2 patch rows
  Vit vit = {};
  ConvNext convnext = {};
  Xcit xcit = {};

  /** The width D of the CLS feature. */
  std::int64_t dim() const;
  /** The distance of neighboring patch features, px (32 for ConvNeXt and ResNet-50). */
  std::int64_t patch_size() const;
  /** The number of tokens before the patches: CLS and registers. */
  std::int64_t prefix_tokens() const;
  bool operator==(const Architecture& other) const;
};

/** A network and its preprocessing, as described in a weights file. */
struct Network {
  Architecture architecture;
  data::Preprocess preprocess;
  bool operator==(const Network&) const = default;
};

/** The periods of RoPE, [d / 4] with d = D / h. An angle is 2 pi * coordinate / period, with
 * coordinates in [-1, 1]. */
std::vector<float> rope_periods(const Vit& vit);

/** Throws Error{Config} naming the field if values are out of range or contradict each other. */
void validate(const Architecture& architecture);

/** A tensor of a backbone under its canonical name: DINO's official name, with `register_tokens`
 * for registers (storage tokens in DINOv3) and the packed `mlp.w12` = [w1; w2] for SwiGLU. */
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool integer = false;  ///< int64 (batch counters of ResNet-50); all others are floats
  bool operator==(const TensorSpec&) const = default;
};

/** All tensors of a backbone, in the order of the forward pass. */
std::vector<TensorSpec> tensors(const Architecture& architecture);

/** The names used in files and messages: "vit", "mlp", "rope", ... */
std::string_view name_of(Family value);
std::string_view name_of(Ffn value);
std::string_view name_of(Positions value);
std::string_view name_of(RopeCoordinates value);

/** The network as JSON, the "dino" entry of our weight files (docs/formats.md). */
std::string to_json(const Network& network);
/** Parses such JSON, of version 1 too. Throws Error{Format} naming `origin` on unknown keys or
 * names, missing keys, values out of range and later versions. */
Network network_from_json(std::string_view json, std::string_view origin);

}  // namespace dino::arch
