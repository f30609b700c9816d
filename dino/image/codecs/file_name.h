// What the name of a file promises before it is opened: which files of a folder may be images, and
// which are pictures that decode() does not read, to be counted and named. What a file really is
// its first bytes tell (sniff.h).
#pragma once
#include <string_view>

namespace dino::image {

enum class NameClass {
  Image,       ///< the extension of a kind that decode() reads
  Unreadable,  ///< the extension of a picture, volume or video that it does not read
  Unnamed,  ///< no extension, or a number for one as DICOM files have: kind_of() the bytes decides
  Other     ///< anything else: text, labels, archives
};

struct NameHint {
  NameClass found = NameClass::Other;
  /// Of Image and Unreadable files, for messages: "a JPEG image", "a NIfTI volume"; else empty
  std::string_view what;
  /// Of Unreadable files, what to do: "convert its slices to PNG or NPY"; else empty
  std::string_view remedy;
};

/** Of a file name with or without its folders; capitals count as small letters. Thread-safe. */
NameHint hint_of_name(std::string_view path);

/** hint_of_name(path).found == NameClass::Image. */
bool has_image_extension(std::string_view path);

/** The extensions of Image, as a message lists them: ".jpg .jpeg ...". */
std::string_view image_extensions();

}  // namespace dino::image
