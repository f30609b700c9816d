// What AddressSanitizer must not ask of LibTorch, which is built without it. In the program, so
// that every way to start a test has it, the listing of tests at build time too.

// Its name is the sanitizer's, with underscores that are otherwise reserved.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_odr_violation=0:"       // LibTorch carries its own protobuf and fmt
         "detect_container_overflow=0:"  // vectors that cross into code without annotations
         "detect_leaks=0";               // of static objects that LibTorch never frees
}
