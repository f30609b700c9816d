// JPEG 2000 through OpenJPEG: .jp2 files and bare codestreams, 1 to 16 bits, gray, RGB, YCC (also
// subsampled), palettes and any number of bands. Color profiles are ignored.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "dino/base/error.h"
#include "dino/image/codecs/boxes.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/stored_samples.h"

namespace dino::image {
namespace {

using Stream =
    std::unique_ptr<opj_stream_t, decltype([](opj_stream_t* s) { opj_stream_destroy(s); })>;
using Codec = std::unique_ptr<opj_codec_t, decltype([](opj_codec_t* c) { opj_destroy_codec(c); })>;
using Picture =
    std::unique_ptr<opj_image_t, decltype([](opj_image_t* i) { opj_image_destroy(i); })>;

constexpr unsigned kMostBits = 16;

/** The description of channels in a .jp2 file, outside the codestream. */
struct Boxes {
  int palette_columns = 0, palette_bits = 0;  ///< 0: no palette
  int alpha_channel = -1;                     ///< its number
};

Boxes boxes_of(Bytes bytes) {
  Boxes boxes;
  for_each_box(bytes, [&](std::uint32_t outer, Bytes header) {
    if (outer != box_type("jp2h")) return;
    for_each_box(header, [&](std::uint32_t type, Bytes content) {
      const ByteReader reader(content, Endian::Big);
      if (type == box_type("pclr")) {
        boxes.palette_columns = reader.u8(2).value_or(0);
        boxes.palette_bits = (reader.u8(3).value_or(7) & 127) + 1;
      }
      if (type != box_type("cdef")) return;
      for (std::size_t i = 0; i < reader.u16(0).value_or(0); ++i) {
        const int kind = reader.u16(2 + 6 * i + 2).value_or(0);
        if (kind == 1 || kind == 2) boxes.alpha_channel = reader.u16(2 + 6 * i).value_or(0);
      }
    });
  });
  return boxes;
}

class Decoder {
 public:
  /** Reads the header. */
  explicit Decoder(Bytes bytes)
      : rest_{bytes, 0},
        is_file_(bytes[0] == std::byte{0}),
        codec_(opj_create_decompress(is_file_ ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K)),
        stream_(opj_stream_create(std::clamp<std::size_t>(bytes.size(), 64, 1 << 20), OPJ_TRUE)) {
    DINO_ASSERT(codec_ && stream_);
    opj_set_error_handler(
        codec_.get(), [](const char* text, void* self) { static_cast<Decoder*>(self)->note(text); },
        this);
    opj_stream_set_read_function(stream_.get(), &Decoder::read);
    opj_stream_set_skip_function(stream_.get(), &Decoder::skip);
    opj_stream_set_seek_function(stream_.get(), &Decoder::seek);
    opj_stream_set_user_data(stream_.get(), &rest_, nullptr);
    opj_stream_set_user_data_length(stream_.get(), bytes.size());
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_image_t* picture = nullptr;
    const bool good = opj_setup_decoder(codec_.get(), &parameters) &&
                      opj_decoder_set_strict_mode(codec_.get(), OPJ_TRUE) &&
                      opj_read_header(stream_.get(), codec_.get(), &picture);
    picture_.reset(picture);
    if (!good || !picture || picture->numcomps == 0) raise("bad header");
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  const opj_image_t& picture() const { return *picture_; }
  bool is_file() const { return is_file_; }

  void decode() {
    if (!opj_decode(codec_.get(), stream_.get(), picture_.get()) ||
        !opj_end_decompress(codec_.get(), stream_.get()))
      raise("bad pixels");
  }

 private:
  struct Rest {
    Bytes bytes;
    std::size_t at = 0;
  };

  static OPJ_SIZE_T read(void* to, OPJ_SIZE_T size, void* user) {
    auto& rest = *static_cast<Rest*>(user);
    const std::size_t count = std::min(size, rest.bytes.size() - rest.at);
    if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
    std::memcpy(to, rest.bytes.data() + rest.at, count);
    rest.at += count;
    return count;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
    auto& rest = *static_cast<Rest*>(user);
    const auto left = static_cast<OPJ_OFF_T>(rest.bytes.size() - rest.at);
    if (count < 0 || count > left) return -1;
    rest.at += static_cast<std::size_t>(count);
    return count;
  }
  static OPJ_BOOL seek(OPJ_OFF_T at, void* user) {
    auto& rest = *static_cast<Rest*>(user);
    if (at < 0 || static_cast<std::size_t>(at) > rest.bytes.size()) return OPJ_FALSE;
    rest.at = static_cast<std::size_t>(at);
    return OPJ_TRUE;
  }

  void note(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (message_.empty()) message_ = std::move(text);
  }
  [[noreturn]] void raise(const char* what) const {
    fail_damaged("JPEG 2000", message_.empty() ? what : message_);
  }

  Rest rest_;
  bool is_file_;
  std::string message_;
  Codec codec_;
  Stream stream_;
  Picture picture_;
};

struct Size {
  std::uint32_t width = 0, height = 0;
};

/** Of the largest component; the others have fewer samples for the same area. */
Size size_of(const opj_image_t& picture) {
  Size size;
  for (std::uint32_t i = 0; i < picture.numcomps; ++i) {
    size.width = std::max(size.width, picture.comps[i].w);
    size.height = std::max(size.height, picture.comps[i].h);
  }
  return size;
}

void refuse_unknown(const opj_image_t& picture) {
  // OpenJPEG marks CIELab by a profile of no length.
  const bool lab = picture.icc_profile_buf && picture.icc_profile_len == 0;
  if (lab || picture.color_space == OPJ_CLRSPC_CMYK || picture.color_space == OPJ_CLRSPC_EYCC)
    fail(ErrorKind::Format,
         "[decode] JPEG 2000 in the color space {} is not supported; convert it to RGB",
         lab                                      ? "CIELab"
         : picture.color_space == OPJ_CLRSPC_CMYK ? "CMYK"
                                                  : "e-YCC");
  for (std::uint32_t i = 0; i < picture.numcomps; ++i) {
    const opj_image_comp_t& component = picture.comps[i];
    if (component.prec < 1 || component.prec > kMostBits)
      fail(ErrorKind::Format,
           "[decode] JPEG 2000 with {} bits per sample is not supported (1 to {} are)",
           component.prec, kMostBits);
    if (component.sgnd != picture.comps[0].sgnd)
      fail(ErrorKind::Format,
           "[decode] JPEG 2000 with signed and unsigned components is not supported");
  }
}

/** Copies a component to its place in every pixel, spread to `bits` and over the whole area. */
void copy_component(const opj_image_comp_t& component, int bits, std::int32_t* to,
                    const StoredSamples& stored) {
  if (!component.data || component.w == 0 || component.h == 0)
    fail_damaged("JPEG 2000", "a component without samples");
  const auto width = static_cast<std::uint32_t>(stored.width);
  const auto height = static_cast<std::uint32_t>(stored.height);
  const std::uint32_t across = (width + component.w - 1) / component.w;
  const std::uint32_t down = (height + component.h - 1) / component.h;
  const std::int64_t most = (std::int64_t{1} << component.prec) - 1;
  const std::int64_t full = (std::int64_t{1} << bits) - 1;
  const bool same = most == full;
  for (std::uint32_t y = 0; y < height; ++y) {
    const std::int32_t* row = component.data + std::size_t{y / down} * component.w;
    for (std::uint32_t x = 0; x < width; ++x, to += stored.samples) {
      const std::int32_t value = row[x / across];
      *to = same ? value : static_cast<std::int32_t>(value * full / most);
    }
  }
}

bool is_ycc(const opj_image_t& picture) {
  if (picture.numcomps < 3) return false;
  return picture.color_space == OPJ_CLRSPC_SYCC ||
         (picture.color_space != OPJ_CLRSPC_GRAY && picture.comps[0].w > picture.comps[1].w);
}

}  // namespace

ImageInfo peek_jpeg_2000(Bytes bytes, const DecodeOptions&) {
  const Decoder decoder(bytes);
  const Boxes boxes = decoder.is_file() ? boxes_of(bytes) : Boxes{};
  const opj_image_t& picture = decoder.picture();
  const Size size = size_of(picture);
  int samples = static_cast<int>(picture.numcomps), bits = 0;
  for (std::uint32_t i = 0; i < picture.numcomps; ++i)
    bits = std::max(bits, static_cast<int>(picture.comps[i].prec));
  if (boxes.palette_columns > 0) {
    samples = boxes.palette_columns;
    bits = boxes.palette_bits;
  }
  const bool alpha = samples > 1 && boxes.alpha_channel == samples - 1;
  return {.kind = ImageKind::Jpeg2000,
          .width = static_cast<int>(size.width),
          .height = static_cast<int>(size.height),
          .channels = samples - (alpha ? 1 : 0),
          .bits = bits,
          .has_alpha = alpha};
}

StoredSamples read_jpeg_2000_samples(Bytes bytes, const DecodeOptions& options) {
  Decoder decoder(bytes);
  refuse_unknown(decoder.picture());
  const Size size = size_of(decoder.picture());
  // OpenJPEG keeps four bytes per sample, so four samples per pixel count as one layer of pixels.
  const std::uint32_t layers = (decoder.picture().numcomps + 3) / 4;
  check_size(size.width, std::int64_t{size.height} * layers, 0, bytes, options);
  decoder.decode();
  const opj_image_t& picture = decoder.picture();
  refuse_unknown(picture);  // a palette has its own precision
  const Boxes boxes = decoder.is_file() ? boxes_of(bytes) : Boxes{};
  StoredSamples stored{.width = static_cast<int>(size.width),
                       .height = static_cast<int>(size.height),
                       .samples = static_cast<int>(picture.numcomps),
                       .is_signed = picture.comps[0].sgnd != 0,
                       .values = {}};
  stored.has_alpha = stored.samples > 1 && boxes.alpha_channel == stored.samples - 1;
  stored.is_rgb = stored.samples - (stored.has_alpha ? 1 : 0) == 3;
  for (std::uint32_t i = 0; i < picture.numcomps; ++i)
    stored.bits = std::max(stored.bits, static_cast<int>(picture.comps[i].prec));
  stored.values.resize(std::size_t{size.width} * size.height *
                       static_cast<std::size_t>(stored.samples));
  for (std::uint32_t i = 0; i < picture.numcomps; ++i)
    copy_component(picture.comps[i], stored.bits, stored.values.data() + i, stored);
  if (is_ycc(picture)) ycc_to_rgb(stored);
  return stored;
}

Raster read_jpeg_2000(Bytes bytes, const DecodeOptions& options) {
  return to_raster(read_jpeg_2000_samples(bytes, options));
}

}  // namespace dino::image
