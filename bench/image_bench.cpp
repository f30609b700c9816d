// The pixel work of the data path on one core. Peer: bench/peers/image_pillow.py does the same with
// Pillow.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/pixels/blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/resize.h"

namespace {

using dino::image::Box;
using dino::image::Image;

/** Smooth with some noise, as photographs are. */
Image photo(int width, int height, int channels) {
  Image noise(width / 16 + 2, height / 16 + 2, channels);
  std::uint32_t state = 12345;
  const auto draw = [&] {
    state = state * 1664525u + 1013904223u;
    return state >> 24;
  };
  for (auto& sample : noise.pixels) sample = static_cast<std::uint8_t>(draw());
  Image image = dino::image::resize(noise, width, height);
  for (auto& sample : image.pixels)
    sample = static_cast<std::uint8_t>(std::min(255u, sample + draw() / 16));
  return image;
}

/** Image (width, height, channels), box share in percent, target side. */
void resize_crop(benchmark::State& state) {
  const auto at = [&](int i) { return static_cast<int>(state.range(i)); };
  const Image image = photo(at(0), at(1), at(2));
  const float share = static_cast<float>(at(3)) / 100;
  const float width = std::round(static_cast<float>(at(0)) * share);
  const float height = std::round(static_cast<float>(at(1)) * share);
  const Box box{3, 2, std::min(3 + width, static_cast<float>(at(0))),
                std::min(2 + height, static_cast<float>(at(1)))};
  for (auto _ : state) benchmark::DoNotOptimize(dino::image::resize_crop(image, box, at(4), at(4)));
}
BENCHMARK(resize_crop)
    ->ArgNames({"w", "h", "c", "share", "to"})
    ->Args({500, 375, 3, 80, 224})
    ->Args({500, 375, 3, 40, 96})
    ->Args({500, 375, 3, 100, 96})
    ->Args({28, 28, 1, 80, 28})
    ->Args({28, 28, 1, 80, 14})
    ->Args({28, 28, 1, 50, 14})
    ->Args({28, 28, 3, 80, 28})
    ->Args({28, 28, 3, 80, 14});

template <typename Operation>
void in_place(benchmark::State& state, Operation operation) {
  const int side = static_cast<int>(state.range(0));
  const Image original = photo(side, side, side > 28 ? 3 : 1);
  Image image = original;
  for (auto _ : state) {
    image.pixels = original.pixels;
    operation(image);
    benchmark::DoNotOptimize(image.pixels.data());
  }
}
#define DINO_IN_PLACE(name, call)                                            \
  BENCHMARK_CAPTURE(in_place, name, [](Image& image) { dino::image::call; }) \
      ->ArgName("side")                                                      \
      ->Arg(224)                                                             \
      ->Arg(96)                                                              \
      ->Arg(28)
DINO_IN_PLACE(brightness, adjust_brightness(image, 1.3));
DINO_IN_PLACE(contrast, adjust_contrast(image, 1.3));
DINO_IN_PLACE(saturation, adjust_saturation(image, 1.2));
DINO_IN_PLACE(hue, adjust_hue(image, 0.07));
DINO_IN_PLACE(grayscale, to_grayscale(image));
DINO_IN_PLACE(solarize, solarize(image));
DINO_IN_PLACE(flip, flip_horizontal(image));
DINO_IN_PLACE(blur, gaussian_blur(image, 1.1));

void decode_jpeg(benchmark::State& state) {
  const auto bytes = dino::image::encode_jpeg(photo(500, 375, 3), 90);
  for (auto _ : state) benchmark::DoNotOptimize(dino::image::decode(bytes, 3));
}
BENCHMARK(decode_jpeg);

void decode_png(benchmark::State& state) {
  const auto bytes = dino::image::encode_png(photo(28, 28, 1));
  for (auto _ : state) benchmark::DoNotOptimize(dino::image::decode(bytes, 1));
}
BENCHMARK(decode_png);

}  // namespace

BENCHMARK_MAIN();
