#include "dino/format/tar_sparse.h"

#include <charconv>

#include "dino/format/tar_number.h"

namespace dino::format {
namespace {

constexpr std::size_t kMostExtents = 1 << 20;
constexpr std::uint64_t kFreeZeros = 64 << 20;  // bytes of zeros that need no reason
constexpr std::uint64_t kMostZeros = 1032;      // for each stored byte beyond them, as deflate has

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kLargestTarNumber)
    return std::nullopt;
  return value;
}

std::optional<SparseMap> map_of(std::uint64_t size, std::span<const std::uint64_t> numbers) {
  if (numbers.size() % 2 != 0) return std::nullopt;
  SparseMap map{size, {}};
  for (std::size_t i = 0; i < numbers.size(); i += 2)
    map.extents.push_back({numbers[i], numbers[i + 1]});
  return map;
}

/** `count` pairs of 12 characters; entries of nothing end them. */
bool add_pairs(std::string_view fields, std::size_t count, std::vector<std::uint64_t>& numbers) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view pair = fields.substr(24 * i, 24);
    if (pair[0] == '\0' && pair[12] == '\0') return true;
    const auto offset = tar_number(pair.substr(0, 12)), bytes = tar_number(pair.substr(12, 12));
    if (!offset || !bytes || numbers.size() / 2 >= kMostExtents) return false;
    numbers.insert(numbers.end(), {*offset, *bytes});
  }
  return true;
}

}  // namespace

void PaxSparse::add(std::string_view key, std::string_view value) {
  present_ = true;
  if (key == "name") {
    name_ = value;
    return;
  }
  if (key == "map") {
    while (!value.empty()) {
      const std::size_t comma = std::min(value.find(','), value.size());
      const auto number = decimal(value.substr(0, comma));
      damaged_ = damaged_ || !number;
      numbers_.push_back(number.value_or(0));
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return;
  }
  const auto number = decimal(value);
  if (!number) {
    damaged_ = true;
  } else if (key == "major") {
    major_ = *number;
  } else if (key == "size" || key == "realsize") {
    size_ = *number;
  } else if (key == "offset" || key == "numbytes") {
    numbers_.push_back(*number);
  }
}

std::optional<SparseMap> PaxSparse::map() const {
  if (damaged_ || major_ > 0) return std::nullopt;
  return map_of(size_, numbers_);
}

std::optional<SparseMap> PaxSparse::map(const std::vector<std::uint64_t>& numbers) const {
  if (damaged_ || major_ != 1) return std::nullopt;
  return map_of(size_, std::span(numbers).subspan(1));
}

std::optional<SparseMap> old_sparse_map(std::string_view header,
                                        const std::function<std::string_view()>& next_block) {
  constexpr std::size_t kFirst = 386, kFirstPairs = 4, kGoesOn = 482, kSize = 483;
  constexpr std::size_t kPairs = 21, kBlockGoesOn = 504;
  const auto size = tar_number(header.substr(kSize, 12));
  std::vector<std::uint64_t> numbers;
  bool sound = size && add_pairs(header.substr(kFirst), kFirstPairs, numbers);
  for (bool more = header[kGoesOn] != '\0'; more;) {  // to its end, whatever it holds
    const std::string_view block = next_block();
    sound = sound && add_pairs(block, kPairs, numbers);
    more = block[kBlockGoesOn] != '\0';
  }
  return sound ? map_of(*size, numbers) : std::nullopt;
}

std::optional<std::vector<std::uint64_t>> sparse_numbers(
    const std::function<std::string_view()>& next_block) {
  std::vector<std::uint64_t> numbers;
  std::string line;
  std::size_t wanted = 1;  // how many extents; then two numbers for each
  while (numbers.size() < wanted) {
    std::string_view block = next_block();
    while (numbers.size() < wanted && !block.empty()) {
      const std::size_t end = block.find('\n');
      line += block.substr(0, end);
      if (end == block.npos || line.size() > 20) break;
      block.remove_prefix(end + 1);
      const auto number = decimal(line);
      line.clear();
      if (!number) return std::nullopt;
      if (numbers.empty()) {
        if (*number > kMostExtents) return std::nullopt;
        wanted += 2 * static_cast<std::size_t>(*number);
      }
      numbers.push_back(*number);
    }
    if (line.size() > 20) return std::nullopt;
  }
  return numbers;
}

bool is_sound(const SparseMap& map, std::uint64_t stored) {
  std::uint64_t end = 0, sum = 0;
  for (const SparseExtent& extent : map.extents) {
    if (extent.offset < end || extent.offset > map.size || extent.bytes > map.size - extent.offset)
      return false;
    end = extent.offset + extent.bytes;
    sum += extent.bytes;
  }
  return sum == stored && (map.size <= kFreeZeros || map.size / kMostZeros <= stored);
}

}  // namespace dino::format
