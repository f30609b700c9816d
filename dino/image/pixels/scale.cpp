// Resampling for any processor. Both passes are one operation, "add up weighted rows": the
// horizontal pass runs it on 16 rows turned on their side.
#include <algorithm>

#include "dino/image/pixels/byte_rows.h"
#include "dino/image/pixels/kernels.h"

namespace dino::image {
namespace {

constexpr int kBlock = static_cast<int>(kBlockRows);

/** Scales up to kBlock rows at once along x. */
class HorizontalPass {
 public:
  HorizontalPass(const FixedTaps& taps, int channels, Workspace& workspace)
      : taps_(taps),
        lanes_(kBlockRows * static_cast<std::size_t>(channels)),
        begin_byte_(static_cast<std::size_t>(taps.begin() * channels)),
        in_bytes_(static_cast<std::size_t>((taps.end() - taps.begin()) * channels)),
        out_bytes_(taps.first.size() * static_cast<std::size_t>(channels)),
        in_(workspace.first.get<std::uint8_t>(in_bytes_ * kBlockRows)),
        out_(workspace.second.get<std::uint8_t>(out_bytes_ * kBlockRows)) {}

  std::size_t out_bytes() const { return out_bytes_; }

  /** Scales rows [begin, begin + kBlock) that exist before `end` into rows out_bytes() apart;
   * returns how many. */
  template <typename RowAt>
  int run(int begin, int end, const RowAt& row_at, std::uint8_t* out) {
    turn_rows(block_of_rows(begin, end, row_at), begin_byte_, in_bytes_, in_);
    for (std::size_t x = 0; x < taps_.first.size(); ++x) {
      const auto first = static_cast<std::size_t>(taps_.first[x] - taps_.begin());
      const std::uint8_t* in = in_ + first * lanes_;
      add_weighted_rows([&](int k) { return in + static_cast<std::size_t>(k) * lanes_; },
                        taps_.weights_of(static_cast<int>(x)), taps_.count[x], lanes_,
                        out_ + x * lanes_);
    }
    const int count = std::min(kBlock, end - begin);
    turn_back(out_, out_bytes_, static_cast<std::size_t>(count), out_bytes_, out);
    return count;
  }

 private:
  const FixedTaps& taps_;
  std::size_t lanes_;  // bytes of one pixel column of a block
  std::size_t begin_byte_;
  std::size_t in_bytes_;
  std::size_t out_bytes_;
  std::uint8_t* in_;   // [in_bytes, kBlockRows]
  std::uint8_t* out_;  // [out_bytes, kBlockRows]
};

/** One output row of the vertical pass. */
template <typename RowAt>
void weigh_rows(const FixedTaps& down, int y, const RowAt& row_at, std::size_t bytes,
                std::uint8_t* out) {
  const int first = down.first[static_cast<std::size_t>(y)];
  add_weighted_rows([&](int k) { return row_at(first + k); }, down.weights_of(y),
                    down.count[static_cast<std::size_t>(y)], bytes, out);
}

void scale_x(const ImageView& source, const FixedTaps& across, Image& out, Workspace& workspace) {
  HorizontalPass pass(across, source.channels, workspace);
  const auto row_at = [&](int y) { return source.row(y); };
  for (int y = 0; y < out.height; y += kBlock) pass.run(y, out.height, row_at, out.row(y));
}

void scale_y(const ImageView& source, const FixedTaps& down, Image& out) {
  const auto row_at = [&](int y) { return source.row(y); };
  for (int y = 0; y < out.height; ++y) weigh_rows(down, y, row_at, source.row_bytes(), out.row(y));
}

/** Rows scaled along x wait in a ring just large enough for one output row, so that they stay in
 * the cache. */
void scale_x_then_y(const ImageView& source, const FixedTaps& across, const FixedTaps& down,
                    Image& out, Workspace& workspace) {
  HorizontalPass pass(across, source.channels, workspace);
  const int most_taps = *std::max_element(down.count.begin(), down.count.end());
  const int ring_rows = (most_taps + 2 * kBlock - 1) / kBlock * kBlock;
  std::uint8_t* const ring =
      workspace.third.get<std::uint8_t>(static_cast<std::size_t>(ring_rows) * pass.out_bytes());
  const auto slot = [&](int y) {
    const int position = (y - down.begin()) % ring_rows;
    return ring + static_cast<std::size_t>(position) * pass.out_bytes();
  };
  int ready = down.begin();  // rows before this one have been scaled along x
  for (int y = 0; y < out.height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    while (ready < down.first[i] + down.count[i])
      ready += pass.run(
          ready, down.end(), [&](int r) { return source.row(r); }, slot(ready));
    weigh_rows(down, y, slot, pass.out_bytes(), out.row(y));
  }
}

void scale_y_then_x(const ImageView& source, const FixedTaps& across, const FixedTaps& down,
                    Image& out, Workspace& workspace) {
  HorizontalPass pass(across, source.channels, workspace);
  const std::size_t row_bytes = source.row_bytes();
  std::uint8_t* const block = workspace.third.get<std::uint8_t>(kBlockRows * row_bytes);
  const auto block_row = [&](int r) { return block + static_cast<std::size_t>(r) * row_bytes; };
  const auto row_at = [&](int y) { return source.row(y); };
  for (int begin = 0; begin < out.height; begin += kBlock) {
    const int rows = std::min(kBlock, out.height - begin);
    for (int r = 0; r < rows; ++r) weigh_rows(down, begin + r, row_at, row_bytes, block_row(r));
    pass.run(0, rows, block_row, out.row(begin));
  }
}

}  // namespace

void portable::scale(const Scaling& scaling, Workspace& workspace) {
  const ImageView& source = scaling.source;
  Image& out = *scaling.out;
  if (!scaling.down)
    scale_x(source, *scaling.across, out, workspace);
  else if (!scaling.across)
    scale_y(source, *scaling.down, out);
  else if (scaling.down_first)
    scale_y_then_x(source, *scaling.across, *scaling.down, out, workspace);
  else
    scale_x_then_y(source, *scaling.across, *scaling.down, out, workspace);
}

}  // namespace dino::image
