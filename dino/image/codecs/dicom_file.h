// A DICOM file's data elements that matter for its pixels (PS3.5, PS3.10): found, not interpreted.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

/** What to show of the values (PS3.3 C.11.2.1.2), after slope and intercept. */
struct DicomWindow {
  double center = 0, width = 1;
  std::string function = "LINEAR";
};

/** One part of a file's coded pixels. */
struct DicomFragment {
  std::size_t offset = 0;  ///< of its item from the first fragment's
  Bytes bytes;
};

/** Borrows the file's bytes. */
struct DicomFile {
  std::string transfer_syntax;  ///< its UID
  std::string modality;         ///< "CT"; empty if not said
  std::string photometric;      ///< "MONOCHROME2"
  int width = 0, height = 0;    ///< px
  int samples = 1;              ///< per pixel
  bool planar = false;          ///< one sample of all pixels after the other
  int bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  int frames = 1;
  double slope = 1, intercept = 0;
  std::optional<DicomWindow> window;
  /// Red, green, blue: number of entries (0: 65,536), first value mapped, bits of an entry
  std::array<std::array<int, 3>, 3> palette_shape{};
  std::array<Bytes, 3> palette;

  Endian endian = Endian::Little;
  bool has_pixels = false;
  bool pixels_are_words = false;  ///< swapped in pairs of bytes in files of the other order
  Bytes pixels;                   ///< of all frames; empty if coded
  bool is_coded = false;          ///< the pixels lie in fragments
  Bytes offsets;                  ///< of each frame's first fragment; may be empty
  std::vector<DicomFragment> fragments;
};

/** What is said of frame `page` where frames differ. Throws Error{Format} on damage and on what has
 * no image. Thread-safe. */
DicomFile read_dicom_file(Bytes bytes, int page);

/** "MPEG-2 video (1.2.840.10008.1.2.4.100)": the name of a transfer syntax that is not read, and
 * its UID; of unknown ones the UID. */
std::string dicom_syntax_name(const std::string& uid);

}  // namespace dino::image
