// Converts canonical tensors to the tensors of a naming scheme.
#pragma once
#include <string>
#include <vector>

#include "dino/weights/rules.h"

namespace dino::weights {

/** The tensors to write; owns the memory of those that were converted. */
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
  // Spans point to heap memory, so moving the vectors is safe
  std::vector<std::vector<std::byte>> own_;
};

/** Adds the backbone's tensors under the scheme's names, each after `prefix`, and the buffers that
 * the papers' files contain. Throws Error{Usage} if the scheme has no names for the family, or if
 * a sum that timm stores needs fp32. */
void add_backbone(const Weights& weights, Layout layout, const std::string& prefix, Output& out);
void add_head(const Head& head, const std::string& prefix, Output& out);

/** Descriptions of what the scheme cannot store: tensors, and constants that a reader could not
 * infer. Empty if nothing is lost. */
std::vector<std::string> backbone_losses(const Weights& weights, Layout layout);

}  // namespace dino::weights
