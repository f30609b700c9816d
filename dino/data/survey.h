// Statistics of a collection of images: formats, sizes, depths, broken files, duplicates, and the
// mean and standard deviation per channel for recipes. Results do not depend on the number of
// threads.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "dino/base/thread_pool.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/value_check.h"

namespace dino::data {

struct SurveyOptions {
  std::int64_t images = 0;           ///< number to examine, spread over the whole set; 0 = all
  int channels = 0;                  ///< channels for the statistics; 0 = those of each file
  bool statistics = false;           ///< compute mean and standard deviation
  image::DecodeOptions decode = {};  ///< the options with which the data set was opened
  /// Called with the samples of each image that could be read, by any thread of the pool and in any
  /// order, for whoever wants to know more of them without decoding again; `index` is in the set
  std::function<void(std::int64_t index, const image::Raster& raster)> look = {};
};

/** Statistics of one channel's pixels, scaled to [0, 1] without clipping (see
 * image::decode_wide()). */
struct ChannelStatistics {
  double mean = 0;
  double std = 0;  ///< of the population, not the sample
};

struct Survey {
  struct Bad {
    std::string name;
    std::string reason;
  };
  std::int64_t images = 0;                      ///< number in the set
  std::int64_t examined = 0;                    ///< number read and decoded, including bad ones
  std::int64_t bytes = 0;                       ///< size of the examined files
  std::map<std::string, std::int64_t> formats;  ///< "jpeg", "png", ..., "array"
  std::map<std::string, std::int64_t> sizes;    ///< "640x480", as decoded
  std::map<int, std::int64_t> channels;         ///< number of images by channels, without alpha
  std::map<std::string, std::int64_t> depths;   ///< bits per sample: "8", "16", "32 float"
  std::vector<ValueKind> values;                ///< sample values by kind, with their range
  std::int64_t with_alpha = 0;
  std::int64_t with_pages = 0;  ///< TIFF files of several pages with another extension: only their
                                ///< first page is an image of the set
  std::map<std::string, std::int64_t> classes;  ///< counts of all images, examined or not
  std::int64_t unlabeled = 0;                   ///< images without a class, if others have one
  std::string first_unlabeled;                  ///< name of the first of them
  std::vector<SourceNote> notes;  ///< unused contents of the source; see Dataset::notes()
  std::vector<Bad> bad;           ///< in the order of the set
  /// Names of images with equal bytes, by group
  std::vector<std::vector<std::string>> duplicates;
  std::map<int, std::vector<ChannelStatistics>> statistics;  ///< by number of channels
};

/** Reads and decodes the images on the pool's threads. Bad images (Error{Io|Format}) are listed;
 * other errors are thrown. */
Survey survey(const Dataset& dataset, const SurveyOptions& options, ThreadPool& pool);

}  // namespace dino::data
