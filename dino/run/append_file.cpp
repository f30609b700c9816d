#include "dino/run/append_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::run {

AppendFile::AppendFile(std::filesystem::path path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (!file_)
    fail(ErrorKind::Io, "[append] cannot open {}: {}", printable(path_), std::strerror(errno));
}

void AppendFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      fail(ErrorKind::Io, "[append] cannot write {}: {}", printable(path_), std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace dino::run
