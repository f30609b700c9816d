// Classifies files by the extension of their name, before they are opened: which files of a folder
// may be images, and which are images of formats that decode() does not read, to be counted and
// reported. sniff.h identifies the contents.
#pragma once
#include <string_view>

namespace dino::image {

enum class NameClass {
  Image,       ///< the extension of a format that decode() reads
  Unreadable,  ///< the extension of an image, volume or video format that it does not read
  Unnamed,     ///< no extension, or a number as in DICOM file names: kind_of() decides
  Other        ///< any other file: text, labels, archives
};

struct NameHint {
  NameClass found = NameClass::Other;
  /// A phrase for messages about Image and Unreadable files, "a JPEG image"; else empty
  std::string_view what;
  /// What to do with Unreadable files, "convert its slices to PNG or NPY"; else empty
  std::string_view remedy;
};

/** Classifies a file name or path, ignoring case. Thread-safe. */
NameHint hint_of_name(std::string_view path);

/** hint_of_name(path).found == NameClass::Image. */
bool has_image_extension(std::string_view path);

/** The extensions of class Image for use in messages: ".jpg .jpeg ...". */
std::string_view image_extensions();

}  // namespace dino::image
