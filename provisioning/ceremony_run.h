// One ceremony, step by step. Each step first looks whether the transcript has it already.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "provisioning/ceremony.h"
#include "provisioning/ceremony_delivery.h"
#include "provisioning/ceremony_desk.h"
#include "provisioning/ceremony_token.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

class Ceremony {
 public:
  // REQUIRES: `plan` is what `context`'s command line names; `vault` is laid out by it.
  Ceremony(const Context& context, custody::Terminal& terminal, const custody::Plan& plan,
           NewVault vault, std::string stage, bool rehearsal);

  // Everything up to the last signature.
  void run();
  // The vault's files into place. REQUIRES: run().
  void install();
  // What a rehearsal leaves: its transcript at `path`; its files on media are removed.
  void keep_rehearsal(const std::string& dir);

 private:
  using Secrets = std::map<custody::SecretName, base::SecretBuffer>;
  using Shares = std::vector<custody::Share>;

  void begin();
  void go_on();
  void sign_plan();
  void sign_plan(const custody::PlanCustodian& who);
  // Secrets that are needed and not known in this process are made, split and delivered.
  void make_secrets();
  void make_void(custody::SecretName secret, unsigned generation);
  [[nodiscard]] Shares split_anew(custody::SecretName secret);
  void deliver_all(const Shares& shares);
  void make_token();
  void make_keys();
  void wrap_keys();
  void try_token();
  void register_custodians();
  void sign_transcript();
  void sign_as_token();
  void sign_as(const custody::PlanCustodian& who);

  [[nodiscard]] bool done(std::string_view verb) const;
  void step(const std::string& what);  // says it
  [[nodiscard]] std::string uri() const;
  [[nodiscard]] base::SecretText user_pin();
  [[nodiscard]] std::vector<hsm::KeyReport> reports() const;
  [[nodiscard]] std::string file(const char* name) const { return stage_ + "/" + name; }

  const Context& context_;
  custody::Terminal& terminal_;
  const custody::Plan& plan_;
  NewVault vault_;
  std::string stage_;
  bool rehearsal_;
  Desk desk_;
  CeremonyToken token_;
  std::optional<custody::TranscriptWriter> journal_;
  Secrets secrets_;                        // not on record anywhere
  std::vector<std::string> medium_files_;  // written by this process
};

}  // namespace cardvault::provisioning
