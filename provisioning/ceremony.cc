#include "provisioning/ceremony.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "provisioning/ceremony_layout.h"
#include "provisioning/ceremony_run.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/init.h"
#include "provisioning/init_stage.h"
#include "provisioning/locked_memory.h"
#include "provisioning/plan_here.h"
#include "provisioning/rehearsal.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSoftHsm = "/usr/lib/softhsm/libsofthsm2.so";
constexpr const char* kGoOn =
    "Run the same command again: the ceremony goes on where it stopped.\n";

custody::Plan read_plan(const std::string& path) {
  return custody::parse_plan(path, custody::read_text_file(path));
}

void refuse_vault(const NewVault& vault, const std::string& stage) {
  if (fs::exists(stage + "/ready")) return;  // its parts are on their way
  Moves moves = planned_moves(vault, stage);
  moves.emplace_back(stage + "/custody", vault.layout.dir + "/custody");
  refuse_existing(vault, moves);
}

// A rehearsal makes neither the vault's files nor its token: what these would lack is said here.
void demand_here(const custody::Plan& plan) {
  const auto missing = missing_here(plan);
  if (missing.empty()) return;
  std::string message = "this machine can't carry the plan out:";
  for (const std::string& one : missing) message += "\n  " + one;
  throw ToolError(ExitCode::kLocal, message);
}

}  // namespace

InitOptions init_options(const custody::Plan& plan, const std::string& dir, bool rehearsal) {
  InitOptions out;
  out.dir = dir;
  out.label = plan.label;
  out.module = rehearsal ? kSoftHsm : plan.module;
  if (rehearsal) {
    out.daemon_user = std::to_string(::geteuid());
    return out;
  }
  out.init_args = plan.init_args;
  out.config_dir = plan.config_dir;
  out.run_dir = plan.run_dir;
  out.daemon_user = plan.daemon_user;
  out.gates = plan.gates;
  out.operators = plan.operators;
  return out;
}

ExitCode check_plan(const Context& context, const std::string& path) {
  const custody::Plan plan = read_plan(path);
  context.err << "cardvault: " << path
              << " is a plan that can be carried out: " << plan.custodians.size() << " custodians, "
              << custody::plan_steps(plan).size() << " steps\n";
  // It may be checked elsewhere than where it is carried out.
  for (const std::string& one : missing_here(plan)) {
    context.err << "cardvault: warning: not on this machine: " << one << '\n';
  }
  return ExitCode::kDone;
}

ExitCode show_plan(const Context& context, const std::string& path) {
  context.out << custody::show_plan(read_plan(path));
  return ExitCode::kDone;
}

ExitCode run_ceremony(const Context& context, const CeremonyOptions& options) {
  const custody::Plan plan = read_plan(options.plan);
  const NewVault vault = plan_vault(init_options(plan, options.dir, options.rehearse));
  const std::string& dir = vault.layout.dir;
  const std::string stage = dir + (options.rehearse ? "/rehearsal.part" : "/ceremony.part");
  if (options.rehearse) {
    demand_here(plan);
    end_other_rehearsal(context, plan, stage);
  } else {
    refuse_vault(vault, stage);
  }
  keep_memory(context.err);
  custody::Terminal terminal(kGoOn);
  try {
    Ceremony ceremony(context, terminal, plan, vault, stage, options.rehearse);
    ceremony.run();
    if (options.rehearse) {
      ceremony.keep_rehearsal(dir);
      return ExitCode::kDone;
    }
    ceremony.install();
  } catch (const custody::Declined& problem) {
    throw ToolError(ExitCode::kRefused, std::string(problem.what()) + "\n" + kGoOn);
  }
  context.err << "cardvault: the vault is in " << dir << ", configured by "
              << vault.layout.vault_toml() << ".\nCopy " << dir
              << "/custody to where nobody can change it: its transcript proves what was done.\n";
  if (plan.custodians_unseal) {
    context.err << "Its PIN is with its custodians: start the vault, then `cardvault unseal`.\n";
  }
  return ExitCode::kDone;
}

ExitCode verify_transcript(const Context& context, const std::string& path,
                           const std::string& previous) {
  const std::string text = custody::read_text_file(path);
  const custody::Transcript transcript = custody::parse_transcript(path, text);
  auto checks = custody::check_transcript(transcript);
  if (!previous.empty()) {
    const bool follows = custody::hex(custody::sha256(custody::read_text_file(previous))) ==
                         transcript.head.previous;
    checks.push_back(
        {follows, follows ? "it continues " + previous : "it does not continue " + previous});
  }
  wire::AdminAnswer answer;
  answer.columns = {"check", "what"};
  for (const custody::Check& check : checks) {
    answer.rows.push_back({check.good ? "good" : "BAD", check.what});
  }
  render(context.out, context.format, answer);
  const custody::Digest plan = custody::sha256(transcript.head.plan);
  context.err << "cardvault: a " << transcript.head.kind << " of the vault "
              << transcript.head.vault
              << ". That its plan is the one reviewed, you see by the plan's digest:\n"
              << custody::for_comparison(plan, "  ");
  if (transcript.head.kind == "rehearsal") {
    context.err << "It is a REHEARSAL: no vault has these keys.\n";
  }
  if (previous.empty() && transcript.head.previous != "none") {
    context.err << "It continues the transcript whose SHA-256 is " << transcript.head.previous
                << ": verify that too, and name it with --previous.\n";
  }
  return custody::all_good(checks) ? ExitCode::kDone : ExitCode::kRefused;
}

}  // namespace cardvault::provisioning
