// Codes, counters, secrets, recipients, canaries and approvals.
#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

class StoreSubjectRows : public StoreTest {
 protected:
  void SetUp() override { open(); }
  void must_write(const std::function<base::Result<void>(core::Transaction&)>& effect) {
    const auto done =
        write(*store_, [&](core::Transaction& tx, core::EventSink&) { return effect(tx); });
    ASSERT_TRUE(done) << done.error().operation;
  }
  // What a second transaction reads of the first one's writes, and a reader afterwards.
  template <class Row>
  void expect_everywhere(const std::function<base::Result<Row>(core::Reader&)>& read,
                         const std::function<void(const Row&)>& expect) {
    must_write([&](core::Transaction& tx) -> base::Result<void> {
      expect(read(tx).value());
      return {};
    });
    expect(read(*reader_).value());
  }
};

core::GuardRow guard_row(std::int64_t subject, std::string scope) {
  core::GuardRow row;
  row.subject = subject;
  row.scope = std::move(scope);
  row.fp = numbered<16>(3, 3);
  row.failures = 2;
  row.locked_until_ms = 1000;
  row.last_failure_ms = 900;
  row.window_start_ms = 800;
  row.window_used = 4;
  row.last_send_ms = 850;
  return row;
}

core::Recipient recipient_row(std::string name) {
  core::Recipient row;
  row.name = std::move(name);
  row.uses = static_cast<std::uint8_t>(core::RecipientUse::kReveal);
  row.certificate = {{0x30, 1, 2}, 100, 200};
  row.created_ms = 50;
  return row;
}

TEST_F(StoreSubjectRows, NewerCodeOfASubjectAndPurposeTakesTheOldOnesPlace) {
  const auto subject = add_customer(1);
  core::CodeRow code = code_row(subject, "verify_login");
  must_write([&](core::Transaction& tx) { return tx.put_code(code); });
  code.id = numbered<16>(9, 5);
  code.mac.fill(0x71);
  code.context_mac.fill(0x72);
  code.key_version = 2;
  code.created_ms += 5;
  code.expires_ms += 6;
  code.state = core::CodeState::kVerified;
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.put_code(code); !done) return done;
    return tx.put_code(code_row(subject, "change_password"));
  });
  expect_everywhere<std::optional<core::CodeRow>>(
      [&](core::Reader& reader) { return reader.code(subject, "verify_login"); },
      [&](const auto& found) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->subject, subject);
        EXPECT_EQ(found->purpose, "verify_login");
        EXPECT_EQ(found->id, code.id);
        EXPECT_EQ(found->mac, code.mac);
        EXPECT_EQ(found->context_mac, code.context_mac);
        EXPECT_EQ(found->key_version, 2U);
        EXPECT_EQ(found->created_ms, code.created_ms);
        EXPECT_EQ(found->expires_ms, code.expires_ms);
        EXPECT_EQ(found->state, core::CodeState::kVerified);
      });
  EXPECT_EQ(count_rows("vault.db", "codes"), 2);
  must_write([&](core::Transaction& tx) { return tx.delete_code(subject, "verify_login"); });
  EXPECT_FALSE(reader_->code(subject, "verify_login").value());
  EXPECT_TRUE(reader_->code(subject, "change_password").value());
  must_write([&](core::Transaction& tx) { return tx.delete_code(subject, "verify_login"); });
}

TEST_F(StoreSubjectRows, CodesAndSecretsNeedAStoredSubject) {
  for (const bool code : {true, false}) {
    const auto written = write(*store_, [&](core::Transaction& tx, auto&) {
      return code ? tx.put_code(code_row(17, "verify_login"))
                  : tx.put_secret(secret_row(17, core::SecretKind::kPassword));
    });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, base::Code::kConflict);
  }
}

TEST_F(StoreSubjectRows, EndedCodesGoTheLongestEndedFirstAndAFewAtATime) {
  const auto subject = add_customer(1);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    for (const auto& [purpose, end] : {std::pair("a", 300), {"b", 100}, {"c", 200}, {"d", 400}}) {
      core::CodeRow code = code_row(subject, purpose);
      code.expires_ms = end;
      if (auto done = tx.put_code(code); !done) return done;
    }
    return {};
  });
  const auto sweep = [&](std::uint32_t limit) {
    std::uint32_t deleted = 0;
    must_write([&](core::Transaction& tx) -> base::Result<void> {
      deleted = tx.delete_ended_codes(400, limit).value();
      return {};
    });
    return deleted;
  };
  EXPECT_EQ(sweep(2), 2U);
  EXPECT_TRUE(reader_->code(subject, "a").value());
  EXPECT_FALSE(reader_->code(subject, "c").value());
  EXPECT_EQ(sweep(2), 1U);
  EXPECT_EQ(sweep(2), 0U);
  EXPECT_TRUE(reader_->code(subject, "d").value());  // ends now: not before
}

TEST_F(StoreSubjectRows, RebootEndsEveryCodeAndRestartsTheLocksThatHold) {
  const auto subject = add_customer(1);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    for (const char* purpose : {"a", "b"}) {
      core::CodeRow code = code_row(subject, purpose);
      code.state = purpose[0] == 'a' ? core::CodeState::kOpen : core::CodeState::kVerified;
      if (auto done = tx.put_code(code); !done) return done;
    }
    for (const auto& [scope, until] : {std::pair("held", 1001), {"ended", 1000}, {"none", 0}}) {
      core::GuardRow guard = guard_row(subject, scope);
      guard.locked_until_ms = until;
      if (auto done = tx.put_guard(guard); !done) return done;
    }
    if (auto done = tx.delete_all_codes(); !done) return done;
    return tx.restart_locks(1000, 900'000);
  });
  EXPECT_EQ(count_rows("vault.db", "codes"), 0);
  EXPECT_EQ(reader_->guard(subject, "held").value()->locked_until_ms, 900'000);
  EXPECT_EQ(reader_->guard(subject, "ended").value()->locked_until_ms, 1000);
  EXPECT_EQ(reader_->guard(subject, "none").value()->locked_until_ms, 0);
  EXPECT_EQ(reader_->guard(subject, "held").value()->failures, 2U);
}

TEST_F(StoreSubjectRows, GuardsOfStrangersEverybodyAndCustomersStandSideBySide) {
  core::GuardRow changed = guard_row(-1048576, "otp:verify_login");
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    for (const auto& guard : {guard_row(0, ""), changed, guard_row(-1048576, "secret:password"),
                              guard_row(5, ""), guard_row(5, "otp:verify_login")}) {
      if (auto done = tx.put_guard(guard); !done) return done;
    }
    changed.failures = 3;
    return tx.put_guard(changed);
  });
  expect_everywhere<std::optional<core::GuardRow>>(
      [&](core::Reader& reader) { return reader.guard(-1048576, "otp:verify_login"); },
      [&](const auto& found) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->subject, -1048576);
        EXPECT_EQ(found->scope, "otp:verify_login");
        EXPECT_EQ(found->fp, changed.fp);
        EXPECT_EQ(found->failures, 3U);
        EXPECT_EQ(found->locked_until_ms, 1000);
        EXPECT_EQ(found->last_failure_ms, 900);
        EXPECT_EQ(found->window_start_ms, 800);
        EXPECT_EQ(found->window_used, 4U);
        EXPECT_EQ(found->last_send_ms, 850);
      });
  const auto of_customer = reader_->guards(5).value();
  ASSERT_EQ(of_customer.size(), 2U);
  EXPECT_EQ(of_customer[0].scope, "");
  EXPECT_EQ(of_customer[1].scope, "otp:verify_login");
  must_write([](core::Transaction& tx) { return tx.delete_guards(-1048576); });
  EXPECT_TRUE(reader_->guards(-1048576).value().empty());
  EXPECT_EQ(count_rows("vault.db", "guards"), 3);
}

TEST_F(StoreSubjectRows, SecretsAreKeptByKindAndReplacedAsAWhole) {
  const auto subject = add_customer(1);
  core::SecretRow secret = secret_row(subject, core::SecretKind::kPassword);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.put_secret(secret); !done) return done;
    secret.sealed.suite = core::Suite::kAes256CbcHmacSha256;
    secret.sealed.iv.assign(16, 1);
    secret.sealed.ciphertext.assign(80, 2);
    secret.salt = numbered<16>(9, 9);
    secret.memory_kib = 65'536;
    secret.passes = 3;
    secret.lanes = 4;
    secret.key_version = 2;
    secret.changed_ms += 10;
    if (auto done = tx.put_secret(secret); !done) return done;
    return tx.put_secret(secret_row(subject, core::SecretKind::kQuickCode));
  });
  expect_everywhere<std::optional<core::SecretRow>>(
      [&](core::Reader& reader) { return reader.secret(subject, core::SecretKind::kPassword); },
      [&](const auto& found) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->subject, subject);
        EXPECT_EQ(found->kind, core::SecretKind::kPassword);
        EXPECT_EQ(found->salt, secret.salt);
        EXPECT_EQ(found->memory_kib, 65'536U);
        EXPECT_EQ(found->passes, 3U);
        EXPECT_EQ(found->lanes, 4U);
        EXPECT_EQ(found->sealed.suite, secret.sealed.suite);
        EXPECT_EQ(found->sealed.iv, secret.sealed.iv);
        EXPECT_EQ(found->sealed.ciphertext, secret.sealed.ciphertext);
        EXPECT_EQ(found->key_version, 2U);
        EXPECT_EQ(found->created_ms, secret.created_ms);
        EXPECT_EQ(found->changed_ms, secret.changed_ms);
      });
  must_write([&](core::Transaction& tx) {
    return tx.delete_secret(subject, core::SecretKind::kPassword);
  });
  EXPECT_FALSE(reader_->secret(subject, core::SecretKind::kPassword).value());
  EXPECT_TRUE(reader_->secret(subject, core::SecretKind::kQuickCode).value());
}

TEST_F(StoreSubjectRows, RecipientsComeByNameWithTheirPendingCertificate) {
  core::Recipient pending = recipient_row("acquirer");
  pending.next = {{0x30, 9}, 150, 400};
  pending.next_from_ms = 190;
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.put_recipient(recipient_row("sms-gateway")); !done) return done;
    if (auto done = tx.put_recipient(recipient_row("acquirer")); !done) return done;
    return tx.put_recipient(pending);
  });
  expect_everywhere<std::vector<core::Recipient>>(
      [](core::Reader& reader) { return reader.recipients(); },
      [](const auto& found) {
        ASSERT_EQ(found.size(), 2U);
        EXPECT_EQ(found[0].name, "acquirer");
        EXPECT_TRUE(found[0].may(core::RecipientUse::kReveal));
        EXPECT_FALSE(found[0].may(core::RecipientUse::kOtp));
        EXPECT_EQ(found[0].certificate.der, (std::vector<std::uint8_t>{0x30, 1, 2}));
        EXPECT_EQ(found[0].certificate.not_before_ms, 100);
        EXPECT_EQ(found[0].certificate.not_after_ms, 200);
        EXPECT_EQ(found[0].next.der, (std::vector<std::uint8_t>{0x30, 9}));
        EXPECT_EQ(found[0].next.not_before_ms, 150);
        EXPECT_EQ(found[0].next.not_after_ms, 400);
        EXPECT_EQ(found[0].next_from_ms, 190);
        EXPECT_EQ(found[0].created_ms, 50);
        EXPECT_EQ(found[1].name, "sms-gateway");
        EXPECT_TRUE(found[1].next.der.empty());
      });
  must_write([](core::Transaction& tx) { return tx.delete_recipient("acquirer"); });
  EXPECT_EQ(reader_->recipients().value().size(), 1U);
}

TEST_F(StoreSubjectRows, CanaryNeedsItsCardAndGoesWithIt) {
  const core::CardRow card = card_row(1, 0);
  const auto planted =
      write(*store_, [&](core::Transaction& tx, auto&) { return tx.put_canary(card.id); });
  ASSERT_FALSE(planted);
  EXPECT_EQ(planted.error().code, base::Code::kConflict);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    for (const auto& row : {card, card_row(2, 0)}) {
      if (auto done = tx.insert_card(row); !done) return done;
      if (auto done = tx.put_canary(row.id); !done) return done;
    }
    return tx.put_canary(card.id);
  });
  expect_everywhere<std::vector<core::TokenId>>(
      [](core::Reader& reader) { return reader.canaries(); },
      [&](const auto& found) {
        EXPECT_EQ(found, (std::vector<core::TokenId>{card.id, card_row(2, 0).id}));
      });
  must_write([&](core::Transaction& tx) { return tx.delete_card(card); });
  EXPECT_EQ(reader_->canaries().value(), std::vector<core::TokenId>{card_row(2, 0).id});
}

TEST_F(StoreSubjectRows, ApprovalIsRenewedAndWithdrawn) {
  must_write([](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.put_approval({"client.release web", "anna", 10}); !done) return done;
    return tx.put_approval({"client.release web", "berik", 20});
  });
  expect_everywhere<std::optional<core::ApprovalRow>>(
      [](core::Reader& reader) { return reader.approval("client.release web"); },
      [](const auto& found) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->act, "client.release web");
        EXPECT_EQ(found->operator_name, "berik");
        EXPECT_EQ(found->created_ms, 20);
      });
  EXPECT_FALSE(reader_->approval("client.release other").value());
  must_write([](core::Transaction& tx) { return tx.delete_approval("client.release web"); });
  EXPECT_FALSE(reader_->approval("client.release web").value());
}

TEST_F(StoreSubjectRows, RowsThatMakeNoSenseAreDamaged) {
  const auto subject = add_customer(1);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.put_code(code_row(subject, "a")); !done) return done;
    if (auto done = tx.put_secret(secret_row(subject, core::SecretKind::kPassword)); !done) {
      return done;
    }
    if (auto done = tx.put_recipient(recipient_row("r")); !done) return done;
    return tx.put_guard(guard_row(subject, ""));
  });
  close();
  run_sql("vault.db",
          "UPDATE codes SET state=2; UPDATE secrets SET suite=9;"
          "UPDATE recipients SET der=x''; UPDATE guards SET fp=x'00'");
  open();
  const auto code_of = [](const auto& result) { return result.error().code; };
  EXPECT_EQ(code_of(reader_->code(subject, "a")), base::Code::kRecordDamaged);
  EXPECT_EQ(code_of(reader_->secret(subject, core::SecretKind::kPassword)),
            base::Code::kRecordDamaged);
  EXPECT_EQ(code_of(reader_->recipients()), base::Code::kRecordDamaged);
  EXPECT_EQ(code_of(reader_->guard(subject, "")), base::Code::kRecordDamaged);
}

}  // namespace
}  // namespace cardvault::store
