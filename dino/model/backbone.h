// The interface of all backbones: image-level and patch-level features, for training (several crop
// groups at once) and for inference (one batch). Letters: B images, C channels, H W pixels, P
// patches, R registers, N = 1 + R + P tokens, D embedding width, L blocks, h attention heads.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/base/mapped_file.h"
#include "dino/model/rope.h"

namespace dino::model {

/** The precision of matrix products and activations. Parameters, norms, softmax and losses are
 * always fp32. */
enum class Precision {
  Fp32,
  Bf16,  ///< frozen ViTs use fp32 on CPUs where bf16 is slower; see Computed
  Int8,  ///< frozen ViTs on the CPU only: linear layers of the blocks and attention in 8 bits
};
/** "fp32", "bf16" or "int8". */
std::string_view name_of(Precision precision);

/** How inference is computed; the precision may differ from the requested one. */
struct Computed {
  Precision precision = Precision::Fp32;
  std::string kernel;  ///< library and instruction set: "dino avx512", "torch AVX2"
};

/** Thrown by a pass that was asked to stop; see Backbone::set_stop(). */
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped"; }
};

/** One batch of equally sized crops. */
struct CropGroup {
  torch::Tensor images;  ///< [B, C, H, W] fp32
  torch::Tensor masks;   ///< [B, P] bool, true = replaced by the mask token; undefined = none
};

/** The tokens that a training objective reads. With Cls the last block computes only CLS. */
enum class Tokens { Cls, ClsAndPatches };

struct GroupFeatures {
  torch::Tensor cls;      ///< [B, D] after the final norm
  torch::Tensor patches;  ///< [B, P, D] after the final norm; undefined for Tokens::Cls
};

/** The results of inference, after the final norm. Patch index = y * grid_width + x. */
struct Features {
  torch::Tensor cls;             ///< [B, D] fp32
  torch::Tensor patches;         ///< [B, P, D] fp32
  int grid_height = 0;           ///< H / patch
  int grid_width = 0;            ///< W / patch
  torch::Tensor registers = {};  ///< [B, R, D] fp32; undefined without registers
};

/** The queries of an attention map. */
enum class AttentionRows {
  Prefix,  ///< CLS and registers
  All,
};

/** A module whose named_parameters() have the official DINO names. In eval mode, inference may run
 * on several threads at once; training and the setters may not. */
class Backbone : public torch::nn::Module {
 public:
  /** The width D of cls. */
  virtual std::int64_t dim() const = 0;
  /** The forward pass of training, over all groups at once (linear layers run once over the tokens
   * of all crops). Records an autograd graph if gradients are enabled. Exception: a frozen ViT
   * takes the path of inference for a single group without masks, which records no graph and may
   * differ in rounding. Throws Error{Usage} on masks if the network has no mask token. */
  virtual std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                                    Tokens tokens) = 0;
  /** The number of layers L that layers() can return. */
  virtual int depth() const = 0;
  /** Inference, without gradients: features of images [B, C, H, W] fp32, normalized. H and W are at
   * least one patch; an incomplete patch on the right or below is ignored, as in the reference. */
  virtual Features forward_features(const torch::Tensor& images) = 0;
  /** The outputs of the given blocks (0 to depth() - 1, in any order; -1 = the last), in the order
   * given, each after the network's final norm if `norm` (get_intermediate_layers of the
   * reference). Throws Error{Usage} on a block out of range. */
  virtual std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                       bool norm = true) = 0;
  /** The softmax attention of a block (-1 = the last): [B, h, N, N] fp32, or [B, h, 1 + R, N] for
   * AttentionRows::Prefix. Throws Error{Usage} if the architecture has none. */
  virtual torch::Tensor attention(const torch::Tensor& images, int block = -1,
                                  AttentionRows rows = AttentionRows::All) = 0;
  /** Sets the precision of matrix products; the default is fp32. Throws Error{Usage} on one that
   * this network does not support. */
  virtual void set_precision(Precision precision);
  /** How inference is computed with the precision that is set. */
  virtual Computed computed() const;
  /** When `stop` is requested, a running pass throws Stopped at its next block; {} means never. Do
   * not call it during a pass. */
  void set_stop(std::stop_token stop) { stop_ = std::move(stop); }
  /** Switches to eval mode for inference. Parameters must not change afterwards, since inference
   * may use copies that are packed for this machine. */
  virtual void freeze();
  /** The mapped files that hold the parameters; their pages are released once packed copies exist.
   */
  void set_mapped_files(std::vector<MappedFile> files) { mapped_files_ = std::move(files); }

 protected:
  void drop_mapped_pages() const;
  /** Throws Stopped if a stop is requested; called between blocks. */
  void stop_if_asked() const {
    if (stop_.stop_requested()) throw Stopped();
  }

  Precision precision_ = Precision::Fp32;
  std::stop_token stop_;

 private:
  std::vector<MappedFile> mapped_files_;
};

/** The indices of the n last blocks of a network of `depth`, ascending, for layers(). Throws
 * Error{Usage} if there are fewer. */
std::vector<int> last_blocks(int n, int depth);
/** The index of `block`, where -1, -2, ... count from the last of `depth`. Throws Error{Usage} if
 * it is out of range. */
int block_index(int block, int depth);

/** How stochastic depth drops the branches of blocks; see draw_drop_path(). */
enum class DropPath {
  Linear,  ///< each sequence by itself, at a rate that rises from 0 at the first block (DINO)
  Subset,  ///< a fixed share of the sequences, in every block (DINOv2, DINOv3)
};

/** Options of training a ViT; other families ignore them. */
struct TrainingOptions {
  double drop_path = 0;  ///< rate of stochastic depth, for Linear that of the last block
  DropPath drop_path_rule = DropPath::Linear;
  double layer_scale = 1e-5;  ///< initial gain of LayerScale, if the architecture has it
  RopeAugment rope_augment = {};
  torch::Dtype rope_type = torch::kFloat32;  ///< type of the rotation tables
};

/** Builds a backbone with the reference's initialization, drawn from `generator`; if that is
 * undefined, matrices are uninitialized. `options` is {} for a teacher and for inference. */
std::shared_ptr<Backbone> make_backbone(const arch::Architecture& architecture,
                                        const TrainingOptions& options, torch::Generator generator);

}  // namespace dino::model
