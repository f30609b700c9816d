// Strict parsing on top of nlohmann::json, which would let the last of two equal keys win.
#include "dino/base/json.h"

#include <set>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"

namespace dino {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;  // a megabyte of brackets would become a hundred of nodes
constexpr std::size_t kMaxQuotedBytes = 80;  // of foreign text in a message

std::string quote(std::string_view text) {
  return printable(text.substr(0, kMaxQuotedBytes)) + (text.size() > kMaxQuotedBytes ? "..." : "");
}

/** The reason without the parser's own "[json.exception...]" tag and without the offending text,
 * which may be megabytes. */
std::string reason_of(const Json::parse_error& error) {
  std::string_view what = error.what();
  if (const auto tag_end = what.find("] "); tag_end != what.npos) what.remove_prefix(tag_end + 2);
  return quote(what);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view operation, std::string_view name) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, Json::parse_event_t event, const Json& value) {
    if (depth > kMaxDepth) {
      fail(ErrorKind::Format, "[{}] {}: not valid JSON: nested deeper than {} levels", operation,
           printable(name), kMaxDepth);
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(value.get_ref<const std::string&>()).second) {
      fail(ErrorKind::Format, "[{}] {}: the key '{}' appears twice in one JSON object", operation,
           printable(name), quote(value.get_ref<const std::string&>()));
    }
    return true;
  };
  if (const auto zero = text.find('\0'); zero != text.npos) {  // which the parser takes for the end
    fail(ErrorKind::Format, "[{}] {}: not valid JSON at byte {}: a zero byte", operation,
         printable(name), zero);
  }
  try {
    return Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    fail(ErrorKind::Format, "[{}] {}: not valid JSON at byte {}: {}", operation, printable(name),
         error.byte, reason_of(error));
  } catch (const Json::exception& error) {  // e.g. a number too large for a double
    fail(ErrorKind::Format, "[{}] {}: not valid JSON: {}", operation, printable(name),
         quote(error.what()));
  }
}

Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path), "read JSON", path.native());
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void write_json_file(const std::filesystem::path& path, const Json& value) {
  write_file_atomically(path, dump_json(value, 2) + "\n");
}

}  // namespace dino
