// The naming convention of WebDataset: members are named KEY.EXTENSION, where KEY ends at the first
// dot of the file name, and members with equal keys form a sample. Private to dino/data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/source_note.h"
#include "dino/format/tar.h"

namespace dino::data {

/** Larger members of archives are not read as images. */
inline constexpr std::uint64_t kLargestImageBytes = 512 << 20;
/** The number of first bytes that identify a file's format. */
inline constexpr std::size_t kTellingBytes = 512;

/** The key: "a/b" for "a/b.left.jpg". */
std::string_view sample_key(std::string_view name);
/** The extension in lower case: "left.jpg" for "a/b.left.jpg". */
std::string sample_extension(std::string_view name);

/** The use of a member by its name. Hidden files are Other. */
enum class MemberUse {
  Image,    ///< its extension is in `inputs` or, if that is empty, an image format's
  Unknown,  ///< its first bytes must decide (only if `inputs` is empty)
  Other,
};
MemberUse use_of(std::string_view name, const std::vector<std::string>& inputs);

/** The stem that a .cls or .json member labels: "a/b.0" for "a/b.0.cls"; nothing for others. */
std::optional<std::string_view> labeled_by(std::string_view name);

/** The stems whose label members apply to an image, the most specific first: "a/b.0.png", "a/b.0",
 * "a/b" for "a/b.0.png". WebDataset uses only the last, the key; other programs write "b.0.cls"
 * beside "b.0.png". */
std::vector<std::string_view> label_stems(std::string_view image);

/** Whether a file must be opened to find out whether it is an image: its name has no extension or
 * an unknown one. */
bool is_unknown_name(std::string_view name);

/** Whether a member is an inner archive to be read: a .tar, as ImageNet has one per class. `depth`
 * is the nesting depth of the archive that holds it (outermost: 1), which is limited. */
bool is_inner_archive(const format::TarMember& member, std::size_t depth);
/** The folder that an inner archive is treated as: "a/n01440764/" for "a/n01440764.tar". */
std::string folder_of_archive(std::string_view name);

/** Adds a note if a file that is not used is an image, volume, video or archive of an unsupported
 * format, by its name or, if given, its first bytes. */
void note_unread(std::vector<SourceNote>& notes, std::string_view name,
                 std::span<const std::byte> head = {});

}  // namespace dino::data
