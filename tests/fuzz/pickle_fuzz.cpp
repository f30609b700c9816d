// libFuzzer entry: any bytes give values that can be walked to their tensors, or an Error{Format}.
// Seeds: tests/golden/format/*.pkl.
#include "dino/format/pickle.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/format/torch_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const dino::format::Pickle pickle(std::as_bytes(std::span(data, size)), "fuzz");
    const auto tree = dino::format::flatten_torch(pickle.root(), "fuzz");
    std::size_t sum = dino::dump_json(tree.scalars).size() + pickle.storages().size();
    for (const auto& leaf : tree.tensors) sum += dino::format::tensor_of(*leaf.tensor).shape.size();
    [[maybe_unused]] volatile std::size_t read = sum;
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
