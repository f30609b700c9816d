// SIGReg (LeJEPA, Balestriero and LeCun 2025): the features of a batch are pulled towards a
// standard normal distribution, one random direction at a time. A rival of KoLeo.
#pragma once
#include <torch/types.h>

namespace dino::loss {

struct SigregOptions {
  std::int64_t directions = 1024;  ///< random unit vectors
  std::int64_t knots = 17;         ///< at which characteristic functions are compared
  double range = 5;                ///< the knots divide [-range, range] evenly
};

/** B times the mean over random directions a of the integral over t of
 * |mean_i exp(i t a^T x_i) - exp(-t^2 / 2)|^2 exp(-t^2 / 2), by the trapezoidal rule (the test of
 * Epps and Pulley), for the rows x_i of `features` [B, D]. Directions are drawn from `generator`.
 * Scalar fp32, differentiable in `features`. */
torch::Tensor sigreg_loss(const torch::Tensor& features, torch::Generator generator,
                          const SigregOptions& options = {});

}  // namespace dino::loss
