// Principal components of patch features, and their visualization: the first three components as
// RGB, so that patches with similar features have similar colors (DINOv2, figure 1).
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "dino/image/image.h"

namespace dino::embed {

/** An orthonormal basis, fitted once and applied to any rows. */
struct Pca {
  torch::Tensor mean;  ///< [D] float64
  /// [k, D] float64, by descending variance; each has its entry of largest magnitude positive
  torch::Tensor components;
  torch::Tensor explained;  ///< [k] float64, share of the total variance
};

/** Fits k components to rows [n, D] (any floating dtype, CPU) by the eigenvectors of their
 * covariance in float64. k is clipped to D. Throws Error{Usage} below two rows and on values that
 * are not finite. Thread-safe. */
Pca fit_pca(const torch::Tensor& rows, std::int64_t k = 3);

/** Projects rows [..., D] to scores [..., k] float64. */
torch::Tensor project(const Pca& pca, const torch::Tensor& rows);

/** The range of scores, per component, that is mapped to [0, 255]. Fitted once and used for all
 * images, so that their colors are comparable. */
struct ColorRange {
  torch::Tensor low, high;  ///< [3] float64
};

/** A robust range: the quantiles `quantile` and 1 - `quantile` of scores [n, 3]. */
ColorRange fit_color_range(const torch::Tensor& scores, double quantile = 0.01);

/** Converts scores [gh, gw, 3] to an RGB image of gw x gh px; values outside the range are clipped.
 */
image::Image to_rgb(const torch::Tensor& scores, const ColorRange& range);

}  // namespace dino::embed
