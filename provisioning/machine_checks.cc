#include <dlfcn.h>
#include <openssl/crypto.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include <cstdint>
#include <fstream>

#include "hsm/log_calls.h"
#include "provisioning/local_checks.h"

namespace cardvault::provisioning {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLittleSpace = 1024 * kMiB;
constexpr std::uint64_t kNoSpace = 128 * kMiB;

void check_space(const std::string& path, Findings& findings) {
  struct statvfs space{};
  if (::statvfs(path.c_str(), &space) != 0) return;  // check_files() has said that it is missing
  const std::uint64_t left = std::uint64_t{space.f_bavail} * space.f_frsize;
  const std::string what = std::to_string(left / kMiB) + " MiB are free for " + path;
  if (left < kNoSpace) {
    findings.push_back({Severity::kError, what + ": the vault refuses writes soon",
                        "free space or grow the volume now"});
  } else if (left < kLittleSpace) {
    findings.push_back({Severity::kWarning, what, "free space or grow the volume"});
  } else {
    findings.push_back({Severity::kOk, what});
  }
}

void check_clock(Findings& findings) {
  timex time{};
  if (::adjtimex(&time) == TIME_ERROR) {
    findings.push_back({Severity::kWarning, "the kernel says that no time service keeps the clock",
                        "run chrony or systemd-timesyncd on the host (PCI DSS 10.6)"});
  } else {
    findings.push_back({Severity::kOk, "the clock is kept by a time service"});
  }
}

void check_swap(Findings& findings) {
  std::ifstream swaps("/proc/swaps");
  std::string line;
  std::getline(swaps, line);  // the head
  if (std::getline(swaps, line) && !line.empty()) {
    findings.push_back(
        {Severity::kWarning, "the machine swaps to " + line.substr(0, line.find(' ')),
         "turn swap off, or encrypt it with a random key: memory holds card numbers"});
  } else {
    findings.push_back({Severity::kOk, "no swap"});
  }
}

void load(const std::string& path, Findings& findings) {
  void* module = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (module == nullptr) {
    const char* why = ::dlerror();
    findings.push_back({Severity::kError,
                        "the PKCS#11 module does not load: " + std::string(why ? why : ""),
                        "install the vendor's library, or correct hsm.module"});
    return;
  }
  if (::dlsym(module, "C_GetFunctionList") == nullptr) {
    findings.push_back({Severity::kError, path + " is no PKCS#11 module",
                        "name the vendor's library in hsm.module"});
  } else {
    findings.push_back({Severity::kOk, "the PKCS#11 module " + path + " loads"});
  }
  ::dlclose(module);
}

}  // namespace

void check_module(const ConfigFile& config, Findings& findings) {
  if (const auto found = hsm::find_log_calls(hsm::p11_kit_configuration())) {
    findings.push_back(
        {Severity::kError,
         "p11-kit's log-calls is on in " + *found + ": it prints PINs and card numbers",
         "remove that line"});
  } else {
    findings.push_back({Severity::kOk, "p11-kit logs no calls"});
  }
  for (const HsmEntry& one : config.hsms) load(one.module, findings);
}

void check_machine(const ConfigFile& config, Findings& findings) {
  check_space(config.data_dir, findings);
  check_clock(findings);
  check_swap(findings);
  utsname system{};
  ::uname(&system);
  findings.push_back({Severity::kOk, std::string("versions: ") + CARDVAULT_VERSION + ", " +
                                         OpenSSL_version(OPENSSL_VERSION) + ", " + system.sysname +
                                         " " + system.release});
}

}  // namespace cardvault::provisioning
