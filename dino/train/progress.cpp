#include "dino/train/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "dino/base/text.h"

namespace dino::train {
namespace {

constexpr std::size_t kWidestBar = 30, kNarrowestBar = 6;

/** The facts, most important first. Plain ASCII: one character is one column. */
std::vector<std::string> facts(const Progress& p) {
  std::vector<std::string> list = {
      fmt::format("{}/{}", p.iteration, p.total),
      fmt::format("loss {:.3f}", p.loss),
      fmt::format("{} left", format_duration(p.seconds_left)),
      fmt::format("{:.{}f} img/s", p.images_per_second, p.images_per_second < 10 ? 1 : 0),
  };
  if (!p.bad_files.empty()) list.push_back(p.bad_files);
  if (p.knn_top1) list.push_back(fmt::format("k-NN {:.1f}%", 100 * *p.knn_top1));
  for (const ProgressFigure& figure : p.figures)
    list.push_back(fmt::format("{} {:.2f}{}", figure.word, figure.value,
                               figure.reference ? fmt::format("/{:.2f}", *figure.reference) : ""));
  list.push_back(fmt::format("data wait {:.0f}%", 100 * p.data_wait_share));
  list.push_back(fmt::format("epoch {:.2f}/{:g}", p.epoch, p.epochs));
  return list;
}

double fraction_done(const Progress& p) {
  if (p.total <= 0) return 1;
  return std::clamp(static_cast<double>(p.iteration) / static_cast<double>(p.total), 0.0, 1.0);
}

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "  "));
}

}  // namespace

std::string progress_bar(const Progress& progress, int width) {
  // The last column stays empty: terminals wrap the cursor once it is filled.
  const auto columns = static_cast<std::size_t>(std::max(width - 1, 1));
  std::vector<std::string> list = facts(progress);
  constexpr std::size_t kFrame = 4;  // "[", "]" and two spaces
  while (list.size() > 1 && join(list).size() + kFrame + kNarrowestBar > columns) list.pop_back();
  const std::string text = join(list);
  if (text.size() + kFrame + kNarrowestBar > columns) return text.substr(0, columns);

  const std::size_t bar = std::min(kWidestBar, columns - kFrame - text.size());
  const auto filled = static_cast<std::size_t>(fraction_done(progress) * static_cast<double>(bar));
  return fmt::format("[{}{}]  {}", std::string(filled, '#'), std::string(bar - filled, '.'), text);
}

std::string progress_line(const Progress& progress) {
  return fmt::format("{:5.1f}%  {}", 100 * fraction_done(progress), join(facts(progress)));
}

}  // namespace dino::train
