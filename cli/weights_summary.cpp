#include "cli/weights_summary.h"

#include <fmt/format.h>

#include "dino/base/json.h"

namespace dino::cli {

nlohmann::json heads_summary(const std::vector<weights::Head>& heads) {
  nlohmann::json list = nlohmann::json::array();
  for (const weights::Head& head : heads) {
    const weights::HeadShape& s = head.shape;
    nlohmann::json one = {{"name", head.name},
                          {"in_dim", s.in_dim},
                          {"outputs", s.outputs},
                          {"bias", s.bias},
                          {"text", weights::describe(s)}};
    if (s.kind == weights::HeadKind::Projection)
      one.update({{"layers", s.layers},
                  {"hidden", s.hidden},
                  {"bottleneck", s.bottleneck},
                  {"batch_norm", s.batch_norm},
                  {"weight_norm", s.weight_norm}});
    list.push_back(std::move(one));
  }
  return list;
}

std::string heads_text(const nlohmann::json& heads) {
  std::string text;
  for (const auto& head : heads)
    text += fmt::format(
        "  {}: {}{}\n", head["name"].get<std::string>(), head["text"].get<std::string>(),
        head.contains("input") ? fmt::format(", of {}", head["input"].get<std::string>())
                               : std::string());
  return text;
}

nlohmann::json weights_summary(const weights::Weights& w) {
  const arch::Architecture& a = w.network.architecture;
  std::int64_t parameters = 0;
  for (const auto& tensor : w.tensors) parameters += format::element_count(tensor.shape);
  nlohmann::json heads = heads_summary(w.heads);
  for (auto& head : heads)
    if (head["name"] == weights::kClassifier)
      head["input"] = weights::classifier_input(a, head["in_dim"].get<std::int64_t>());
  std::vector<std::string> notes = w.notes;
  for (const std::string& why : w.unusable_heads) notes.push_back("left out, a head: " + why);
  return {{"source", w.source},
          {"architecture", a.name.empty() ? std::string(arch::name_of(a.family)) : a.name},
          {"network", parse_json(arch::to_json(w.network), "inspect", w.source)},
          {"tensors", w.tensors.size()},
          {"parameters", parameters},
          {"heads", heads},
          {"ignored", w.ignored},
          {"notes", notes}};
}

std::string weights_text(const nlohmann::json& summary) {
  std::string text = fmt::format(
      "{}: {}, {} tensors, {:.2f} million parameters\n", summary["architecture"].get<std::string>(),
      summary["source"].get<std::string>(), summary["tensors"].get<std::int64_t>(),
      static_cast<double>(summary["parameters"].get<std::int64_t>()) / 1e6);
  text += heads_text(summary["heads"]);
  if (!summary["ignored"].empty())
    text += fmt::format("  not needed, left out: {}\n", summary["ignored"].size());
  for (const auto& note : summary["notes"])
    text += fmt::format("  note: {}\n", note.get<std::string>());
  return text;
}

}  // namespace dino::cli
