// JPEG through libjpeg(-turbo), with the settings and color conversions of Pillow. libjpeg reports
// errors by longjmp: setjmp stays in functions that own nothing, so that no destructor is ever
// jumped over.
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/pixels/color.h"

namespace dino::image {
namespace {

constexpr int kMaxScans = 500;  // a progressive file has about ten; thousands are an attack on time

/** libjpeg's error manager that jumps back to the caller instead of ending the process. */
struct ErrorTrap {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is a pointer to us
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];

  static ErrorTrap& of(j_common_ptr codec) { return *reinterpret_cast<ErrorTrap*>(codec->err); }

  jpeg_error_mgr* arm() {
    jpeg_std_error(&manager);
    message[0] = '\0';
    manager.error_exit = [](j_common_ptr codec) {
      codec->err->format_message(codec, of(codec).message);
      std::longjmp(of(codec).back, 1);
    };
    // Missing bytes are an error; other warnings (stray bytes, a bad code here and there) Pillow
    // lets pass too.
    manager.emit_message = [](j_common_ptr codec, int level) {
      if (level < 0 && codec->err->msg_code == JWRN_JPEG_EOF) codec->err->error_exit(codec);
    };
    manager.output_message = [](j_common_ptr) {};
    return &manager;
  }
};

/** Turns one decoded line of `width` pixels into the samples of an Image row. */
using ConvertLine = void (*)(const std::uint8_t* line, int width, std::uint8_t* row);

class Decoder {
 public:
  explicit Decoder(Bytes bytes) : bytes_(bytes) {
    codec_.err = trap_.arm();
    if (!read_header()) raise();
  }

  const jpeg_decompress_struct& header() const { return codec_; }

  /** Progressive files and those with a scan per component: all is held in memory before the first
   * line comes out. */
  bool is_held_whole() { return jpeg_has_multiple_scans(&codec_) != 0; }

  /** Without a marker of JFIF's or Adobe's libjpeg takes three components for YCbCr. */
  void take_unmarked_for_rgb() {
    if (codec_.num_components == 3 && !codec_.saw_JFIF_marker && !codec_.saw_Adobe_marker)
      codec_.jpeg_color_space = JCS_RGB;
  }

  /** Makes pixels 1 / `denominator` the size; output_width and output_height then say how many. */
  void shrink(int denominator) {
    codec_.scale_num = 1;
    codec_.scale_denom = static_cast<unsigned>(denominator);
    if (!size_output()) raise();
  }

  /** Fills `image` with the pixels of `box`, which lies inside the output. */
  void read(J_COLOR_SPACE space, ConvertLine convert, const PixelBox& box, Image& image) {
    std::vector<std::uint8_t> line(static_cast<std::size_t>(codec_.output_width) * 4);
    if (!read_lines(space, convert, line.data(), box, image)) raise();
  }

 private:
  bool read_header() {
    if (setjmp(trap_.back)) return false;
    jpeg_create_decompress(&codec_);
    jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&codec_, TRUE);
    return true;
  }

  bool size_output() {
    if (setjmp(trap_.back)) return false;
    jpeg_calc_output_dimensions(&codec_);
    return true;
  }

  bool read_lines(J_COLOR_SPACE space, ConvertLine convert, std::uint8_t* line, const PixelBox& box,
                  Image& image) {
    if (setjmp(trap_.back)) return false;
    progress_.progress_monitor = [](j_common_ptr codec) {
      if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= kMaxScans) return;
      std::strcpy(ErrorTrap::of(codec).message, "too many scans");
      std::longjmp(ErrorTrap::of(codec).back, 1);
    };
    codec_.progress = &progress_;
    codec_.out_color_space = space;
    jpeg_start_decompress(&codec_);
    const int left = box.left - skip_to(box);
    const std::size_t offset =
        static_cast<std::size_t>(left) * static_cast<std::size_t>(codec_.out_color_components);
    const bool straight = !convert && codec_.output_width == static_cast<JDIMENSION>(image.width);
    for (int y = 0; y < image.height; ++y) {
      std::uint8_t* target = straight ? image.row(y) : line;
      jpeg_read_scanlines(&codec_, &target, 1);
      if (convert)
        convert(line + offset, image.width, image.row(y));
      else if (!straight)
        std::memcpy(image.row(y), line + offset, image.row_bytes());
    }
    return true;
  }

  /** Skips to the first line of `box` and crops the blocks beside it; returns the first decoded
   * column. The margin keeps the neighbors that smooth chroma upsampling needs. */
  int skip_to(const PixelBox& box) {
    constexpr int kMargin = 2 * 16 * 2;  // px: two of the largest blocks, in both directions
    const int width = static_cast<int>(codec_.output_width);
    const int right = std::min(box.left + box.width + kMargin, width);
    int first = std::max(box.left - kMargin, 0);
    if (first > 0 || right < width) {
      auto x = static_cast<JDIMENSION>(first);
      auto columns = static_cast<JDIMENSION>(right - first);
      jpeg_crop_scanline(&codec_, &x, &columns);
      first = static_cast<int>(x);
    }
    if (box.top > 0) jpeg_skip_scanlines(&codec_, static_cast<JDIMENSION>(box.top));
    return first;
  }

  [[noreturn]] void raise() const { fail_damaged("JPEG", trap_.message); }

  /** A separate member, so that it is freed if the constructor throws. */
  struct Codec : jpeg_decompress_struct {
    Codec() : jpeg_decompress_struct{} {}
    ~Codec() { jpeg_destroy_decompress(this); }
    Codec(const Codec&) = delete;
    Codec& operator=(const Codec&) = delete;
  };

  Bytes bytes_;
  jpeg_progress_mgr progress_{};
  ErrorTrap trap_;
  Codec codec_;
};

void rgb_to_gray(const std::uint8_t* line, int width, std::uint8_t* row) {
  for (int x = 0; x < width; ++x, line += 3) row[x] = luma(line[0], line[1], line[2]);
}

void gray_to_rgb(const std::uint8_t* line, int width, std::uint8_t* row) {
  for (int x = 0; x < width; ++x, row += 3) row[0] = row[1] = row[2] = line[x];
}

void cmyk_to_rgb(const std::uint8_t* line, int width, std::uint8_t* row) {
  for (int x = 0; x < width; ++x, line += 4, row += 3)
    for (int c = 0; c < 3; ++c) row[c] = ink_to_light(line[c], line[3]);
}

void cmyk_to_gray(const std::uint8_t* line, int width, std::uint8_t* row) {
  for (int x = 0; x < width; ++x, line += 4) {
    std::uint8_t rgb[3];
    cmyk_to_rgb(line, 1, rgb);
    row[x] = luma(rgb[0], rgb[1], rgb[2]);
  }
}

int shrink_of(const jpeg_decompress_struct& header, const DecodeOptions& options) {
  if (options.jpeg_min_side <= 0) return options.jpeg_shrink;
  const double side = std::sqrt(static_cast<double>(header.image_width) * header.image_height);
  int shrink = 8;
  const auto shorter = std::int64_t{std::min(header.image_width, header.image_height)};
  while (shrink > 1 && (side < static_cast<double>(shrink) * options.jpeg_min_side ||
                        shorter < std::int64_t{shrink} * options.jpeg_min_short_side))
    shrink /= 2;
  return shrink;
}

}  // namespace

ImageInfo peek_jpeg(Bytes bytes, const DecodeOptions& options) {
  Decoder decoder(bytes);
  decoder.shrink(shrink_of(decoder.header(), options));
  const auto& header = decoder.header();
  return {.kind = ImageKind::Jpeg,
          .width = static_cast<int>(header.output_width),
          .height = static_cast<int>(header.output_height),
          .channels = header.num_components == 1 ? 1 : 3};
}

Image decode_jpeg(Bytes bytes, int channels, const DecodeOptions& options, const PixelBox* part,
                  bool holds_rgb) {
  Decoder decoder(bytes);
  if (holds_rgb) decoder.take_unmarked_for_rgb();
  const auto& header = decoder.header();
  const auto width = static_cast<std::int64_t>(header.image_width);
  const auto height = static_cast<std::int64_t>(header.image_height);
  // A Huffman-coded block of 8 x 8 pixels takes one bit at least; arithmetic coding can take less.
  const std::size_t needed =
      header.arith_code ? 0 : static_cast<std::size_t>(width * height / (64 * 8));
  if (part && !decoder.is_held_whole())
    check_size(part->width, part->height, 0, bytes, options);
  else
    check_size(width, height, needed, bytes, options);

  decoder.shrink(shrink_of(decoder.header(), options));
  const PixelBox box = part ? *part
                            : PixelBox{0, 0, static_cast<int>(header.output_width),
                                       static_cast<int>(header.output_height)};
  Image image(box.width, box.height, channels);
  switch (header.num_components) {
    case 1:
      decoder.read(JCS_GRAYSCALE, channels == 1 ? nullptr : gray_to_rgb, box, image);
      break;
    case 3:
      decoder.read(JCS_RGB, channels == 3 ? nullptr : rgb_to_gray, box, image);
      break;
    case 4:
      decoder.read(JCS_CMYK, channels == 3 ? cmyk_to_rgb : cmyk_to_gray, box, image);
      break;
    default:
      fail(ErrorKind::Format, "[decode] JPEG with {} components is not supported (1, 3 and 4 are)",
           header.num_components);
  }
  return image;
}

namespace {

class Encoder {
 public:
  Encoder() { codec_.err = trap_.arm(); }
  ~Encoder() {
    jpeg_destroy_compress(&codec_);
    std::free(buffer_);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::vector<std::byte> run(const Image& image, int quality) {
    if (!write(image, quality))
      fail(ErrorKind::Internal, "[encode] JPEG encoder failed: {}", trap_.message);
    const auto* begin = reinterpret_cast<const std::byte*>(buffer_);
    return {begin, begin + size_};
  }

 private:
  bool write(const Image& image, int quality) {
    if (setjmp(trap_.back)) return false;
    jpeg_create_compress(&codec_);
    jpeg_mem_dest(&codec_, &buffer_, &size_);
    codec_.image_width = static_cast<JDIMENSION>(image.width);
    codec_.image_height = static_cast<JDIMENSION>(image.height);
    codec_.input_components = image.channels;
    codec_.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&codec_);
    jpeg_set_quality(&codec_, quality, TRUE);
    jpeg_start_compress(&codec_, TRUE);
    for (int y = 0; y < image.height; ++y) {
      auto* row =
          const_cast<std::uint8_t*>(image.row(y));  // libjpeg reads only, but says otherwise
      jpeg_write_scanlines(&codec_, &row, 1);
    }
    jpeg_finish_compress(&codec_);
    return true;
  }

  jpeg_compress_struct codec_{};
  ErrorTrap trap_;
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  check_encodable(image);
  if (image.width > JPEG_MAX_DIMENSION || image.height > JPEG_MAX_DIMENSION)
    fail(ErrorKind::Usage, "[encode] JPEG holds at most {} px a side: {} x {}; write a PNG",
         JPEG_MAX_DIMENSION, image.width, image.height);
  if (quality < 1 || quality > 100)
    fail(ErrorKind::Usage, "[encode] JPEG quality must lie in 1..100: {}", quality);
  return Encoder().run(image, quality);
}

}  // namespace dino::image
