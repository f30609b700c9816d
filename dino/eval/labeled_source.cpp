#include "dino/eval/labeled_source.h"

#include "dino/base/error.h"
#include "dino/data/sources/source_note.h"

namespace dino::eval {

LabeledSource open_labeled(const std::string& source, const data::Preprocess& preprocess,
                           const char* key) {
  LabeledSource opened;
  auto dataset = data::open_dataset(source, data::source_options(preprocess));
  for (const data::SourceNote& note : dataset->notes()) opened.notes += "; " + data::describe(note);
  if (dataset->class_names().empty())
    fail(ErrorKind::Data,
         "[knn] {} {} has no labels; use a folder with one sub-folder per class, a list with "
         "labels or an IDX file{}",
         key, source, opened.notes);
  const std::int64_t images = dataset->size();
  opened.images = data::labeled_images(std::move(dataset));
  opened.left_out = images - opened.images->size();
  return opened;
}

}  // namespace dino::eval
