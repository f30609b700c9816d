// Standard error as people see it: log lines, and on a terminal one progress bar that stays below
// them.
#pragma once
#include <mutex>
#include <string>
#include <string_view>

#include "dino/base/log.h"

namespace dino::cli {

/** Thread-safe. Writes to standard error only: standard output belongs to results. */
class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /** Whether standard error is a terminal, where a bar can be rewritten. */
  bool is_terminal() const { return is_terminal_; }
  /** Columns of the terminal now (people resize windows); 80 when unknown. */
  int width() const;
  /** Hides Info messages and bars; warnings and alarms stay. */
  void set_quiet(bool quiet) { quiet_ = quiet; }

  /** One message, above the bar if there is one. */
  void message(LogLevel level, std::string_view text);
  /** Shows or replaces the bar. Without a terminal the line is simply printed: call it rarely then.
   */
  void progress(std::string_view line);
  /** Leaves the bar as it stands and starts a new line. */
  void end_progress();

 private:
  std::mutex mutex_;
  std::string bar_;  // what stands on the last line of the terminal
  bool is_terminal_;
  bool quiet_ = false;
};

}  // namespace dino::cli
