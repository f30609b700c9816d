// The naming convention of WebDataset: KEY.EXTENSION, where KEY ends at the first dot of the file's
// name; members with one key are one sample.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dino::data {

/** A larger member of an archive is no image. */
inline constexpr std::uint64_t kLargestImageBytes = 512 << 20;

/** "a/b" of "a/b.left.jpg". */
std::string_view sample_key(std::string_view name);
/** "left.jpg" of "a/b.left.jpg", in lower case. */
std::string sample_extension(std::string_view name);

/** Whether a member is an image to use: one whose extension is among `inputs` or, if that is empty,
 * any image. Hidden files are none. */
bool is_input(std::string_view name, const std::vector<std::string>& inputs);

/** The label in a .cls member (its text) or a .json member (its "label", "cls" or "class", a string
 * or an integer; empty if it has none). Throws Error{Format} where there should be one and is not.
 */
std::string parse_label(std::string_view bytes, bool json);

}  // namespace dino::data
