// A data set made of formulas, with images that refuse to load, for tests of what stands on data
// sets.
#pragma once
#include <atomic>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"

namespace dino::data {

/** Image i is flat with value i % 251, so a batch shows which images it was made of. */
class FakeData : public Dataset {
 public:
  explicit FakeData(std::int64_t count, std::set<std::int64_t> bad = {}, int channels = 1,
                    int side = 8)
      : count_(count), bad_(std::move(bad)), channels_(channels), side_(side) {}

  std::int64_t size() const override { return count_; }
  image::Image load(std::int64_t index) const override {
    ++loads;
    if (index == internal_error_at) fail(ErrorKind::Internal, "[test] broken");
    if (bad_.contains(index)) fail(ErrorKind::Format, "[decode] '{}': no image", name(index));
    image::Image image(side_, side_, channels_);
    for (auto& sample : image.pixels) sample = static_cast<std::uint8_t>(index % 251);
    return image;
  }
  std::string name(std::int64_t index) const override { return "fake#" + std::to_string(index); }
  std::int64_t label(std::int64_t index) const override { return index % 2; }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  mutable std::atomic<int> loads = 0;
  std::int64_t internal_error_at = -1;

 private:
  std::int64_t count_;
  std::set<std::int64_t> bad_;
  int channels_, side_;
  std::vector<std::string> class_names_{"even", "odd"};
};

}  // namespace dino::data
