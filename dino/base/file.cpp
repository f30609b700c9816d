// POSIX reading and atomic writing. Leaves out: Windows, and keeping an old file's owner and mode.
#include "dino/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/base/unique_fd.h"

namespace dino {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_io(std::string_view operation, const fs::path& path, int error) {
  fail(ErrorKind::Io, "[{}] {}: {}", operation, printable(path),
       std::generic_category().message(error));
}

/** Reads to the end, whatever fstat claims: pipes and /proc files say 0. */
template <typename Buffer>
Buffer read_all(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) fail_io("read file", path, errno);

  Buffer buffer;
  std::size_t used = 0;
  // One byte more than the stated size, so that the end shows without growing the buffer.
  buffer.resize(static_cast<std::size_t>(std::max<off_t>(info.st_size, 0)) + 1);
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data() + used, buffer.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_io("read file", path, errno);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used == buffer.size()) buffer.resize(buffer.size() * 2 + 4096);
  }
  buffer.resize(used);
  return buffer;
}

/** A temporary file beside `target` that commit() renames to it; the destructor removes it
 * otherwise. */
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : target_(target) {
    static std::atomic<unsigned> counter{0};  // only makes names differ, within this process
    do {
      path_ = target.parent_path() / fmt::format(".{}-{}.tmp", ::getpid(), counter++);
      // Not mkstemp, whose mode 0600 would remain after the rename and exclude other users.
      file_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    } while (!file_ && errno == EEXIST);
    if (!file_) fail_io("write file", target_, errno);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!committed_) ::unlink(path_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_io("write file", target_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void commit() {
    if (::fsync(file_.get()) != 0) fail_io("write file", target_, errno);
    if (file_.close() != 0) fail_io("write file", target_, errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_io("write file", target_, errno);
    committed_ = true;
    // Makes the new name survive a power cut. Best effort: some file systems refuse, and the file
    // is complete by now.
    const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
    const UniqueFd handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (handle) ::fsync(handle.get());
  }

 private:
  fs::path target_, path_;
  UniqueFd file_;
  bool committed_ = false;
};

/** Resolves links, so that the rename replaces their target; refuses devices and pipes, which a
 * rename would destroy. */
fs::path resolve_target(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(ErrorKind::Io, "[write file] {}: exists and is not a regular file; name another path",
         printable(path));
  }
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  const fs::path target = fs::canonical(path, error);
  if (error) fail_io("write file", path, error.value());
  return target;
}

}  // namespace

std::vector<std::byte> read_file(const fs::path& path) {
  return read_all<std::vector<std::byte>>(path);
}

std::string read_text_file(const fs::path& path) {
  return read_all<std::string>(path);
}

void write_file_atomically(
    const fs::path& path,
    const std::function<void(const std::function<void(std::span<const std::byte>)>&)>& produce) {
  TemporaryFile file(resolve_target(path));
  produce([&file](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  write_file_atomically(path, [text](const auto& sink) { sink(std::as_bytes(std::span(text))); });
}

bool is_temporary_file(const fs::path& path) {
  static constexpr std::string_view kEnd = ".tmp", kDigits = "0123456789";
  const std::string& native = path.native();
  std::string_view name = std::string_view(native).substr(native.rfind('/') + 1);
  if (!name.starts_with('.') || !name.ends_with(kEnd) || name.size() <= kEnd.size()) return false;
  name = name.substr(1, name.size() - 1 - kEnd.size());
  const std::size_t dash = name.find('-');
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of(kDigits) == text.npos;
  };
  return dash != name.npos && is_number(name.substr(0, dash)) && is_number(name.substr(dash + 1));
}

}  // namespace dino
