// The loops of a training step over flat fp32 buffers: norms of gradients, AdamW, and the moving
// average of the teacher. On the CPU they are the kernels of dino/cpu on all threads; on any other
// device the same formulas in tensor operations, which are the oracle of the kernels too.
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace dino::optim {

/** Elements [offset, offset + count) of a flat buffer. */
struct Stretch {
  std::int64_t offset = 0, count = 0;
};

struct SquareSums {
  std::vector<double> of_stretch;
  double total = 0;
};

/** Sums of squares of the stretches of `x` [n] fp32. Not finite if an element is not. Do not depend
 * on the number of threads. Waits for the device. */
SquareSums sums_of_squares(const torch::Tensor& x, std::span<const Stretch> stretches);

/** One stretch of an AdamW step (Loshchilov and Hutter 2019, algorithm 2; as torch.optim.AdamW). */
struct AdamWStretch {
  Stretch stretch;
  double gradient_scale = 1;  ///< clipping
  double lr = 0, weight_decay = 0;
  std::int64_t steps = 1;  ///< updates these elements have had, this one included
};

/** The buffers of AdamW: [n] fp32 each, on one device. */
struct AdamWBuffers {
  torch::Tensor values, gradients, first_moment, second_moment;
};

/** Updates values and moments in place. The stretches are in order of offset and do not overlap. */
void adamw(const AdamWBuffers& buffers, std::span<const AdamWStretch> stretches,
           std::array<double, 2> betas, double eps);
/** The same in tensor operations, on any device. */
void adamw_by_tensors(const AdamWBuffers& buffers, std::span<const AdamWStretch> stretches,
                      std::array<double, 2> betas, double eps);

/** to <- momentum * to + (1 - momentum) * from, [n] fp32 each, on one device. */
void moving_average(torch::Tensor& to, const torch::Tensor& from, double momentum);

}  // namespace dino::optim
