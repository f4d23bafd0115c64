#include "provisioning/secret_renewal.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "hsm/token_uri.h"
#include "provisioning/backup_custody.h"
#include "provisioning/backup_key.h"
#include "provisioning/ceremony_delivery.h"
#include "provisioning/config_file.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/key_restore_proof.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/locked_memory.h"
#include "provisioning/private_file.h"
#include "provisioning/renewed_token.h"
#include "provisioning/secret_renewal_files.h"
#include "provisioning/socket_backend.h"
#include "provisioning/split_numbers.h"
#include "provisioning/token_failure.h"
#include "vault/base/clock.h"
#include "vault/custody/left_log.h"
#include "vault/custody/lines.h"
#include "vault/custody/shamir.h"
#include "vault/daemon/config.h"
#include "vault/daemon/key_states.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using custody::SecretName;

constexpr const char* kAgain =
    "The token, its PINs and the shares of before are as they were. Shares that were given out "
    "just "
    "now open nothing: destroy them, and run the same command again.\n";
constexpr const char* kGoOn =
    "The token may have one of its new PINs and not the other. Old and new shares are needed until "
    "the\nsame command has come to its end: run it again.\n";

base::SecretText text_of(const base::SecretBuffer& bytes) {
  return base::SecretText(base::as_text(bytes));
}

base::SecretBuffer new_secret(SecretName secret) {
  base::SecretBuffer out(custody::kSecretBytes);
  if (secret == SecretName::kBackupKey) {
    custody::fill_random(out);
    return out;
  }
  const auto pin = hsm::random_pin();
  const auto bytes = base::as_bytes(pin.expose());
  return {bytes.begin(), bytes.end()};
}

void demand_rest(const Context& context, const daemon::Config& config) {
  const auto line = SocketBackend::connect(config.admin_socket);
  if (!line) return;
  const auto status = ask(context, *line, "unseal.status", {});
  const bool sealed = std::ranges::any_of(
      status.rows, [](const auto& row) { return row.size() == 2 && row[1] == "sealed"; });
  if (sealed) return;
  throw ToolError(ExitCode::kRefused,
                  config.unseal.custodians
                      ? "the vault is open, with the PIN that is to be changed: `cardvault seal`"
                      : "the vault is running, with the PIN that is to be changed: stop it");
}

// The renewed token is live: the rest takes its place, and the vault's own eyes look at it where
// they can.
ExitCode finish(const Context& context, const daemon::Config& config, const RenewalFiles& files,
                RenewedToken& token) {
  files.put_in_place();
  if (!config.unseal.custodians) {
    const auto adopted = ask_apart(context, "key.adopt", {});
    if (!adopted.ok) {
      throw ToolError(ExitCode::kRefused, "the token is renewed, and the vault can't use it: " +
                                              printable(adopted.message));
    }
  }
  token.confirm();
  const std::string newest = custody::newest_transcript(files.folder);
  const auto renewed = custody::parse_transcript(newest, custody::read_text_file(newest));
  const std::string time = base::format_time(renewed.last("end")->time_ms).substr(0, 19) + "Z";
  context.err << "cardvault: the token has new PINs, and its keys a new backup key.\n"
                 "Destroy every share of before, and every backup made before: it opens with them. "
                 "The log has them all:\n  cardvault-audit find "
              << config.audit.dir << " --key audit.vkey --operation backup.seal --until " << time
              << "\nThen make a new backup; and where the custodians are others now, register them "
                 "(cardvault custodian draft).\n";
  return ExitCode::kDone;
}

class Renewal final : public RenewedPins {
 public:
  Renewal(const RenewalFiles& files, custody::Plan plan, custody::Terminal& terminal)
      : files_(files),
        terminal_(terminal),
        old_text_(custody::read_text_file(files.newest)),
        old_(custody::parse_transcript(files.newest, old_text_)),
        old_plan_(custody::parse_plan(files.newest, old_.head.plan)),
        plan_(std::move(plan)),
        shares_(old_),
        numbers_(files.draft, old_),
        desk_(terminal, plan_) {
    if (!custody::all_good(custody::check_transcript(old_))) {
      throw ToolError(ExitCode::kRefused,
                      files.newest + " does not hold: see `cardvault ceremony verify`");
    }
    std::vector<SecretName> before, now;
    for (const auto& [secret, threshold] : old_plan_.thresholds) before.push_back(secret);
    for (const auto& [secret, threshold] : plan_.thresholds) now.push_back(secret);
    if (before != now || old_plan_.label != plan_.label || old_plan_.module != plan_.module ||
        old_plan_.custodians_unseal != plan_.custodians_unseal) {
      throw ToolError(ExitCode::kUsage,
                      "the new plan is for another token or other secrets than the one before: "
                      "only custodians and thresholds may differ");
    }
    for (const custody::Left& one : custody::who_left(files.newest, old_)) {
      if (std::ranges::any_of(plan_.custodians,
                              [&](const auto& who) { return who.custodian.name == one.name; })) {
        throw ToolError(ExitCode::kRefused, one.name + " left, and is in the new plan");
      }
    }
  }

  base::SecretText before(SecretName secret) override { return text_of(before_.at(secret)); }
  base::SecretText after(SecretName secret) override { return text_of(fresh_.at(secret)); }

  void run(RenewedToken& token) {
    auto writer = numbers_.begin(
        {"renewal", old_.head.vault, custody::hex(custody::sha256(old_text_)), plan_.text},
        {{"operator", login_name()}});
    terminal_.say(plan_.title + "\nVault " + old_.head.vault +
                  ". Nothing of it is changed before everybody has signed the transcript at the "
                  "end.");
    for (const custody::PlanCustodian& who : plan_.custodians) sign_plan(writer, who);
    for (const auto& [secret, threshold] : plan_.thresholds) rebuild(writer, secret);
    std::vector<custody::Share> shares;
    for (const auto& [secret, threshold] : plan_.thresholds) split(writer, secret, shares);
    token.prepare(*this);
    for (std::size_t i = 0; i < plan_.custodians.size(); ++i) deliver_to(writer, i, shares);
    wrap_anew(writer, token);
    for (const auto& [secret, generation] : generations_) {
      writer.add("split-void", {{"secret", std::string(custody::secret_name(secret))},
                                {"generation", std::to_string(generation)},
                                {"reason", "renewed"}});
    }
    writer.add("end", {});
    for (const custody::PlanCustodian& who : plan_.custodians) {
      desk_.sign(writer, who, "did all this happen before your eyes, and do you sign it");
    }
    set_access(files_.draft, 0644, {});
    files_.begin_pin(text_of(fresh_.at(SecretName::kUserPin)));
    terminal_.say("\n== the token gets its new PINs");
    token.put_live(*this, fs::path(files_.next).filename());
  }

 private:
  void sign_plan(custody::TranscriptWriter& writer, const custody::PlanCustodian& who) {
    const std::string& name = who.custodian.name;
    terminal_.say("\n== " + name + " signs the new plan\n" +
                  "Compare with the plan that you reviewed (cardvault ceremony plan show):\n" +
                  custody::for_comparison(plan_.digest, "  "));
    const auto key = desk_.authenticate(who);
    terminal_.demand_yes(name + ", is it the plan that you reviewed, and do you sign it");
    const auto signature = key->sign(custody::plan_message(old_.head.vault, plan_.digest));
    if (!signature) throw ToolError(ExitCode::kLocal, name + "'s key did not sign");
    writer.add("plan-signed", {{"custodian", name},
                               {"key", custody::public_key_text(who.custodian.key)},
                               {"signature", custody::hex(*signature)}});
  }

  void rebuild(custody::TranscriptWriter& writer, SecretName secret) {
    Desk desk(terminal_, old_plan_);
    std::vector<custody::KnownShare> used;
    terminal_.say("\n== custodians of before bring shares of " +
                  std::string(custody::secret_name(secret)));
    before_[secret] = desk.rebuild(shares_, secret, &used);
    generations_[secret] = used.at(0).label.generation;
    for (const custody::KnownShare& one : used) {
      writer.add("share-entered", custody::share_fields(one.label, one.custodian, one.digest));
    }
  }

  void split(custody::TranscriptWriter& writer, SecretName secret,
             std::vector<custody::Share>& out) {
    fresh_[secret] = new_secret(secret);
    const auto holders = plan_.holders(secret);
    custody::ShareLabel label = shares_.current(secret).at(0).label;
    label.generation = numbers_.next(secret);
    label.threshold = static_cast<std::uint8_t>(plan_.thresholds.at(secret));
    label.parts = static_cast<std::uint8_t>(holders.size());
    for (const custody::KnownShare& one : shares_.current(secret)) {
      // To be made void by name below.
      writer.add("share-carried", custody::share_fields(one.label, one.custodian, one.digest));
    }
    for (custody::Share& one : custody::split_secret(fresh_[secret], label)) {
      const auto& who = plan_.custodians[holders[one.label.index - 1U]].custodian.name;
      writer.add("share-made", custody::share_fields(one.label, who, custody::share_digest(one)));
      out.push_back(std::move(one));
    }
  }

  void deliver_to(custody::TranscriptWriter& writer, std::size_t number,
                  const std::vector<custody::Share>& shares) {
    const custody::PlanCustodian& who = plan_.custodians[number];
    std::vector<const custody::Share*> theirs;
    for (const custody::Share& share : shares) {
      if (plan_.holders(share.label.secret)[share.label.index - 1U] == number) {
        theirs.push_back(&share);
      }
    }
    if (theirs.empty()) return;
    const auto files = deliver(terminal_, desk_, who, theirs,
                               {.read_back = plan_.read_back, .banner = "", .home = files_.folder});
    for (const custody::Share* share : theirs) {
      writer.add("share-confirmed",
                 {{"secret", std::string(custody::secret_name(share->label.secret))},
                  {"generation", std::to_string(share->label.generation)},
                  {"index", std::to_string(share->label.index)},
                  {"custodian", who.custodian.name},
                  {"by", files.empty() ? "terminal" : "medium"}});
    }
  }

  void wrap_anew(custody::TranscriptWriter& writer, RenewedToken& token) {
    terminal_.say("\n== the token's keys are wrapped anew");
    std::vector<hsm::WrappedKey> wrapped;
    token.with_keys(*this, [&](hsm::KeyMaker& maker) {
      if (plan_.has(SecretName::kBackupKey)) wrapped = wrap_all(maker);
    });
    writer.add("pins-changed", {{"label", plan_.label}});
    if (!plan_.has(SecretName::kBackupKey)) return;
    const auto& backup_key = fresh_.at(SecretName::kBackupKey);
    prove_restore(wrapped, backup_key);
    const std::string text = custody::encode(
        custody::WrappedKeys{old_.head.vault, numbers_.next(SecretName::kBackupKey), wrapped});
    files_.begin_wrapped(text);
    writer.add(
        "keys-wrapped",
        {{"keys", std::to_string(wrapped.size())},
         {"generation", std::to_string(numbers_.next(SecretName::kBackupKey))},
         {"recipient", custody::public_key_text(backup_recipient(backup_key, old_.head.vault))},
         {"digest", custody::hex(custody::sha256(text))}});
  }

  [[nodiscard]] std::vector<hsm::WrappedKey> wrap_all(hsm::KeyMaker& maker) {
    const auto listed = maker.list();
    if (!listed) give_up("the token's keys can't be listed", listed.error());
    std::vector<core::KeyRef> keys;
    for (const hsm::KeyReport& report : *listed) {
      const auto key = daemon::parse_key(report.label);
      if (!key || core::is_signature(key->purpose)) continue;
      if (!report.extractable) {
        throw ToolError(ExitCode::kRefused,
                        report.label +
                            " can't be wrapped under another backup key, because it was "
                            "restored: rotate, rewrap and destroy it first");
      }
      keys.push_back(*key);
    }
    auto wrapped = maker.wrap(keys, fresh_.at(SecretName::kBackupKey));
    if (!wrapped) give_up("the keys can't be wrapped under the new backup key", wrapped.error());
    return std::move(*wrapped);
  }

  const RenewalFiles& files_;
  custody::Terminal& terminal_;
  std::string old_text_;
  custody::Transcript old_;
  custody::Plan old_plan_, plan_;
  custody::ShareRegister shares_;
  SplitNumbers numbers_;
  Desk desk_;
  std::map<SecretName, base::SecretBuffer> before_, fresh_;
  std::map<SecretName, unsigned> generations_;  // of the splits that become void
};

// After a break: PINs from their files, where there are some, and else from custodians.
class PinsOfShares final : public RenewedPins {
 public:
  PinsOfShares(const daemon::Config& config, const RenewalFiles& files)
      : config_(config), files_(files) {}

  base::SecretText before(SecretName secret) override {
    const auto uri = hsm::parse_token_uri(config_.hsm.token_uri);
    if (secret == SecretName::kUserPin && !uri.pin_source.empty()) return hsm::read_pin(uri);
    return rebuild(files_.newest, "custodians of before bring OLD", secret);
  }
  base::SecretText after(SecretName secret) override {
    const std::string file = files_.begun_pin();
    if (secret == SecretName::kUserPin && !file.empty()) {
      const std::string& uri = config_.hsm.token_uri;
      return hsm::read_pin(hsm::parse_token_uri(uri.substr(0, uri.find('?')) +
                                                "?pin-source=file:" + uri_encode(file)));
    }
    return rebuild(files_.draft, "custodians of the new plan bring NEW", secret);
  }

 private:
  base::SecretText rebuild(const std::string& path, const std::string& who, SecretName secret) {
    if (!terminal_) terminal_.emplace(kGoOn);
    const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
    const auto plan = custody::parse_plan(path, transcript.head.plan);
    terminal_->say("\n== " + who + " shares of " + std::string(custody::secret_name(secret)));
    return text_of(
        Desk(*terminal_, plan).rebuild(custody::ShareRegister(transcript), secret, nullptr));
  }

  const daemon::Config& config_;
  const RenewalFiles& files_;
  std::optional<custody::Terminal> terminal_;  // where somebody is needed
};

}  // namespace

ExitCode renew_secrets(const Context& context, const std::string& plan_path) {
  const daemon::Config config = daemon::read_config(context.config);
  if (!config.standbys.empty()) {
    throw ToolError(ExitCode::kRefused,
                    "the other HSMs in [hsm] would keep the PIN that was: take them out, restart, "
                    "renew, clone them anew and put them back (docs/keys.md, \"Two HSMs\")");
  }
  const RenewalFiles files(config);
  demand_rest(context, config);
  const auto token = open_renewed_token(config.hsm, files.folder);
  if (token->unfinished()) {
    keep_memory(context.err);
    context.err << "cardvault: going on with what was broken off\n";
    PinsOfShares pins(config, files);
    token->put_live(pins, "");
    return finish(context, config, files, *token);
  }
  custody::Plan plan = custody::parse_plan(plan_path, custody::read_text_file(plan_path));
  keep_memory(context.err);
  custody::Terminal terminal(kAgain);
  try {
    Renewal(files, std::move(plan), terminal).run(*token);
  } catch (const custody::Declined& problem) {
    token->discard();
    files.forget();
    throw ToolError(ExitCode::kRefused, std::string(problem.what()) + "\n" + kAgain);
  } catch (...) {
    if (token->unfinished()) {
      context.err << "cardvault: " << kGoOn;
    } else {
      token->discard();
      files.forget();
    }
    throw;
  }
  return finish(context, config, files, *token);
}

}  // namespace cardvault::provisioning
