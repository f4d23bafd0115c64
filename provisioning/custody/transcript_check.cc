#include "provisioning/custody/transcript_check.h"

#include <algorithm>
#include <set>

#include "vault/base/clock.h"
#include "vault/core/crypto.h"
#include "vault/custody/share_register.h"

namespace cardvault::custody {
namespace {

class Checker {
 public:
  Checker(const Transcript& transcript, const Plan& plan) : t_(transcript), plan_(plan) {}

  std::vector<Check> run() {
    const bool renewal = t_.head.kind == "renewal";
    const bool reshare = t_.head.kind == "reshare";
    check_order();
    if (!reshare) {
      for (const PlanCustodian& one : plan_.custodians) check_plan_signature(one.custodian);
    }
    if (!reshare && !renewal) {
      check_token();
      for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
        check_key(core::key_label({purpose, 1}));
      }
    }
    check_shares();
    if (reshare) check_rebuilt(t_.last("begin") == nullptr ? "" : t_.last("begin")->get("secret"));
    if (renewal) {
      for (const auto& [secret, threshold] : plan_.thresholds) {
        check_rebuilt(std::string(secret_name(secret)));
      }
      say(t_.last("pins-changed") != nullptr, "the token's PINs were changed",
          "the token's PINs were not changed");
    }
    say(t_.last("end") != nullptr, "it came to its end", "it has no end: it was broken off");
    check_final_signatures(reshare || renewal);
    return std::move(out_);
  }

 private:
  void say(bool good, std::string when_good, std::string when_bad) {
    out_.push_back({good, good ? std::move(when_good) : std::move(when_bad)});
  }

  // Times never step back, and the token comes after the signatures.
  void check_order() {
    bool rising = true;
    bool signed_first = true;
    for (std::size_t i = 0; i < t_.entries.size(); ++i) {
      if (i != 0 && t_.entries[i].time_ms < t_.entries[i - 1].time_ms) rising = false;
      if (t_.entries[i].verb == "plan-signed") {
        const auto before = std::span(t_.entries).first(i);
        signed_first = signed_first && std::ranges::none_of(before, [](const Entry& one) {
                         return one.verb == "share-made" || one.verb == "token-begin";
                       });
      }
    }
    say(rising, "its times rise",
        "its times step back: the clock was changed, or lines were moved");
    say(signed_first, "nothing was made before the plan was signed",
        "something was made before the plan was signed by all");
  }

  void check_plan_signature(const Custodian& one) {
    const Entry* entry = t_.last("plan-signed", "custodian", one.name);
    const auto signature = entry == nullptr ? std::nullopt : from_hex(entry->get("signature"));
    const bool good =
        signature && verify(one.key, plan_message(t_.head.vault, plan_.digest), *signature);
    say(good, one.name + " signed this plan",
        one.name + (signature ? " signed another plan than the one in the transcript"
                              : " did not sign the plan"));
  }

  void check_token() {
    const Entry* made = t_.last("token-made");
    say(made != nullptr && made->get("label") == plan_.label,
        "the token \"" + plan_.label + "\" was made", "no token of the plan's label was made");
    const Entry* tried = t_.last("token-tried");
    say(tried != nullptr, "the token was tried", "the token was not tried");
  }

  void check_key(const std::string& label) {
    const Entry* made = t_.last("key-made", "label", label);
    const bool good =
        made != nullptr && made->get("faults").empty() && made->get("sensitive") == "yes";
    say(good,
        made == nullptr ? ""
                        : label + " was made: " + made->get("kcv_kind") + " " + made->get("kcv"),
        made == nullptr ? label + " was not made" : label + " was not made as it must be");
  }

  void check_shares() {
    const ShareRegister shares(t_);
    for (const auto& [secret, threshold] : plan_.thresholds) {
      const auto holders = plan_.holders(secret);
      const auto current = shares.current(secret);
      bool good = current.size() == holders.size();
      for (std::size_t i = 0; good && i < current.size(); ++i) {
        good = current[i].label.index == i + 1 && current[i].label.threshold == threshold &&
               current[i].label.parts == holders.size() &&
               current[i].label.generation == current[0].label.generation &&
               current[i].custodian == plan_.custodians[holders[i]].custodian.name;
      }
      const std::string name(secret_name(secret));
      say(good,
          name + ": all " + std::to_string(holders.size()) + " shares are delivered, any " +
              std::to_string(threshold) + " rebuild it",
          name + ": its shares are not those of the plan, or not all were delivered");
    }
  }

  // Of a reshare, and a renewal: enough custodians brought good shares, and the split they came
  // from is void.
  void check_rebuilt(const std::string& secret) {
    std::set<std::string> indices;
    std::string generation, threshold;
    for (const Entry& entry : t_.entries) {
      if (entry.verb != "share-entered" || entry.get("secret") != secret) continue;
      indices.insert(entry.get("index"));
      generation = entry.get("generation");
      threshold = entry.get("threshold");  // of the split they are of
    }
    const auto name = parse_secret_name(secret);
    const auto needed = parse_number(threshold, 255);
    const bool enough = name && plan_.has(*name) && needed && indices.size() >= *needed;
    say(enough, std::to_string(indices.size()) + " custodians brought shares of " + secret,
        "too few custodians brought shares of \"" + secret + "\"");
    const Entry* gone = t_.last("split-void", "secret", secret);
    say(gone != nullptr && gone->get("generation") == generation,
        "the split they came from is void", "the split they came from was not made void");
  }

  // The token signs a ceremony's only: where it is made.
  void check_final_signatures(bool custodians_alone) {
    const std::string message = transcript_message(t_.body);
    const auto check = [&](const std::string& name, const core::SigningPublicKey& key) {
      const auto found = std::ranges::find(t_.signatures, name, &Signed::by);
      const bool there = found != t_.signatures.end();
      say(there && verify(key, message, found->signature), name + " signed this transcript",
          name + (there ? "'s signature is not under this transcript: it was changed"
                        : " did not sign the transcript"));
    };
    if (!custodians_alone) {
      const Entry* entry = t_.last("audit-key");
      const auto key = entry == nullptr ? std::nullopt : parse_public_key(entry->get("key"));
      if (key) {
        check("audit-sign", *key);
      } else {
        say(false, "", "the token's audit-sign key is not in it");
      }
    }
    for (const PlanCustodian& one : plan_.custodians) check(one.custodian.name, one.custodian.key);
    const std::size_t known = plan_.custodians.size() + (custodians_alone ? 0 : 1);
    say(t_.signatures.size() == known, "nobody else signed it",
        "it has signatures of others, or twice, or too few");
  }

  const Transcript& t_;
  const Plan& plan_;
  std::vector<Check> out_;
};

}  // namespace

std::string plan_message(const std::string& vault, const Digest& plan) {
  return "cardvault signed plan v1\nvault: " + vault + "\n" + hex(plan) + "\n";
}

std::string transcript_message(const Digest& body) {
  return "cardvault signed transcript v1\n" + hex(body) + "\n";
}

std::vector<Check> check_transcript(const Transcript& transcript) {
  const Plan plan = parse_plan("the transcript's plan", transcript.head.plan);
  return Checker(transcript, plan).run();
}

bool all_good(const std::vector<Check>& checks) {
  return std::ranges::all_of(checks, &Check::good);
}

}  // namespace cardvault::custody
