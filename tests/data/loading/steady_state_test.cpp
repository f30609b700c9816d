// Making the crops of an image allocates nothing once the workspace has grown: counted by replacing
// the global operator new of this test program.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "dino/data/loading/batch_maker.h"

namespace {
std::atomic<std::int64_t> allocations = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (void* room = std::aligned_alloc(alignment, rounded > 0 ? rounded : alignment)) return room;
  throw std::bad_alloc();
}
/** Not inline: where it is, GCC sees free() of what it knows to come from operator new. */
[[gnu::noinline]] void release(void* room) {
  std::free(room);
}
}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* room) noexcept {
  release(room);
}
void operator delete[](void* room) noexcept {
  release(room);
}
void operator delete(void* room, std::size_t) noexcept {
  release(room);
}
void operator delete[](void* room, std::size_t) noexcept {
  release(room);
}
void operator delete(void* room, std::align_val_t) noexcept {
  release(room);
}
void operator delete[](void* room, std::align_val_t) noexcept {
  release(room);
}
void operator delete(void* room, std::size_t, std::align_val_t) noexcept {
  release(room);
}
void operator delete[](void* room, std::size_t, std::align_val_t) noexcept {
  release(room);
}

namespace dino::data {
namespace {

image::Image noise(int width, int height) {
  image::Image image(width, height, 3);
  Rng rng(1, 0, 0, 0);
  for (auto& sample : image.pixels) sample = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

/** Allocations of making the crops of `count` images, after as many that are not counted. */
std::int64_t allocations_of(const MultiCropOptions& crops, std::uint64_t count) {
  const BatchMaker maker(crops, {.batch_size = 2});
  CropBatch batch;
  CropWorkspace workspace;
  const image::Image source = noise(150, 110);
  // The largest room any crop asks for is known only once all have been made.
  for (int pass = 0;; ++pass) {
    maker.begin(batch, 0);
    const std::int64_t before = allocations;
    for (std::uint64_t i = 0; i < count; ++i) maker.write(source, {3, 0, i}, 1, batch, workspace);
    if (pass == 1) return allocations - before;
  }
}

MultiCropOptions small() {
  MultiCropOptions crops;
  crops.global_size = 64;
  crops.local_size = 32;
  crops.local_count = 4;
  crops.solarize = {0.2, 0.2, 0.2};
  return crops;
}

TEST(SteadyState, TheCounterCounts) {
  const std::int64_t before = allocations;
  const auto value = std::make_unique<image::Image>(3, 3, 1);
  EXPECT_EQ(allocations - before, 2);
}

TEST(SteadyState, CropsAllocateNothing) {
  EXPECT_EQ(allocations_of(small(), 30), 0);
}

TEST(SteadyState, PaddedCropsAllocateNothing) {
  MultiCropOptions crops = small();
  crops.pad = 8;
  EXPECT_EQ(allocations_of(crops, 30), 0);
}

}  // namespace
}  // namespace dino::data
