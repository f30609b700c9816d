// Reads lines and delimited records (RFC 4180) of a text; private to dino/data.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::data {

/** `text` without leading and trailing spaces, tabs and carriage returns. */
std::string_view trimmed(std::string_view text);

/** A sequential reader with errors that name the line. Borrows the text. */
class RecordReader {
 public:
  /** `path` appears in errors. Throws Error{Data} on UTF-16. */
  RecordReader(std::filesystem::path path, std::string_view text);

  bool at_end() const { return rest_.empty(); }
  int line() const { return line_; }  ///< number of the last line read, from 1
  const std::filesystem::path& path() const { return path_; }
  /** The next line, trimmed, without advancing. */
  std::string_view peek() const;
  std::string_view next_line();
  /** The fields of the next record, which may span lines within quotes. */
  std::vector<std::string> next_record(char delimiter);

  /** Throws Error{Data} naming file and line. */
  template <typename... Args>
  [[noreturn]] void refuse(int line, fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Data, "[open data set] {}:{}: {}", printable(path_), line,
         fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::filesystem::path path_;
  std::string_view rest_;
  int line_ = 0;
};

}  // namespace dino::data
