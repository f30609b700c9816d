// What lies behind the objects of a scene: drawn, or cut from photographs.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "dino/base/rng.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/image.h"

namespace dino::data {

/** Photographs for one side of the split. Borrows both; no images = all backgrounds are drawn. */
struct Photographs {
  const Dataset* images = nullptr;
  std::span<const std::int64_t> indices = {};
};

struct Background {
  image::Image image;          ///< RGB
  std::string_view kind = {};  ///< "plain", "gradient", "noise", "stripes", "photograph"
  bool unreadable = false;     ///< a photograph was wanted, but is bad: drawn instead
};

/** A square background of `side_px`, all of it drawn from `rng`. With photographs, half of the
 * backgrounds are square regions of one. Thread-safe. */
Background draw_background(int side_px, const Photographs& photographs, Rng& rng);

}  // namespace dino::data
