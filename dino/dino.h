// The public header for inference: loads published or own weights and computes features of images.
//
//   const dino::FeatureExtractor extractor("dinov2_vits14_pretrain.pth");
//   const dino::Features features = extractor.features("photo.jpg");
//   features.cls        // [1, D]
//   features.patches    // [1, P, D], row-major over grid_height x grid_width
//
// FeatureExtractor is thread-safe: any number of threads may call one at the same time. Errors are
// dino::Error with a kind and a message that names what is wrong; the library never prints, exits
// or reads the environment. Training and evaluation have headers of their own under dino/.
#pragma once

#include "dino/arch/zoo.h"                   // the published backbones by name
#include "dino/base/error.h"                 // what is thrown
#include "dino/data/prepare/preprocess.h"    // how images are prepared
#include "dino/embed/feature_extractor.h"    // images -> features
#include "dino/embed/store/feature_store.h"  // features of many images, on disk
#include "dino/image/codecs/decode.h"        // files -> images
#include "dino/weights/network_pair.h"       // training checkpoints in the papers' layouts
#include "dino/weights/read.h"               // weights of any form, without a network
#include "dino/weights/write.h"              // weights into files

namespace dino {
using embed::FeatureExtractor;
using embed::FeatureStore;
using model::Features;
using model::Precision;
}  // namespace dino
