#include <sys/stat.h>

#include <toml++/toml.h>
#include <algorithm>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "provisioning/certificate.h"
#include "provisioning/exit_code.h"
#include "provisioning/local_checks.h"
#include "vault/base/clock.h"

namespace cardvault::provisioning {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kRenewDays = 30;

// How long something with an end still lasts, as a finding.
Finding lifetime(const std::string& what, std::int64_t end, const std::string& renew) {
  const std::int64_t left = end - std::time(nullptr);
  const std::string until = base::format_time(end * 1000).substr(0, 10);
  if (left < 0) return {Severity::kError, what + " expired on " + until, renew};
  if (left < kRenewDays * kDay) return {Severity::kWarning, what + " expires on " + until, renew};
  return {Severity::kOk, what + " is valid until " + until};
}

// A list that the vault writes anew every day, for a week.
Finding lifetime_of_list(const std::string& what, std::int64_t end) {
  if (end > std::time(nullptr)) return {Severity::kOk, what + " holds"};
  return {Severity::kError, what + " has ended: enrolled clients are refused",
          "start the vault, and see its log for why it doesn't write the list"};
}

void check_key(const std::string& path, const std::string& certificate, const GateEntry& gate,
               Findings& findings) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    findings.push_back({Severity::kError, "TLS key " + path + " cannot be found or reached",
                        "issue one, or run doctor as root"});
  } else if ((status.st_mode & 0077U) != 0) {
    findings.push_back({Severity::kError, "TLS key " + path + " can be read by other accounts",
                        "chmod 0400 " + path + ", and issue a new one"});
  } else if (gate.uid > 0 && (status.st_uid != gate.uid || (status.st_mode & 0400U) == 0)) {
    findings.push_back({Severity::kError,
                        "gate " + gate.name + " runs as uid " + std::to_string(gate.uid) +
                            ", which can't read its TLS key " + path,
                        "chown " + std::to_string(gate.uid) + " " + path + "; chmod 0400 " + path});
  }
  if (key_fits(certificate, path) == false) {
    findings.push_back(
        {Severity::kError,
         "TLS key " + path + " is not the key of " + certificate + ": gate " + gate.name +
             " can't start",
         "put the key there that the certificate was issued for, or issue both anew"});
  }
}

// A web tier is where strangers are.
void check_ceiling(const GateEntry& gate, Findings& findings) {
  const auto has = [&gate](std::string_view permission) {
    return std::ranges::find(gate.permissions, permission) != gate.permissions.end();
  };
  if (gate.name != "web" && !has("tokenize")) return;
  for (const char* permission : {"detokenize", "otp.clear", "audit.read"}) {
    if (!has(permission)) continue;
    findings.push_back({Severity::kWarning,
                        "gate " + gate.name + " serves a web tier and may " + permission,
                        std::string("take ") + permission +
                            " out of its permissions in vault.toml, and give a gate of its own to "
                            "those who need it (vault.toml(5))"});
  }
}

void check_gate(const std::string& path, const GateEntry& gate, Findings& findings) {
  const std::string& name = gate.name;
  try {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0022U) != 0) {
      findings.push_back({Severity::kError, path + " can be changed by other accounts",
                          "chmod go-w " + path + ", and look at what it says"});
    }
    const toml::table file = toml::parse_file(path);
    const auto text = [&file](const char* key) {
      return std::string(file["gate"][key].value_or(""));
    };
    const Certificate certificate = read_certificate(text("certificate"));
    findings.push_back(
        lifetime("gate " + name + ": certificate " + text("certificate"), certificate.not_after,
                 "issue a new one and run `systemctl reload cardvault-gate@" + name + "`"));
    check_key(text("key"), text("certificate"), gate, findings);
    if (!text("vault_ca").empty() && std::filesystem::exists(text("vault_ca"))) {
      findings.push_back(
          lifetime_of_list("gate " + name + ": the vault's own list of revoked clients",
                           crl_next_update(text("vault_ca"))));
    }
    if (text("client_ca").empty()) return;  // only clients that the vault enrolled
    findings.push_back(
        lifetime("gate " + name + ": client CA " + text("client_ca"),
                 read_certificate(text("client_ca")).not_after,
                 "add the CA's successor to the file and run `systemctl reload cardvault-gate@" +
                     name + "`"));
    if (text("crl").empty()) {
      findings.push_back({Severity::kWarning, "gate " + name + " checks no revocation list",
                          "name the CA's CRL file with gate.crl"});
    } else {
      findings.push_back(lifetime("gate " + name + ": revocation list " + text("crl"),
                                  crl_next_update(text("crl")), "fetch the CA's newest CRL"));
    }
  } catch (const toml::parse_error& problem) {
    findings.push_back({Severity::kError, path + ": " + std::string(problem.description()),
                        "correct the file: cardvault-gate(8)"});
  } catch (const ToolError& problem) {
    findings.push_back({Severity::kError, "gate " + name + ": " + problem.what(),
                        "put the file where " + path + " says, or run doctor as root"});
  }
}

}  // namespace

void check_gates(const std::string& config_path, const ConfigFile& config, Findings& findings) {
  const auto folder = std::filesystem::path(config_path).parent_path();
  if (config.gates.empty()) {
    findings.push_back({Severity::kError, "vault.toml has no [[gate]]: nobody can ask this vault",
                        "add one: vault.toml(5)"});
  }
  for (const GateEntry& gate : config.gates) {
    check_ceiling(gate, findings);
    const auto path = folder / ("gate-" + gate.name + ".toml");
    if (std::filesystem::exists(path)) {
      check_gate(path, gate, findings);
    } else {
      findings.push_back({Severity::kNote, "gate " + gate.name + ": no " + path.string(),
                          "if it runs on another machine, run doctor there too"});
    }
  }
}

}  // namespace cardvault::provisioning
