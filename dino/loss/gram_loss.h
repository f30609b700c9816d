// Gram anchoring (DINOv3, section 4.2): the similarities between the patches of an image, not the
// features themselves, are held to those of an earlier teacher, whose dense features were clean.
#pragma once
#include <torch/types.h>

namespace dino::loss {

struct GramOptions {
  bool normalize = true;  ///< rows are divided by their norms: similarities are cosines
  bool per_image = true;  ///< compare patches of the same crop; false: of all crops of the batch
  /// Similarities below 0 count as 0, in both
  bool remove_negatives = false;
  /// Likewise, in the teacher's only
  bool remove_teacher_negatives = false;
};

/** The mean of (x x^T - y y^T)^2 over all entries, for the student's features x and the teacher's y
 * [C, P, D] of C crops; with per_image one P x P matrix for each crop, else one of all C * P rows.
 * Scalar fp32, differentiable in x, computed in fp32. The paper writes a sum, its code takes this
 * mean, and its weights are for it. On the way forward the gradient is made too, one matrix at a
 * time, so that no more than two P x P matrices exist. */
torch::Tensor gram_loss(const torch::Tensor& student, const torch::Tensor& teacher,
                        const GramOptions& options);

/** The teacher's features [C, G, D] of a finer grid of G = side^2 patches, brought to the grid of
 * `patches` patches, bicubic without antialiasing; as they are if they have that many. Both grids
 * are square (Error{Usage}). */
torch::Tensor to_grid(const torch::Tensor& features, std::int64_t patches);

}  // namespace dino::loss
