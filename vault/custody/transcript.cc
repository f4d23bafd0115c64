#include "vault/custody/transcript.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "vault/base/clock.h"
#include "vault/base/result.h"
#include "vault/custody/medium.h"

namespace cardvault::custody {
namespace {

using base::StartupError;

constexpr std::string_view kHead = "cardvault transcript v1";

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::string encode(const TranscriptHead& head) {
  std::string out = std::string(kHead) + "\n" + line("kind", head.kind) +
                    line("vault", head.vault) + line("previous", head.previous);
  std::string_view plan = head.plan;
  while (!plan.empty()) {
    const std::string_view one = plan.substr(0, plan.find('\n'));
    out += line("plan", one);
    plan.remove_prefix(std::min(plan.size(), one.size() + 1));
  }
  return out;
}

Entry parse_entry(const LineReader& reader, std::string_view value) {
  Entry out;
  const auto blank = value.find(' ');
  const auto time = parse_time(value.substr(0, blank));
  if (!time || blank == std::string_view::npos) reader.refuse("an entry begins with its time");
  out.time_ms = *time;
  value.remove_prefix(blank + 1);
  const auto after = value.find(' ');
  out.verb = value.substr(0, after);
  auto fields = parse_fields(after == std::string_view::npos ? "" : value.substr(after + 1));
  if (!fields || out.verb.empty()) reader.refuse("an entry is a verb and key=value");
  out.fields = std::move(*fields);
  return out;
}

}  // namespace

const Entry* Transcript::last(std::string_view verb, std::string_view key,
                              std::string_view value) const {
  for (std::size_t i = entries.size(); i-- > 0;) {
    const Entry& one = entries[i];
    if (one.verb == verb && (key.empty() || one.get(key) == value)) return &one;
  }
  return nullptr;
}

Transcript parse_transcript(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kHead);
  Transcript out;
  out.head.kind = reader.take("kind");
  out.head.vault = reader.take("vault");
  out.head.previous = reader.take("previous");
  while (reader.next_is("plan")) out.head.plan += std::string(reader.take("plan")) + "\n";
  while (reader.next_is("entry")) {
    out.entries.push_back(parse_entry(reader, reader.take("entry")));
  }
  out.body = sha256(text.substr(0, reader.position()));
  while (reader.next_is("signed")) {
    auto one = parse_signed(reader.take("signed"));
    if (!one) reader.refuse("expected a name and a signature");
    out.signatures.push_back(std::move(*one));
  }
  reader.end();
  return out;
}

TranscriptWriter TranscriptWriter::create(const std::string& path, const TranscriptHead& head) {
  if (const int error = write_new_file(path, encode(head)); error != 0) {
    throw StartupError(path + ": " + explain_write(error));
  }
  return resume(path);
}

TranscriptWriter TranscriptWriter::resume(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) throw StartupError(path + ": can't be opened");
  TranscriptWriter out(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    throw StartupError(path + ": another ceremony is at work there");
  }
  const std::string text = read_text_file(path);
  const auto whole = text.rfind('\n') + 1;  // npos + 1 is 0
  if (whole != text.size() && ::ftruncate(fd, static_cast<off_t>(whole)) != 0) {
    throw StartupError(path + ": its torn last line can't be cut off");
  }
  out.reread();
  return out;
}

TranscriptWriter::TranscriptWriter(TranscriptWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      transcript_(std::move(other.transcript_)) {}

TranscriptWriter::~TranscriptWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void TranscriptWriter::append(const std::string& text) {
  const ssize_t n = ::write(fd_, text.data(), text.size());
  if (n != static_cast<ssize_t>(text.size()) || ::fsync(fd_) != 0) {
    throw StartupError(path_ + ": can't be written: " + explain_write(n < 0 ? errno : ENOSPC));
  }
  reread();
}

void TranscriptWriter::reread() { transcript_ = parse_transcript(path_, read_text_file(path_)); }

void TranscriptWriter::add(std::string_view verb, const Fields& fields) {
  std::string entry = base::format_time(now_ms()) + " " + std::string(verb);
  if (!fields.empty()) entry += " " + format_fields(fields);
  append(line("entry", entry));
}

void TranscriptWriter::add(const Signed& signature) { append(signed_line(signature)); }

std::vector<std::string> transcripts_in(const std::string& folder) {
  std::map<unsigned, std::string, std::greater<>> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view kPrefix = "transcript.";
    if (!name.starts_with(kPrefix)) continue;
    const auto number = parse_number(name.substr(kPrefix.size()), 99999);
    if (number && *number != 0) found[*number] = entry.path();
  }
  std::vector<std::string> out;
  for (auto& [number, path] : found) out.push_back(std::move(path));
  return out;
}

std::string newest_transcript(const std::string& folder) {
  auto all = transcripts_in(folder);
  return all.empty() ? "" : std::move(all.front());
}

}  // namespace cardvault::custody
