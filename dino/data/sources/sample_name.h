// The naming convention of WebDataset: KEY.EXTENSION, where KEY ends at the first dot of the file's
// name; members with one key are one sample.
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

/** A larger member of an archive is no image. */
inline constexpr std::uint64_t kLargestImageBytes = 512 << 20;
/** First bytes of a file that tell what it is. */
inline constexpr std::size_t kTellingBytes = 512;

/** "a/b" of "a/b.left.jpg". */
std::string_view sample_key(std::string_view name);
/** "left.jpg" of "a/b.left.jpg", in lower case. */
std::string sample_extension(std::string_view name);

/** What to make of a member by its name. Hidden files are nothing. */
enum class MemberUse {
  Image,    ///< its extension is among `inputs` or, if that is empty, an image's
  Unknown,  ///< no telling name: its first bytes decide (only if `inputs` is empty)
  Other,
};
MemberUse use_of(std::string_view name, const std::vector<std::string>& inputs);

/** What a .cls or .json member labels: "a/b.0" of "a/b.0.cls"; nothing of other members. */
std::optional<std::string_view> labeled_by(std::string_view name);

/** What may label an image, the nearest first: "a/b.0.png", "a/b.0", "a/b" of "a/b.0.png".
 * WebDataset has only the last, the key; others write "b.0.cls" beside "b.0.png". */
std::vector<std::string_view> label_stems(std::string_view image);

/** Whether a file of that name should be looked into to find out whether it is an image: it has no
 * extension, or one that nothing is known by. */
bool is_unknown_name(std::string_view name);

/** Whether a member of an archive that is `depth` archives deep (the outermost: 1) is an archive to
 * look into: a .tar, as ImageNet has one for each class. */
bool is_inner_archive(const format::TarMember& member, std::size_t depth);
/** "a/n01440764/" of "a/n01440764.tar": its members count as those of a folder. */
std::string folder_of_archive(std::string_view name);

/** Notes a file that is no image but a picture, volume or video, or an archive: by its name, or by
 * its first bytes if they were read. */
void note_unread(std::vector<SourceNote>& notes, std::string_view name,
                 std::span<const std::byte> head = {});

}  // namespace dino::data
