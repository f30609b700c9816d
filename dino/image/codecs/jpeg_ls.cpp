// JPEG-LS, as DICOM files hold it, through CharLS.
#include <charls/charls.h>

#include "dino/base/error.h"
#include "dino/image/codecs/dicom_pixels.h"

namespace dino::image {
namespace {

template <typename Sample>
void copy_samples(const std::vector<std::byte>& decoded, bool planar, StoredSamples& stored) {
  const ByteReader reader(decoded, Endian::Little);
  const auto samples = static_cast<std::size_t>(stored.samples);
  const std::size_t pixels = stored.values.size() / samples;
  for (std::size_t i = 0; i < stored.values.size(); ++i) {
    const std::size_t from = planar ? i % samples * pixels + i / samples : i;
    stored.values[i] =
        sizeof(Sample) == 1 ? reader.u8(from).value_or(0) : reader.u16(2 * from).value_or(0);
  }
}

}  // namespace

StoredSamples read_jpeg_ls(Bytes bytes, const DecodeOptions& options) try {
  charls::jpegls_decoder decoder;
  decoder.source(bytes.data(), bytes.size());
  decoder.read_header();
  const charls::frame_info& frame = decoder.frame_info();
  check_size(frame.width, frame.height, 0, bytes, options);
  StoredSamples stored{.width = static_cast<int>(frame.width),
                       .height = static_cast<int>(frame.height),
                       .samples = frame.component_count,
                       .bits = frame.bits_per_sample,
                       .values = {}};
  std::vector<std::byte> decoded(decoder.destination_size());
  decoder.decode(decoded.data(), decoded.size());
  stored.values.resize(std::size_t{frame.width} * frame.height *
                       static_cast<std::size_t>(frame.component_count));
  const bool planar = decoder.interleave_mode() == charls::interleave_mode::none;
  if (frame.bits_per_sample <= 8)
    copy_samples<std::uint8_t>(decoded, planar, stored);
  else
    copy_samples<std::uint16_t>(decoded, planar, stored);
  return stored;
} catch (const charls::jpegls_error& error) {
  fail_damaged("JPEG-LS", error.what());
}

}  // namespace dino::image
