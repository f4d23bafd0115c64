#include "tests/unit/audit/memory_log.h"

#include <algorithm>

#include "vault/audit/event_codec.h"

namespace cardvault::audit {

using base::Code;

bool MemoryFiles::step_fails() {
  ++steps_;
  return until_failure_ >= 0 && until_failure_-- == 0;
}

base::Result<std::optional<std::string>> MemoryFiles::read(const std::string& path) {
  const auto found = files.find(path);
  if (found == files.end()) return std::nullopt;
  return found->second;
}

base::Result<void> MemoryFiles::put(const std::string& path, std::string_view bytes) {
  if (step_fails()) {
    leave_some();
    return base::fail(Code::kStorageFull, "put", 28);
  }
  staged_.emplace_back(path, bytes);
  return {};
}

void MemoryFiles::leave_some() {
  for (const auto& [path, bytes] : std::exchange(staged_, {})) {
    if (chance() % 2 == 0) files[path] = bytes.substr(0, chance() % (bytes.size() + 1));
    if (chance() % 4 == 0) files[path] = bytes;
  }
}

base::Result<void> MemoryFiles::sync() {
  for (std::size_t i = 0; i < staged_.size(); ++i) {
    if (!step_fails()) continue;
    leave_some();
    return base::fail(Code::kStoreFailed, "sync", 5);
  }
  for (const auto& [path, bytes] : std::exchange(staged_, {})) files[path] = bytes;
  return {};
}

base::Result<void> MemoryFiles::replace(const std::string& path, std::string_view bytes) {
  // A checkpoint before what it covers is what this could not forgive.
  if (!staged_.empty()) std::abort();
  if (step_fails()) {
    if (chance() % 2 == 0) files[path] = bytes;
    return base::fail(Code::kStoreFailed, "replace", 5);
  }
  files[path] = bytes;
  return {};
}

base::Result<void> MemoryFiles::remove_folder(const std::string& path) {
  if (step_fails()) return base::fail(Code::kStoreFailed, "remove", 5);
  std::erase_if(files, [&](const auto& one) { return one.first.starts_with(path + "/"); });
  return {};
}

ReadFile MemoryFiles::reader() {
  return [this](const std::string& path) { return read(path); };
}

std::string event_line(std::uint64_t i, std::int64_t minutes) {
  core::Event event;
  event.time_ms = 1'795'000'000'000 + static_cast<std::int64_t>(i) * minutes * 60'000;
  event.actor = "client:web";
  event.operation = i % 3 == 0 ? "tokenize" : "detokenize";
  event.resource = "tok_" + std::to_string(1'000'000 + i);
  event.request = i + 1;
  event.details = {{"n", std::to_string(i * i)}};
  std::string line;
  append_event(line, i, event);
  return line;
}

std::vector<std::string> event_lines(std::uint64_t from, std::uint64_t to, std::int64_t minutes) {
  std::vector<std::string> lines;
  for (std::uint64_t i = from; i < to; ++i) lines.push_back(event_line(i, minutes));
  return lines;
}

std::string endorsement(std::uint64_t seq, TestKey& by, const VerifierKey& next) {
  Note note;
  note.text = "cardvault key statement v1\nvault: " + next.name() +
              "\nstatement: audit-sign/2 signs after audit-sign/1\nvkey: " + next.text() +
              "\ntime: 2026-11-22T12:00:00.000Z\n";
  note.signatures.push_back({by.key.name(), by.key.id(), by.key.note_form(*by.sign(note.text))});
  core::Event event;
  event.time_ms = 1'795'000'000'000 + static_cast<std::int64_t>(seq) * 60'000;
  event.actor = "operator:dina";
  event.operation = "key.activate";
  event.details = {{"kcv", "0011223344"}, {"statement", format_note(note)}};
  std::string line;
  append_event(line, seq, event);
  return line;
}

TestLog::TestLog(std::uint64_t size, TestKey& its_key)
    : key(its_key), writer_(disk, {its_key.key}, its_key.sign) {
  append(size);
}

void TestLog::append(std::uint64_t count) {
  for (std::uint64_t batch = 1; count > 0; batch = batch * 3 + 1) {
    const std::uint64_t now = std::min(batch, count);
    if (!writer_.publish(event_lines(writer_.size(), writer_.size() + now))) std::abort();
    count -= now;
  }
}

void TestLog::rewrite(const std::vector<std::string>& entries) {
  const std::string checkpoint = files.at("checkpoint");
  files.clear();
  LogWriter forger(disk, {key.key}, key.sign);
  if (!forger.publish(entries)) std::abort();
  files["checkpoint"] = checkpoint;
}

VerifyReport TestLog::verify(const std::vector<KeptCheckpoint>& older, unsigned threads) {
  return verify_log(disk.reader(), key.key, older, {.threads = threads, .progress = {}});
}

std::vector<std::string> TestLog::entries(std::uint64_t bundle, std::uint64_t width) {
  std::vector<std::string> found;
  BundleReader reader(files.at(bundle_path(bundle, width)));
  while (const auto entry = reader.next()) found.emplace_back(*entry);
  return found;
}

void TestLog::put_entries(const std::string& path, const std::vector<std::string>& entries) {
  std::string bundle;
  for (const std::string& entry : entries) append_entry(bundle, entry);
  files[path] = bundle;
}

}  // namespace cardvault::audit
