#include "dino/image/codecs/dicom_pixels.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

enum class Coding { None, Rle, Jpeg, JpegLossless, JpegLs, Jpeg2000, Unknown };

Coding coding_of(const std::string& uid) {
  using namespace std::string_view_literals;
  constexpr std::string_view kJpeg2000[] = {"1.2.840.10008.1.2.4.90",  "1.2.840.10008.1.2.4.91",
                                            "1.2.840.10008.1.2.4.92",  "1.2.840.10008.1.2.4.93",
                                            "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
                                            "1.2.840.10008.1.2.4.203"};
  for (const std::string_view plain :
       {"1.2.840.10008.1.2"sv, "1.2.840.10008.1.2.1"sv, "1.2.840.10008.1.2.2"sv})
    if (uid == plain) return Coding::None;
  if (uid == "1.2.840.10008.1.2.5"sv) return Coding::Rle;
  if (uid == "1.2.840.10008.1.2.4.50"sv || uid == "1.2.840.10008.1.2.4.51"sv) return Coding::Jpeg;
  if (uid == "1.2.840.10008.1.2.4.57"sv || uid == "1.2.840.10008.1.2.4.70"sv)
    return Coding::JpegLossless;
  if (uid == "1.2.840.10008.1.2.4.80"sv || uid == "1.2.840.10008.1.2.4.81"sv) return Coding::JpegLs;
  return std::ranges::find(kJpeg2000, uid) != std::end(kJpeg2000) ? Coding::Jpeg2000
                                                                  : Coding::Unknown;
}

std::size_t pixels_of(const DicomFile& file) {
  return static_cast<std::size_t>(file.width) * static_cast<std::size_t>(file.height);
}

StoredSamples empty_samples(const DicomFile& file) {
  StoredSamples stored{.width = file.width,
                       .height = file.height,
                       .samples = file.samples,
                       .bits = file.bits_stored,
                       .is_signed = file.is_signed,
                       .values = {}};
  stored.values.resize(pixels_of(file) * static_cast<std::size_t>(file.samples));
  return stored;
}

/** The coded bytes of a frame; `joined` holds them if there are several fragments. */
Bytes frame_bytes(const DicomFile& file, int page, std::vector<std::byte>& joined) {
  const auto frame = static_cast<std::size_t>(page);
  const auto& fragments = file.fragments;
  if (file.frames > 1 && fragments.size() == static_cast<std::size_t>(file.frames))
    return fragments[frame].bytes;
  std::size_t begin = 0, end = std::numeric_limits<std::size_t>::max();
  if (file.frames > 1) {
    const ByteReader offsets(file.offsets, Endian::Little);
    const auto from = offsets.u32(4 * frame);
    if (!from)
      fail_damaged("DICOM", fmt::format("{} frames in {} parts and no table of them", file.frames,
                                        fragments.size()));
    begin = *from;
    end = offsets.u32(4 * frame + 4).value_or(0xFFFFFFFF);
  }
  const DicomFragment* only = nullptr;
  for (const DicomFragment& fragment : fragments) {
    if (fragment.offset < begin || fragment.offset >= end) continue;
    if (only && joined.empty()) joined.assign(only->bytes.begin(), only->bytes.end());
    if (only) joined.insert(joined.end(), fragment.bytes.begin(), fragment.bytes.end());
    only = &fragment;
  }
  if (!only) fail_damaged("DICOM", fmt::format("no pixels of frame {}", page));
  return joined.empty() ? only->bytes : Bytes(joined);
}

/** Samples of 1, 8, 16 or 32 bits, one after the other. */
StoredSamples read_plain(const DicomFile& file, int page, const DecodeOptions& options) {
  // Chroma of 4:2:2 is shared by two pixels: Y Y Cb Cr.
  const bool shared = file.photometric == "YBR_FULL_422";
  if (shared && (file.samples != 3 || file.bits_allocated != 8 || file.width % 2 != 0))
    fail_damaged("DICOM", "YBR_FULL_422 of a shape that is not possible");
  const std::size_t per_pixel = shared ? 2 : static_cast<std::size_t>(file.samples);
  const std::size_t count = pixels_of(file) * per_pixel;
  const auto bits = static_cast<std::size_t>(file.bits_allocated);
  const std::size_t first_bit = static_cast<std::size_t>(page) * count * bits;
  check_size(file.width, file.height, (first_bit + count * bits + 7) / 8, file.pixels, options);
  const ByteReader reader(file.pixels, file.endian);
  const std::size_t swap = file.endian == Endian::Big && file.pixels_are_words ? 1 : 0;
  const auto sample = [&](std::size_t i) -> std::int32_t {
    if (bits == 1) {
      const std::size_t at = first_bit + i;
      return reader.u8((at / 8) ^ swap).value_or(0) >> (at % 8) & 1;
    }
    const std::size_t at = first_bit / 8 + i * (bits / 8);
    if (bits == 8) return reader.u8(at ^ swap).value_or(0);
    if (bits == 16) return reader.u16(at).value_or(0);
    return static_cast<std::int32_t>(reader.u32(at).value_or(0));
  };
  StoredSamples stored = empty_samples(file);
  std::int32_t* to = stored.values.data();
  const std::size_t pixels = pixels_of(file);
  if (shared)
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::size_t pair = i / 2 * 4;
      *to++ = sample(pair + i % 2);
      *to++ = sample(pair + 2);
      *to++ = sample(pair + 3);
    }
  else if (file.planar && file.samples == 3)
    for (std::size_t i = 0; i < 3 * pixels; ++i) *to++ = sample(i % 3 * pixels + i / 3);
  else
    for (std::size_t i = 0; i < count; ++i) *to++ = sample(i);
  return stored;
}

/** Adds a run-length coded plane of bytes to every `step`-th value, shifted. */
void add_rle_plane(Bytes code, std::size_t count, int shift, std::int32_t* to, std::size_t step) {
  std::size_t at = 0, done = 0;
  while (done < count) {
    if (at + 1 >= code.size()) fail_damaged("DICOM", "the runs end early");
    const int control = static_cast<std::int8_t>(code[at++]);
    if (control == -128) continue;
    const std::size_t length = static_cast<std::size_t>(control < 0 ? 1 - control : control + 1);
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t from = control < 0 ? at : at + i;
      if (from >= code.size()) fail_damaged("DICOM", "the runs end early");
      if (done < count)
        to[step * done++] |=
            static_cast<std::int32_t>(std::to_integer<std::uint32_t>(code[from]) << shift);
    }
    at += control < 0 ? 1 : length;
  }
}

/** PS3.5 G: planes of bytes, the highest of each sample first. */
StoredSamples read_rle(const DicomFile& file, Bytes code, const DecodeOptions& options) {
  if (file.bits_allocated % 8 != 0) fail_damaged("DICOM", "run-length coded bits");
  const int bytes_per_sample = file.bits_allocated / 8;
  const auto planes = static_cast<std::size_t>(file.samples * bytes_per_sample);
  constexpr std::size_t kBestRun = 64;  // 128 bytes in two
  check_size(file.width, file.height, pixels_of(file) / kBestRun * planes, code, options);
  const ByteReader reader(code, Endian::Little);
  if (reader.u32(0).value_or(0) != planes)
    fail_damaged("DICOM", fmt::format("{} run-length coded planes, not {}",
                                      reader.u32(0).value_or(0), planes));
  StoredSamples stored = empty_samples(file);
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const std::size_t from = reader.u32(4 + 4 * plane).value_or(0);
    const std::size_t to = plane + 1 < planes ? reader.u32(8 + 4 * plane).value_or(0) : code.size();
    if (from < 64 || to < from) fail_damaged("DICOM", "wrong offsets of run-length coded planes");
    const auto sample = static_cast<int>(plane) / bytes_per_sample;
    const int byte = bytes_per_sample - 1 - static_cast<int>(plane) % bytes_per_sample;
    add_rle_plane(reader.part(from, to - from), pixels_of(file), 8 * byte,
                  stored.values.data() + sample, static_cast<std::size_t>(file.samples));
  }
  return stored;
}

StoredSamples read_jpeg(const DicomFile& file, Bytes code, const DecodeOptions& options) {
  if (kind_of(code) != ImageKind::Jpeg) fail_damaged("DICOM", "a frame is no JPEG image");
  DecodeOptions whole = options;
  whole.jpeg_shrink = 1;
  whole.jpeg_min_side = whole.jpeg_min_short_side = 0;
  const Image image = decode_jpeg(code, file.samples, whole, nullptr, file.photometric == "RGB");
  return {.width = image.width,
          .height = image.height,
          .samples = image.channels,
          .bits = 8,
          .values = {image.pixels.begin(), image.pixels.end()}};
}

StoredSamples read_coded(const DicomFile& file, Coding coding, int page,
                         const DecodeOptions& options) {
  if (coding == Coding::None) return read_plain(file, page, options);
  std::vector<std::byte> joined;
  const Bytes code = frame_bytes(file, page, joined);
  switch (coding) {
    case Coding::Rle:
      return read_rle(file, code, options);
    case Coding::Jpeg:
      return read_jpeg(file, code, options);
    case Coding::JpegLossless:
      return read_jpeg_lossless(code, options);
    case Coding::JpegLs:
      return read_jpeg_ls(code, options);
    default:
      if (kind_of(code) != ImageKind::Jpeg2000)
        fail_damaged("DICOM", "a frame is no JPEG 2000 image");
      return read_jpeg_2000_samples(code, options);
  }
}

/** Masks the stored bits and sign-extends them. */
void take_stored_bits(const DicomFile& file, bool is_shifted, StoredSamples& stored) {
  const int shift = is_shifted ? file.high_bit + 1 - file.bits_stored : 0;
  const int unused = 32 - file.bits_stored;
  stored.bits = file.bits_stored;
  stored.is_signed = file.is_signed;
  if (file.bits_stored == 32) return;
  for (std::int32_t& value : stored.values) {
    const std::uint32_t top = static_cast<std::uint32_t>(value) >> shift << unused;
    value = file.is_signed ? static_cast<std::int32_t>(top) >> unused
                           : static_cast<std::int32_t>(top >> unused);
  }
}

}  // namespace

bool is_dicom_jpeg(const DicomFile& file) {
  return coding_of(file.transfer_syntax) == Coding::Jpeg;
}

StoredSamples read_dicom_samples(const DicomFile& file, int page, const DecodeOptions& options) {
  const Coding coding = coding_of(file.transfer_syntax);
  if (coding == Coding::Unknown)
    fail(ErrorKind::Format,
         "[decode] DICOM in {} is not supported; rewrite it as Explicit VR Little Endian",
         dicom_syntax_name(file.transfer_syntax));
  check_size(file.width, file.height, 0, file.pixels, options);
  if ((coding != Coding::None) != file.is_coded)
    fail_damaged("DICOM", "the pixels are not coded as the header says");
  StoredSamples stored = read_coded(file, coding, page, options);
  if (stored.width != file.width || stored.height != file.height || stored.samples != file.samples)
    fail_damaged("DICOM", fmt::format("a frame of {} x {} px and {} samples, not {} x {} and {}",
                                      stored.width, stored.height, stored.samples, file.width,
                                      file.height, file.samples));
  take_stored_bits(file, coding == Coding::None || coding == Coding::Rle, stored);
  return stored;
}

}  // namespace dino::image
