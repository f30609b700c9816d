#include "dino/eval/match_classes.h"

#include <algorithm>
#include <unordered_map>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::eval {

std::vector<std::int64_t> match_classes(const std::vector<std::string>& gallery_names,
                                        const std::vector<std::string>& query_names,
                                        const std::string& gallery, const std::string& queries) {
  constexpr std::size_t kShown = 5;
  std::unordered_map<std::string, std::int64_t> number;
  for (const std::string& name : gallery_names) number.emplace(name, std::ssize(number));
  std::vector<std::int64_t> class_of;
  std::vector<std::string> unknown;
  for (const std::string& name : query_names) {
    const auto found = number.find(name);
    class_of.push_back(found == number.end() ? -1 : found->second);
    if (found == number.end()) unknown.push_back(printable(std::string_view(name)));
  }
  if (!unknown.empty()) {
    const std::size_t count = unknown.size();
    unknown.resize(std::min(count, kShown));
    fail(
        ErrorKind::Data,
        "[knn] {} of the {} classes of {} are not among the {} of {}, whose images alone can vote: "
        "{}{}; leave their images out, or add some to the gallery",
        count, query_names.size(), queries, gallery_names.size(), gallery, fmt::join(unknown, ", "),
        count > kShown ? ", ..." : "");
  }
  return class_of;
}

void relabel(embed::FeatureMatrix& queries, const std::vector<std::int64_t>& class_of) {
  for (std::int64_t& label : queries.labels)
    if (label >= 0) label = class_of.at(static_cast<std::size_t>(label));
}

}  // namespace dino::eval
