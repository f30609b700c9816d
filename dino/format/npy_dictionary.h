// Parses the Python dictionary in an NPY header, without evaluating anything.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dino::format {

struct NpyDictionary {
  std::string descr;  ///< element type, e.g. "<f4"; "[...]" for a record
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/** Reads {'descr': ..., 'fortran_order': ..., 'shape': (...)}: these three keys, each once, in any
 * order, then only white space. Nothing if the text is anything else. */
std::optional<NpyDictionary> parse_npy_dictionary(std::string_view text);

}  // namespace dino::format
