#include "dino/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/base/unique_fd.h"

namespace dino {

MappedFile map_file(const std::filesystem::path& path) {
  const auto fail_errno = [&path] {
    fail(ErrorKind::Io, "[open file] {}: {}", printable(path),
         std::generic_category().message(errno));
  };
  // O_NONBLOCK, since opening a pipe without a writer would block forever.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) fail_errno();
  if (!S_ISREG(info.st_mode)) {
    fail(ErrorKind::Io, "[open file] {}: not a regular file", printable(path));
  }
  if (info.st_size == 0) return {};

  const auto size = static_cast<std::size_t>(info.st_size);
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) fail_errno();
  std::shared_ptr<const void> owner(
      data, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {{static_cast<const std::byte*>(data), size}, std::move(owner)};
}

void drop_pages(const MappedFile& file) {
  if (!file.bytes.empty())
    ::madvise(const_cast<std::byte*>(file.bytes.data()), file.bytes.size(), MADV_DONTNEED);
}

}  // namespace dino
