// Pictures with transparency, in memory and as PNG files, which the library itself only reads.
#pragma once
#include <zlib.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dino/image/codecs/raster.h"
#include "dino/image/image.h"

namespace dino::data::testing {

using Rgba = std::array<std::uint8_t, 4>;

/** A picture [side, side, 4], transparent but for a rectangle of one color. */
inline image::Image rectangle(int side, int left, int top, int width, int height,
                              const Rgba& color) {
  image::Image picture(side, side, 4);
  for (int y = top; y < top + height; ++y)
    for (int x = left; x < left + width; ++x)
      std::copy(color.begin(), color.end(), picture.row(y) + 4 * x);
  return picture;
}

inline image::Raster raster_of(const image::Image& rgba) {
  return {.width = rgba.width,
          .height = rgba.height,
          .samples = 4,
          .is_rgb = true,
          .has_alpha = true,
          .values = rgba.pixels};
}

/** A PNG file of RGBA pixels. */
inline std::string png_of(const image::Image& rgba) {
  std::string file = "\x89PNG\r\n\x1a\n";
  const auto big_endian = [](std::size_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += static_cast<char>(value >> static_cast<unsigned>(shift));
    return bytes;
  };
  const auto add = [&](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    file += big_endian(data.size()) + body +
            big_endian(crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                             static_cast<uInt>(body.size())));
  };
  std::string rows;
  for (int y = 0; y < rgba.height; ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(rgba.row(y)), rgba.row_bytes());
  }
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  packed.resize(size);
  add("IHDR", big_endian(static_cast<std::size_t>(rgba.width)) +
                  big_endian(static_cast<std::size_t>(rgba.height)) +
                  std::string("\x08\x06\0\0\0", 5));
  add("IDAT", packed);
  add("IEND", "");
  return file;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/** Classes "disk" and "square" of `count` objects each: no two are equal. */
inline void write_objects(const std::filesystem::path& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const auto level = static_cast<std::uint8_t>(10 * i);
    write_bytes(folder / "square" / (std::to_string(i) + ".png"),
                png_of(rectangle(40, 4, 6, 30, 30, {level, 200, 30, 255})));
    image::Image disk(40, 40, 4);
    for (int y = 0; y < 40; ++y)
      for (int x = 0; x < 40; ++x)
        if ((x - 20) * (x - 20) + (y - 20) * (y - 20) < 15 * 15) {
          const Rgba color = {200, level, 30, 255};
          std::copy(color.begin(), color.end(), disk.row(y) + 4 * x);
        }
    write_bytes(folder / "disk" / (std::to_string(i) + ".png"), png_of(disk));
  }
}

}  // namespace dino::data::testing
