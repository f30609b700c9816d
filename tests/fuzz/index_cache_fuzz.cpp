// libFuzzer entry: an index file, changed where and as the input says, is refused or gives an index
// that can be used without leaving it. Four bytes are one change: place (3), value (1).
#include "dino/data/sources/index_cache.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

namespace fs = std::filesystem;
using dino::data::IndexCache;

/** A folder with one kept index of files, pages and labels. */
struct Kept {
  Kept() : folder(fs::temp_directory_path() / ("dino-fuzz-index-" + std::to_string(::getpid()))) {
    dino::data::SourceIndex index;
    for (int i = 0; i < 20; ++i) {
      index.items.add("name" + std::to_string(i), i % 3 == 0 ? "" : std::to_string(i % 4),
                      1 + i % 3);
      index.where.push_back(static_cast<std::uint64_t>(i));
      index.sizes.push_back(1);
    }
    add_note(index.items.notes(), "things", "one", "why");
    index.items.seal();
    index.witnesses.push_back(dino::data::witness("/").value());
    cache().save(index, IndexCache::now_ns());
    for (const auto& entry : fs::directory_iterator(folder)) file = entry.path();
    std::ifstream stream(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(stream), {});
  }
  ~Kept() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  IndexCache cache() const { return IndexCache(folder, "fuzz"); }

  fs::path folder, file;
  std::string bytes;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Kept kept;
  if (kept.bytes.empty()) __builtin_trap();
  std::string bytes = kept.bytes;
  for (std::size_t i = 0; i + 4 <= size && i < 64; i += 4) {
    const std::size_t place = data[i] | data[i + 1] << 8 | data[i + 2] << 16;
    bytes[place % bytes.size()] = static_cast<char>(data[i + 3]);
  }
  std::ofstream(kept.file, std::ios::binary) << bytes;
  const auto index = kept.cache().load();
  if (!index) return 0;
  for (std::int64_t i = 0; i < index->items.samples(); ++i) {
    const auto [item, page] = index->items.sample(i);
    if (index->items.name(item).size() > bytes.size() || page < -1) __builtin_trap();
    const std::int64_t label = index->items.label(item);
    if (label < -1 || label >= std::ssize(index->items.class_names())) __builtin_trap();
  }
  return 0;
}
