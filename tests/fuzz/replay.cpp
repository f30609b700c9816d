// The fuzz targets without libFuzzer, a few seconds of them: each seed file as it is, and the same
// damaged at random. `make test` runs this; `make fuzz` searches for a minute each.
//
//   test_fuzz TARGET FOLDER...
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "dino/base/rng.h"

// X(name) for each target; tests/fuzz/CMakeLists.txt lists them.
#define X(name) extern "C" int name(const std::uint8_t* data, std::size_t size);
DINO_FUZZ_TARGETS
#undef X

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr int kMutants = 400;  // of each seed
constexpr std::size_t kLargestSeed = 1 << 16;

struct Target {
  std::string_view name;
  int (*run)(const std::uint8_t*, std::size_t);
};
constexpr Target kTargets[] = {
#define X(name) {#name, name},
    DINO_FUZZ_TARGETS
#undef X
};

std::vector<Bytes> read_seeds(int count, char** folders) {
  std::vector<fs::path> paths;
  for (int i = 0; i < count; ++i)
    for (const auto& entry : fs::recursive_directory_iterator(folders[i]))
      if (entry.is_regular_file() && entry.file_size() <= kLargestSeed)
        paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<Bytes> seeds;
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

/** One to eight damages, most of them near the beginning, where headers are. */
Bytes damaged(Bytes bytes, const std::vector<Bytes>& seeds, dino::Rng& rng) {
  constexpr std::uint8_t kTelling[] = {0, 1, 0x7f, 0x80, 0xff};
  const auto at = [&] {
    const std::size_t size =
        rng.bernoulli(0.5) ? std::min<std::size_t>(64, bytes.size()) : bytes.size();
    return static_cast<std::ptrdiff_t>(rng.below(size));
  };
  for (std::uint64_t left = 1 + rng.below(8); left > 0 && !bytes.empty(); --left) {
    const auto place = bytes.begin() + at();
    const auto length = static_cast<std::ptrdiff_t>(rng.below(16));
    const auto end = bytes.end() - place > length ? place + length : bytes.end();
    switch (rng.below(6)) {
      case 0:
        *place = static_cast<std::uint8_t>(*place ^ (1U << rng.below(8)));
        break;
      case 1:
        *place = kTelling[rng.below(std::size(kTelling))];
        break;
      case 2:
        std::fill(place, end, kTelling[rng.below(std::size(kTelling))]);
        break;
      case 3:
        bytes.erase(place, end);
        break;
      case 4:
        if (rng.bernoulli(0.2)) bytes.erase(place, bytes.end());
        break;
      default: {
        const Bytes& other = seeds[rng.below(seeds.size())];
        const auto count = std::min<std::ptrdiff_t>(length, std::ssize(other));
        bytes.insert(place, other.end() - count, other.end());
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const auto* const target = std::ranges::find(kTargets, name, &Target::name);
  const std::vector<Bytes> seeds = read_seeds(argc - 2, argv + 2);
  if (target == std::end(kTargets) || seeds.empty()) {
    std::fprintf(stderr, "usage: test_fuzz TARGET FOLDER..., with files in the folders\n");
    return 2;
  }
  dino::Rng rng(1, 2, 3, 4);
  for (const Bytes& seed : seeds) {
    target->run(seed.data(), seed.size());
    for (int i = 0; i < kMutants; ++i) {
      const Bytes bytes = damaged(seed, seeds, rng);
      target->run(bytes.data(), bytes.size());
    }
  }
  std::printf("%zu seeds, %d mutants of each\n", seeds.size(), kMutants);
  return 0;
}
