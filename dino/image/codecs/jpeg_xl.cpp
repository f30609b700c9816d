// JPEG XL through libjxl: codestreams and containers, up to 16 bits and floats, gray and color
// with or without alpha; of an animation the first frame. Extra channels other than alpha are left
// out.
#include <jxl/decode.h>

#include <memory>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

using Handle = std::unique_ptr<JxlDecoder, decltype([](JxlDecoder* d) { JxlDecoderDestroy(d); })>;

class Decoder {
 public:
  /** Reads as far as the header. */
  Decoder(Bytes bytes, const DecodeOptions& options) : decoder_(JxlDecoderCreate(nullptr)) {
    DINO_ASSERT(decoder_);
    check(JxlDecoderSubscribeEvents(
        decoder_.get(), JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | JXL_DEC_FULL_IMAGE));
    check(JxlDecoderSetKeepOrientation(decoder_.get(), options.upright ? JXL_FALSE : JXL_TRUE));
    check(JxlDecoderSetUnpremultiplyAlpha(decoder_.get(), JXL_TRUE));
    check(JxlDecoderSetInput(decoder_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()),
                             bytes.size()));
    expect(JXL_DEC_BASIC_INFO, "bad header");
    check(JxlDecoderGetBasicInfo(decoder_.get(), &info_));
    refuse_inks();
  }

  const JxlBasicInfo& info() const { return info_; }
  bool has_alpha() const { return info_.alpha_bits > 0; }
  bool is_float() const { return info_.exponent_bits_per_sample > 0 || info_.bits_per_sample > 16; }
  int channels() const { return static_cast<int>(info_.num_color_channels); }
  int samples() const { return channels() + (has_alpha() ? 1 : 0); }

  /** The first frame's samples: 8 or 16 bits over their whole range, or floats. */
  template <typename Sample>
  std::vector<Sample> read() {
    constexpr JxlDataType kType = sizeof(Sample) == 1   ? JXL_TYPE_UINT8
                                  : sizeof(Sample) == 2 ? JXL_TYPE_UINT16
                                                        : JXL_TYPE_FLOAT;
    const JxlPixelFormat format{static_cast<std::uint32_t>(samples()), kType, JXL_NATIVE_ENDIAN, 0};
    expect(JXL_DEC_COLOR_ENCODING, "no color space");
    ask_for_srgb();
    expect(JXL_DEC_NEED_IMAGE_OUT_BUFFER, "no image");
    std::vector<Sample> values(std::size_t{info_.xsize} * info_.ysize *
                               static_cast<std::size_t>(samples()));
    check(JxlDecoderSetImageOutBuffer(decoder_.get(), &format, values.data(),
                                      values.size() * sizeof(Sample)));
    expect(JXL_DEC_FULL_IMAGE, "bad pixels");
    return values;
  }

 private:
  static void check(JxlDecoderStatus status) {
    if (status != JXL_DEC_SUCCESS) fail_damaged("JPEG XL", "bad header");
  }

  void expect(JxlDecoderStatus wanted, std::string_view what) {
    const JxlDecoderStatus status = JxlDecoderProcessInput(decoder_.get());
    if (status == JXL_DEC_NEED_MORE_INPUT) fail_damaged("JPEG XL", "the file ends early");
    if (status != wanted) fail_damaged("JPEG XL", what);
  }

  /** Lossy pixels whose colors only an ICC profile describes come out linear, unless asked. */
  void ask_for_srgb() {
    const JxlPixelFormat any{static_cast<std::uint32_t>(samples()), JXL_TYPE_UINT8,
                             JXL_NATIVE_ENDIAN, 0};
    JxlColorEncoding colors{};
    const bool by_number =
        JxlDecoderGetColorAsEncodedProfile(decoder_.get(), &any, JXL_COLOR_PROFILE_TARGET_ORIGINAL,
                                           &colors) == JXL_DEC_SUCCESS;
    if (by_number || info_.uses_original_profile) return;
    colors = {};
    colors.color_space = channels() == 1 ? JXL_COLOR_SPACE_GRAY : JXL_COLOR_SPACE_RGB;
    colors.white_point = JXL_WHITE_POINT_D65;
    colors.primaries = JXL_PRIMARIES_SRGB;
    colors.transfer_function = JXL_TRANSFER_FUNCTION_SRGB;
    colors.rendering_intent = JXL_RENDERING_INTENT_RELATIVE;
    check(JxlDecoderSetPreferredColorProfile(decoder_.get(), &colors));
  }

  void refuse_inks() const {
    for (std::size_t i = 0; i < info_.num_extra_channels; ++i) {
      JxlExtraChannelInfo extra{};
      check(JxlDecoderGetExtraChannelInfo(decoder_.get(), i, &extra));
      if (extra.type == JXL_CHANNEL_BLACK)
        fail(ErrorKind::Format,
             "[decode] JPEG XL of inks (CMYK) is not supported; convert it to RGB");
    }
  }

  Handle decoder_;
  JxlBasicInfo info_{};
};

/** libjxl spreads samples over 16 bits: back to those of the file. */
void read_wide(Decoder& decoder, Raster& raster) {
  auto values = decoder.read<std::uint16_t>();
  const std::uint32_t most = (1U << decoder.info().bits_per_sample) - 1;
  for (std::uint16_t& value : values)
    value = static_cast<std::uint16_t>((value * std::uint64_t{most} + 32767) / 65535);
  raster.declared = {0, static_cast<double>(most)};
  raster.values = std::move(values);
}

}  // namespace

ImageInfo peek_jpeg_xl(Bytes bytes, const DecodeOptions& options) {
  const Decoder decoder(bytes, options);
  return {.kind = ImageKind::JpegXl,
          .width = static_cast<int>(decoder.info().xsize),
          .height = static_cast<int>(decoder.info().ysize),
          .channels = decoder.channels(),
          .bits = decoder.is_float() ? 32 : static_cast<int>(decoder.info().bits_per_sample),
          .is_float = decoder.is_float(),
          .has_alpha = decoder.has_alpha()};
}

Raster read_jpeg_xl(Bytes bytes, const DecodeOptions& options) {
  Decoder decoder(bytes, options);
  check_size(decoder.info().xsize, decoder.info().ysize, 0, bytes, options);
  Raster raster{.width = static_cast<int>(decoder.info().xsize),
                .height = static_cast<int>(decoder.info().ysize),
                .samples = decoder.samples(),
                .is_rgb = decoder.channels() == 3,
                .has_alpha = decoder.has_alpha(),
                .values = {}};
  if (decoder.is_float())
    raster.values = decoder.read<float>();
  else if (decoder.info().bits_per_sample > 8)
    read_wide(decoder, raster);
  else
    raster.values = decoder.read<std::uint8_t>();
  return raster;
}

}  // namespace dino::image
