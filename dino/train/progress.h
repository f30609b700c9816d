// How far a run is, as one line of text: a bar for a terminal, or a plain line for a log file.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dino::train {

/** A figure that its Metric gives a word in the progress line. */
struct ProgressFigure {
  std::string word;
  double value = 0;
  std::optional<double> reference = {};  ///< shown behind the value: "entropy 3.50/6.24"
};

/** The state of a run after a step. Loss and figures are running means over the last few steps. */
struct Progress {
  std::int64_t iteration = 0;  ///< steps done
  std::int64_t total = 0;      ///< steps of the whole run
  double epoch = 0;            ///< epochs done
  double epochs = 0;           ///< of the whole run
  double loss = 0;
  std::vector<ProgressFigure> figures = {};
  double images_per_second = 0;    ///< evaluation and saving not counted
  double data_wait_share = 0;      ///< of training time, in [0, 1]
  double seconds_left = 0;         ///< to the last step, or to train.max_minutes
  std::string bad_files;           ///< "12 bad (7 truncated, 5 empty)"; empty if there are none
  std::optional<double> knn_top1;  ///< last in-training figure, in [0, 1]
};

/** One line of at most `width` columns: what matters less is left out first, then the bar shrinks.
 */
std::string progress_bar(const Progress& progress, int width);
/** The same facts as a plain line for logs. */
std::string progress_line(const Progress& progress);

}  // namespace dino::train
