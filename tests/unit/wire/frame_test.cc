#include "protocol/wire/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "protocol/wire/codec.h"

namespace cardvault::wire {
namespace {

const std::vector<std::uint8_t> kPayload = {1, 2, 3, 4, 5};

void feed(FrameReader& reader, std::span<const std::uint8_t> bytes) {
  const auto space = reader.space(std::max<std::size_t>(bytes.size(), 1));
  ASSERT_GE(space.size(), bytes.size());
  std::copy(bytes.begin(), bytes.end(), space.begin());
  reader.filled(bytes.size());
}

TEST(FrameReader, CutsFramesWhereverTheStreamIsSplit) {
  base::SecretBuffer stream;
  append_frame(stream, FrameType::kRequest, 7, kPayload);
  append_frame(stream, FrameType::kAnswer, 0xfedcba9876543210U, {});
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameReader reader;
    std::vector<std::uint64_t> ids;
    for (const auto part : {std::span(stream).first(cut), std::span(stream).subspan(cut)}) {
      feed(reader, part);
      for (;;) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame.has_value());
        if (!frame->has_value()) break;
        ids.push_back((*frame)->id);
        if ((*frame)->id == 7) {
          EXPECT_EQ((*frame)->type, FrameType::kRequest);
          EXPECT_TRUE(std::ranges::equal((*frame)->payload, kPayload));
        }
      }
    }
    EXPECT_EQ(ids, (std::vector<std::uint64_t>{7, 0xfedcba9876543210U})) << "cut at " << cut;
  }
}

TEST(FrameReader, RefusesBadLengthsAndTypes) {
  struct Case {
    const char* name;
    std::vector<std::uint8_t> bytes;
  };
  const std::vector<Case> cases = {
      {"shorter than its head", {8, 0, 0, 0}},
      {"zero", {0, 0, 0, 0}},
      {"over 1 MiB", {0xfd, 0xff, 0x0f, 0}},
      {"4 GiB", {0xff, 0xff, 0xff, 0xff}},
      {"type 0", {9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"type 6", {9, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}},
  };
  for (const Case& c : cases) {
    FrameReader reader;
    feed(reader, c.bytes);
    const auto frame = reader.next();
    ASSERT_FALSE(frame.has_value()) << c.name;
    EXPECT_EQ(frame.error().code, base::Code::kInvalidArgument) << c.name;
  }
}

TEST(FrameReader, TakesTheLongestFrame) {
  const std::vector<std::uint8_t> payload(kMaxFrame - 13, 0x5a);
  base::SecretBuffer stream;
  append_frame(stream, FrameType::kAdminAnswer, 1, payload);
  ASSERT_EQ(stream.size(), kMaxFrame);
  FrameReader reader;
  feed(reader, stream);
  const auto frame = reader.next();
  ASSERT_TRUE(frame.has_value() && frame->has_value());
  EXPECT_EQ((*frame)->payload.size(), payload.size());
}

TEST(FrameReader, WipesWhatItHasPassedOn) {
  base::SecretBuffer stream;
  append_frame(stream, FrameType::kRequest, 1, kPayload);
  FrameReader reader;
  feed(reader, stream);
  const auto frame = reader.next();
  ASSERT_TRUE(frame.has_value() && frame->has_value());
  const std::uint8_t* at = (*frame)->payload.data();
  ASSERT_EQ(*at, 1);
  const auto space = reader.space(1);
  ASSERT_TRUE(at >= space.data() && at < space.data() + space.size());  // the same memory
  EXPECT_TRUE(std::all_of(at, at + kPayload.size(), [](std::uint8_t b) { return b == 0; }));
}

TEST(AppendFrameDeathTest, AbortsOnAPayloadTooLong) {
  const std::vector<std::uint8_t> payload(kMaxFrame - 12);
  base::SecretBuffer out;
  EXPECT_DEATH(append_frame(out, FrameType::kRequest, 1, payload), "bug");
}

}  // namespace
}  // namespace cardvault::wire
