// Decodes the stored samples of a DICOM frame, from every supported transfer syntax.
#pragma once
#include "dino/image/codecs/dicom_file.h"
#include "dino/image/codecs/stored_samples.h"

namespace dino::image {

/** The samples of frame `page`, from 0: the stored bits, sign-extended if signed. The color space
 * is the file's photometric interpretation, except for JPEG, whose decoder gives RGB. Throws
 * Error{Format} on damaged files and unsupported codings. Thread-safe. */
StoredSamples read_dicom_samples(const DicomFile& file, int page, const DecodeOptions& options);

/** Whether the pixels are lossy JPEG, which is decoded to RGB; other codings keep the file's color
 * space. */
bool is_dicom_jpeg(const DicomFile& file);

/** Decode one frame of a coding that occurs only in DICOM files. Throw Error{Format}. Thread-safe.
 */
StoredSamples read_jpeg_ls(Bytes bytes, const DecodeOptions& options);
StoredSamples read_jpeg_lossless(Bytes bytes, const DecodeOptions& options);

}  // namespace dino::image
