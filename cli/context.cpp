#include "cli/context.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/base/text.h"

namespace dino::cli {

void print_result(const Context& context, const nlohmann::json& document, std::string_view text) {
  const std::string output = context.json ? dump_json(document, 2) : std::string(text);
  std::fwrite(output.data(), 1, output.size(), stdout);
  if (!output.ends_with('\n')) std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0)
    fail(ErrorKind::Io, "[output] cannot write the result to standard output: {}",
         std::strerror(errno));
}

void check_output_free(const std::string& path, bool force) {
  if (path.empty()) fail(ErrorKind::Usage, "--out is missing");
  if (!force && std::filesystem::exists(path))
    fail(ErrorKind::Usage, "{} exists; choose another --out, or give --force to replace it",
         printable(std::string_view(path)));
}

}  // namespace dino::cli
