// Published weights of any container and naming scheme, read into canonical tensors.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

struct ReadOptions {
  std::string network = {};  ///< which of a training checkpoint: teacher or student; "" = the
                             ///< teacher, or the one there is
  std::string prefix = {};   ///< that the network's names begin with ("" = find out)
  std::string arch = {};     ///< name of the zoo, where the file does not tell ("" = find out)
  /** How a learned position table is resampled, in place of what the weights say: as the papers
   * (LearnedOffset; LearnedAntialias with registers) or transformers (LearnedSize) do. */
  std::optional<arch::Positions> positions = {};
};

/** The file that `path` stands for: a run's directory for the teacher it ended with, anything else
 * for itself. Throws Error{Io} if the run has none yet. */
std::filesystem::path weights_file(const std::filesystem::path& path);

/** Reads a file or folder: .safetensors, .pth (zip and legacy), sharded safetensors, a Hugging Face
 * folder, a run or a checkpoint of one. The container is told by its bytes, the naming scheme by
 * tell-tale tensors, the architecture by the file's own description, its config.json, or the
 * shapes. Nothing is copied where names map one to one. Throws Error{Io}; Error{Format} listing
 * missing, unexpected and misshapen tensors with the likely cause. Heads are read too; in files of
 * other programs one that does not fit is reported in unusable_heads, not thrown. */
Weights read(const std::filesystem::path& path, const ReadOptions& options = {});

/** The heads of a file, whether or not a backbone is beside them: linear classifiers as the papers
 * release them, checkpoints, our own weights. Empty if there are none. Throws Error{Io};
 * Error{Format} listing the tensors that do not fit. */
std::vector<Head> read_heads(const std::filesystem::path& path, const ReadOptions& options = {});

/** Throws Error{Format} naming the file and the first tensor, of the backbone or with `heads_too`
 * of its heads, that holds NaN, infinity or a number beyond fp32's range. Reads every byte, at the
 * speed of memory. */
void require_finite(const Weights& weights, bool heads_too = false);

/** Puts heads on a backbone. Throws Error{Usage} if it has one of that name, or if their width is
 * not what this backbone gives. */
void add_heads(Weights& weights, std::vector<Head> heads);

}  // namespace dino::weights
