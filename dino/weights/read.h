// Reads weights of any supported container and naming scheme as canonical tensors.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

struct ReadOptions {
  /// Network of a training checkpoint, "teacher" or "student"; "" = the teacher, or the only one
  std::string network = {};
  std::string prefix = {};  ///< prefix of the network's tensor names; "" = detect
  std::string arch = {};    ///< name in the zoo, if the file does not tell; "" = detect
  /** Overrides how a learned position table is resampled: as in the papers' code (LearnedOffset, or
   * LearnedAntialias with registers) or in transformers (LearnedSize). */
  std::optional<arch::Positions> positions = {};
};

/** The weights file for `path`: for a run directory its latest teacher, else `path` itself. Throws
 * Error{Io} if the run has no weights yet. */
std::filesystem::path weights_file(const std::filesystem::path& path);

/** Reads a file or folder: .safetensors, .pth (zip and legacy), sharded safetensors, a Hugging Face
 * folder, a run or one of its checkpoints. The container is recognized by its bytes, the naming
 * scheme by characteristic tensors, the architecture by the file's own description, its
 * config.json, or the shapes. Tensors are not copied if names map one to one. Throws Error{Io};
 * Error{Format} listing missing, unexpected and misshapen tensors with the likely cause. Heads are
 * read too; if one in a file of another program does not fit, it is listed in unusable_heads. */
Weights read(const std::filesystem::path& path, const ReadOptions& options = {});

/** Reads the heads of a file, with or without a backbone: the papers' linear classifiers,
 * checkpoints, our own weights. Empty if there are none. Throws Error{Io}; Error{Format} listing
 * the tensors that do not fit. */
std::vector<Head> read_heads(const std::filesystem::path& path, const ReadOptions& options = {});

/** Throws Error{Format} naming the file and the first tensor of the backbone (with `heads_too` also
 * of heads) that has NaN, infinity or a value beyond fp32's range. Reads every byte. */
void require_finite(const Weights& weights, bool heads_too = false);

/** Adds heads to a backbone. Throws Error{Usage} if it has one of that name, or if their input
 * width does not match. */
void add_heads(Weights& weights, std::vector<Head> heads);

}  // namespace dino::weights
