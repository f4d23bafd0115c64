// cardvault-audit-bench: makes a published log of generated events, or measures how fast one is
// verified.
//
//   cardvault-audit-bench make DIR COUNT     DIR/audit/ and DIR/audit.vkey, by a key of its own;
//                                           DIR/older-checkpoint is of about half of it
//   cardvault-audit-bench verify DIR         rows of JSON: events a second, and a second of CPU
//   time
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "tests/fakes/fake_crypto.h"
#include "vault/audit/disk_log_files.h"
#include "vault/audit/event_codec.h"
#include "vault/audit/log_writer.h"
#include "vault/audit/verify.h"

namespace cardvault::audit {
namespace {

constexpr std::uint64_t kBatch = 16384;

std::string hex_digits(std::uint64_t seed, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    seed = seed * 6364136223846793005 + 1442695040888963407;  // Knuth's MMIX
    text += "0123456789abcdef"[seed >> 60];
  }
  return text;
}

// As a tokenize of a busy vault: about 340 bytes, 1,000 events a second.
std::string generated(std::uint64_t i) {
  core::Event event;
  event.time_ms = 1'767'225'600'000 + static_cast<std::int64_t>(i);
  event.actor = i % 4 == 0 ? "client:processor" : "client:web";
  event.operation = i % 4 == 0 ? "detokenize" : "tokenize";
  event.outcome = i % 50 == 0 ? "country_refused" : "ok";
  event.source = "192.0.2." + std::to_string(i % 250);
  event.gate = i % 4 == 0 ? "processor" : "web";
  event.resource = "tok_" + hex_digits(i, 26);
  event.request = i + 1;
  if (i % 4 == 0) event.purpose = "payment";
  event.fingerprint = "1:" + hex_digits(i + 1, 32);
  event.customer = hex_digits(i + 2, 32);
  event.key_version = 1;
  std::string line;
  append_event(line, i, event);
  return line;
}

int make(const std::string& dir, std::uint64_t count) {
  const std::filesystem::path folder(dir);
  std::filesystem::create_directories(folder / "audit");
  fakes::FakeCrypto crypto;
  const core::KeyRef ref{core::KeyPurpose::kAuditSign, 1};
  const VerifierKey key("cardvault.example/generated", crypto.public_key(ref).value());
  std::ofstream(folder / "audit.vkey") << key.text() << '\n';
  DiskLogFiles files((folder / "audit").string());
  LogWriter writer(files, {key},
                   [&](std::string_view text) { return crypto.sign(ref, base::as_bytes(text)); });
  while (writer.size() < count) {
    std::vector<std::string> entries;
    const std::uint64_t end = std::min(count, writer.size() + kBatch);
    for (std::uint64_t i = writer.size(); i < end; ++i) entries.push_back(generated(i));
    if (const auto done = writer.publish(entries); !done) {
      std::cerr << done.error().operation << " " << done.error().number << '\n';
      return 1;
    }
    if (writer.size() <= count / 2)
      std::ofstream(folder / "older-checkpoint") << writer.checkpoint();
  }
  return 0;
}

std::uint64_t bytes_below(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& one : std::filesystem::recursive_directory_iterator(folder)) {
    if (one.is_regular_file()) bytes += one.file_size();
  }
  return bytes;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Of this program alone: getrusage(2) begins with what its parent had.
std::uint64_t peak_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kb = 0;
    if (word == "VmHWM:" && status >> kb) return kb;
  }
  return 0;
}

int verify(const std::string& dir) {
  const std::filesystem::path folder(dir);
  std::string text;
  std::getline(std::ifstream(folder / "audit.vkey"), text);
  const auto key = VerifierKey::parse(text).value();
  DiskLogFiles files((folder / "audit").string());
  const ReadFile read = [&](const std::string& path) { return files.read(path); };
  const double megabytes = static_cast<double>(bytes_below(folder / "audit")) / 1e6;
  static_cast<void>(verify_log(read, key, {}, {}));  // into the page cache
  const unsigned cores = std::thread::hardware_concurrency();
  std::cout << '[';
  for (unsigned threads = 1; threads <= cores; ++threads) {
    const auto began = std::chrono::steady_clock::now();
    const double cpu_began = cpu_seconds();
    const VerifyReport report = verify_log(read, key, {}, {.threads = threads, .progress = {}});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const auto rate = static_cast<double>(report.records) / took.count();
    std::cout << (threads == 1 ? "" : ",\n ") << "{\"threads\":" << threads
              << ",\"verified\":" << (report.findings.empty() ? "true" : "false")
              << ",\"events\":" << report.records
              << ",\"events_per_s\":" << static_cast<std::uint64_t>(rate)
              << ",\"events_per_cpu_s\":"
              << static_cast<std::uint64_t>(static_cast<double>(report.records) /
                                            (cpu_seconds() - cpu_began))
              << ",\"mb_per_s\":" << static_cast<std::uint64_t>(megabytes / took.count())
              << ",\"peak_mb\":" << peak_kb() / 1024 << '}';
  }
  std::cout << "]\n";
  return 0;
}

}  // namespace
}  // namespace cardvault::audit

int main(int argc, char** argv) {
  CLI::App app("Makes a published log of generated events, or measures how fast one is verified.");
  app.require_subcommand(1);
  std::string dir;
  std::uint64_t count = 0;
  CLI::App* make = app.add_subcommand("make", "make DIR/audit and DIR/audit.vkey");
  make->add_option("DIR", dir)->required();
  make->add_option("COUNT", count, "events")->required();
  CLI::App* verify = app.add_subcommand("verify", "measure verifying DIR/audit");
  verify->add_option("DIR", dir)->required();
  CLI11_PARSE(app, argc, argv);
  return make->parsed() ? cardvault::audit::make(dir, count) : cardvault::audit::verify(dir);
}
