// What names promise: readable kinds, pictures that are not read, names without an extension.
#include "dino/image/codecs/file_name.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

using namespace dino::image;

TEST(FileName, KindsThatAreReadInAnyCase) {
  for (const char* name :
       {"a.jpg", "a.JPG", "b/c.jpeg", "a.jfif", "a.Jpe", "a.b.png", "x.webp", "x.TIFF", "x.heic",
        "x.HEIF", "x.avif", "x.jxl", "x.jp2", "x.j2k", "x.dcm", "a b/c d.dicom", ".hidden.png"}) {
    EXPECT_TRUE(has_image_extension(name)) << name;
    EXPECT_FALSE(hint_of_name(name).what.empty()) << name;
  }
  std::istringstream all{std::string(image_extensions())};
  for (std::string extension; all >> extension;)
    EXPECT_TRUE(has_image_extension("x" + extension)) << extension;
}

TEST(FileName, PicturesThatAreNotReadAreNamed) {
  EXPECT_EQ(hint_of_name("brain.nii").what, "a NIfTI volume");
  EXPECT_EQ(hint_of_name("scan/brain.NII.GZ").what, "a NIfTI volume");
  EXPECT_EQ(hint_of_name("clip.MOV").what, "a video");
  EXPECT_EQ(hint_of_name("IMG_1.CR2").what, "a camera's raw file");
  for (const char* name : {"a.nii", "a.nii.gz", "a.exr", "a.psd", "a.svg", "a.mp4", "a.ndpi"}) {
    const NameHint hint = hint_of_name(name);
    EXPECT_EQ(hint.found, NameClass::Unreadable) << name;
    EXPECT_FALSE(hint.remedy.empty()) << name;
  }
}

TEST(FileName, WithoutAnExtensionTheBytesDecide) {
  for (const char* name : {"IM0001", "a.b/IM0001", "1.2.840.10008.5.1", "photo.", ".hidden", "x.1"})
    EXPECT_EQ(hint_of_name(name).found, NameClass::Unnamed) << name;
}

TEST(FileName, OtherFiles) {
  for (const char* name : {"labels.txt", "a.json", "a.cls", "a.csv", "x.gz", "x.tar", "", ".", "..",
                           "folder/", "a.jpg~", "a.pngx", "a.jp", "a.bmp.part"})
    EXPECT_EQ(hint_of_name(name).found, NameClass::Other) << name;
}
