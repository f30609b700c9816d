// A list of tensors that do not match the expected ones.
#pragma once
#include <string>
#include <vector>

namespace dino::weights {

struct Misfit {
  std::vector<std::string> missing;    ///< names
  std::vector<std::string> misshapen;  ///< "norm.weight is [127], expected [128]"
  std::vector<std::string> extra;      ///< names

  bool empty() const { return missing.empty() && misshapen.empty() && extra.empty(); }
  /** "1 missing: norm.bias; 2 not expected: a, b"; long lists are truncated. */
  std::string text() const;
};

}  // namespace dino::weights
