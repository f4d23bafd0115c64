#include "provisioning/backup_custody.h"

#include <gtest/gtest.h>

#include "vault/base/result.h"
#include "vault/custody/digest.h"

namespace cardvault::provisioning {
namespace {

hsm::WrappedKey key(const std::string& label) {
  hsm::WrappedKey out;
  out.label = label;
  out.kind = "AES-256";
  out.kcv = "0011223344";
  out.kcv_kind = "CMAC";
  out.bytes = {1, 2, 3, 4};
  return out;
}

TEST(KeysAsSigned, HoldsForTheFileAndForKeysAddedBehindIt) {
  custody::WrappedKeys wrapped{"0123456789abcdef", 1, {key("pan-enc/1"), key("id-enc/1")}};
  custody::Entry entry;
  entry.verb = "keys-wrapped";
  entry.fields = {{"keys", "2"},
                  {"digest", custody::hex(custody::sha256(custody::encode(wrapped)))}};
  EXPECT_TRUE(keys_as_signed(wrapped, entry));
  wrapped.keys.push_back(key("pan-enc/2"));
  EXPECT_TRUE(keys_as_signed(wrapped, entry));
  wrapped.keys[1].bytes[0] = 9;
  EXPECT_FALSE(keys_as_signed(wrapped, entry));
  wrapped.keys.resize(1);
  EXPECT_FALSE(keys_as_signed(wrapped, entry));
  entry.fields = {{"digest", "00"}};
  EXPECT_FALSE(keys_as_signed(wrapped, entry));
}

TEST(WrappedKeys, AChangeOfAddedKeysIsNoticed) {
  const custody::WrappedKeys wrapped{"0123456789abcdef", 1, {key("pan-enc/1"), key("pan-enc/2")}};
  std::string text = custody::encode_with_digest(wrapped);
  EXPECT_EQ(custody::parse_wrapped_keys("w", text).keys.size(), 2U);
  EXPECT_EQ(custody::parse_wrapped_keys("w", custody::encode(wrapped)).keys.size(), 2U);
  text[text.rfind("bytes=") + 6] = '7';
  try {
    static_cast<void>(custody::parse_wrapped_keys("w", text));
    FAIL() << "a changed key was taken";
  } catch (const base::StartupError& problem) {
    EXPECT_NE(std::string(problem.what()).find("the file was changed"), std::string::npos);
  }
}

}  // namespace
}  // namespace cardvault::provisioning
