// Published sizes told by names and shapes alone: no bytes are needed, so the largest can be tried.
#include "dino/weights/detect.h"

#include <gtest/gtest.h>

#include "dino/weights/rules.h"

#include "dino/arch/zoo.h"

namespace dino::weights {
namespace {

/** The tensors of a scheme's file, without their bytes. */
struct Skeleton {
  Skeleton(const arch::Architecture& architecture, Layout layout) {
    for (const Rule& rule : rules(layout, architecture))
      for (const Part& part : rule.parts)
        if (!part.name.empty() && !part.optional)
          records.push_back({part.name, format::DType::F32, part_shape(rule, part), {}});
    for (const auto& record : records) named[record.name] = &record;
  }
  std::vector<format::TensorRecord> records;
  NamedTensors named;
};

Detected detected(const char* zoo, Layout layout, const char* file, bool local_norm) {
  arch::Architecture architecture = arch::zoo_entry(zoo).network.architecture;
  architecture.vit.local_cls_norm = local_norm;
  const Skeleton skeleton(architecture, layout);
  return detect(skeleton.named, "a file", file);
}

void expect_satellite(const Detected& d, bool satellite, bool doubtful) {
  const std::string& name = d.network.architecture.name;
  EXPECT_EQ(name.ends_with("_sat"), satellite) << name;
  EXPECT_EQ(d.network.preprocess, arch::zoo_entry(name).network.preprocess);
  EXPECT_EQ(d.doubt.empty(), !doubtful) << d.doubt;
  EXPECT_TRUE(d.notes.empty());
}

TEST(Detect, EveryPublishedBackboneByItsOfficialTensors) {
  for (const auto& entry : arch::zoo()) {
    const Skeleton skeleton(entry.network.architecture, Layout::Official);
    const Detected d = detect(skeleton.named, "a file", entry.file_stem + ".pth");
    EXPECT_EQ(d.network, entry.network) << entry.name;
    EXPECT_TRUE(d.doubt.empty()) << entry.name;
  }
}

// The norm of local crops is in ViT-L's satellite weights and not in its others: a renamed file
// still shows it.
TEST(Detect, RenamedSatelliteWeights) {
  expect_satellite(detected("dinov3_vitl16", Layout::Official, "a.pth", true), true, false);
  expect_satellite(detected("dinov3_vitl16", Layout::Official, "a.pth", false), false, false);
  expect_satellite(detected("dinov3_vits16", Layout::Official, "my_sat.pth", false), false, false);
  // Both of the 7B have it, and ports leave it out: the name decides, or doubt is told.
  expect_satellite(detected("dinov3_vit7b16", Layout::Official, "a.pth", true), false, true);
  expect_satellite(detected("dinov3_vit7b16", Layout::Official, "7b_sat.pth", true), true, false);
  expect_satellite(detected("dinov3_vitl16", Layout::Timm, "a.pth", false), false, true);
  expect_satellite(
      detected("dinov3_vitl16", Layout::HuggingFace, "x-sat493m/model.safetensors", false), true,
      false);
  expect_satellite(detected("dinov3_vitl16", Layout::HuggingFace, "x/model.safetensors", false),
                   false, true);
}

TEST(Detect, StatisticsNameSatelliteWeights) {
  arch::Network network = arch::zoo_entry("dinov3_vitl16").network;
  name_by_statistics(network);
  EXPECT_EQ(network.architecture.name, "dinov3_vitl16");
  network.preprocess.mean = arch::zoo_entry("dinov3_vitl16_sat").network.preprocess.mean;
  name_by_statistics(network);
  EXPECT_EQ(network.architecture.name, "dinov3_vitl16");  // half of them
  network.preprocess.std = arch::zoo_entry("dinov3_vitl16_sat").network.preprocess.std;
  name_by_statistics(network);
  EXPECT_EQ(network.architecture.name, "dinov3_vitl16_sat");
}

}  // namespace
}  // namespace dino::weights
