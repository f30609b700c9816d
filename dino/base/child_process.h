// Reads the output of a shell command. Data in an object store are read through its command-line
// client this way, without linking its library.
#pragma once
#include <sys/types.h>

#include <stop_token>
#include <string>

#include "dino/base/byte_source.h"

namespace dino {

/** Runs `/bin/sh -c TEXT` in a process group of its own, with empty standard input. The destructor
 * kills the whole group if it is still running. Thread-compatible. */
class ChildProcess : public ByteSource {
 public:
  /** Throws Error{Io} if no process can be started. */
  explicit ChildProcess(std::string text, std::stop_token stop = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() override;

  /** Blocks until `out` is full or the output ends. At its end it waits for the command and throws
   * Error{Data} with the exit status (or signal) and the last lines of standard error, unless the
   * status is 0. After a requested stop it returns as at the end. */
  std::size_t read(std::span<std::byte> out) override;
  std::size_t read_some(std::span<std::byte> out) override;

 private:
  void drain_errors();
  void finish();

  std::string text_;
  std::stop_token stop_;
  pid_t process_ = -1;
  UniqueFd output_, errors_;
  std::string last_errors_;  // the last bytes of its standard error
};

}  // namespace dino
