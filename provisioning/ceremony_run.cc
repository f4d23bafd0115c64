// The course of a ceremony up to its keys; ceremony_finish.cc has the rest.
#include "provisioning/ceremony_run.h"

#include <algorithm>
#include <filesystem>

#include "hsm/token_uri.h"
#include "provisioning/backup_key.h"
#include "provisioning/config_file.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/custody/wrapped_keys.h"
#include "provisioning/init_stage.h"
#include "provisioning/private_file.h"
#include "vault/base/check.h"
#include "vault/base/clock.h"
#include "vault/custody/medium.h"
#include "vault/custody/share_register.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using custody::SecretName;

const char* yes_no(bool value) { return value ? "yes" : "no"; }

custody::Fields fields_of(const hsm::KeyReport& report) {
  std::string faults;
  for (const std::string& fault : report.faults) faults += (faults.empty() ? "" : "; ") + fault;
  std::string uses;
  for (const std::string& use : report.uses) uses += (uses.empty() ? "" : ",") + use;
  return {{"label", report.label},
          {"kind", report.kind},
          {"kcv", report.kcv},
          {"kcv_kind", report.kcv_kind},
          {"sensitive", yes_no(report.sensitive)},
          {"extractable", yes_no(report.extractable)},
          {"modifiable", yes_no(report.modifiable)},
          {"uses", uses},
          {"faults", faults}};
}

base::SecretBuffer bytes_of(const base::SecretText& text) {
  const auto bytes = base::as_bytes(text.expose());
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Ceremony::Ceremony(const Context& context, custody::Terminal& terminal, const custody::Plan& plan,
                   NewVault vault, std::string stage, bool rehearsal)
    : context_(context),
      terminal_(terminal),
      plan_(plan),
      vault_(std::move(vault)),
      stage_(std::move(stage)),
      rehearsal_(rehearsal),
      desk_(terminal, plan),
      token_(vault_, stage_) {}

void Ceremony::run() {
  if (fs::exists(file("transcript"))) {
    go_on();
  } else {
    begin();
  }
  if (!done("end")) {
    sign_plan();
    make_secrets();
    make_token();
    make_keys();
    wrap_keys();
    try_token();
    register_custodians();
  }
  sign_transcript();
}

bool Ceremony::done(std::string_view verb) const {
  return journal_->so_far().last(verb) != nullptr;
}

void Ceremony::step(const std::string& what) {
  terminal_.say("\n== " + std::string(rehearsal_ ? "REHEARSAL: " : "") + what);
}

// One that is refused leaves nothing: a corrected plan begins anew.
void Ceremony::begin() {
  const bool new_folder = create_folders(vault_.layout.dir);
  try {
    if (!fs::exists(stage_)) create_folder(stage_, 0700, {});
    token_.check_module(plan_.has(SecretName::kBackupKey), false);
  } catch (...) {
    std::error_code ignored;  // why it is refused is what counts
    fs::remove_all(stage_, ignored);
    if (new_folder) fs::remove(vault_.layout.dir, ignored);
    throw;
  }
  if (!rehearsal_) make_config_folder(vault_);
  custody::VaultId id{};
  custody::fill_random(id);
  const std::string vault = custody::hex(id);
  journal_.emplace(custody::TranscriptWriter::create(
      file("transcript"), {rehearsal_ ? "rehearsal" : "ceremony", vault, "none", plan_.text}));
  journal_->add("begin", {{"operator", login_name()}, {"digest", custody::hex(plan_.digest)}});
  terminal_.say(plan_.title + "\nVault " + vault + ". Nothing is made before all " +
                std::to_string(plan_.custodians.size()) + " custodians have signed the plan.");
}

void Ceremony::go_on() {
  journal_.emplace(custody::TranscriptWriter::resume(file("transcript")));
  const auto& so_far = journal_->so_far();
  if (so_far.head.plan != plan_.text) {
    throw ToolError(ExitCode::kRefused,
                    "the plan is not the one that this ceremony began with (" +
                        custody::hex(custody::sha256(so_far.head.plan)).substr(0, 16) + "…, now " +
                        custody::hex(plan_.digest).substr(0, 16) +
                        "…). Go on with the old plan, or move " + stage_ +
                        " away and begin anew: then every share given out so far is void");
  }
  const auto& entries = so_far.entries;
  const auto last = std::find_if(entries.rbegin(), entries.rend(),
                                 [](const auto& entry) { return entry.verb != "resumed"; });
  terminal_.say("This ceremony was broken off after " +
                (last == entries.rend()
                     ? std::string("its beginning")
                     : "\"" + last->verb + "\" at " + base::format_time(last->time_ms)) +
                "; it goes on from there.");
  if (done("end")) return;
  journal_->add("resumed", {{"operator", login_name()}});
  token_.check_module(plan_.has(SecretName::kBackupKey), done("token-begin"));
}

void Ceremony::sign_plan() {
  for (const custody::PlanCustodian& who : plan_.custodians) {
    const auto* entry = journal_->so_far().last("plan-signed", "custodian", who.custodian.name);
    if (entry == nullptr) sign_plan(who);
  }
}

void Ceremony::sign_plan(const custody::PlanCustodian& who) {
  const std::string& name = who.custodian.name;
  step(name + " signs the plan");
  terminal_.say("Compare with the plan that you reviewed (cardvault ceremony plan show):\n" +
                custody::for_comparison(plan_.digest, "  "));
  const auto key = desk_.authenticate(who);
  terminal_.demand_yes(name + ", is it the same, and do you sign it");
  const auto signature =
      key->sign(custody::plan_message(journal_->so_far().head.vault, plan_.digest));
  if (!signature) throw ToolError(ExitCode::kLocal, name + "'s key did not sign");
  journal_->add("plan-signed", {{"custodian", name},
                                {"key", custody::public_key_text(who.custodian.key)},
                                {"signature", custody::hex(*signature)}});
}

void Ceremony::make_void(SecretName secret, unsigned generation) {
  const std::string name(custody::secret_name(secret));
  journal_->add("split-void", {{"secret", name},
                               {"generation", std::to_string(generation)},
                               {"reason", "broken off before it was put to use"}});
  terminal_.say("The ceremony was broken off before " + name +
                " was put to use. It is made anew: shares of its split " +
                std::to_string(generation) + ", if you got one, are void. Destroy them.");
}

Ceremony::Shares Ceremony::split_anew(SecretName secret) {
  const custody::ShareRegister known(journal_->so_far());
  const unsigned before = known.newest_generation(secret);
  CARDVAULT_CHECK(before < 255);
  if (before != 0) make_void(secret, before);
  if (secret == SecretName::kBackupKey) {
    secrets_[secret].resize(custody::kSecretBytes);
    custody::fill_random(secrets_[secret]);
  } else {
    secrets_[secret] = bytes_of(hsm::random_pin());
  }
  const auto holders = plan_.holders(secret);
  custody::ShareLabel label;
  std::ranges::copy(*custody::from_hex(journal_->so_far().head.vault), label.vault.begin());
  label.secret = secret;
  label.generation = static_cast<std::uint8_t>(before + 1);
  label.threshold = static_cast<std::uint8_t>(plan_.thresholds.at(secret));
  label.parts = static_cast<std::uint8_t>(holders.size());
  Shares shares = custody::split_secret(secrets_[secret], label);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::string& custodian = plan_.custodians[holders[i]].custodian.name;
    journal_->add("share-made", custody::share_fields(shares[i].label, custodian,
                                                      custody::share_digest(shares[i])));
  }
  return shares;
}

void Ceremony::make_secrets() {
  std::vector<SecretName> needed;
  if (!done("token-made")) needed = {SecretName::kSoPin, SecretName::kUserPin};
  if (plan_.has(SecretName::kBackupKey) && !done("keys-wrapped")) {
    needed.push_back(SecretName::kBackupKey);
  }
  if (needed.empty()) return;
  step("random secrets are made and split");
  Shares shares;
  for (const SecretName secret : needed) {
    std::ranges::move(split_anew(secret), std::back_inserter(shares));
  }
  deliver_all(shares);
}

void Ceremony::deliver_all(const Shares& shares) {
  const DeliveryRules rules{.read_back = plan_.read_back,
                            .banner = rehearsal_ ? "REHEARSAL: this share will open nothing" : "",
                            .home = stage_};
  for (std::size_t i = 0; i < plan_.custodians.size(); ++i) {
    std::vector<const custody::Share*> theirs;
    for (const custody::Share& share : shares) {
      if (plan_.holders(share.label.secret)[share.label.index - 1U] == i) theirs.push_back(&share);
    }
    if (theirs.empty()) continue;
    const custody::PlanCustodian& who = plan_.custodians[i];
    step(who.custodian.name + " receives " + std::to_string(theirs.size()) + " of the shares");
    const auto files = deliver(terminal_, desk_, who, theirs, rules);
    std::ranges::copy(files, std::back_inserter(medium_files_));
    for (const custody::Share* share : theirs) {
      const auto& label = share->label;
      journal_->add("share-confirmed", {{"secret", std::string(custody::secret_name(label.secret))},
                                        {"generation", std::to_string(label.generation)},
                                        {"index", std::to_string(label.index)},
                                        {"custodian", who.custodian.name},
                                        {"by", files.empty() ? "terminal" : "medium"}});
    }
  }
}

std::string Ceremony::uri() const {
  const auto* made = journal_->so_far().last("token-made");
  CARDVAULT_CHECK(made != nullptr);
  return made->get("uri");
}

base::SecretText Ceremony::user_pin() {
  const auto live = secrets_.find(SecretName::kUserPin);
  if (live != secrets_.end()) return base::SecretText(base::as_text(live->second));
  if (fs::exists(file("pin"))) {
    return hsm::read_pin(
        hsm::parse_token_uri(uri() + "?pin-source=file:" + uri_encode(file("pin"))));
  }
  terminal_.say("The token's user PIN is nowhere but in its shares.");
  const custody::ShareRegister shares(journal_->so_far());
  secrets_[SecretName::kUserPin] = desk_.rebuild(shares, SecretName::kUserPin);
  return user_pin();
}

void Ceremony::make_token() {
  if (done("token-made")) return;
  step("the token \"" + plan_.label + "\" is initialised");
  const bool again = done("token-begin");
  journal_->add("token-begin", {{"label", plan_.label}, {"module", plan_.module}});
  const base::SecretText so_pin(base::as_text(secrets_.at(SecretName::kSoPin)));
  const base::SecretText pin(base::as_text(secrets_.at(SecretName::kUserPin)));
  fs::remove(file("pin"));
  if (!plan_.custodians_unseal) create_file(file("pin"), pin.expose(), 0400, {});
  const std::string uri = token_.make(so_pin, pin, again);
  journal_->add("token-made", {{"label", plan_.label}, {"uri", uri}});
  secrets_.erase(SecretName::kSoPin);  // wiped
}

void Ceremony::make_keys() {
  const auto made_so_far = reports();
  std::vector<std::string> made;
  for (const auto& report : made_so_far) made.push_back(report.label);
  if (made.size() >= core::kKeyPurposes && done("keys-made")) return;
  step("the keys are made");
  const bool again = done("keys-begin");
  if (!again) journal_->add("keys-begin", {});
  token_.make_keys(uri(), user_pin(), made, again, [this](const hsm::KeyReport& report) {
    journal_->add("key-made", fields_of(report));
    terminal_.say("  " + report.label + "  " + report.kind + "  check value " + report.kcv + " (" +
                  report.kcv_kind + ")");
  });
  journal_->add("keys-made", {});
}

void Ceremony::wrap_keys() {
  if (!plan_.has(SecretName::kBackupKey) || done("keys-wrapped")) return;
  step("the keys are wrapped under the backup key");
  const custody::ShareRegister shares(journal_->so_far());
  custody::WrappedKeys wrapped{
      journal_->so_far().head.vault, shares.newest_generation(SecretName::kBackupKey), {}};
  auto key = std::move(secrets_.at(SecretName::kBackupKey));
  secrets_.erase(SecretName::kBackupKey);
  const std::string recipient = custody::public_key_text(backup_recipient(key, wrapped.vault));
  wrapped.keys = token_.wrap(uri(), user_pin(), std::move(key));
  const std::string text = custody::encode(wrapped);
  fs::remove(file("wrapped-keys"));  // of a try that was broken off: its backup key is void
  create_file(file("wrapped-keys"), text, 0600, {});
  journal_->add("keys-wrapped", {{"keys", std::to_string(wrapped.keys.size())},
                                 {"generation", std::to_string(wrapped.split)},
                                 {"recipient", recipient},
                                 {"digest", custody::hex(custody::sha256(text))}});
}

}  // namespace cardvault::provisioning
