// Reads what `dino embed` wrote, without Torch and without copying: the nearest neighbor of a row.
//   dino embed --weights WEIGHTS --images photos --out store
//   04_store store 17
#include <cmath>
#include <cstdio>

#include "dino/embed/store/feature_store.h"

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: 04_store STORE ROW\n"), 2;
  const dino::embed::FeatureStore store(argv[1]);
  const auto query = store.values(dino::embed::Feature::Cls, std::atoll(argv[2]));
  std::int64_t best = -1;
  double best_cosine = -2;
  for (std::int64_t row = 0; row < store.size(); ++row) {
    if (row == std::atoll(argv[2])) continue;
    double dot = 0, own = 0, other = 0;
    const auto values = store.values(dino::embed::Feature::Cls, row);
    for (std::size_t i = 0; i < values.size(); ++i) {
      dot += double{query[i]} * values[i];
      own += double{query[i]} * query[i];
      other += double{values[i]} * values[i];
    }
    if (const double cosine = dot / std::sqrt(own * other); cosine > best_cosine)
      best_cosine = cosine, best = row;
  }
  std::printf("%.4f  %s\n", best_cosine,
              store.rows().at(static_cast<std::size_t>(best)).path.c_str());
}
