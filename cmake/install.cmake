# make install, and the CMake package dino::dino. Written out in full by the packaging work.
