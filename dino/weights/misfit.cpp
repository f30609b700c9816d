#include "dino/weights/misfit.h"

#include <fmt/format.h>

#include <algorithm>

namespace dino::weights {
namespace {

constexpr std::size_t kListed = 6;

void add(std::vector<std::string>& parts, const char* what, const std::vector<std::string>& items) {
  if (items.empty()) return;
  const std::size_t shown = std::min(items.size(), kListed);
  std::string text = fmt::format(
      "{} {}: {}", items.size(), what,
      fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (items.size() > shown) text += fmt::format(" and {} more", items.size() - shown);
  parts.push_back(std::move(text));
}

}  // namespace

std::string Misfit::text() const {
  std::vector<std::string> parts;
  add(parts, "missing", missing);
  add(parts, "of another shape or type", misshapen);
  add(parts, "not expected", extra);
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace dino::weights
