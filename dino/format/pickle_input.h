// Reads the bytes of a pickle sequentially, with errors that name the position.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"

namespace dino::format {

class PickleInput {
 public:
  /** Borrows `bytes` and reads at most kMaxBytes; `name` appears in errors. */
  PickleInput(std::span<const std::byte> bytes, std::string_view name)
      : bytes_(bytes.first(std::min(bytes.size(), kMaxBytes))), name_(printable(name)) {}

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::Format, "[read pickle] {}: byte {} of the pickle: {}", name_, instruction_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  unsigned char take_opcode() {
    instruction_ = position_;
    return static_cast<unsigned char>(take(1)[0]);
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) {
      refuse("wants {} bytes where {} are left; is it cut short?", count,
             bytes_.size() - position_);
    }
    const auto part = bytes_.subspan(position_, count);
    position_ += count;
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  std::uint64_t take_unsigned(std::size_t count) {
    return load_little_endian(std::as_bytes(std::span(take(count))));
  }

  /** Reads a length of `length_bytes` bytes, then that many bytes. */
  std::string_view take_counted(std::size_t length_bytes) {
    return take(take_unsigned(length_bytes));
  }

  std::string_view take_line() {
    const auto rest = bytes_.subspan(position_, std::min(bytes_.size() - position_, kMaxLineBytes));
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    if (end == rest.end()) refuse("a line does not end");
    const std::string_view line = take(static_cast<std::uint64_t>(end - rest.begin()));
    take(1);
    return line;
  }

  std::size_t position() const { return position_; }

 private:
  static constexpr std::size_t kMaxBytes = 64 << 20;
  static constexpr std::size_t kMaxLineBytes = 256;

  std::span<const std::byte> bytes_;
  std::string name_;
  std::size_t position_ = 0, instruction_ = 0;
};

}  // namespace dino::format
