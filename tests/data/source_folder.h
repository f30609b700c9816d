// A folder to put sources in: images of one gray value, archives of them, and anything else.
#pragma once
#include <gtest/gtest.h>

#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"
#include "dino/format/gzip.h"
#include "dino/format/tar.h"
#include "dino/format/zip.h"
#include "dino/image/codecs/encode.h"
#include "tests/temp_dir.h"

namespace dino::data {

using Members = std::vector<std::pair<std::string, std::string>>;

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/** A PNG of 9 x 7 px, all of that value. */
inline std::string png(int value) {
  image::Image image(9, 7, 1);
  for (auto& sample : image.pixels) sample = static_cast<std::uint8_t>(value);
  return text_of(image::encode_png(image));
}

inline std::string tar(const Members& members) {
  std::string out;
  const format::TarWriter::Sink sink = [&](auto bytes) { out += text_of(bytes); };
  format::TarWriter writer(sink);
  for (const auto& [name, data] : members)
    writer.add(name, std::as_bytes(std::span<const char>(data)));
  writer.finish();
  return out;
}

inline std::string zip(const Members& members) {
  std::string out;
  const format::ZipWriter::Sink sink = [&](auto bytes) { out += text_of(bytes); };
  format::ZipWriter writer(sink);
  for (const auto& [name, data] : members)
    writer.add(name, std::as_bytes(std::span<const char>(data)));
  writer.finish();
  return out;
}

inline std::string gzipped(const std::string& text) {
  return text_of(format::gzip(std::as_bytes(std::span<const char>(text))));
}

class SourceFolder {
 public:
  /** Returns the path. */
  std::string write(const std::filesystem::path& name, std::string_view bytes) const {
    const auto path = temp_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.native();
  }
  std::string operator/(const std::filesystem::path& name) const { return (temp_ / name).native(); }
  const std::filesystem::path& path() const { return temp_.path(); }

 private:
  test::TempDir temp_;
};

/** Names below `folder` (or behind its "#"), in the order of the data set. */
inline std::vector<std::string> names_in(const Dataset& data) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::string name = data.name(i);
    names.push_back(name.substr(name.find('#') + 1));
  }
  return names;
}

inline std::vector<std::int64_t> labels_in(const Dataset& data) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < data.size(); ++i) labels.push_back(data.label(i));
  return labels;
}

/** The first sample of each image. */
inline std::vector<int> values_in(const Dataset& data) {
  std::vector<int> values;
  for (std::int64_t i = 0; i < data.size(); ++i) values.push_back(data.load(i).pixels.at(0));
  return values;
}

/** The message with which `body` fails; a failure of the test if it does not. */
template <typename Body>
std::string refusal_of(ErrorKind kind, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline bool says(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) ADD_FAILURE() << text << "\ndoes not say: " << part;
  return found;
}

}  // namespace dino::data
