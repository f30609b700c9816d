#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace dino::cli {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[2K";

std::string_view label(LogLevel level) {
  switch (level) {
    case LogLevel::Info:
      return "";
    case LogLevel::Warning:
      return "warning: ";
    case LogLevel::Alarm:
      return "ALARM: ";
  }
  return "";
}

void write_error_stream(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Console::Console() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

Console::~Console() {
  end_progress();
}

int Console::width() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Console::message(LogLevel level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (quiet_ && level == LogLevel::Info) return;
  write_error_stream(
      fmt::format("{}{}{}\n{}", bar_.empty() ? "" : kEraseLine, label(level), text, bar_));
}

void Console::progress(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (quiet_) return;
  if (!is_terminal_) {
    write_error_stream(fmt::format("{}\n", line));
    return;
  }
  bar_ = line;
  write_error_stream(fmt::format("{}{}", kEraseLine, bar_));
}

void Console::end_progress() {
  const std::lock_guard lock(mutex_);
  if (bar_.empty()) return;
  bar_.clear();
  write_error_stream("\n");
}

}  // namespace dino::cli
