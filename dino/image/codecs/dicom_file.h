// Finds the data elements of a DICOM file that describe its pixels (PS3.5, PS3.10), without
// interpreting the pixels.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

/** The window of displayed values (PS3.3 C.11.2.1.2), applied after slope and intercept. */
struct DicomWindow {
  double center = 0, width = 1;
  std::string function = "LINEAR";
};

/** One fragment of a file's encapsulated (compressed) pixel data. */
struct DicomFragment {
  std::size_t offset = 0;  ///< offset of its item from the first fragment's item, bytes
  Bytes bytes;
};

/** The data elements of a DICOM file. Its spans borrow the file's bytes. */
struct DicomFile {
  std::string transfer_syntax;  ///< its UID
  std::string modality;         ///< "CT"; empty if not said
  std::string photometric;      ///< "MONOCHROME2"
  int width = 0, height = 0;    ///< px
  int samples = 1;              ///< per pixel
  bool planar = false;          ///< samples are stored plane by plane
  int bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  int frames = 1;
  double slope = 1, intercept = 0;
  std::optional<DicomWindow> window;
  /// For red, green and blue: number of entries (0 means 65,536), first value mapped, bits per
  /// entry
  std::array<std::array<int, 3>, 3> palette_shape{};
  std::array<Bytes, 3> palette;

  Endian endian = Endian::Little;
  bool has_pixels = false;
  bool pixels_are_words = false;  ///< 16-bit words, byte-swapped in big-endian files
  Bytes pixels;                   ///< pixels of all frames; empty if compressed
  bool is_coded = false;          ///< the pixels are in `fragments`, compressed
  Bytes offsets;  ///< the offset table: where each frame's first fragment is; may be empty
  std::vector<DicomFragment> fragments;
};

/** Reads the elements; those that differ between frames are those of frame `page`, from 0. Throws
 * Error{Format} on damaged files and on files without an image. Thread-safe. */
DicomFile read_dicom_file(Bytes bytes, int page);

/** A name for a transfer syntax that is not supported, with its UID: "MPEG-2 video
 * (1.2.840.10008.1.2.4.100)"; the UID alone if it is unknown. */
std::string dicom_syntax_name(const std::string& uid);

}  // namespace dino::image
