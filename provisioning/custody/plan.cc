#include "provisioning/custody/plan.h"

#include <toml++/toml.h>
#include <algorithm>
#include <set>

#include "provisioning/custody/custodian_key.h"
#include "vault/base/result.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {
namespace {

// One section: every key is taken once, what nobody took is unknown.
class Section {
 public:
  Section(const toml::table& table, std::string name, std::vector<std::string>& problems)
      : table_(table), name_(std::move(name)), problems_(problems) {}

  void bad(const std::string& what) { problems_.push_back(name_ + what); }

  template <class T>
  T take(const char* key, T preset, bool required = false) {
    taken_.insert(key);
    const auto node = table_[key];
    if (!node) {
      if (required) bad(std::string(": ") + key + " is missing");
      return preset;
    }
    const auto value = node.value_exact<T>();
    if (!value) bad(std::string(": ") + key + " has the wrong type");
    return value.value_or(preset);
  }
  std::string text(const char* key, bool required = false) {
    auto value = take<std::string>(key, "", required);
    if (!is_one_line(value)) bad(std::string(": ") + key + " must be one line");
    return value;
  }
  std::vector<std::string> texts(const char* key) {
    taken_.insert(key);
    std::vector<std::string> out;
    const auto node = table_[key];
    if (!node) return out;
    const toml::array* list = node.as_array();
    if (list == nullptr) bad(std::string(": ") + key + " must be a list");
    for (const auto& one : list == nullptr ? toml::array() : *list) {
      const auto value = one.value_exact<std::string>();
      if (!value || !is_one_line(*value)) bad(std::string(": ") + key + " must be a list of texts");
      out.push_back(value.value_or(""));
    }
    return out;
  }
  const toml::table* section(const char* key) {
    taken_.insert(key);
    if (!table_[key]) return nullptr;
    if (!table_[key].is_table()) bad(std::string(": ") + key + " must be a section");
    return table_[key].as_table();
  }
  void known(const char* key) { taken_.insert(key); }  // read elsewhere
  void finish() {
    for (const auto& [key, value] : table_) {
      if (!taken_.contains(std::string(key.str()))) {
        bad(": nothing is known by the name " + std::string(key.str()));
      }
    }
  }

 private:
  const toml::table& table_;
  std::string name_;
  std::vector<std::string>& problems_;
  std::set<std::string> taken_;
};

bool valid_name(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= 32 && std::ranges::all_of(name, plain) &&
         name != "audit-sign";
}

void read_token(const toml::table& table, Plan& plan, std::vector<std::string>& problems) {
  Section token(table, "[token]", problems);
  plan.module = token.text("module", true);
  plan.init_args = token.text("init_args");
  plan.label = token.text("label", true);
  if (!plan.module.starts_with("/")) token.bad(": module must be an absolute path");
  if (plan.label.empty() || plan.label.size() > 32) token.bad(": label has 1 to 32 bytes");
  token.finish();
}

void read_vault(const toml::table& table, Plan& plan, std::vector<std::string>& problems) {
  Section vault(table, "[vault]", problems);
  plan.config_dir = vault.text("config_dir");
  plan.run_dir = vault.text("run_dir");
  plan.daemon_user = vault.text("daemon_user");
  plan.gates = vault.texts("gates");
  plan.operators = vault.texts("operators");
  const std::string unseal = vault.text("unseal", true);
  plan.custodians_unseal = unseal == "custodians";
  if (unseal != "custodians" && unseal != "pin-source") {
    vault.bad(": unseal is \"pin-source\" or \"custodians\"");
  }
  vault.finish();
}

PlanCustodian read_custodian(const toml::table& table, std::vector<std::string>& problems) {
  PlanCustodian out;
  Section one(table, "[[custodian]] " + table["name"].value_or(std::string("?")), problems);
  out.custodian.name = one.text("name", true);
  if (!valid_name(out.custodian.name)) one.bad(": a name is a-z, 0-9 and '-', at most 32 of them");
  const auto key = parse_public_key(one.text("key", true));
  if (key && !key->ed25519) {
    out.custodian.key = *key;
  } else {
    one.bad(": key is no p256: key (`cardvault custodian key show` prints it)");
  }
  out.key_place = one.text("key_place");
  const std::string delivery = one.text("delivery", true);
  out.delivery = delivery == "medium" ? Delivery::kMedium : Delivery::kTerminal;
  if (delivery != "medium" && delivery != "terminal") {
    one.bad(": delivery is \"terminal\" or \"medium\"");
  }
  out.medium = one.text("medium");
  if (out.delivery == Delivery::kMedium && !out.medium.starts_with("/")) {
    one.bad(": delivery to a medium needs the folder where it is mounted: medium = \"/…\"");
  }
  if (out.delivery == Delivery::kMedium && is_card(out.key_place)) {
    one.bad(": a card signs only and opens no share: delivery = \"terminal\"");
  }
  for (const std::string& name : one.texts("secrets")) {
    const auto secret = parse_secret_name(name);
    if (!secret) one.bad(": no secret is called " + name);
    if (secret && std::ranges::find(out.secrets, *secret) != out.secrets.end()) {
      one.bad(": " + name + " stands twice");
    }
    if (secret) out.secrets.push_back(*secret);
  }
  one.finish();
  return out;
}

void read_thresholds(const toml::table& table, Plan& plan, std::vector<std::string>& problems) {
  Section thresholds(table, "[thresholds]", problems);
  plan.approvals_needed = static_cast<unsigned>(
      std::clamp<std::int64_t>(thresholds.take<std::int64_t>("approvals", 0, true), 0, 99));
  for (const SecretName secret : kAllSecrets) {
    const std::string name(secret_name(secret));
    const bool optional = secret == SecretName::kBackupKey;
    const auto k = thresholds.take<std::int64_t>(name.c_str(), 0, !optional);
    if (k != 0) plan.thresholds[secret] = static_cast<unsigned>(std::clamp<std::int64_t>(k, 1, 99));
  }
  thresholds.finish();
}

void check_people(const Plan& plan, std::vector<std::string>& problems) {
  for (std::size_t i = 0; i < plan.custodians.size(); ++i) {
    const Custodian& one = plan.custodians[i].custodian;
    for (std::size_t j = 0; j < i; ++j) {
      const Custodian& other = plan.custodians[j].custodian;
      if (one.name == other.name) problems.push_back("two custodians are called " + one.name);
      if (one.key.point == other.key.point && !one.key.point.empty()) {
        problems.push_back(other.name + " and " + one.name + " have the same key");
      }
      if (!plan.custodians[i].medium.empty() &&
          plan.custodians[i].medium == plan.custodians[j].medium) {
        problems.push_back(other.name + " and " + one.name + " have the same medium");
      }
    }
  }
  const auto in_range = [](std::size_t k, std::size_t n) { return k >= kMinThreshold && k <= n; };
  if (plan.custodians.size() > kMaxParts)
    problems.emplace_back("there are more than 16 custodians");
  if (!in_range(plan.approvals_needed, plan.custodians.size())) {
    problems.push_back("[thresholds]: approvals must be at least 2 and at most the " +
                       std::to_string(plan.custodians.size()) + " custodians");
  }
  for (const auto& [secret, k] : plan.thresholds) {
    const std::size_t n = plan.holders(secret).size();
    if (in_range(k, n)) continue;
    problems.push_back("[thresholds]: " + std::string(secret_name(secret)) +
                       " must be at least 2 and at most the " + std::to_string(n) +
                       " custodians who hold a share of it");
  }
  for (const PlanCustodian& one : plan.custodians) {
    if (one.secrets.empty()) problems.push_back(one.custodian.name + " holds no share");
    for (const SecretName secret : one.secrets) {
      if (plan.has(secret)) continue;
      problems.push_back(one.custodian.name + " holds a share of " +
                         std::string(secret_name(secret)) + ", which has no threshold");
    }
  }
}

void read_all(const toml::table& root, Plan& plan, std::vector<std::string>& problems) {
  Section top(root, "the plan", problems);
  if (top.take<std::int64_t>("version", 1, true) != 1) top.bad(": version is not 1");
  plan.title = top.text("title", true);
  plan.read_back = top.take<bool>("read_back", true);
  const auto read = [&](const char* name, auto reader) {
    const toml::table* table = top.section(name);
    if (table == nullptr) {
      problems.push_back("the section [" + std::string(name) + "] is missing");
    } else {
      reader(*table, plan, problems);
    }
  };
  read("token", read_token);
  read("vault", read_vault);
  read("thresholds", read_thresholds);
  top.known("custodian");
  const toml::array* people = root["custodian"].as_array();
  if (people == nullptr || !people->is_homogeneous(toml::node_type::table)) {
    problems.emplace_back("there is no [[custodian]]");
  } else {
    for (const auto& one : *people) {
      plan.custodians.push_back(read_custodian(*one.as_table(), problems));
      if (!plan.custodians.back().secrets.empty()) continue;
      for (const auto& [secret, k] : plan.thresholds) {
        plan.custodians.back().secrets.push_back(secret);
      }
    }
  }
  top.finish();
}

}  // namespace

std::vector<std::size_t> Plan::holders(SecretName secret) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < custodians.size(); ++i) {
    if (std::ranges::find(custodians[i].secrets, secret) != custodians[i].secrets.end()) {
      out.push_back(i);
    }
  }
  return out;
}

Plan parse_plan(const std::string& what, std::string text) {
  Plan plan;
  std::vector<std::string> problems;
  try {
    read_all(toml::parse(text), plan, problems);
    check_people(plan, problems);
  } catch (const toml::parse_error& error) {
    problems.push_back("line " + std::to_string(error.source().begin.line) + ": " +
                       std::string(error.description()));
  }
  if (text.find('\r') != std::string::npos || !text.ends_with('\n')) {
    problems.emplace_back("lines end with a single newline, the last one too");
  }
  if (!problems.empty()) {
    std::string message = what + " is no plan to carry out:";
    for (const std::string& problem : problems) message += "\n  " + problem;
    throw base::StartupError(message);
  }
  plan.digest = sha256(text);
  plan.text = std::move(text);
  return plan;
}

}  // namespace cardvault::custody
