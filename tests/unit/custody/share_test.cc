#include "vault/custody/share.h"

#include <gtest/gtest.h>

#include <set>

#include "provisioning/custody/base32.h"
#include "provisioning/custody/qr_code.h"
#include "provisioning/custody/share_text.h"
#include "tests/unit/custody/custody_fixture.h"
#include "vault/custody/word_list.h"

namespace cardvault::custody {
namespace {

using testing::label_of;
using testing::secret_of;

std::vector<Share> shares(std::uint8_t generation = 1) {
  return split_secret(secret_of(3), label_of(SecretName::kSoPin, generation));
}

std::vector<std::string> lines_of(const Share& share) {
  std::vector<std::string> out;
  for (const auto& one : share_lines(share)) out.emplace_back(one.expose());
  return out;
}

TEST(Share, ComesBackFromItsEncoding) {
  for (const Share& one : shares()) {
    const auto bytes = encode_share(one);
    EXPECT_EQ(bytes.size(), kShareBytes);
    const auto back = decode_share(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->label, one.label);
    EXPECT_EQ(back->value, one.value);
  }
}

TEST(Share, EveryFlippedBitIsNoticed) {
  const auto bytes = encode_share(shares()[0]);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto changed = bytes;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(decode_share(changed)) << bit;
  }
}

TEST(Share, DigestDependsOnLabelAndValue) {
  std::set<std::string> seen;
  for (const std::uint8_t generation : std::to_array<std::uint8_t>({1, 2})) {
    for (const Share& one : shares(generation)) seen.insert(hex(share_digest(one)));
  }
  Share renamed = std::move(shares()[0]);
  seen.insert(hex(share_digest(renamed)));
  renamed.label.vault[0] = 0xff;
  seen.insert(hex(share_digest(renamed)));
  EXPECT_EQ(seen.size(), 12U);
}

TEST(ShareText, FourLinesComeBackHoweverTheyAreTyped) {
  for (const Share& one : shares()) {
    const auto lines = lines_of(one);
    ASSERT_EQ(lines.size(), 4U);
    for (const bool sloppy : {false, true}) {
      ShareReader reader;
      for (std::string line : lines) {
        if (sloppy) {  // lower case, without number and hyphens, O for 0 and l for 1
          line = line.substr(2);
          std::string typed;
          for (const char c : line) {
            if (c == '-') continue;
            typed += c == '0' ? 'o' : c == '1' ? 'l' : static_cast<char>(::tolower(c));
          }
          line = typed;
        }
        ASSERT_TRUE(reader.add(line)) << line;
      }
      ASSERT_TRUE(reader.complete());
      const Share back = reader.take();
      EXPECT_EQ(back.label, one.label);
      EXPECT_EQ(back.value, one.value);
    }
  }
}

TEST(ShareText, NamesEveryWrongCharacterAtOnce) {
  const auto lines = lines_of(shares()[1]);
  ShareReader reader;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(reader.next_line(), i + 1);
    for (std::size_t at = 3; at < lines[i].size(); ++at) {
      if (base32_value(lines[i][at]) < 0) continue;
      for (const char other : kBase32) {
        if (other == lines[i][at]) continue;
        std::string typed = lines[i];
        typed[at] = other;
        const auto taken = reader.add(typed);
        ASSERT_FALSE(taken) << typed;
        EXPECT_EQ(taken.error(), LineFault::kCheck);
      }
    }
    ASSERT_TRUE(reader.add(lines[i]));
  }
  EXPECT_TRUE(reader.complete());
}

TEST(ShareText, NamesExchangedNeighboursAndLines) {
  const auto lines = lines_of(shares()[1]);
  for (std::size_t at = 3; at + 1 < lines[0].size(); ++at) {
    std::string typed = lines[0];
    if (base32_value(typed[at]) < 0 || base32_value(typed[at + 1]) < 0 ||
        typed[at] == typed[at + 1]) {
      continue;
    }
    std::swap(typed[at], typed[at + 1]);
    EXPECT_EQ(ShareReader().add(typed).error(), LineFault::kCheck) << typed;
  }
  ShareReader reader;
  ASSERT_TRUE(reader.add(lines[0]));
  EXPECT_EQ(reader.add(lines[0].substr(2)).error(), LineFault::kCheck);  // the first line again
  EXPECT_EQ(reader.add(lines[2].substr(2)).error(), LineFault::kCheck);  // one left out
}

TEST(ShareText, SaysWhatIsWrongWithALine) {
  const std::string good = lines_of(shares()[0])[0];
  EXPECT_EQ(ShareReader().add("").error(), LineFault::kLength);
  EXPECT_EQ(ShareReader().add(good + "0").error(), LineFault::kLength);
  EXPECT_EQ(ShareReader().add("1 UUUUU").error(), LineFault::kLetter);
  EXPECT_EQ(ShareReader().add("1 abc!").error(), LineFault::kLetter);
  for (const LineFault fault :
       {LineFault::kLetter, LineFault::kLength, LineFault::kCheck, LineFault::kShare}) {
    EXPECT_FALSE(explain(fault).empty());
  }
}

TEST(ShareText, TwoSheetsMixedAreNoShare) {
  const auto all = shares();
  const auto first = lines_of(all[0]);
  const auto second = lines_of(all[1]);
  ShareReader reader;
  ASSERT_TRUE(reader.add(first[0]));
  ASSERT_TRUE(reader.add(first[1]));
  ASSERT_TRUE(reader.add(second[2]));
  EXPECT_EQ(reader.add(second[3]).error(), LineFault::kShare);
  EXPECT_EQ(reader.next_line(), 1U);  // all over
  for (const auto& line : first) ASSERT_TRUE(reader.add(line));
  EXPECT_TRUE(reader.complete());
}

TEST(ShareText, OneLineOfAScannerIsTheWholeShare) {
  const Share share = std::move(shares()[2]);
  const auto line = share_in_one_line(share);
  ShareReader reader;
  ASSERT_TRUE(reader.add(line.expose()));
  EXPECT_EQ(reader.take().value, share.value);
  std::string shorter(line.expose());
  shorter.pop_back();
  EXPECT_EQ(ShareReader().add(shorter).error(), LineFault::kLength);
  std::string changed(line.expose());
  changed[40] = changed[40] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ShareReader().add(changed).error(), LineFault::kShare);
}

TEST(Base32, IsCrockfords) {
  const std::vector<std::uint8_t> bytes = {0x00, 0x44, 0x32, 0x14, 0xc7};
  EXPECT_EQ(base::as_text(to_base32(bytes)), "01234567");
  EXPECT_EQ(from_base32("O1234567"), from_base32("01234567"));
  EXPECT_EQ(from_base32("0i234567"), from_base32("01234567"));
  EXPECT_FALSE(from_base32("0U234567"));
  EXPECT_FALSE(from_base32("1"));    // five bits are no byte
  EXPECT_FALSE(from_base32("01F"));  // bits that fill up
  EXPECT_EQ(from_base32("")->size(), 0U);
}

TEST(QrCode, IsSquareWithItsQuietZone) {
  const auto code = qr_code("CARDVAULT10123456789ABCDEFGHJKMNPQRSTVWXYZ");
  const std::string_view text = code.expose();
  ASSERT_FALSE(text.empty());
  std::size_t rows = 0;
  for (const char c : text) rows += c == '\n' ? 1 : 0;
  const std::string_view first = text.substr(0, text.find('\n'));
  EXPECT_EQ(first.find("█"), std::string_view::npos);  // quiet
  const std::size_t cells = first.size() - std::string_view("\033[30;107m\033[0m").size();
  EXPECT_EQ(rows, (cells + 1) / 2);
  EXPECT_TRUE(qr_code(std::string(8000, 'A')).empty());
}

TEST(Words, AreDistinctByTheirFirstThreeLetters) {
  std::set<std::string_view> starts;
  for (const std::string_view word : kWords) {
    EXPECT_GE(word.size(), 3U);
    EXPECT_LE(word.size(), 8U);
    starts.insert(word.substr(0, 3));
  }
  EXPECT_EQ(starts.size(), 256U);
  Digest digest{};
  digest[15] = 255;
  digest[16] = 77;
  const std::string text = in_words(digest);
  EXPECT_TRUE(text.ends_with(" " + std::string(kWords[255])));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace cardvault::custody
