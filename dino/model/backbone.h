// What every backbone offers: image-level and patch-level features, for training (several crop
// groups at once) and for use (one batch). Alphabet: B images, C channels, H W pixels, P patches, N
// = 1 + P tokens, D embedding width, L blocks, h attention heads.
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

/** Arithmetic of matrix products and stored activations; parameters, norms, softmax and losses stay
 * fp32. */
enum class Precision {
  Fp32,
  Bf16,  ///< frozen ViTs on CPUs where it is slower than fp32 compute in fp32: see Computed
  Int8,  ///< ViTs on the CPU alone, frozen: linear layers of the blocks and attention in 8 bits
};
/** "fp32", "bf16" or "int8". */
std::string_view name_of(Precision precision);

/** What features for use are computed in, and by what: not always what was asked for. */
struct Computed {
  Precision precision = Precision::Fp32;
  std::string kernel;  ///< whose products, on which instructions: "dino avx512", "torch AVX2"
};

/** Ends a pass that was asked to stop; see Backbone::set_stop(). */
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped"; }
};

/** One batch of equally sized crops. */
struct CropGroup {
  torch::Tensor images;  ///< [B, C, H, W] fp32
  torch::Tensor masks;   ///< [B, P] bool, true = replaced by the mask token; undefined = none
};

/** What a training objective reads; asking for less is cheaper (the last block then computes only
 * CLS). */
enum class Tokens { Cls, ClsAndPatches };

struct GroupFeatures {
  torch::Tensor cls;      ///< [B, D] after the final norm
  torch::Tensor patches;  ///< [B, P, D] after the final norm; undefined when only CLS was asked for
};

/** Features for use. Patch index = y * grid_width + x. */
struct Features {
  torch::Tensor cls;             ///< [B, D] fp32
  torch::Tensor patches;         ///< [B, P, D] fp32
  int grid_height = 0;           ///< H / patch
  int grid_width = 0;            ///< W / patch
  torch::Tensor registers = {};  ///< [B, R, D] fp32; undefined without registers
};

/** Which queries an attention map is wanted for. */
enum class AttentionRows {
  Prefix,  ///< CLS and registers: what pictures need
  All,
};

/** A module whose named_parameters() carry the official DINO names. Not thread-safe while training;
 * concurrent forward() in eval mode is. */
class Backbone : public torch::nn::Module {
 public:
  /** D of cls. */
  virtual std::int64_t dim() const = 0;
  /** Training forward: all groups in one packed pass (linear layers run once over the tokens of all
   * crops). Keeps the graph if gradients are on. */
  virtual std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                                    Tokens tokens) = 0;
  /** L: what layers() can be asked for. */
  virtual int depth() const = 0;
  /** Final-normed features of images [B, C, H, W] fp32, normalized; H and W at least one patch (the
   * remainder right and below is dropped, as the reference does). */
  virtual Features forward_features(const torch::Tensor& images) = 0;
  /** Outputs of the given blocks (0 to depth() - 1, any order, -1 = the last; returned in the order
   * asked for), each through the network's final norm if `norm` (get_intermediate_layers of the
   * reference). Throws Error{Usage} on a block that is not there. */
  virtual std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                       bool norm = true) = 0;
  /** Softmax attention of a block (-1 = the last): [B, h, N, N] fp32, or [B, h, 1 + R, N] for the
   * prefix rows. The normal path does not pay for it. Throws Error{Usage} where the architecture
   * has none. */
  virtual torch::Tensor attention(const torch::Tensor& images, int block = -1,
                                  AttentionRows rows = AttentionRows::All) = 0;
  /** Precision of the matrix products. Default fp32. Throws Error{Usage} on one that this network
   * has no way to compute in. */
  virtual void set_precision(Precision precision);
  /** What features for use come from, with the precision as set. */
  virtual Computed computed() const;
  /** Once `stop` is asked to, a pass ends at its next block with Stopped; {} = never. Not while a
   * pass runs. */
  void set_stop(std::stop_token stop) { stop_ = std::move(stop); }
  /** Promises that the parameters will not change any more, and puts the module into eval mode:
   * features for use may then run on weights repacked for this machine. */
  virtual void freeze();
  /** Files that the parameters lie in. Their memory is given back once repacked copies are made. */
  void set_mapped_files(std::vector<MappedFile> files) { mapped_files_ = std::move(files); }

 protected:
  void drop_mapped_pages() const;
  /** To be called between blocks. */
  void stop_if_asked() const {
    if (stop_.stop_requested()) throw Stopped();
  }

  Precision precision_ = Precision::Fp32;
  std::stop_token stop_;

 private:
  std::vector<MappedFile> mapped_files_;
};

/** The n last blocks of a network of `depth`, oldest first: what layers() takes. Throws
 * Error{Usage} if there are not so many. */
std::vector<int> last_blocks(int n, int depth);
/** `block` with -1, -2, ... counted from the last of `depth`. Throws Error{Usage} outside. */
int block_index(int block, int depth);

/** What training asks of a ViT beyond its architecture; the other families ignore it. */
struct TrainingOptions {
  double drop_path = 0;       ///< stochastic depth of the last block, linear from 0
  double layer_scale = 1e-5;  ///< initial gain of the branches, if they have one
  RopeAugment rope_augment = {};
  torch::Dtype rope_type = torch::kFloat32;  ///< of the rotation tables
};

/** Builds the architecture with the reference's initialization; `options` as they are ({}) for a
 * teacher and for use. Draws from `generator`; without one, matrices hold whatever memory held. */
std::shared_ptr<Backbone> make_backbone(const arch::Architecture& architecture,
                                        const TrainingOptions& options, torch::Generator generator);

}  // namespace dino::model
