// Leaves out: protocol 0's quoted text and decimal floats, integers in decimal beyond 64 bits.
#include "dino/format/pickle_scalars.h"

#include <bit>
#include <charconv>

#include "dino/base/text.h"
#include "dino/format/byte_order.h"

namespace dino::format {
namespace {

using Kind = PickleKind;

class ScalarPusher {
 public:
  ScalarPusher(PickleInput& input, PickleStack& stack) : input_(input), stack_(stack) {}

  bool push_number(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        stack_.push_new(Kind::None);
        return true;
      case 0x88:
        push_integer(1, Kind::Bool);
        return true;
      case 0x89:
        push_integer(0, Kind::Bool);
        return true;
      case 'K':
        push_integer(static_cast<std::int64_t>(input_.take_unsigned(1)));
        return true;
      case 'M':
        push_integer(static_cast<std::int64_t>(input_.take_unsigned(2)));
        return true;
      case 'J':
        push_integer(static_cast<std::int32_t>(input_.take_unsigned(4)));
        return true;
      case 0x8a:
        push_long(input_.take_counted(1));
        return true;
      case 0x8b:
        push_long(input_.take_counted(4));
        return true;
      case 'I':
        push_decimal(input_.take_line(), false);
        return true;
      case 'L':
        push_decimal(input_.take_line(), true);
        return true;
      case 'G':
        stack_.push_new(Kind::Float)->number =
            std::bit_cast<double>(load_big_endian(std::as_bytes(std::span(input_.take(8)))));
        return true;
      default:
        return false;
    }
  }

  bool push_text_or_bytes(unsigned char opcode) {
    const auto push_text = [this](Kind kind, std::size_t length_bytes) {
      const std::string_view text = input_.take_counted(length_bytes);
      stack_.push_new(kind)->text = text;
      return true;
    };
    switch (opcode) {
      case 0x8c:
        return push_text(Kind::Text, 1);
      case 'X':
        return push_text(Kind::Text, 4);
      case 0x8d:
        return push_text(Kind::Text, 8);
      case 'U':
        return push_text(Kind::Text, 1);  // Python 2's str
      case 'T':
        return push_text(Kind::Text, 4);
      case 'C':
        return push_text(Kind::Bytes, 1);
      case 'B':
        return push_text(Kind::Bytes, 4);
      case 0x8e:
        return push_text(Kind::Bytes, 8);
      case 0x96:
        return push_text(Kind::Bytes, 8);
      default:
        return false;
    }
  }

 private:
  void push_integer(std::int64_t value, Kind kind = Kind::Int) {
    stack_.push_new(kind)->integer = value;
  }

  void push_long(std::string_view bytes) {
    if (bytes.size() > sizeof(std::int64_t)) {
      stack_.push_new(Kind::BigInt)->text = bytes;
      return;
    }
    std::uint64_t value = load_little_endian(std::as_bytes(std::span(bytes)));
    const std::size_t unused_bits = 64 - 8 * bytes.size();
    if (unused_bits > 0 && unused_bits < 64) {  // extends the sign
      value <<= unused_bits;
      push_integer(static_cast<std::int64_t>(value) >> unused_bits);
    } else {
      push_integer(static_cast<std::int64_t>(value));
    }
  }

  /** Protocol 1: "123", "123L"; "00" and "01" are False and True. */
  void push_decimal(std::string_view line, bool is_long) {
    if (!is_long && (line == "00" || line == "01")) {
      push_integer(line[1] - '0', Kind::Bool);
      return;
    }
    if (is_long && line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{} || end != line.data() + line.size()) {
      input_.refuse("'{}' is not an integer of 64 bits", printable(line.substr(0, 40)));
    }
    push_integer(value);
  }

  PickleInput& input_;
  PickleStack& stack_;
};

}  // namespace

bool push_pickle_scalar(unsigned char opcode, PickleInput& input, PickleStack& stack) {
  ScalarPusher pusher(input, stack);
  return pusher.push_number(opcode) || pusher.push_text_or_bytes(opcode);
}

}  // namespace dino::format
