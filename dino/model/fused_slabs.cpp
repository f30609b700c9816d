// Shares are filled one after another, by the work their sequences are.
#include "dino/model/fused_slabs.h"

#include <algorithm>
#include <cmath>

namespace dino::model::fused {
namespace {

constexpr std::int64_t kSlabRows = 384;  // enough for the products' peak, few enough for the cache

}  // namespace

std::vector<Share> share_out(const TokenLayout& layout, std::int64_t dim) {
  const auto cost = [dim](const TokenLayout::Group& group) {  // of a sequence: products, attention
    return static_cast<double>(group.tokens * (12 * dim + 2 * group.tokens));
  };
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t share_count = layout.sequences() >= threads ? threads : 1;
  double total = 0;
  for (const auto& group : layout.groups)
    total += static_cast<double>(group.sequences) * cost(group);

  std::vector<Share> shares(static_cast<std::size_t>(share_count));
  double spent = 0;
  std::int64_t first_sequence = 0;
  for (std::size_t g = 0; g < layout.groups.size(); ++g) {
    const auto& group = layout.groups[g];
    const std::int64_t most = std::max<std::int64_t>(1, kSlabRows / group.tokens);
    for (std::int64_t done = 0; done < group.sequences;) {
      const auto share =
          std::min(static_cast<std::int64_t>(spent / total * static_cast<double>(share_count)),
                   share_count - 1);
      const double share_end =
          total * static_cast<double>(share + 1) / static_cast<double>(share_count);
      const auto fit = std::max<std::int64_t>(1, std::llround((share_end - spent) / cost(group)));
      const std::int64_t take = std::min({most, fit, group.sequences - done});
      shares[static_cast<std::size_t>(share)].push_back(
          {take, group.tokens, group.first_row + done * group.tokens, first_sequence + done, g});
      done += take;
      spent += static_cast<double>(take) * cost(group);
    }
    first_sequence += group.sequences;
  }
  std::erase_if(shares, [](const Share& share) { return share.empty(); });
  return shares;
}

}  // namespace dino::model::fused
