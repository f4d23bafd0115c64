#include "provisioning/auditor/mirror.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
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

// The copy's folder, made, and held so that no second mirror writes to it.
class CopyFolder {
 public:
  explicit CopyFolder(const std::string& path) {
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
      throw StartupError(path + ": " + std::strerror(errno));
    }
    fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0) throw StartupError(path + ": " + std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw StartupError(path + " is another mirror's at present: wait for it, or end it");
    }
  }
  ~CopyFolder() { ::close(fd_); }
  CopyFolder(const CopyFolder&) = delete;             // owns a descriptor
  CopyFolder& operator=(const CopyFolder&) = delete;  // owns a descriptor

 private:
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
  switch (error.code) {
    case Code::kPermissionDenied:
      throw StartupError(
          options.url + " does not let this certificate read the log: its client needs audit.read");
    case Code::kNotAllowed:
      throw StartupError("who answers at " + options.url +
                         " is not vouched for by the CA given (X509 error " + number + ")");
    case Code::kNotFound:
      throw StartupError(options.url + " serves no checkpoint yet: is it the auditors' gate?");
    case Code::kStorageFull:
      throw StartupError(options.folder + ": no space left; the next run goes on where this ended");
    case Code::kStoreFailed:
      throw StartupError(options.folder + ": " + error.operation + ": " +
                         std::strerror(static_cast<int>(error.number)));
    default:
      throw StartupError(options.url + " can't be read now (" + error.operation + ", " + number +
                         "); the next run goes on where this ended");
  }
}

void tell(const audit::MirrorReport& report, const Terminal& terminal) {
  terminal.out << "verified copy: " << printable(report.checkpoint.origin) << ", "
               << report.checkpoint.size << " records (" << report.added << " new), root "
               << audit::to_base64(report.checkpoint.root) << '\n'
               << std::flush;
}

int update(const MirrorOptions& options, std::vector<audit::VerifierKey>& keys, RemoteLog& remote,
           const Terminal& terminal, bool tell_of_nothing_new) {
  audit::DiskLogFiles files(options.folder);
  base::Result<audit::MirrorReport> report;
  {
    ProgressLine progress(terminal, "mirror", "records");
    report = audit::update_mirror(
        remote.files(), files, keys,
        [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); },
        trust_custodians(options.custodians));
  }
  if (!report) refuse(report.error(), options);
  if (report->alarm) return raise(*report, options, files, terminal);
  if (report->added != 0 || tell_of_nothing_new) tell(*report, terminal);
  return kVerified;
}

// Waits; true when a signal asks to end.
bool pause(const sigset_t& signals, unsigned seconds) {
  const timespec time{static_cast<time_t>(seconds), 0};
  return ::sigtimedwait(&signals, nullptr, &time) > 0;
}

int follow(const MirrorOptions& options, std::vector<audit::VerifierKey>& keys, RemoteLog& remote,
           const Terminal& terminal) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  std::string last_problem;
  do {
    try {
      if (const int code = update(options, keys, remote, terminal, false); code != kVerified) {
        return code;
      }
      last_problem.clear();
    } catch (const StartupError& problem) {
      if (last_problem != problem.what()) {
        terminal.err << "cardvault-audit: " << problem.what() << '\n' << std::flush;
      }
      last_problem = problem.what();
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
  std::vector<audit::VerifierKey> keys = {PublishedLog(options.folder).key(options.key)};
  RemoteLog remote(options.url, options.credentials);
  if (options.follow) return follow(options, keys, remote, terminal);
  return update(options, keys, remote, terminal, true);
}

}  // namespace cardvault::auditor
