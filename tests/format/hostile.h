// For tests of readers: bytes built by hand, and what every reader owes us when they are wrong.
#pragma once
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "dino/base/error.h"

namespace dino::format {

inline std::filesystem::path golden(std::string_view name) {
  return std::filesystem::path(DINO_SOURCE_DIR) / "tests/golden/format" / name;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/** Runs `read` and expects Error{Format} that names "hostile.bin" and says `reason`. */
template <typename Read>
void expect_refused(Read read, std::string_view reason) {
  try {
    read();
    ADD_FAILURE() << "accepted; expected: " << reason;
  } catch (const Error& error) {
    const std::string_view what = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::Format) << what;
    EXPECT_NE(what.find("hostile.bin"), what.npos) << what;
    EXPECT_NE(what.find(reason), what.npos) << what;
    EXPECT_LT(what.size(), 400u) << what;
  }
}

/** Damages a good file in every small way: cut at each length (always refused), each byte changed
 * in several ways (refused or understood, never anything but Error{Format}). `read(bytes)` must
 * throw on refusal. */
template <typename Read>
void expect_survives_damage(const std::string& good, Read read) {
  EXPECT_NO_THROW(read(bytes_of(good)));
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_THROW(read(bytes_of(std::string_view(good).substr(0, length))), Error) << length;
  }
  std::string damaged = good;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xFF, 0x0A}) {
      damaged[i] = static_cast<char>(good[i] ^ change);
      try {
        read(bytes_of(damaged));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
      }
    }
    damaged[i] = good[i];
  }
}

}  // namespace dino::format
