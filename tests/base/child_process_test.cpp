#include "dino/base/child_process.h"

#include <gtest/gtest.h>

#include <string>

#include "dino/base/error.h"

namespace dino {
namespace {

std::string output_of(const std::string& text) {
  ChildProcess command(text);
  std::string out(1 << 20, '\0');
  out.resize(command.read(std::as_writable_bytes(std::span(out))));
  return out;
}

std::string failure_of(const std::string& text) {
  try {
    output_of(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(ChildProcess, GivesItsOutputAndHasNoInput) {
  EXPECT_EQ(output_of("echo one; printf two"), "one\ntwo");
  EXPECT_EQ(output_of("cat"), "");
  EXPECT_EQ(output_of("seq 100000 | tail -n 1"), "100000\n");
  ChildProcess pieces("printf abcdef");
  std::string four(4, '\0');
  EXPECT_EQ(pieces.read(std::as_writable_bytes(std::span(four))), 4u);
  EXPECT_EQ(four, "abcd");
  EXPECT_EQ(pieces.skip(1), 1u);
  EXPECT_EQ(pieces.read(std::as_writable_bytes(std::span(four))), 1u);
  EXPECT_EQ(pieces.read(std::as_writable_bytes(std::span(four))), 0u);
}

TEST(ChildProcess, FailuresSayWhy) {
  EXPECT_EQ(
      failure_of("echo some; echo because >&2; exit 7"),
      "[run command] 'echo some; echo because >&2; exit 7' failed with status 7: because; run "
      "it by hand to see why");
  EXPECT_NE(failure_of("kill -TERM $$").find("signal 15"), std::string::npos);
  EXPECT_NE(failure_of("sh -c 'kill -9 $$'; exit $?").find("signal 9"), std::string::npos);
  EXPECT_LT(failure_of("seq 100000 >&2; false").size(), 1100u);
}

TEST(ChildProcess, MuchOnStandardErrorDoesNotBlockIt) {
  EXPECT_EQ(output_of("seq 100000 >&2; echo done"), "done\n");
}

TEST(ChildProcess, DestroyingItEndsAllItStarted) {
  const std::string mark = "/tmp/dino-command-test-" + std::to_string(::getpid());
  {
    ChildProcess command("(sleep 0.3; touch " + mark + ") & echo started; sleep 1000");
    std::string started(7, '\0');
    command.read(std::as_writable_bytes(std::span(started)));
    EXPECT_EQ(started, "started");
  }
  EXPECT_EQ(output_of("sleep 0.5; ls " + mark + " 2>/dev/null || echo gone"), "gone\n");
}

TEST(ChildProcess, AStopLooksLikeTheEnd) {
  std::stop_source stop;
  ChildProcess command("sleep 1000", stop.get_token());
  stop.request_stop();
  std::string out(10, '\0');
  EXPECT_EQ(command.read(std::as_writable_bytes(std::span(out))), 0u);
}

}  // namespace
}  // namespace dino
