// Principal components of patch features, and their first three as colors: patches that mean the
// same to the network get the same color (DINOv2, figure 1).
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "dino/image/image.h"

namespace dino::embed {

/** An orthonormal basis fitted once and applied to any rows after. */
struct Pca {
  torch::Tensor mean;        ///< [D] float64
  torch::Tensor components;  ///< [k, D] float64, by falling variance; the entry of largest
                             ///< magnitude of each is positive
  torch::Tensor explained;   ///< [k] float64, share of the total variance
};

/** Fits k components to rows [n, D] (any floating dtype, CPU) by the eigenvectors of their
 * covariance in float64. k is clipped to D. Throws Error{Usage} below two rows and on values that
 * are not finite. Thread-safe. */
Pca fit_pca(const torch::Tensor& rows, std::int64_t k = 3);

/** rows [..., D] -> scores [..., k] float64. */
torch::Tensor project(const Pca& pca, const torch::Tensor& rows);

/** Score range that becomes [0, 255], per component; fitted once, used on every image, so that
 * colors compare across images. */
struct ColorRange {
  torch::Tensor low, high;  ///< [3] float64
};

/** Robust range: the `quantile` and 1 - quantile points of scores [n, 3]. */
ColorRange fit_color_range(const torch::Tensor& scores, double quantile = 0.01);

/** scores [gh, gw, 3] -> an RGB image of gw x gh px; values outside the range are cut. */
image::Image to_rgb(const torch::Tensor& scores, const ColorRange& range);

}  // namespace dino::embed
