// Several data sets as one, and subsets and samples of one.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"

namespace dino::data {
namespace {

class Subset : public Dataset {
 public:
  Subset(const Dataset& base, std::vector<std::int64_t> indices)
      : base_(base), indices_(std::move(indices)) {
    for (const std::int64_t index : indices_) DINO_ASSERT(index >= 0 && index < base.size());
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  image::Image load(std::int64_t index) const override { return base_.load(at(index)); }
  image::Planes load_wide(std::int64_t index) const override { return base_.load_wide(at(index)); }
  StoredImage stored(std::int64_t index) const override { return base_.stored(at(index)); }
  std::string name(std::int64_t index) const override { return base_.name(at(index)); }
  std::int64_t label(std::int64_t index) const override { return base_.label(at(index)); }
  const std::vector<std::string>& class_names() const override { return base_.class_names(); }
  std::vector<SourceNote> notes() const override { return base_.notes(); }

 private:
  std::int64_t at(std::int64_t index) const { return indices_.at(static_cast<std::size_t>(index)); }

  const Dataset& base_;
  std::vector<std::int64_t> indices_;
};

/** A subset that owns its base. */
class LabeledImages : public Subset {
 public:
  LabeledImages(std::unique_ptr<Dataset> base, std::vector<std::int64_t> indices)
      : Subset(*base, std::move(indices)), owned_(std::move(base)) {}

 private:
  std::unique_ptr<Dataset> owned_;
};

/** The concatenated parts, without labels, since their classes may differ. */
class Mixture : public Dataset {
 public:
  Mixture(std::vector<std::unique_ptr<Dataset>> parts, const std::vector<double>& weights)
      : parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) + parts_[i]->size());
      if (!weights.empty()) shares_.push_back({parts_[i]->size(), weights[i]});
    }
  }

  std::int64_t size() const override { return ends_.back(); }
  image::Image load(std::int64_t index) const override {
    const auto [part, inner] = find(index);
    return part.load(inner);
  }
  image::Planes load_wide(std::int64_t index) const override {
    const auto [part, inner] = find(index);
    return part.load_wide(inner);
  }
  StoredImage stored(std::int64_t index) const override {
    const auto [part, inner] = find(index);
    return part.stored(inner);
  }
  std::string name(std::int64_t index) const override {
    const auto [part, inner] = find(index);
    return part.name(inner);
  }
  std::int64_t label(std::int64_t) const override { return -1; }
  const std::vector<std::string>& class_names() const override { return none_; }
  std::vector<DatasetPart> parts() const override { return shares_; }
  std::vector<SourceNote> notes() const override {
    std::vector<SourceNote> all;
    for (const auto& part : parts_)
      for (SourceNote& note : part->notes()) all.push_back(std::move(note));
    return all;
  }

 private:
  std::pair<const Dataset&, std::int64_t> find(std::int64_t index) const {
    DINO_ASSERT(index >= 0 && index < size());
    const auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) -
                                               ends_.begin());
    return {*parts_[part], index - (part == 0 ? 0 : ends_[part - 1])};
  }

  std::vector<std::unique_ptr<Dataset>> parts_;
  std::vector<std::int64_t> ends_;  // first index behind each part
  std::vector<DatasetPart> shares_;
  std::vector<std::string> none_;
};

}  // namespace

std::vector<std::int64_t> sample_indices(const data::Dataset& dataset, int count) {
  const std::int64_t size = dataset.size(), wanted = std::min<std::int64_t>(count, size);
  std::map<std::int64_t, std::vector<std::int64_t>> by_class;
  for (std::int64_t i = 0; i < size; ++i) {
    auto& members = by_class[dataset.label(i)];
    if (static_cast<std::int64_t>(members.size()) < wanted) members.push_back(i);
  }
  std::vector<std::int64_t> indices;
  if (by_class.size() == 1) {
    for (std::int64_t i = 0; i < wanted; ++i) indices.push_back(i * size / wanted);
    return indices;
  }
  for (std::size_t round = 0; static_cast<std::int64_t>(indices.size()) < wanted; ++round)
    for (const auto& [label, members] : by_class)
      if (round < members.size() && static_cast<std::int64_t>(indices.size()) < wanted)
        indices.push_back(members[round]);
  return indices;
}

std::unique_ptr<Dataset> subset(const Dataset& base, std::vector<std::int64_t> indices) {
  return std::make_unique<Subset>(base, std::move(indices));
}

std::unique_ptr<Dataset> labeled_images(std::unique_ptr<Dataset> base) {
  std::vector<std::int64_t> labeled;
  for (std::int64_t i = 0; i < base->size(); ++i)
    if (base->label(i) >= 0) labeled.push_back(i);
  if (std::ssize(labeled) == base->size()) return base;
  return std::make_unique<LabeledImages>(std::move(base), std::move(labeled));
}

std::unique_ptr<Dataset> mixture(std::vector<std::unique_ptr<Dataset>> parts,
                                 std::vector<double> weights) {
  if (parts.empty() || (!weights.empty() && weights.size() != parts.size()))
    fail(ErrorKind::Usage, "[mix data sets] {} weights for {} data sets", weights.size(),
         parts.size());
  for (const double weight : weights)
    if (!(weight > 0) || !std::isfinite(weight))
      fail(ErrorKind::Usage, "[mix data sets] a weight must be a number above 0: {}", weight);
  return std::make_unique<Mixture>(std::move(parts), weights);
}

}  // namespace dino::data
