// URIs, PIN files, call logging and the words for CK_RVs: no module is loaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "hsm/error.h"
#include "hsm/key_ring.h"
#include "hsm/log_calls.h"
#include "hsm/module.h"
#include "hsm/token_uri.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

using ::testing::HasSubstr;

template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
    return "accepted";
  } catch (const base::StartupError& error) {
    return error.what();
  }
}

TEST(TokenUri, SelectsByWhatItNames) {
  const TokenUri uri = parse_token_uri(
      "pkcs11:token=card%20vault;serial=1234;manufacturer=ACME;model=X?pin-source=file:/run/pin");
  EXPECT_EQ(uri.label, "card vault");
  EXPECT_EQ(uri.serial, "1234");
  EXPECT_EQ(uri.manufacturer, "ACME");
  EXPECT_EQ(uri.model, "X");
  EXPECT_FALSE(uri.slot_id);
  EXPECT_EQ(uri.pin_source, "/run/pin");
  EXPECT_EQ(parse_token_uri("pkcs11:slot-id=7").slot_id, 7U);
}

TEST(TokenUri, TakesEveryFormOfAPath) {
  for (const char* source : {"/run/pin", "file:/run/pin", "file:///run/pin"}) {
    EXPECT_EQ(parse_token_uri(std::string("pkcs11:token=x?pin-source=") + source).pin_source,
              "/run/pin")
        << source;
  }
}

TEST(TokenUri, RefusesWithWhatToDo) {
  const auto refused = [](const char* text) {
    return refusal_of([&] { static_cast<void>(parse_token_uri(text)); });
  };
  EXPECT_THAT(refused("pkcs11:token=x?pin-value=1234"), HasSubstr("must not be in configuration"));
  EXPECT_THAT(refused("pkcs11:token=x?pin-source=|cat%20pin"), HasSubstr("may not be a command"));
  EXPECT_THAT(refused("pkcs11:token=x?pin-source=pin"), HasSubstr("absolute path"));
  EXPECT_THAT(refused("token=x"), HasSubstr("no PKCS#11 URI"));
  EXPECT_THAT(refused("pkcs11:"), HasSubstr("names no token"));
  EXPECT_THAT(refused("pkcs11:tokken=x"), HasSubstr("not in RFC 7512"));
}

TEST(TokenUri, NeverRepeatsAPinValue) {
  EXPECT_THAT(
      refusal_of([] { static_cast<void>(parse_token_uri("pkcs11:token=x?pin-value=8462")); }),
      ::testing::Not(HasSubstr("8462")));
}

TEST(TokenUri, FormatsWhatItParses) {
  const std::string text = format_token_uri("NSS Certificate DB");
  EXPECT_EQ(text, "pkcs11:token=NSS%20Certificate%20DB");
  EXPECT_EQ(parse_token_uri(text).label, "NSS Certificate DB");
}

TEST(PinSource, IsReadWithoutItsLineEnd) {
  const TempDir dir;
  TokenUri uri;
  uri.pin_source = dir.path() / "pin";
  write_file(uri.pin_source, "12345678\r\n");
  EXPECT_EQ(read_pin(uri).expose(), "12345678");
}

TEST(PinSource, RefusesWithWhatToDo) {
  const TempDir dir;
  TokenUri uri;
  uri.pin_source = dir.path() / "pin";
  const auto refused = [&] { return refusal_of([&] { static_cast<void>(read_pin(uri)); }); };
  EXPECT_THAT(refused(), HasSubstr("No such file"));
  write_file(uri.pin_source, "\n");
  EXPECT_THAT(refused(), HasSubstr("is empty"));
  write_file(uri.pin_source, std::string(257, '1'));
  EXPECT_THAT(refused(), HasSubstr("at most 256"));
  write_file(uri.pin_source, "1234", 0644);
  EXPECT_THAT(refused(), HasSubstr("everybody may read"));
  EXPECT_THAT(refusal_of([] { static_cast<void>(read_pin(TokenUri{})); }),
              HasSubstr("no pin-source"));
}

TEST(LogCalls, AreFoundWhereP11KitLooks) {
  const TempDir dir;
  const auto conf = dir.path() / "pkcs11.conf";
  EXPECT_FALSE(find_log_calls({conf, dir.path()}));
  write_file(conf, "user-config: merge\n# log-calls: yes\nlog-calls: no\n");
  EXPECT_FALSE(find_log_calls({conf}));
  write_file(conf, "user-config: merge\n log-calls :  yes\n");
  EXPECT_EQ(find_log_calls({conf}), conf.string() + ":2");
  EXPECT_FALSE(find_log_calls({dir.path()})) << "only *.module files count in a directory";
  write_file(dir.path() / "x.module", "module: x.so\nlog-calls: yes\n");
  EXPECT_TRUE(find_log_calls({dir.path()}));
}

TEST(LogCalls, KeepTheModuleFromBeingLoaded) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "pkcs11");
  write_file(dir.path() / "pkcs11/pkcs11.conf", "log-calls: yes\n");
  ::setenv("XDG_CONFIG_HOME", dir.path().c_str(), 1);
  TokenConfig config;
  config.module = kSoftHsmModule;
  EXPECT_THAT(refusal_of([&] { const Module module(config); }), HasSubstr("log-calls is on"));
  ::unsetenv("XDG_CONFIG_HOME");
  ::setenv("P11_KIT_DEBUG", "all", 1);
  EXPECT_THAT(refusal_of([&] { const Module module(config); }), HasSubstr("P11_KIT_DEBUG"));
  ::unsetenv("P11_KIT_DEBUG");
  config.module = "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so";
  EXPECT_THAT(refusal_of([&] { const Module module(config); }), HasSubstr("spy"));
}

TEST(ModuleLoad, SaysWhatIsWrong) {
  TokenConfig config;
  config.module = "softhsm2.so";
  EXPECT_THAT(refusal_of([&] { const Module module(config); }), HasSubstr("absolute path"));
  config.module = "/nowhere/module.so";
  EXPECT_THAT(refusal_of([&] { const Module module(config); }), HasSubstr("/nowhere/module.so"));
}

TEST(Ckr, EveryKnownCodeHasANameAndWords) {
  EXPECT_STREQ(ckr_name(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
  EXPECT_STREQ(ckr_name(CKR_VENDOR_DEFINED + 7), "CKR_VENDOR_DEFINED");
  EXPECT_STREQ(ckr_name(0x9999), "CKR_?");
  std::set<std::string> unknown = {ckr_explanation(0x9999), ckr_explanation(CKR_VENDOR_DEFINED)};
  for (const CK_RV rv :
       {CKR_GENERAL_ERROR, CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_MECHANISM_INVALID,
        CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_SESSION_COUNT, CKR_TOKEN_NOT_PRESENT,
        CKR_TOKEN_NOT_RECOGNIZED, CKR_USER_NOT_LOGGED_IN, CKR_CRYPTOKI_NOT_INITIALIZED}) {
    EXPECT_FALSE(unknown.contains(ckr_explanation(rv))) << ckr_name(rv);
    EXPECT_GT(std::string(ckr_explanation(rv)).size(), 30U) << ckr_name(rv);
  }
}

TEST(Ckr, ALossIsNeverAPinRefusal) {
  for (CK_RV rv = 0; rv < 0x400; ++rv) EXPECT_FALSE(ckr_is_loss(rv) && ckr_is_pin_refusal(rv));
  EXPECT_FALSE(ckr_is_pin_refusal(CKR_USER_PIN_NOT_INITIALIZED));
  EXPECT_FALSE(ckr_is_pin_refusal(CKR_GENERAL_ERROR));
  EXPECT_TRUE(ckr_is_pin_refusal(CKR_PIN_LOCKED));
}

TEST(KeyLabel, ParsesOnlyWhatTheVaultWrites) {
  using core::KeyPurpose;
  EXPECT_EQ(parse_key_label("pan-enc/12", ""), (core::KeyRef{KeyPurpose::kPanEnc, 12}));
  EXPECT_EQ(parse_key_label("pan-enc-mac/1", "-mac"), (core::KeyRef{KeyPurpose::kPanEnc, 1}));
  for (const char* label : {"", "pan-enc", "pan-enc/", "pan-enc/0", "pan-enc/01", "pan-enc/1x",
                            "pan-enc/-1", "pan-enc/4294967296", "pan-enc-mac/1", "other/1"}) {
    EXPECT_FALSE(parse_key_label(label, "")) << label;
  }
}

}  // namespace
}  // namespace cardvault::hsm::testing
