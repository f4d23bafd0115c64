#include "tests/bench/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>

namespace cardvault::bench {
namespace {

const std::map<std::string, Mode> kModes = {{"tokenize", Mode::kTokenize},
                                            {"detokenize", Mode::kDetokenize},
                                            {"mixed", Mode::kMixed},
                                            {"otp-seal", Mode::kOtpSeal},
                                            {"otp-verify", Mode::kOtpVerify},
                                            {"handshake", Mode::kHandshake},
                                            {"idle", Mode::kIdle}};

constexpr const char* kFooter =
    "Without --rate the loop is closed: a connection sends its next request when the last one is\n"
    "answered, so a slow answer also delays what would have come after it and percentiles "
    "flatter.\n"
    "With --rate requests are due on a fixed schedule and latency counts from the due time.\n\n"
    "  cardvault-load tokenize --url https://localhost:8443 --ca ca.pem --cert web.pem --key "
    "web.key";

void add_targets(CLI::App& app, Options& options) {
  app.add_option("--url", options.store.url, "gate for tokenize")->required();
  app.add_option("--ca", options.store.credentials.ca_file, "CA of the gates (PEM)")->required();
  app.add_option("--cert", options.store.credentials.cert_file)->required();
  app.add_option("--key", options.store.credentials.key_file)->required();
  app.add_option("--reveal-url", options.reveal.url, "gate for detokenize");
  app.add_option("--reveal-cert", options.reveal.credentials.cert_file);
  app.add_option("--reveal-key", options.reveal.credentials.key_file);
  app.add_option("--purpose", options.purpose, "purpose of reveals")->capture_default_str();
}

}  // namespace

const char* mode_name(Mode mode) noexcept {
  switch (mode) {
    case Mode::kTokenize:
      return "tokenize";
    case Mode::kDetokenize:
      return "detokenize";
    case Mode::kMixed:
      return "mixed";
    case Mode::kOtpSeal:
      return "otp-seal";
    case Mode::kOtpVerify:
      return "otp-verify";
    case Mode::kHandshake:
      return "handshake";
    case Mode::kIdle:
      return "idle";
  }
  return "";
}

Options read_options(int argc, char** argv) {
  CLI::App app("Loads a card vault over mutual TLS and reports rates and latencies.",
               "cardvault-load");
  app.footer(kFooter);
  Options options;
  std::string format = "table";
  app.add_option("mode", options.mode,
                 "tokenize, detokenize, mixed (80 % reveals), otp-seal, otp-verify (wrong codes of "
                 "--cards subjects who have one), handshake, idle")
      ->required()
      ->transform(CLI::CheckedTransformer(kModes, CLI::ignore_case));
  add_targets(app, options);
  app.add_option("-c,--connections", options.connections)
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 16))->capture_default_str();
  app.add_option("--batch", options.batch, "items per request")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "measured time")->capture_default_str();
  app.add_option("--warmup", options.warmup, "seconds before, not counted")->capture_default_str();
  app.add_option("--rate", options.rate, "requests/s, open loop; 0: closed loop");
  app.add_option("--cards", options.cards, "cards stored, or codes sealed, beforehand")
      ->check(CLI::Range(1, 100000000))
      ->capture_default_str();
  app.add_option("--watch", options.watch, "report CPU and memory of these pids")->delimiter(',');
  app.add_option("--format", format)
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    const bool reveals = options.mode == Mode::kDetokenize || options.mode == Mode::kMixed;
    if (reveals && (options.reveal.url.empty() || options.reveal.credentials.cert_file.empty() ||
                    options.reveal.credentials.key_file.empty())) {
      throw CLI::RequiredError("--reveal-url, --reveal-cert and --reveal-key");
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.json = format == "json";
  options.threads = std::min(options.threads, options.connections);
  options.reveal.credentials.ca_file = options.store.credentials.ca_file;
  options.store.credentials.small_when_idle = options.mode == Mode::kIdle;
  return options;
}

}  // namespace cardvault::bench
