// Canonical tensors taken apart into those of a naming scheme.
#pragma once
#include <string>
#include <vector>

#include "dino/weights/rules.h"

namespace dino::weights {

/** Tensors to write, and the memory of those made for the purpose. */
class Output {
 public:
  void add(std::string name, format::DType dtype, std::vector<std::int64_t> shape,
           std::span<const std::byte> bytes) {
    records_.push_back({std::move(name), dtype, std::move(shape), bytes});
  }
  void add_floats(std::string name, std::vector<std::int64_t> shape,
                  const std::vector<float>& values);
  const std::vector<format::TensorRecord>& records() const { return records_; }

 private:
  std::vector<format::TensorRecord> records_;
  std::vector<std::vector<std::byte>> own_;  // the spans point to the heap: moving these is safe
};

/** The backbone's tensors under the scheme's names, each after `prefix`, with the buffers that the
 * papers' files hold beside them. Throws Error{Usage} if the scheme has no names for the family, or
 * if a sum that timm stores needs fp32. */
void add_backbone(const Weights& weights, Layout layout, const std::string& prefix, Output& out);
void add_head(const Head& head, const std::string& prefix, Output& out);

/** What of the backbone the scheme cannot hold, in words: tensors, and numbers that a reader could
 * not find out. Empty if nothing. */
std::vector<std::string> backbone_losses(const Weights& weights, Layout layout);

}  // namespace dino::weights
