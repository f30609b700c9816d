#include "dino/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "dino/base/error.h"
#include "dino/base/text.h"

extern char** environ;

namespace dino {
namespace {

constexpr std::size_t kKeptErrors = 500;  // bytes of standard error that a message shows
constexpr int kPollMs = 100;              // between looks at the stop token

std::array<UniqueFd, 2> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    fail(ErrorKind::Io, "[run command] no pipe: {}", std::generic_category().message(errno));
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string describe_status(int status) {
  // A shell reports its child's signal as 128 + number.
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : code > 128 ? code - 128 : 0;
  if (signal > 0 && signal < 65) {
    return fmt::format("was killed by signal {} ({})", signal, ::strsignal(signal));
  }
  return fmt::format("failed with status {}", code);
}

}  // namespace

ChildProcess::ChildProcess(std::string text, std::stop_token stop)
    : text_(std::move(text)), stop_(std::move(stop)) {
  auto [output, output_end] = make_pipe();
  auto [errors, errors_end] = make_pipe();
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output_end.get(), 1);
  posix_spawn_file_actions_adddup2(&files, errors_end.get(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, pipe_signal;
  sigemptyset(&none);
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &pipe_signal);
  const char* arguments[] = {"/bin/sh", "-c", text_.c_str(), nullptr};
  const int error = ::posix_spawn(&process_, arguments[0], &files, &attributes,
                                  const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    process_ = -1;
    fail(ErrorKind::Io, "[run command] '{}': {}", printable(std::string_view(text_)),
         std::generic_category().message(error));
  }
  ::fcntl(errors.get(), F_SETFL, O_NONBLOCK);
  output_ = std::move(output);
  errors_ = std::move(errors);
}

ChildProcess::~ChildProcess() {
  if (process_ < 0) return;
  ::kill(-process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::drain_errors() {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(errors_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errors_ = UniqueFd();
    if (count <= 0) return;
    last_errors_.append(buffer.data(), static_cast<std::size_t>(count));
    if (last_errors_.size() > kKeptErrors) last_errors_.erase(0, last_errors_.size() - kKeptErrors);
  }
}

std::size_t ChildProcess::read(std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::size_t got = read_some(out.subspan(filled));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

std::size_t ChildProcess::read_some(std::span<std::byte> out) {
  while (!out.empty() && output_) {
    if (stop_.stop_requested()) return 0;
    pollfd waiting[2] = {{output_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}};  // -1 is ignored
    if (::poll(waiting, 2, kPollMs) <= 0) continue;
    if (waiting[1].revents != 0) drain_errors();
    if (waiting[0].revents == 0) continue;
    const ssize_t count = ::read(output_.get(), out.data(), out.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) {
      fail(ErrorKind::Io, "[run command] '{}': {}", printable(std::string_view(text_)),
           std::generic_category().message(errno));
    }
    if (count > 0) return static_cast<std::size_t>(count);
    finish();
  }
  return 0;
}

void ChildProcess::finish() {
  output_ = UniqueFd();
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(process_, &status, WNOHANG);
    if (ended == process_) break;
    if (ended < 0 && errno != EINTR) {
      const std::string why = std::generic_category().message(errno);
      process_ = -1;
      fail(ErrorKind::Data,
           "[run command] '{}': how it ended is not known ({}); is SIGCHLD ignored?",
           printable(std::string_view(text_)), why);
    }
    if (stop_.stop_requested()) return;
    if (errors_) drain_errors();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // it closed its output: soon gone
  }
  if (errors_) drain_errors();
  ::kill(-process_, SIGKILL);  // what it may have left in the background
  process_ = -1;
  if (status == 0) return;
  const std::size_t end = last_errors_.find_last_not_of(" \n\r\t");
  const std::string said = last_errors_.substr(0, end == std::string::npos ? 0 : end + 1);
  fail(ErrorKind::Data, "[run command] '{}' {}{}; run it by hand to see why",
       printable(std::string_view(text_)), describe_status(status),
       said.empty() ? "" : fmt::format(": {}", printable(std::string_view(said))));
}

}  // namespace dino
