#include "dino/image/codecs/dicom_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr int kDeepest = 16;  // sequences inside sequences

constexpr std::uint32_t tag_of(std::uint32_t group, std::uint32_t element) {
  return group << 16 | element;
}
constexpr std::uint32_t kItem = tag_of(0xFFFE, 0xE000), kItemEnd = tag_of(0xFFFE, 0xE00D),
                        kSequenceEnd = tag_of(0xFFFE, 0xE0DD), kPixels = tag_of(0x7FE0, 0x0010),
                        kSharedGroups = tag_of(0x5200, 0x9229),
                        kFrameGroups = tag_of(0x5200, 0x9230);

struct Element {
  std::uint32_t tag = 0;
  bool is_sequence = false;
  bool is_unknown = false;   ///< inside, if it is a sequence, representations are left out
  bool is_words = false;     ///< numbers of 16 bits, in the file's order
  std::uint32_t length = 0;  ///< bytes; kUndefined: ends with a mark
  std::size_t at = 0;        ///< of its value
};

[[noreturn]] void fail_short() {
  fail_damaged("DICOM", "the file ends early");
}

std::string text_of(Bytes value) {
  std::string text(reinterpret_cast<const char*>(value.data()), value.size());
  text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
  text.erase(text.find_last_not_of(' ') + 1);
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

/** The first of the numbers of a decimal string: "40\400". */
std::optional<double> number_of(Bytes value) {
  std::string text = text_of(value);
  text.erase(std::min(text.find('\\'), text.size()));
  text.erase(text.find_last_not_of(' ') + 1);
  if (text.starts_with('+')) text.erase(0, 1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

/** Iterates over the elements of a file. */
class Parser {
 public:
  Parser(Bytes bytes, int page) : reader_(bytes, Endian::Little), page_(page) {}

  DicomFile run() {
    constexpr std::size_t kMark = 128;
    const Bytes mark = reader_.part(kMark, 4);
    const bool marked = text_of(mark) == "DICM";
    const std::size_t body = walk(marked ? kMark + 4 : 0, reader_.size(), 0, true, true);
    if (file_.transfer_syntax == "1.2.840.10008.1.2.1.99")
      fail(ErrorKind::Format,
           "[decode] DICOM in {} is not supported; rewrite it as Explicit VR Little Endian",
           dicom_syntax_name(file_.transfer_syntax));
    // Old files leave the transfer syntax out: the first group is a small number. Some
    // representations are not those that the file says: the first element shows.
    const bool says_none = file_.transfer_syntax.empty();
    if (file_.transfer_syntax == "1.2.840.10008.1.2.2" ||
        (says_none && reader_.u16(body).value_or(0) > 255)) {
      file_.endian = Endian::Big;
      reader_ = ByteReader(reader_.part(0, reader_.size()), Endian::Big);
    }
    const bool is_explicit = names_representation(body);
    if (says_none) file_.transfer_syntax = "1.2.840.10008.1.2";
    walk(body, reader_.size(), 0, is_explicit, false);
    return std::move(file_);
  }

 private:
  static bool has_long_length(std::string_view representation) {
    constexpr std::string_view kLong[] = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                          "SV", "UC", "UN", "UR", "UT", "UV"};
    return std::ranges::find(kLong, representation) != std::end(kLong);
  }

  bool names_representation(std::size_t at) const {
    const auto is_letter = [&](std::size_t i) {
      const int c = reader_.u8(i).value_or(0);
      return c >= 'A' && c <= 'Z';
    };
    return is_letter(at + 4) && is_letter(at + 5);
  }

  Element element_at(std::size_t at, bool is_explicit) const {
    const auto group = reader_.u16(at), number = reader_.u16(at + 2);
    const auto long_length = reader_.u32(at + 4);
    if (!group || !number || !long_length) fail_short();
    Element element{.tag = tag_of(*group, *number), .length = *long_length, .at = at + 8};
    if (*group == 0xFFFE || !is_explicit) {
      element.is_sequence = element.length == kUndefined || is_known_sequence(element.tag);
      return element;
    }
    const Bytes name = reader_.part(at + 4, 2);
    const std::string_view representation(reinterpret_cast<const char*>(name.data()), name.size());
    if (has_long_length(representation)) {
      const auto length = reader_.u32(at + 8);
      if (!length) fail_short();
      element.length = *length;
      element.at = at + 12;
    } else {
      element.length = *reader_.u16(at + 6);
    }
    element.is_sequence = representation == "SQ" || element.length == kUndefined;
    element.is_unknown = representation == "UN";
    element.is_words = representation == "OW";
    return element;
  }

  /** The sequences that may contain wanted elements; files with implicit VR do not tell. */
  static bool is_known_sequence(std::uint32_t tag) {
    constexpr std::uint32_t kValues = tag_of(0x0028, 0x9145), kShown = tag_of(0x0028, 0x9132);
    return tag == kSharedGroups || tag == kFrameGroups || tag == kValues || tag == kShown;
  }

  /** Elements from `at` to `end` or the mark that ends the item. Returns where it stopped. `meta`:
   * stops after group 2. */
  std::size_t walk(std::size_t at, std::size_t end, int depth, bool is_explicit, bool meta) {
    if (depth > kDeepest) fail_damaged("DICOM", "sequences too deep inside each other");
    // Padding of less than an element may follow the last.
    while (end - at >= 8) {
      const Element element = element_at(at, is_explicit);
      if (meta && element.tag >> 16 != 2) return at;
      if (element.tag == kItemEnd) return element.at;
      if (element.tag == kPixels && depth == 0) {
        take_pixels(element, end);
        return end;
      }
      at = element.is_sequence ? walk_sequence(element, end, depth, is_explicit)
                               : take(element, end);
    }
    return end;
  }

  std::size_t walk_sequence(const Element& sequence, std::size_t end, int depth, bool is_explicit) {
    const bool open = sequence.length == kUndefined;
    if (!open && sequence.length > end - std::min(end, sequence.at)) fail_short();
    const std::size_t sequence_end = open ? end : sequence.at + sequence.length;
    if (!open && !is_known_sequence(sequence.tag)) return sequence_end;
    const bool was_quiet = quiet_;
    std::size_t at = sequence.at;
    int number = 0;
    while (sequence_end - std::min(sequence_end, at) >= 8) {
      const Element item = element_at(at, is_explicit);
      if (item.tag == kSequenceEnd) {
        at = item.at;
        break;
      }
      if (item.tag != kItem) fail_damaged("DICOM", "a sequence holds something else than items");
      quiet_ = was_quiet || !is_known_sequence(sequence.tag) ||
               number++ != (sequence.tag == kFrameGroups ? page_ : 0);
      if (item.length != kUndefined && item.length > sequence_end - item.at) fail_short();
      const std::size_t item_end = item.length == kUndefined ? sequence_end : item.at + item.length;
      // Coded pixels of an icon are items of bytes.
      at = sequence.tag == kPixels
               ? item_end
               : walk(item.at, item_end, depth + 1, is_explicit && !sequence.is_unknown, false);
    }
    quiet_ = was_quiet;
    return open ? at : sequence_end;
  }

  /** Reads a wanted element; returns where the next begins. */
  std::size_t take(const Element& element, std::size_t end) {
    if (element.at > end || element.length > end - element.at) fail_short();
    if (!quiet_) keep(element.tag, reader_.part(element.at, element.length), element.at);
    return element.at + element.length;
  }

  int short_of(std::size_t at, Bytes value) const {
    return value.size() < 2 ? 0 : reader_.u16(at).value_or(0);
  }

  void keep(std::uint32_t tag, Bytes value, std::size_t at) {
    const int number = short_of(at, value);
    switch (tag) {
      case tag_of(0x0002, 0x0010):
        file_.transfer_syntax = text_of(value);
        break;
      case tag_of(0x0008, 0x0060):
        file_.modality = text_of(value);
        break;
      case tag_of(0x0028, 0x0002):
        file_.samples = number;
        break;
      case tag_of(0x0028, 0x0004):
        file_.photometric = text_of(value);
        break;
      case tag_of(0x0028, 0x0006):
        file_.planar = number == 1;
        break;
      case tag_of(0x0028, 0x0008):
        file_.frames = static_cast<int>(std::clamp(number_of(value).value_or(1), 1.0, 1e9));
        break;
      case tag_of(0x0028, 0x0010):
        file_.height = number;
        break;
      case tag_of(0x0028, 0x0011):
        file_.width = number;
        break;
      case tag_of(0x0028, 0x0100):
        file_.bits_allocated = number;
        break;
      case tag_of(0x0028, 0x0101):
        file_.bits_stored = number;
        break;
      case tag_of(0x0028, 0x0102):
        file_.high_bit = number;
        break;
      case tag_of(0x0028, 0x0103):
        file_.is_signed = number == 1;
        break;
      default:
        keep_meaning(tag, value, at);
    }
  }

  /** Reads what the pixel values mean. */
  void keep_meaning(std::uint32_t tag, Bytes value, std::size_t at) {
    const auto window = [&]() -> DicomWindow& {
      return file_.window ? *file_.window : file_.window.emplace(DicomWindow{.width = -1});
    };
    switch (tag) {
      case tag_of(0x0028, 0x1050):
        if (const auto center = number_of(value)) window().center = *center;
        break;
      case tag_of(0x0028, 0x1051):
        if (const auto width = number_of(value)) window().width = *width;
        break;
      case tag_of(0x0028, 0x1052):
        file_.intercept = number_of(value).value_or(0);
        break;
      case tag_of(0x0028, 0x1053):
        file_.slope = number_of(value).value_or(1);
        break;
      case tag_of(0x0028, 0x1056):
        window().function = text_of(value);
        break;
      case tag_of(0x0028, 0x1101):
      case tag_of(0x0028, 0x1102):
      case tag_of(0x0028, 0x1103):
        for (std::size_t i = 0; i < 3 && 2 * i + 2 <= value.size(); ++i)
          file_.palette_shape[(tag & 15) - 1][i] = reader_.u16(at + 2 * i).value_or(0);
        break;
      case tag_of(0x0028, 0x1201):
      case tag_of(0x0028, 0x1202):
      case tag_of(0x0028, 0x1203):
        file_.palette[(tag & 15) - 1] = value;
        break;
      default:
        break;
    }
  }

  void take_pixels(const Element& element, std::size_t end) {
    file_.has_pixels = true;
    file_.pixels_are_words = element.is_words;
    if (element.length != kUndefined) {
      file_.pixels = reader_.part(element.at, element.length);
      return;
    }
    file_.is_coded = true;
    std::size_t at = element.at, first = 0;
    for (int number = 0; end - std::min(end, at) >= 8; ++number) {
      const Element item = element_at(at, false);
      if (item.tag != kItem) break;
      if (item.length > end - item.at) fail_short();
      const Bytes bytes = reader_.part(item.at, item.length);
      if (number == 0) {
        file_.offsets = bytes;
        first = item.at + item.length;
      } else {
        file_.fragments.push_back({.offset = at - first, .bytes = bytes});
      }
      at = item.at + item.length;
    }
  }

  ByteReader reader_;
  int page_;
  bool quiet_ = false;  ///< inside something that is not looked for
  DicomFile file_;
};

void check_shape(const DicomFile& file) {
  if (!file.has_pixels)
    fail(ErrorKind::Format, "[decode] DICOM file without an image (modality {})",
         file.modality.empty() ? "not said" : file.modality);
  const bool good_bits = file.bits_allocated == 1 || file.bits_allocated == 8 ||
                         file.bits_allocated == 16 || file.bits_allocated == 32;
  if (!good_bits || file.bits_stored < 1 || file.bits_stored > file.bits_allocated ||
      file.high_bit < file.bits_stored - 1 || file.high_bit >= file.bits_allocated)
    fail_damaged("DICOM", fmt::format("{} of {} bits, the highest at {}", file.bits_stored,
                                      file.bits_allocated, file.high_bit));
  if (file.samples != 1 && file.samples != 3)
    fail(ErrorKind::Format,
         "[decode] DICOM with {} samples per pixel is not supported (1 and 3 are)", file.samples);
}

}  // namespace

DicomFile read_dicom_file(Bytes bytes, int page) {
  DicomFile file = Parser(bytes, page).run();
  check_shape(file);
  if (file.window && file.window->width < 0) file.window.reset();
  if (page >= file.frames)
    fail(ErrorKind::Format, "[decode] no frame {}: the DICOM file has {}", page, file.frames);
  return file;
}

std::string dicom_syntax_name(const std::string& uid) {
  static const std::map<std::string_view, std::string_view> kNames = {
      {"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"},
      {"1.2.840.10008.1.2.4.100", "MPEG-2 video"},
      {"1.2.840.10008.1.2.4.101", "MPEG-2 video"},
      {"1.2.840.10008.1.2.4.102", "MPEG-4 video"},
      {"1.2.840.10008.1.2.4.103", "MPEG-4 video"},
      {"1.2.840.10008.1.2.4.107", "HEVC video"},
      {"1.2.840.10008.1.2.4.108", "HEVC video"},
      {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless"},
      {"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"},
      {"1.2.840.10008.1.2.4.112", "JPEG XL"},
  };
  const auto found = kNames.find(uid);
  return found == kNames.end() ? uid : fmt::format("{} ({})", found->second, uid);
}

}  // namespace dino::image
