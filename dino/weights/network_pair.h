// Reads and writes training checkpoints in the papers' layouts: teacher and student with their
// heads, without optimizers and schedules. Training cannot be resumed from them.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "dino/weights/backbone_weights.h"
#include "dino/weights/read.h"

namespace dino::weights {

struct NetworkPair {
  std::map<std::string, Weights> networks;    ///< "teacher", "student": at least one of them
  std::vector<format::TensorRecord> centers;  ///< "dino_loss.center" [K], ...
  /** The first name parts of other tensors ("optimizer"), sorted. */
  std::vector<std::string> left_out;
};

/** Reads every network of a checkpoint; other weights are read as a teacher alone. Throws as
 * read(). */
NetworkPair read_network_pair(const std::filesystem::path& path, const ReadOptions& options = {});

/** Descriptions of the heads that the layout of this generation's code cannot store. Empty if there
 * are none. */
std::vector<std::string> losses(const NetworkPair& checkpoint);

/** Writes atomically, by the path's ending as torch.save's file or safetensors (keys joined by
 * dots), in the layout of the code that the backbone belongs to:
 * DINO: {"student": {"module.backbone.*", "module.head.*"}, "teacher": {"backbone.*", "head.*"},
 *   "dino_loss": {"center" [1, K]}}; the teacher too has module. where there is batch norm.
 * DINOv2, DINOv3: {"teacher": {"backbone.*", "dino_head.*", "ibot_head.*"}} of a teacher alone,
 * else
 *   {"model": {"student.backbone.*", ..., "teacher.backbone.*", ..., "dino_loss.center"}}.
 * Throws Error{Usage} naming what the layout cannot hold (unless allow_loss: left out), Error{Io}.
 */
void write_network_pair(const std::filesystem::path& path, const NetworkPair& checkpoint,
                        bool allow_loss = false);

}  // namespace dino::weights
