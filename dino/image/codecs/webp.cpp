// WebP through libwebp; of an animation the first frame, on a transparent canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype([](WebPDemuxer* d) { WebPDemuxDelete(d); })>;

const std::uint8_t* data_of(Bytes bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

/** The first frame's bytes and its position on the canvas. */
struct Frame {
  Bytes bytes;
  int left = 0, top = 0;
  int canvas_width = 0, canvas_height = 0;
  WebPBitstreamFeatures features{};
};

WebPBitstreamFeatures features_of(Bytes bytes) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK)
    fail_damaged("WebP", "bad header");
  return features;
}

Frame first_frame(Bytes bytes) {
  const WebPBitstreamFeatures features = features_of(bytes);
  if (!features.has_animation)
    return {.bytes = bytes,
            .canvas_width = features.width,
            .canvas_height = features.height,
            .features = features};
  const WebPData data{data_of(bytes), bytes.size()};
  const Demuxer demuxer(WebPDemux(&data));
  WebPIterator frame;
  if (!demuxer || !WebPDemuxGetFrame(demuxer.get(), 1, &frame))
    fail_damaged("WebP", "no frame in the animation");
  const Bytes fragment(reinterpret_cast<const std::byte*>(frame.fragment.bytes),
                       frame.fragment.size);
  const Frame found{.bytes = fragment,
                    .left = frame.x_offset,
                    .top = frame.y_offset,
                    .canvas_width = features.width,
                    .canvas_height = features.height,
                    .features = features_of(fragment)};
  WebPDemuxReleaseIterator(&frame);
  if (found.left > found.canvas_width - found.features.width ||
      found.top > found.canvas_height - found.features.height)
    fail_damaged("WebP", "frame outside the canvas");
  return found;
}

}  // namespace

ImageInfo peek_webp(Bytes bytes, const DecodeOptions&) {
  const WebPBitstreamFeatures features = features_of(bytes);
  return {.kind = ImageKind::WebP,
          .width = features.width,
          .height = features.height,
          .channels = 3,
          .has_alpha = features.has_alpha != 0};
}

Raster read_webp(Bytes bytes, const DecodeOptions& options) {
  const bool has_alpha = features_of(bytes).has_alpha != 0;
  const Frame frame = first_frame(bytes);
  // The least a frame takes: an image of one color is a few bytes, whatever its size.
  check_size(frame.canvas_width, frame.canvas_height, 0, bytes, options);
  const int samples = has_alpha ? 4 : 3;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(frame.canvas_width) *
                                   static_cast<std::size_t>(frame.canvas_height) *
                                   static_cast<std::size_t>(samples));
  const int stride = frame.canvas_width * samples;
  const std::size_t offset =
      static_cast<std::size_t>(frame.top) * static_cast<std::size_t>(stride) +
      static_cast<std::size_t>(frame.left * samples);
  const auto decode_into = has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode_into(data_of(frame.bytes), frame.bytes.size(), pixels.data() + offset,
                   pixels.size() - offset, stride))
    fail_damaged("WebP", "bad pixels");
  return {.width = frame.canvas_width,
          .height = frame.canvas_height,
          .samples = samples,
          .is_rgb = true,
          .has_alpha = has_alpha,
          .values = std::move(pixels)};
}

}  // namespace dino::image
