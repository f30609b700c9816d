#include "dino/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino {

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file)
    fail(ErrorKind::Io, "[lock] cannot open {}: {}", printable(path), std::strerror(errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(file));
  if (errno == EWOULDBLOCK) return std::nullopt;
  fail(ErrorKind::Io, "[lock] cannot lock {}: {}", printable(path), std::strerror(errno));
}

}  // namespace dino
