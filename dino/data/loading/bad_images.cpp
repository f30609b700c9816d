#include "dino/data/loading/bad_images.h"

#include <fmt/format.h>

#include <utility>

#include "dino/base/text.h"

namespace dino::data {
namespace {

constexpr std::int64_t kListed = 100;
constexpr std::int64_t kLogged = 10;  ///< one by one

}  // namespace

bool BadImages::contains(std::uint64_t identity) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(identity);
}

void BadImages::add(std::uint64_t identity, const std::string& raw_name, const Error& error) {
  const std::string name = printable(std::string_view(raw_name));
  const std::string_view reason = error.what();
  const std::string text =
      reason.find(name) != reason.npos ? error.what() : fmt::format("{}: {}", name, reason);
  std::int64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!known_.insert(identity).second) return;  // another worker met it at the same time
    count = ++counts_.all;
    ++counts_.by_reason[reason_of(error)];
    new_.push_back({name, reason_of(error), error.what()});
    if (count <= kListed) counts_.listed.push_back(text);
  }
  if (count <= kLogged) log(log_, LogLevel::Warning, "skipped a bad image: " + text);
  if (count == kLogged) log(log_, LogLevel::Warning, "further bad images are counted, not shown");
}

std::vector<BadFile> BadImages::take_new() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

BadImages::Counts BadImages::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace dino::data
