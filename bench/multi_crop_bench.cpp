// Source image -> all normalized crops of it, on one core: 28 px gray (the demo) and 2x224 + 8x96
// from a 500 x 375 JPEG (ImageNet) with each instruction set (but normalization, which takes the
// fastest). items_per_second is images/s. The peer on the same work:
// bench/peers/multi_crop.py.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "dino/data/crops/views.h"
#include "dino/data/prepare/normalizer.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/pixels/kernels.h"

namespace {

using dino::data::MultiCropOptions;

/** Smooth shapes with some texture: compresses about as a photograph does. */
dino::image::Image photograph(int width, int height, int channels) {
  dino::image::Image image(width, height, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c) {
        const double shape = 80 * std::sin(x * 0.021 + c) * std::cos(y * 0.017 - c);
        const double texture = 25 * std::sin(x * 0.9 + y * 0.37) + 15 * std::sin(x * y * 0.05);
        image.row(y)[x * channels + c] = static_cast<std::uint8_t>(128 + shape + texture);
      }
  return image;
}

MultiCropOptions demo_crops() {
  MultiCropOptions crops;
  crops.global_size = 28;
  crops.global_scale = {0.5, 1.0};
  crops.local_size = 14;
  crops.local_count = 4;
  crops.local_scale = {0.2, 0.5};
  crops.brightness = crops.contrast = 0.8;
  crops.blur_radius = {0.1, 1.0};
  crops.mean = {0.286};
  crops.std = {0.353};
  return crops;
}

void make_all_views(const dino::image::Image& image, const MultiCropOptions& crops,
                    const dino::data::Normalizer& normalize, std::uint64_t sample,
                    std::vector<float>& out, dino::data::CropWorkspace& workspace) {
  dino::data::for_each_view(image, crops, {0, 0, sample}, workspace,
                            [&](const dino::data::View& view) {
                              normalize(view.pixels, out.data(), view.mirror);
                              benchmark::DoNotOptimize(out.data());
                            });
}

void gray_28(benchmark::State& state) {
  const auto image = photograph(28, 28, 1);
  const MultiCropOptions crops = demo_crops();
  const dino::data::Normalizer normalize(crops.mean, crops.std);
  std::vector<float> out(28 * 28);
  dino::data::CropWorkspace workspace;
  std::uint64_t sample = 0;
  for (auto _ : state) make_all_views(image, crops, normalize, sample++, out, workspace);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(gray_28)->Unit(benchmark::kMicrosecond);

void jpeg_500_to_224_and_96(benchmark::State& state) {
  const auto jpeg = dino::image::encode_jpeg(photograph(500, 375, 3), 90);
  const MultiCropOptions crops;
  const dino::data::Normalizer normalize(crops.mean, crops.std);
  std::vector<float> out(3 * 224 * 224);
  dino::data::CropWorkspace workspace;
  const auto tables = dino::image::all_kernels();
  const auto& table = *tables[static_cast<std::size_t>(state.range(0))];
  workspace.pixels = dino::image::Workspace(table);
  state.SetLabel(table.name);
  std::uint64_t sample = 0;
  for (auto _ : state)
    make_all_views(dino::image::decode(jpeg, 3), crops, normalize, sample++, out, workspace);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(jpeg_500_to_224_and_96)
    ->DenseRange(0, static_cast<int>(dino::image::all_kernels().size()) - 1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
