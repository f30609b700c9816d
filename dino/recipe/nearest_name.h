// The known name closest to a mistyped one, for "did you mean".
#pragma once
#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino::recipe {

/** The name in `known` with the smallest edit distance to `name`; empty if none is within a third
 * of its length. */
inline std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : known) {
    std::vector<std::size_t> distance(candidate.size() + 1);  // to each prefix of candidate
    std::iota(distance.begin(), distance.end(), std::size_t{0});
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = std::exchange(distance[0], i);
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t change = diagonal + (name[i - 1] != candidate[j - 1] ? 1 : 0);
        diagonal = distance[j];
        distance[j] = std::min({distance[j] + 1, distance[j - 1] + 1, change});
      }
    }
    if (distance.back() < best) {
      best = distance.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace dino::recipe
