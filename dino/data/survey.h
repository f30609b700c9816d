// What a collection of images holds: formats, sizes, depths, broken files, duplicates, and the
// per-channel mean and standard deviation that recipes want. The figures do not depend on the
// number of threads.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dino/base/thread_pool.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/value_check.h"

namespace dino::data {

struct SurveyOptions {
  std::int64_t images = 0;           ///< to look at, spread over the whole set; 0: all
  int channels = 0;                  ///< to compute statistics in; 0: those each file has
  bool statistics = false;           ///< mean and standard deviation
  image::DecodeOptions decode = {};  ///< how files are read; as the data set was opened
};

/** Of one channel's pixels, in [0, 1] (see image::decode_wide(): samples outside are not cut). */
struct ChannelStatistics {
  double mean = 0;
  double std = 0;  ///< of the population
};

struct Survey {
  struct Bad {
    std::string name;
    std::string reason;
  };
  std::int64_t images = 0;                      ///< in the set
  std::int64_t examined = 0;                    ///< read and decoded, bad ones included
  std::int64_t bytes = 0;                       ///< of the examined files
  std::map<std::string, std::int64_t> formats;  ///< "jpeg", "png", ..., "array"
  std::map<std::string, std::int64_t> sizes;    ///< "640x480", as decoded
  std::map<int, std::int64_t> channels;         ///< without alpha
  std::map<std::string, std::int64_t> depths;   ///< bits per sample: "8", "16", "32 float"
  std::vector<ValueKind> values;                ///< samples, by kind, and their range
  std::int64_t with_alpha = 0;
  std::int64_t with_pages = 0;  ///< TIFF files of several pages under another name: only their
                                ///< first page is an image of the set
  std::map<std::string, std::int64_t> classes;  ///< of all images, examined or not
  std::int64_t unlabeled = 0;                   ///< of all images, where others have a class
  std::string first_unlabeled;                  ///< the name of the first of them
  std::vector<SourceNote> notes;  ///< what the source holds besides; see Dataset::notes()
  std::vector<Bad> bad;           ///< in the order of the set
  std::vector<std::vector<std::string>> duplicates;          ///< groups of equal bytes, by name
  std::map<int, std::vector<ChannelStatistics>> statistics;  ///< by number of channels
};

/** Reads and decodes the images on the pool's threads. Bad images (Error{Io|Format}) are listed,
 * any other error is thrown. */
Survey survey(const Dataset& dataset, const SurveyOptions& options, ThreadPool& pool);

}  // namespace dino::data
