// Output on standard error: log messages and, on a terminal, one progress bar that stays below
// them.
#pragma once
#include <mutex>
#include <string>
#include <string_view>

#include "dino/base/log.h"

namespace dino::cli {

/** Thread-safe. Standard output is left to results. */
class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /** Whether standard error is a terminal, on which a progress bar can be redrawn. */
  bool is_terminal() const { return is_terminal_; }
  /** The present number of columns of the terminal; 80 if unknown. */
  int width() const;
  /** Suppresses Info messages and progress bars, but not warnings and alarms. */
  void set_quiet(bool quiet) { quiet_ = quiet; }

  /** Prints a message, above the bar if there is one. */
  void message(LogLevel level, std::string_view text);
  /** Shows or replaces the bar. Without a terminal each call prints a line, so call it rarely then.
   */
  void progress(std::string_view line);
  /** Keeps the last state of the bar and starts a new line. */
  void end_progress();

 private:
  std::mutex mutex_;
  std::string bar_;  // the text on the terminal's last line
  bool is_terminal_;
  bool quiet_ = false;
};

}  // namespace dino::cli
