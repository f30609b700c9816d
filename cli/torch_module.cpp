// Finds and loads the module of cli/torch.
#include <dlfcn.h>

#include <array>
#include <filesystem>

#include "cli/torch_actions.h"
#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::cli {
namespace {

namespace fs = std::filesystem;

/** Beside the program, as it is built, or in the folder of libraries, as it is installed. */
fs::path find_module() {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  const std::array<fs::path, 2> places = {
      program / DINO_MODULE, (program / DINO_MODULE_FOLDER / DINO_MODULE).lexically_normal()};
  for (const fs::path& place : places)
    if (fs::exists(place)) return place;
  fail(ErrorKind::Io,
       "[start] {} is neither at {} nor at {}: it is the part of the program that uses LibTorch, "
       "which this command needs; make build and make install put it there",
       DINO_MODULE, printable(places[0]), printable(places[1]));
}

}  // namespace

const TorchActions& torch_actions() {
  const fs::path path = find_module();
  void* module = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (module == nullptr)
    fail(ErrorKind::Io, "[start] {} cannot be loaded: {}", printable(path), dlerror());
  const auto exported =
      reinterpret_cast<decltype(&dino_torch_actions)>(dlsym(module, "dino_torch_actions"));
  const TorchActions* actions = exported != nullptr ? exported(DINO_VERSION) : nullptr;
  if (actions == nullptr)
    fail(ErrorKind::Io, "[start] {} is not of this program's version, {}; install both together",
         printable(path), DINO_VERSION);
  return *actions;
}

}  // namespace dino::cli
