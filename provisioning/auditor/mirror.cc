#include "provisioning/auditor/mirror.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/progress_line.h"
#include "provisioning/auditor/published_log.h"
#include "provisioning/auditor/remote_log.h"
#include "vault/audit/base64.h"
#include "vault/audit/disk_log_files.h"
#include "vault/audit/mirror.h"

namespace cardvault::auditor {
namespace {

using base::Code;
using base::StartupError;

// No waiting mends it.
struct CertificateRefused final : StartupError {
  using StartupError::StartupError;
};

// The copy's folder, made, and held so that no second mirror writes to it.
class CopyFolder {
 public:
  explicit CopyFolder(const std::string& path) {
    const bool made = ::mkdir(path.c_str(), kMode) == 0;
    if (!made && errno != EEXIST) throw StartupError(path + ": " + std::strerror(errno));
    fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0) throw StartupError(path + ": " + std::strerror(errno));
    if (made) static_cast<void>(::fchmod(fd_, kMode));  // whatever the umask, as all in it
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw StartupError(path + " is another mirror's at present: wait for it, or end it");
    }
  }
  ~CopyFolder() { ::close(fd_); }
  CopyFolder(const CopyFolder&) = delete;             // owns a descriptor
  CopyFolder& operator=(const CopyFolder&) = delete;  // owns a descriptor

 private:
  static constexpr mode_t kMode = 0750;
  int fd_;
};

// A folder for each checkpoint that was served wrongly: the same one again fills the same folder.
std::string keep_evidence(const audit::MirrorReport& report, const std::string& folder,
                          audit::LogFiles& files) {
  const audit::Hash name = audit::leaf_hash(report.theirs);
  std::string below = "alarm/";
  for (std::size_t i = 0; i < 8; ++i) {
    below += "0123456789abcdef"[name[i] >> 4];
    below += "0123456789abcdef"[name[i] & 15];
  }
  base::Result<void> kept;
  const auto keep = [&](const char* as, const std::string& bytes) {
    if (kept && !bytes.empty()) kept = files.put(below + "/" + as, bytes);
  };
  keep("checkpoint-kept", report.ours);
  keep("checkpoint-served", report.theirs);
  if (report.served) {
    keep("file-served", report.served->bytes);
    keep("file-served.path", report.served->path + "\n");
  }
  keep("what", report.alarm->what + "\n");
  if (kept) kept = files.sync();
  if (!kept) return "The evidence could not be kept: write checkpoints down by hand.";
  return "Both checkpoints are kept in " + folder + "/" + below + ".";
}

int raise(const audit::MirrorReport& report, const MirrorOptions& options, audit::LogFiles& files,
          const Terminal& terminal) {
  const audit::Finding& alarm = *report.alarm;
  std::string text = "ALARM: " + std::string(audit::fault_name(alarm.fault)) + ": ";
  if (alarm.record != audit::kNoRecord) text += "record " + std::to_string(alarm.record) + ": ";
  if (!alarm.file.empty()) text += printable(alarm.file) + ": ";
  text += alarm.what;
  ::openlog("cardvault-audit", LOG_PID, LOG_AUTHPRIV);
  ::syslog(LOG_CRIT, "%s (%s)", text.c_str(), printable(options.url).c_str());
  ::closelog();
  terminal.out << text << '\n' << std::flush;
  terminal.err << "cardvault-audit: " << keep_evidence(report, options.folder, files)
               << " The copy stays what it was. Tell whoever is responsible for the vault.\n";
  return kNotVerified;
}

[[noreturn]] void refuse(const base::Error& error, const MirrorOptions& options) {
  const std::string number = std::to_string(error.number);
  const std::string certificate =
      options.url + " refuses the certificate " + options.credentials.cert_file + ": ";
  switch (error.code) {
    case Code::kCertificateExpired:
      throw CertificateRefused(certificate +
                               "it has expired. Have the collector's certificate renewed "
                               "(docs/clients.md), and start this again with the new one");
    case Code::kClientRevoked:
      throw CertificateRefused(certificate +
                               "it is revoked. Have the collector issued another one "
                               "(docs/clients.md), and start this again with that");
    case Code::kClientUnknown:
      throw CertificateRefused(certificate +
                               "it is of no client that the vault knows. Name the collector's with "
                               "--cert and --cert-key, or have it registered (docs/clients.md)");
    case Code::kClientFrozen:
      throw StartupError(options.url +
                         " has frozen the client of this certificate: two of the vault's operators "
                         "can release it");
    case Code::kPermissionDenied:
      throw StartupError(
          options.url + " does not let this certificate read the log: its client needs audit.read");
    case Code::kNotAllowed:
      throw StartupError("who answers at " + options.url +
                         " is not vouched for by the CA given (X509 error " + number + ")");
    case Code::kNotFound:
      throw StartupError(options.url + " serves no checkpoint yet: is it the auditors' gate?");
    case Code::kInvalidArgument:
      throw StartupError(options.url + " sends elsewhere (" + number +
                         "), and no gate of a vault does: name the auditors' gate itself");
    case Code::kStorageFull:
      throw StartupError(options.folder + ": no space left; the next run goes on where this ended");
    case Code::kStoreFailed:
      throw StartupError(options.folder + ": " + error.operation + ": " +
                         std::strerror(static_cast<int>(error.number)));
    default:
      const std::string text = options.url + " can't be read now (" + error.operation + ", " +
                               number + "); the next run goes on where this ended";
      if (passes(error.code)) throw Unreachable(text);
      throw StartupError(text);
  }
}

// Of the copy a run has read its end alone, which it builds upon, and so says no more.
void tell(const audit::MirrorReport& report, const MirrorOptions& options,
          const Terminal& terminal) {
  terminal.out << "copied and verified: " << printable(report.checkpoint.origin) << ", "
               << report.checkpoint.size << " records (" << report.added << " new), root "
               << audit::to_base64(report.checkpoint.root)
               << "; what earlier runs copied is not read again: `cardvault-audit verify "
               << printable(options.folder) << "` does that\n"
               << std::flush;
}

// Of this run: whom it believes, the keys that it has learned of with them.
struct Trust {
  std::vector<audit::VerifierKey> keys;
  audit::QuorumJudge judge;
};

int update(const MirrorOptions& options, Trust& trust, RemoteLog& remote, const Terminal& terminal,
           bool tell_of_nothing_new) {
  audit::DiskLogFiles files(options.folder);
  base::Result<audit::MirrorReport> report;
  {
    ProgressLine progress(terminal, "mirror", "records");
    report = audit::update_mirror(
        remote.files(), files, trust.keys,
        [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); }, trust.judge);
  }
  if (!report) refuse(report.error(), options);
  if (report->alarm) return raise(*report, options, files, terminal);
  if (report->added != 0 || tell_of_nothing_new) tell(*report, options, terminal);
  return kVerified;
}

// Waits; true when a signal asks to end.
bool pause(const sigset_t& signals, unsigned seconds) {
  const timespec time{static_cast<time_t>(seconds), 0};
  return ::sigtimedwait(&signals, nullptr, &time) > 0;
}

// What lasts is told again, ever more rarely.
class Complaint {
 public:
  [[nodiscard]] bool is_due(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    const bool again = what == last_;
    if (again && now < next_) return false;
    pause_ = again ? std::min(2 * pause_, kLongest) : kFirst;
    next_ = now + pause_;
    last_ = what;
    return true;
  }
  void end() { last_.clear(); }

 private:
  static constexpr std::chrono::seconds kFirst{10}, kLongest{3600};
  std::string last_;
  std::chrono::seconds pause_{};
  std::chrono::steady_clock::time_point next_;
};

int follow(const MirrorOptions& options, Trust& trust, RemoteLog& remote,
           const Terminal& terminal) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  Complaint complaint;
  do {
    try {
      if (const int code = update(options, trust, remote, terminal, false); code != kVerified) {
        return code;
      }
      complaint.end();
    } catch (const CertificateRefused&) {
      throw;
    } catch (const StartupError& problem) {
      if (complaint.is_due(problem.what())) {
        terminal.err << "cardvault-audit: " << problem.what() << '\n' << std::flush;
      }
    }
    // Only here: a signal during an update ends the process, which the next one makes good.
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    if (pause(signals, options.interval_s)) return kVerified;
    ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  } while (true);
}

}  // namespace

int mirror(const MirrorOptions& options, const Terminal& terminal) {
  ::signal(SIGPIPE, SIG_IGN);
  const CopyFolder folder(options.folder);
  Trust trust{{PublishedLog(options.folder).key(options.key)},
              trust_custodians(options.custodians)};
  RemoteLog remote(options.url, options.credentials);
  if (options.follow) return follow(options, trust, remote, terminal);
  return update(options, trust, remote, terminal, true);
}

}  // namespace cardvault::auditor
