// A training run of milliseconds for tests: images made of noise, the smallest network.
#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/rng.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/codecs/encode.h"
#include "dino/recipe/recipe.h"

namespace dino::test {

inline image::Image noise_image(std::int64_t index, int size) {
  image::Image image(size, size, 1);
  Rng rng(1234, 0, static_cast<std::uint64_t>(index));
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

/** `count` gray noise images in memory; the indices in `bad` cannot be read. */
class NoiseDataset final : public data::Dataset {
 public:
  explicit NoiseDataset(std::int64_t count, std::vector<std::int64_t> bad = {})
      : count_(count), bad_(std::move(bad)) {}
  std::int64_t size() const override { return count_; }
  image::Image load(std::int64_t index) const override {
    if (std::ranges::find(bad_, index) != bad_.end())
      fail(ErrorKind::Format, "[decode] {}: bad", name(index));
    return noise_image(index, 16);
  }
  std::string name(std::int64_t index) const override { return fmt::format("noise/{}", index); }
  std::int64_t label(std::int64_t) const override { return -1; }
  const std::vector<std::string>& class_names() const override { return no_classes_; }

 private:
  std::int64_t count_;
  std::vector<std::int64_t> bad_;
  std::vector<std::string> no_classes_;
};

/** The same images as PNG files. */
inline void write_noise_folder(const std::filesystem::path& folder, std::int64_t count) {
  std::filesystem::create_directories(folder);
  for (std::int64_t i = 0; i < count; ++i) {
    // Not write_png, which waits for the disk.
    const std::vector<std::byte> png = image::encode_png(noise_image(i, 16));
    std::ofstream(folder / fmt::format("{:03}.png", i), std::ios::binary)
        .write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  }
}

/** 4 steps an epoch on 32 images: ViT of one block, 16 prototypes, one local crop. */
inline recipe::Recipe tiny_recipe(const std::string& source = "unused") {
  recipe::Recipe recipe;
  recipe.name = "tiny";
  recipe.seed = 7;
  recipe.data.train = source;
  recipe.data.channels = 1;
  recipe.data.workers = 1;
  recipe.crops.global_size = 16;
  recipe.crops.local_size = 8;
  recipe.crops.local_count = 1;
  recipe.crops.mean = {0.5};
  recipe.crops.std = {0.25};
  recipe.backbone = {.arch = "vit", .patch_size = 8, .dim = 32, .depth = 1, .heads = 2};
  recipe.head = {.prototypes = 16, .hidden = 32, .bottleneck = 16};
  recipe.optim.warmup_epochs = 1;
  recipe.train.epochs = 5;
  recipe.train.batch_size = 8;
  recipe.train.precision = "fp32";
  recipe.train.log_every = 3;
  return recipe;
}

}  // namespace dino::test
