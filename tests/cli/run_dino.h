// Runs the built program as a person would and keeps what it said.
#pragma once
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "dino/base/file.h"
#include "tests/temp_dir.h"

namespace dino::test {

struct Ran {
  int exit_code = -1;  ///< of the shell: 128 + signal if killed
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/** `command` as a shell reads it; temp holds the captured output. */
inline Ran run_command(const TempDir& temp, const std::string& command) {
  const std::string out = temp / "stdout.txt", err = temp / "stderr.txt";
  const int status = std::system((command + " >" + out + " 2>" + err).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text_file(out),
          read_text_file(err)};
}

inline Ran run_dino(const TempDir& temp, const std::string& arguments) {
  return run_command(temp, std::string(DINO_BINARY) + " " + arguments);
}

}  // namespace dino::test
