#include "vault/daemon/confinement.h"

#include <netinet/in.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <filesystem>

#include "hsm/softhsm_conf.h"
#include "hsm/token_uri.h"
#include "vault/base/log.h"
#include "vault/daemon/config.h"
#include "vault/sandbox/process.h"
#include "vault/sandbox/system_calls.h"

namespace cardvault::daemon {
namespace {

std::string folder_of(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().parent_path().string();
}

// The folder, because what is in it is replaced by renaming; a link's own, and that of what it
// means.
void reach_beside(std::vector<std::string>& read, const std::string& path) {
  read.push_back(folder_of(path));
  std::error_code unseen;
  const auto real = std::filesystem::canonical(path, unseen);
  if (!unseen && real.parent_path() != read.back()) read.push_back(real.parent_path());
}

// What a module is told at C_Initialize may name folders: configdir='sql:/var/lib/nss'.
std::vector<std::string> paths_in(const std::string& init_args) {
  std::vector<std::string> paths;
  for (auto at = init_args.find('/'); at != std::string::npos; at = init_args.find('/', at)) {
    const auto end = std::min(init_args.find_first_of("'\" ", at), init_args.size());
    paths.push_back(init_args.substr(at, end - at));
    at = end;
  }
  return paths;
}

void allow_files(sandbox::SystemCalls& calls) {
  calls.allow(
      {SCMP_SYS(open),      SCMP_SYS(openat),    SCMP_SYS(pwrite64),        SCMP_SYS(pwritev),
       SCMP_SYS(fsync),     SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(syncfs),
       SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64),       SCMP_SYS(fchmod),
       SCMP_SYS(fchmodat),  SCMP_SYS(chmod),     SCMP_SYS(fchown),          SCMP_SYS(chown),
       SCMP_SYS(rename),    SCMP_SYS(renameat),  SCMP_SYS(renameat2),       SCMP_SYS(link),
       SCMP_SYS(linkat),    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),        SCMP_SYS(mkdir),
       SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),     SCMP_SYS(utimensat),       SCMP_SYS(flock),
       SCMP_SYS(statfs),    SCMP_SYS(fstatfs),   SCMP_SYS(umask),           SCMP_SYS(dup)});
}

void allow_sockets(sandbox::SystemCalls& calls, bool tcp) {
  constexpr std::uint64_t kInt = 0xffffffff;
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair)}) {
    calls.allow_if(call, 0, kInt, AF_UNIX);
  }
  if (tcp) {  // where to, Landlock says, and the unit's IPAddressAllow; for UDP only the latter
    constexpr std::uint64_t kType = 0xf;  // the other bits are flags
    for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
      for (const std::uint64_t protocol : {std::uint64_t{0}, std::uint64_t{IPPROTO_TCP}}) {
        calls.allow_if(SCMP_SYS(socket),
                       {{0, kInt, family}, {1, kType, SOCK_STREAM}, {2, kInt, protocol}});
      }
    }
  }
  // No socket but these: what is connected to are gates, and the syslog socket ([audit] syslog).
  calls.allow({SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
               SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
               SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
               SCMP_SYS(getsockname), SCMP_SYS(getpeername)});
}

void reach_token(sandbox::FileAccess& files, const hsm::TokenConfig& token) {
  files.load.push_back(folder_of(token.module));
  if (token.module.find("softhsm") != std::string::npos) {
    const std::string conf = hsm::softhsm_conf_of(token);
    files.read.push_back(conf);
    std::string folder = hsm::folder_of_softhsm_conf(conf);
    if (folder.ends_with('/')) folder.pop_back();
    if (!folder.empty()) reach_beside(files.read, folder);
  }
  const std::string pin = hsm::parse_token_uri(token.token_uri).pin_source;
  if (!pin.empty()) reach_beside(files.read, pin);
  for (const auto& path : paths_in(token.init_args)) files.read.push_back(path);
}

}  // namespace

sandbox::FileAccess reachable_files(const Config& config) {
  sandbox::FileAccess files;
  files.write = {config.data_dir, config.audit.dir, folder_of(config.admin_socket),
                 folder_of(config.clients.ca_file), "/dev/null"};
  files.load = {"/usr", "/lib", "/lib64"};
  // What glibc, OpenSSL, p11-kit and the modules of Debian look at.
  files.read = {"/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/passwd",
                "/etc/group",       "/etc/localtime",     "/etc/ssl",
                "/etc/pkcs11",      "/etc/softhsm",       "/dev/urandom",
                "/dev/random",      "/proc/self",         "/proc/meminfo",
                "/proc/sys",        "/proc/stat",         "/sys/devices/system/cpu"};
  reach_beside(files.read, config.path);
  for (const GateConfig& gate : config.gates) files.read.push_back(folder_of(gate.socket));
  reach_token(files, config.hsm);
  for (const hsm::TokenConfig& standby : config.standbys) reach_token(files, standby);
  files.read.push_back(config.unseal.custody_dir);
  if (!config.audit.anchor.empty()) files.read.push_back(folder_of(config.audit.anchor));
  for (const auto& path : config.audit.closed) files.read.push_back(path);
  for (const auto& path : config.sandbox.read) files.read.push_back(path);
  if (config.sandbox.hsm_port != 0) files.connect_ports = {config.sandbox.hsm_port};
  return files;
}

void confine(const Config& config) {
  if (sandbox::restrict_files(reachable_files(config)) == 0 && sandbox::kConfined) {
    base::log(base::Level::kWarning, "this kernel has no Landlock: files are not restricted");
  }
  sandbox::SystemCalls calls;
  allow_files(calls);
  allow_sockets(calls, config.sandbox.hsm_port != 0);
  // For the PIN alone: what is in memory only could be mapped as code.
  if (config.unseal.custodians) calls.allow({SCMP_SYS(memfd_create)});
  calls.allow_loading_code();  // the PKCS#11 module, again after it was hung or exchanged
  for (const std::string& name : config.sandbox.system_calls) calls.allow(name);
  calls.hold();
}

}  // namespace cardvault::daemon
