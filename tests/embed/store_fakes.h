// Made-up features for feature stores, and stores compared byte for byte.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "dino/base/file.h"
#include "dino/embed/store/feature_store_writer.h"

namespace dino::embed::testing {

inline StoreHeader small_header(std::vector<Feature> features = {Feature::Cls, Feature::Patches},
                                std::int64_t shard_rows = 4) {
  return {.network = R"({"version":2,"preprocess":{"image_size":32}})",
          .weights_hash = "0123",
          .features = std::move(features),
          .dim = 3,
          .registers = 2,
          .patch_size = 8,
          .shard_rows = shard_rows};
}

/** Image i has a grid of (1 + i % 3) x 2, and every number says where it belongs. */
struct FakeImage {
  explicit FakeImage(int i)
      : row{.path = "images/" + std::to_string(i) + ".png",
            .label = i % 2,
            .width = 100 + i,
            .height = 50,
            .grid_height = 1 + i % 3,
            .grid_width = 2},
        cls(numbers(i, 0, 1)),
        mean(numbers(i, 1, 1)),
        registers(numbers(i, 2, 2)),
        patches(numbers(i, 3, row.patches())) {}
  RowFeatures features() const { return {cls, mean, registers, patches}; }

  StoreRow row;
  std::vector<float> cls, mean, registers, patches;

 private:
  static std::vector<float> numbers(int image, int kind, std::int64_t vectors) {
    std::vector<float> out;
    for (int j = 0; j < 3 * vectors; ++j)
      out.push_back(static_cast<float>(image * 8 + kind) + static_cast<float>(j) / 64);
    return out;
  }
};

inline StoreWriterOptions from_photos() {
  return {.source = "photos", .class_names = {"even", "odd"}};
}

/** Adds images [0, count) that are not there yet, every fifth as unreadable; commits after each
 * `every`. */
inline void fill(FeatureStoreWriter& writer, int count, int every = 3) {
  int pending = 0;
  for (int i = 0; i < count; ++i) {
    const FakeImage image(i);
    if (writer.knows(image.row.path)) continue;
    if (i % 5 == 4)
      writer.add_bad(image.row.path, "truncated");
    else
      writer.add(image.row, image.features());
    if (++pending % every == 0) writer.commit();
  }
  writer.commit();
}

/** Name -> contents of every file in a folder. */
inline std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files[entry.path().filename().string()] = read_text_file(entry.path());
  return files;
}

}  // namespace dino::embed::testing
