// The one exception type of the library. A message reads `[operation] what happened: value; what to
// try`.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace dino {

/** Kinds of errors, by who can fix them: the caller, the author of a recipe, the owner of a file,
 * or the developers of this library. */
enum class ErrorKind {
  Usage,     ///< wrong flag or argument, or an output that exists already
  Config,    ///< a setting in a recipe: unknown key, value out of range, contradiction
  Data,      ///< the images or labels do not fit the task
  Format,    ///< a file is damaged or not of the expected format
  Io,        ///< the operating system refused: missing, unreadable, full disk
  Internal,  ///< a bug in this library
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

/** Checks an invariant of the library's own code; never used on user input. */
#define DINO_ASSERT(condition)                                                              \
  do {                                                                                      \
    if (!(condition))                                                                       \
      ::dino::fail(::dino::ErrorKind::Internal, "[internal] {}:{}: {}", __FILE__, __LINE__, \
                   #condition);                                                             \
  } while (false)
