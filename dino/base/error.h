// The one exception type of the library. A message reads `[operation] what happened: value; what to
// try`.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace dino {

/** Who can mend it: the caller of a command, the writer of a recipe, the owner of the data or file,
 * or us. */
enum class ErrorKind {
  Usage,     ///< wrong call: flag, argument, output that exists
  Config,    ///< recipe: unknown key, value out of range, contradiction
  Data,      ///< the images or labels do not fit the task
  Format,    ///< a file's bytes are not what they should be
  Io,        ///< the operating system refused: missing, unreadable, full disk
  Internal,  ///< a bug of ours
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/** Throws Error{kind} with a fmt-formatted message. */
template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace dino

/** Checks an invariant of our own; never for user input. */
#define DINO_ASSERT(condition)                                                              \
  do {                                                                                      \
    if (!(condition))                                                                       \
      ::dino::fail(::dino::ErrorKind::Internal, "[internal] {}:{}: {}", __FILE__, __LINE__, \
                   #condition);                                                             \
  } while (false)
