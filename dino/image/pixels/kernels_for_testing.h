// Which instruction set works on pixels, for tests of what is built on kernels().
#pragma once
#include "dino/image/pixels/kernels.h"

namespace dino::image {

/** kernels() answers with `table` while this lives. Not while anything works on pixels. */
class PixelKernelsForTesting {
 public:
  explicit PixelKernelsForTesting(const PixelKernels& table);
  ~PixelKernelsForTesting();
  PixelKernelsForTesting(const PixelKernelsForTesting&) = delete;
  PixelKernelsForTesting& operator=(const PixelKernelsForTesting&) = delete;

 private:
  const PixelKernels& before_;
};

}  // namespace dino::image
