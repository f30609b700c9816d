// The output of a shell command as bytes: how data come from an object store without its library.
#pragma once
#include <sys/types.h>

#include <stop_token>
#include <string>

#include "dino/base/byte_source.h"

namespace dino {

/** Runs `/bin/sh -c TEXT` in a process group of its own, with no input. Destroying it ends the
 * whole group, however far it got. Thread-compatible. */
class ChildProcess : public ByteSource {
 public:
  /** Throws Error{Io} if no process can be started. */
  explicit ChildProcess(std::string text, std::stop_token stop = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() override;

  /** Waits for output. At the end of it waits for the command and throws Error{Data} with its exit
   * status (or signal) and the last it wrote to standard error, unless the status is 0. A requested
   * stop looks like the end. */
  std::size_t read(std::span<std::byte> out) override;
  std::size_t read_some(std::span<std::byte> out) override;

 private:
  void drain_errors();
  void finish();

  std::string text_;
  std::stop_token stop_;
  pid_t process_ = -1;
  UniqueFd output_, errors_;
  std::string last_errors_;  // the end of what it wrote to standard error
};

}  // namespace dino
