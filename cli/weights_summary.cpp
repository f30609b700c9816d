#include "cli/weights_summary.h"

#include <fmt/format.h>

namespace dino::cli {

nlohmann::json weights_summary(const weights::Weights& w) {
  const arch::Architecture& a = w.network.architecture;
  std::int64_t parameters = 0;
  for (const auto& tensor : w.tensors) parameters += format::element_count(tensor.shape);
  return {{"source", w.source},
          {"architecture", a.name.empty() ? std::string(arch::name_of(a.family)) : a.name},
          {"network", nlohmann::json::parse(arch::to_json(w.network))},
          {"tensors", w.tensors.size()},
          {"parameters", parameters},
          {"ignored", w.ignored},
          {"notes", w.notes}};
}

std::string weights_text(const nlohmann::json& summary) {
  std::string text = fmt::format(
      "{}: {}, {} tensors, {:.2f} million parameters\n", summary["architecture"].get<std::string>(),
      summary["source"].get<std::string>(), summary["tensors"].get<std::int64_t>(),
      static_cast<double>(summary["parameters"].get<std::int64_t>()) / 1e6);
  if (!summary["ignored"].empty())
    text += fmt::format("  not needed, left out: {}\n", summary["ignored"].size());
  for (const auto& note : summary["notes"])
    text += fmt::format("  note: {}\n", note.get<std::string>());
  return text;
}

}  // namespace dino::cli
