#include "provisioning/key_change.h"

#include <cstdlib>
#include <functional>

#include "provisioning/exit_code.h"
#include "provisioning/key_token_folder.h"
#include "provisioning/new_keys.h"
#include "provisioning/private_file.h"
#include "provisioning/saved_softhsm_conf.h"
#include "provisioning/token_failure.h"
#include "provisioning/writable_folder.h"

namespace cardvault::provisioning {
namespace {

using Work = std::function<void(hsm::KeyMaker&)>;
using Reports = ReportsByLabel;

class Login {
 public:
  explicit Login(AskPin ask_pin) : ask_pin_(std::move(ask_pin)) {}

  void with_token(const hsm::TokenConfig& config, const Work& work) {
    if (ask_pin_ && !pin_) pin_ = ask_pin_();
    const SavedSoftHsmConf saved;
    work(pin_ ? *hsm::KeyMaker::open(config, *pin_) : *hsm::KeyMaker::open(config));
  }

 private:
  AskPin ask_pin_;
  std::optional<base::SecretText> pin_;
};

Reports list(hsm::KeyMaker& maker) {
  const auto listed = maker.list();
  if (!listed) give_up("the token's keys can't be listed", listed.error());
  Reports out;
  for (const hsm::KeyReport& report : *listed) out.emplace(report.label, report);
  return out;
}

// As the versions before it: whoever wanted a backup of those wants one of this.
hsm::KeyOptions options_for(core::KeyRef key, const Reports& before) {
  hsm::KeyOptions options;
  for (std::uint32_t version = key.version; --version != 0;) {
    const auto found = before.find(core::key_label({key.purpose, version}));
    if (found == before.end()) continue;
    options.extractable = found->second.extractable;
    break;
  }
  return options;
}

TokenChangeNote make_on(hsm::KeyMaker& maker, core::KeyRef key, const Reports& before,
                        KeyBackup* backup) {
  // One that no record knows: of a change in place that was broken off.
  if (before.contains(core::key_label(key))) static_cast<void>(maker.destroy(key));
  hsm::KeyOptions options = options_for(key, before);
  // A key that was restored can't be wrapped again; the next one is.
  if (backup != nullptr) options.extractable = true;
  const auto made = maker.make(key, options);
  if (!made) give_up(core::key_label(key) + " can't be made", made.error());
  if (backup != nullptr) backup->wrap(maker, key);
  const hsm::KeyReport& first = made->front();
  return {"make", first.label, first.kind, first.kcv, first.kcv_kind};
}

// A new login sees what the old one saw, but for what was made or destroyed.
void test(Login& login, const hsm::TokenConfig& config, const Reports& before,
          const TokenChangeNote& note) {
  login.with_token(config, [&](hsm::KeyMaker& maker) {
    const Reports now = list(maker);
    const bool there = now.contains(note.label);
    if (there != (note.verb != "destroy")) {
      throw ToolError(ExitCode::kLocal, "the token's self-test failed: " + note.label +
                                            (there ? " is still on it" : " is not on it") +
                                            "; nothing was changed");
    }
    if (there && now.at(note.label).kcv != note.kcv) {
      throw ToolError(ExitCode::kLocal, "the token's self-test failed: " + note.label +
                                            " has another check value after a new login; nothing "
                                            "was changed");
    }
    for (const auto& [label, report] : before) {
      if (label == note.label || label == second_label(note.label)) continue;
      const auto found = now.find(label);
      const bool gone = found == now.end();
      if (gone || found->second.kcv != report.kcv || !found->second.faults.empty()) {
        throw ToolError(ExitCode::kLocal, "the token's self-test failed: " + label + " is " +
                                              (gone ? "gone" : "not as it was") +
                                              "; nothing was changed");
      }
    }
  });
}

class ExchangedToken final : public TokenChange {
 public:
  ExchangedToken(hsm::TokenConfig config, std::string folder, AskPin ask_pin)
      : config_(std::move(config)), exchange_(std::move(folder)), login_(std::move(ask_pin)) {}

  std::optional<TokenChangeNote> unfinished() const override { return exchange_.unfinished(); }

  TokenChangeNote make(core::KeyRef key, KeyBackup* backup) override {
    TokenChangeNote note;
    change(
        [&](hsm::KeyMaker& maker, const Reports& before) {
          note = make_on(maker, key, before, backup);
          return std::optional(note);
        },
        backup);
    return note;
  }

  BroughtKeys bring(std::span<const hsm::WrappedKey> keys, const AskBackupKey& ask) override {
    BroughtKeys out;
    change(
        [&](hsm::KeyMaker& maker, Reports& before) -> std::optional<TokenChangeNote> {
          out = bring_keys(maker, keys, ask, before);
          if (out.brought.empty()) return std::nullopt;
          const hsm::KeyReport& last = before.at(out.brought.back());
          return TokenChangeNote{"clone", last.label, last.kind, last.kcv, last.kcv_kind};
        },
        nullptr);
    return out;
  }

  std::optional<TokenChangeNote> destroy(core::KeyRef key) override {
    return change(
        [&](hsm::KeyMaker& maker, const Reports& before) -> std::optional<TokenChangeNote> {
          const std::string label = core::key_label(key);
          if (!before.contains(label)) return std::nullopt;
          if (auto gone = maker.destroy(key); !gone) {
            give_up(label + " can't be destroyed", gone.error());
          }
          return TokenChangeNote{"destroy", label, "", "", ""};
        },
        nullptr);
  }

  void take_back(const TokenChangeNote& /*note*/) override { exchange_.take_back(); }
  void confirm() override { exchange_.confirm(); }

 private:
  void discard_if_possible() noexcept {
    try {
      exchange_.discard();
    } catch (const std::exception&) {  // the next command does it; what went wrong first is said
    }
  }

  using Change = std::function<std::optional<TokenChangeNote>(hsm::KeyMaker&, Reports&)>;

  std::optional<TokenChangeNote> change(const Change& work, KeyBackup* backup) {
    try {
      const std::string copy = exchange_.stage();
      hsm::TokenConfig config = config_;
      config.softhsm_conf = copy + ".conf";
      create_file(config.softhsm_conf, hsm::softhsm_conf_text(copy), 0600, {});
      Reports before;
      std::optional<TokenChangeNote> note;
      login_.with_token(config, [&](hsm::KeyMaker& maker) {
        before = list(maker);
        note = work(maker, before);
      });
      if (note) {
        test(login_, config, before, *note);
        if (backup != nullptr) backup->prove();
        exchange_.exchange(*note);
      } else {
        exchange_.discard();
      }
      return note;
    } catch (...) {
      if (!exchange_.unfinished()) discard_if_possible();
      throw;
    }
  }

  const hsm::TokenConfig config_;
  TokenExchange exchange_;
  Login login_;
};

// A network HSM makes and destroys a key in one step of its own; NSS in a transaction.
class TokenInPlace final : public TokenChange {
 public:
  TokenInPlace(hsm::TokenConfig config, AskPin ask_pin)
      : config_(std::move(config)), login_(std::move(ask_pin)) {
    config_.init_args = writable_init_args(config_.init_args);
    folder_ = folder_of_init_args(config_.init_args);
  }

  std::optional<TokenChangeNote> unfinished() const override { return std::nullopt; }

  TokenChangeNote make(core::KeyRef key, KeyBackup* backup) override {
    const WritableFolder writable(folder_);
    Reports before;
    TokenChangeNote note;
    login_.with_token(config_, [&](hsm::KeyMaker& maker) {
      before = list(maker);
      try {
        note = make_on(maker, key, before, backup);
      } catch (...) {
        static_cast<void>(maker.destroy(key));
        throw;
      }
    });
    before.erase(note.label);
    try {
      test(login_, config_, before, note);
      if (backup != nullptr) backup->prove();
    } catch (...) {
      take_back(note);
      throw;
    }
    return note;
  }

  // Each key is read back as it is made; the daemon compares all of them before it serves.
  BroughtKeys bring(std::span<const hsm::WrappedKey> keys, const AskBackupKey& ask) override {
    const WritableFolder writable(folder_);
    BroughtKeys out;
    login_.with_token(config_, [&](hsm::KeyMaker& maker) {
      Reports before = list(maker);
      out = bring_keys(maker, keys, ask, before);
    });
    return out;
  }

  std::optional<TokenChangeNote> destroy(core::KeyRef key) override {
    TokenChangeNote note{"destroy", core::key_label(key), "", "", ""};
    const WritableFolder writable(folder_);
    Reports before;
    bool there = true;
    login_.with_token(config_, [&](hsm::KeyMaker& maker) {
      before = list(maker);
      there = before.contains(note.label);
      if (!there) return;
      if (auto gone = maker.destroy(key); !gone) {
        give_up(note.label + " can't be destroyed", gone.error());
      }
    });
    if (!there) return std::nullopt;
    test(login_, config_, before, note);
    return note;
  }

  void take_back(const TokenChangeNote& note) override {
    if (note.verb != "make") return;  // what is destroyed stays so
    const WritableFolder writable(folder_);
    login_.with_token(config_, [&](hsm::KeyMaker& maker) {
      for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
        const std::string stem = std::string(core::key_purpose_name(purpose)) + "/";
        if (!note.label.starts_with(stem)) continue;
        const auto version =
            static_cast<std::uint32_t>(std::strtoul(note.label.c_str() + stem.size(), nullptr, 10));
        static_cast<void>(maker.destroy({purpose, version}));
      }
    });
  }
  void confirm() override {}

 private:
  hsm::TokenConfig config_;
  std::string folder_;
  Login login_;
};

}  // namespace

std::string second_label(std::string label) { return label.insert(label.find('/'), "-mac"); }

std::unique_ptr<TokenChange> open_token_change(const hsm::TokenConfig& config, AskPin ask_pin) {
  std::string folder = token_folder(config);
  if (folder.empty()) return std::make_unique<TokenInPlace>(config, std::move(ask_pin));
  return std::make_unique<ExchangedToken>(config, std::move(folder), std::move(ask_pin));
}

}  // namespace cardvault::provisioning
