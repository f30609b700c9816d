// The samples of a DICOM file's frame as they are stored, however they are coded.
#pragma once
#include "dino/image/codecs/dicom_file.h"
#include "dino/image/codecs/stored_samples.h"

namespace dino::image {

/** Frame `page`: bits stored alone, with their sign. The color space is the file's photometric
 * interpretation, but for JPEG, whose decoder gives RGB. Throws Error{Format} on damage and on
 * codings that are not read. Thread-safe. */
StoredSamples read_dicom_samples(const DicomFile& file, int page, const DecodeOptions& options);

/** Baseline JPEG and its relatives; other codings give samples in the file's own colors. */
bool is_dicom_jpeg(const DicomFile& file);

/** One frame of the codings that only DICOM files hold. */
StoredSamples read_jpeg_ls(Bytes bytes, const DecodeOptions& options);
StoredSamples read_jpeg_lossless(Bytes bytes, const DecodeOptions& options);

}  // namespace dino::image
