// The zoo against the published tables, and descriptions that come back from JSON.
#include "dino/arch/zoo.h"

#include <gtest/gtest.h>

#include <set>

#include "dino/base/error.h"
#include "dino/base/json.h"

namespace dino::arch {
namespace {

double parameters_m(const Architecture& architecture) {
  double count = 0;
  for (const auto& spec : tensors(architecture)) {
    if (spec.integer || spec.name.ends_with("running_mean") || spec.name.ends_with("running_var"))
      continue;
    double size = 1;
    for (const auto n : spec.shape) size *= static_cast<double>(n);
    count += size;
  }
  return count / 1e6;
}

TEST(Zoo, HasThePublishedNumbersOfParameters) {
  for (const auto& entry : zoo()) {
    if (entry.parameters_m == 0) continue;
    double ours = parameters_m(entry.network.architecture);
    // The table of ConvNeXts counts the classifier of 1,000 classes that their paper had.
    if (entry.network.architecture.family == Family::ConvNext)
      ours += static_cast<double>(entry.network.architecture.dim() + 1) * 1e-3;
    EXPECT_NEAR(ours, entry.parameters_m, 0.004 * entry.parameters_m + 0.6) << entry.name;
  }
}

TEST(Zoo, HasTheConstantsOfTheTables) {
  const auto& giant = zoo_entry("dinov2_vitg14_reg").network.architecture;
  EXPECT_EQ(giant.vit.hidden, 4096);
  EXPECT_EQ(giant.vit.ffn, Ffn::SwiGlu);
  EXPECT_EQ(giant.vit.positions, Positions::LearnedAntialias);
  EXPECT_EQ(giant.prefix_tokens(), 5);
  const auto& large = zoo_entry("dinov3_vit7b16").network.architecture.vit;
  EXPECT_EQ(large.dim / large.heads, 128);
  EXPECT_FALSE(large.qkv_bias);
  EXPECT_EQ(zoo_entry("dinov3_vitl16_sat").network.preprocess.mean[0], 0.430);
  EXPECT_EQ(zoo_entry("dinov3_convnext_base").network.architecture.dim(), 1024);
  EXPECT_EQ(zoo_entry("dinov2_vits14").file_stem, "dinov2_vits14_pretrain");
  EXPECT_EQ(zoo_entry("dinov2_vitl14_reg").file_stem, "dinov2_vitl14_reg4_pretrain");
}

TEST(Zoo, NamesAreUniqueAndGuessed) {
  std::set<std::string> names;
  for (const auto& entry : zoo()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(entry.network.architecture.name, entry.name);
    validate(entry.network.architecture);
  }
  EXPECT_EQ(find_in_zoo("resnet"), nullptr);
  try {
    zoo_entry("dinov2_vitl14_regs");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'dinov2_vitl14_reg'"), std::string::npos);
  }
}

TEST(NetworkJson, ComesBack) {
  for (const auto& entry : zoo())
    EXPECT_EQ(network_from_json(to_json(entry.network), "test"), entry.network) << entry.name;
}

TEST(NetworkJson, RefusesWhatItDoesNotKnow) {
  const auto message_after = [](const auto& change) -> std::string {
    auto json = parse_json(to_json(zoo_entry("dinov3_vits16").network), "test", "test");
    change(json);
    try {
      network_from_json(json.dump(), "a.safetensors");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
      return error.what();
    }
    return "(no error)";
  };
  using Json = nlohmann::json;
  EXPECT_NE(message_after([](Json& j) { j["version"] = 3; }).find("newer version"),
            std::string::npos);
  EXPECT_NE(message_after([](Json& j) { j["architecture"]["vit"].erase("heads"); }).find("heads"),
            std::string::npos);
  EXPECT_NE(message_after([](Json& j) { j["architecture"]["vit"]["tails"] = 2; }).find("keys"),
            std::string::npos);
  EXPECT_NE(
      message_after([](Json& j) { j["architecture"]["vit"]["ffn"] = "glu"; }).find("mlp, swiglu"),
      std::string::npos);
  EXPECT_NE(
      message_after([](Json& j) { j["architecture"]["vit"]["heads"] = 7; }).find("must divide"),
      std::string::npos);
  EXPECT_NE(message_after([](Json& j) { j["architecture"]["vit"]["depth"] = 0; }).find("depth"),
            std::string::npos);
  EXPECT_NE(message_after([](Json& j) { j["preprocess"]["mean"] = {0.5}; }).find("mean"),
            std::string::npos);
  EXPECT_THROW(network_from_json("[1, 2", "a.safetensors"), Error);
}

TEST(Json, EarlyFilesDoNotSayHowSamplesAreKept) {
  const Network& network = zoo().front().network;
  auto json = nlohmann::json::parse(to_json(network));
  for (const char* key : {"full_range", "background", "upright", "value_range"})
    EXPECT_EQ(json["preprocess"].erase(key), 1U) << key;
  EXPECT_EQ(network_from_json(json.dump(), "test").preprocess, network.preprocess);
  json["preprocess"]["background"] = {1, 2};
  EXPECT_THROW(network_from_json(json.dump(), "test"), Error);
}

}  // namespace
}  // namespace dino::arch
