// The first frame of a GIF through giflib, on a canvas of its transparent color (or color 0) as
// Pillow shows it.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

/** A GIF opened by giflib in memory. */
class GifReader {
 public:
  explicit GifReader(Bytes bytes) : rest_(bytes) {
    int error = 0;
    file_.reset(DGifOpen(this, &GifReader::read, &error));
    if (!file_) raise(error);
  }

  const GifFileType& file() const { return *file_; }
  const GraphicsControlBlock& control() const { return control_; }

  /** Reads on to the first frame's header: afterwards file().Image describes it. */
  void find_frame() {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (record != IMAGE_DESC_RECORD_TYPE) {
      check(DGifGetRecordType(file_.get(), &record));
      if (record == TERMINATE_RECORD_TYPE) fail_damaged("GIF", "no image in the file");
      if (record == EXTENSION_RECORD_TYPE) read_extension();
    }
    check(DGifGetImageDesc(file_.get()));
    if (file_->Image.Width < 1 || file_->Image.Height < 1) fail_damaged("GIF", "empty frame");
  }

  void read_line(GifPixelType* line) { check(DGifGetLine(file_.get(), line, file_->Image.Width)); }

 private:
  static int read(GifFileType* file, GifByteType* to, int count) {
    auto& rest = static_cast<GifReader*>(file->UserData)->rest_;
    const std::size_t size = std::min(static_cast<std::size_t>(count), rest.size());
    if (size > 0) std::memcpy(to, rest.data(), size);
    rest = rest.subspan(size);
    return static_cast<int>(size);
  }

  void read_extension() {
    int code = 0;
    GifByteType* data = nullptr;
    check(DGifGetExtension(file_.get(), &code, &data));
    while (data) {
      if (code == GRAPHICS_EXT_FUNC_CODE && data[0] == 4)
        DGifExtensionToGCB(data[0], data + 1, &control_);
      check(DGifGetExtensionNext(file_.get(), &data));
    }
  }

  void check(int status) const {
    if (status != GIF_OK) raise(file_->Error);
  }

  [[noreturn]] static void raise(int error) {
    const char* text = GifErrorString(error);
    fail_damaged("GIF", text ? text : "unknown error");
  }

  Bytes rest_;
  GraphicsControlBlock control_{DISPOSAL_UNSPECIFIED, false, 0, NO_TRANSPARENT_COLOR};
  std::unique_ptr<GifFileType, decltype([](GifFileType* f) { DGifCloseFile(f, nullptr); })> file_;
};

/** The canvas with the frame on it. */
struct Canvas {
  int width = 0, height = 0;
};

Canvas canvas_of(const GifFileType& file) {
  return {std::max<int>(file.SWidth, file.Image.Left + file.Image.Width),
          std::max<int>(file.SHeight, file.Image.Top + file.Image.Height)};
}

/** The frame's lines in the order of the file, which differs if it is interlaced. */
std::vector<int> line_order(int height, bool interlaced) {
  std::vector<int> order;
  const auto add = [&](int first, int step) {
    for (int y = first; y < height; y += step) order.push_back(y);
  };
  if (!interlaced) {
    add(0, 1);
    return order;
  }
  add(0, 8);
  add(4, 8);
  add(2, 4);
  add(1, 2);
  return order;
}

}  // namespace

ImageInfo peek_gif(Bytes bytes, const DecodeOptions&) {
  GifReader reader(bytes);
  reader.find_frame();
  const Canvas canvas = canvas_of(reader.file());
  return {.kind = ImageKind::Gif,
          .width = canvas.width,
          .height = canvas.height,
          .channels = 3,
          .has_alpha = reader.control().TransparentColor != NO_TRANSPARENT_COLOR};
}

Raster read_gif(Bytes bytes, const DecodeOptions& options) {
  GifReader reader(bytes);
  reader.find_frame();
  const GifFileType& file = reader.file();
  const GifImageDesc& frame = file.Image;
  const Canvas canvas = canvas_of(file);
  // LZW codes of at most 12 bits stand for at most 4096 pixels.
  const std::size_t needed = static_cast<std::size_t>(frame.Width) *
                             static_cast<std::size_t>(frame.Height) / (4096 / 12 * 8);
  check_size(canvas.width, canvas.height, needed, bytes, options);

  const int transparent = reader.control().TransparentColor;
  const bool has_alpha = transparent != NO_TRANSPARENT_COLOR;
  const auto width = static_cast<std::size_t>(canvas.width);
  std::vector<std::uint8_t> indices(width * static_cast<std::size_t>(canvas.height),
                                    static_cast<std::uint8_t>(has_alpha ? transparent : 0));
  for (const int y : line_order(frame.Height, frame.Interlace))
    reader.read_line(indices.data() + static_cast<std::size_t>(frame.Top + y) * width +
                     static_cast<std::size_t>(frame.Left));

  const ColorMapObject* map = frame.ColorMap ? frame.ColorMap : file.SColorMap;
  const int samples = has_alpha ? 4 : 3;
  std::vector<std::uint8_t> pixels(indices.size() * static_cast<std::size_t>(samples));
  std::uint8_t* to = pixels.data();
  for (const std::uint8_t index : indices) {
    // Without a color table indices are grays; those past its end are black.
    GifColorType color{index, index, index};
    if (map) color = index < map->ColorCount ? map->Colors[index] : GifColorType{};
    *to++ = color.Red;
    *to++ = color.Green;
    *to++ = color.Blue;
    if (has_alpha) *to++ = index == transparent ? 0 : 255;
  }
  return {.width = canvas.width,
          .height = canvas.height,
          .samples = samples,
          .is_rgb = true,
          .has_alpha = has_alpha,
          .values = std::move(pixels)};
}

}  // namespace dino::image
