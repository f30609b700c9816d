// What the threads of one call of a frozen ViT work with: the call they share, and the lane in
// which a thread, or a team of threads, takes slabs of images through all blocks. Private to
// frozen_vit.cpp, which says who gets which images.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "dino/base/aligned_bytes.h"
#include "dino/cpu/gemm.h"
#include "dino/cpu/kernels.h"
#include "dino/model/frozen_vit.h"

namespace dino::model {

/** One call: its images, where results go, and what all of its images need. */
struct FrozenVit::Call {
  const float* images = nullptr;
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  std::int64_t grid_height = 0, grid_width = 0, tokens = 0;  ///< tokens: N
  const float* positions = nullptr;                          ///< [1 + P, D]
  const float* rope = nullptr;                               ///< [2, P, d]
  std::vector<Tap>* taps = nullptr;
  float* cls = nullptr;  ///< [B, D]: only CLS is wanted of the last block
  std::stop_token stop;
};

/** The memory of one slab and what a member of its team does with its rows. Only the constructor
 * allocates. */
class FrozenVit::Lane {
 public:
  Lane(const FrozenVit& net, const Call& call, std::int64_t slab_images, int most_members);

  /** Before the first run(): how many members the team has after all. */
  void gather(int members);

  /** Takes images [first, first + count) through the network; every member of the team calls it.
   * All of them return false if the call is to end early. */
  bool run(std::int64_t first, std::int64_t count, int member);

 private:
  /** Threads that work on the same slab meet here. */
  class Barrier {
   public:
    /** Before any of them waits. */
    void gather(int members) { members_ = members; }
    void wait();

   private:
    int members_ = 1;
    std::atomic<int> arrived_ = 0, round_ = 0;
  };

  struct Range {
    std::int64_t first = 0, last = 0;
    std::int64_t size() const { return last - first; }
  };
  /** Part `member` of `members` of n things. */
  static Range share(std::int64_t n, int member, int members) {
    return {n * member / members, n * (member + 1) / members};
  }

  const arch::Vit& vit() const { return net_.architecture_.vit; }
  std::int64_t dim() const { return vit().dim; }
  std::int64_t prefix() const { return 1 + vit().registers; }
  std::int64_t patches() const { return call_.grid_height * call_.grid_width; }
  float* x(std::int64_t row) const { return x_.data<float>() + row * dim(); }
  /** Element `element` of activations, in whatever type they are. */
  std::byte* at(std::byte* base, std::int64_t element) const;

  /** Patches of whole images as rows. */
  void cut_patches(std::int64_t first, Range images) const;
  /** CLS, registers and this member's share of each image's patches into x. */
  void embed(std::int64_t images, int member) const;
  void normalize(const Norm& norm, Range rows, void* out, cpu::Type type) const;
  /** out [rows, ...] = epilogue(in [rows, inputs]); AddScaled adds to x. */
  void multiply(const Linear& layer, Range rows, std::byte* in, std::byte* out,
                cpu::Epilogue epilogue, const Linear* next) const;
  /** Rotary positions of queries and keys. */
  void rotate(std::byte* qkv, Range rows) const;
  /** Attention of query rows [first, last) of image `i` of the slab, every head, into `out` rows.
   */
  void attend_image(std::byte* qkv, std::int64_t i, Range queries, std::byte* out,
                    int member) const;
  /** Own query rows of every image they touch; the heads' outputs take the place of normed_. */
  void attend(std::byte* qkv, Range own, int member) const;
  /** What follows attention, row by row: projection, norm, feed-forward network. */
  void feed_forward(const Block& block, Range rows, const Linear* next) const;
  /** The last block for the CLS rows alone. They move to the front rows of their image's own
   * memory: row i * N stays where it is, so each is a range of one row. */
  void finish_cls(const Block& block, std::byte* qkv, std::int64_t first, Range images,
                  int member) const;
  /** Final norm of rows of one kind, to `out`. */
  void final_norm(Range rows, bool is_prefix, float* out) const;
  void write_tap(const Tap& tap, std::int64_t first, Range rows) const;

  const FrozenVit& net_;
  const Call& call_;
  int members_ = 1;
  Barrier barrier_;
  std::array<std::atomic<bool>, 2> is_leaving_ = {};
  AlignedBytes x_, normed_, qkv_[2], hidden_, columns_, bytes_, scales_;
  std::int64_t byte_stride_ = 0;       ///< each row's own place, whatever the layer's width
  std::vector<AlignedBytes> scratch_;  ///< one per member
};

}  // namespace dino::model
