// A login, and what a token must prove before it serves.
#include "hsm/error.h"
#include "hsm/keeper.h"
#include "hsm/self_test.h"

namespace cardvault::hsm {

using base::Code;
using std::chrono::steady_clock;

base::Result<void> Keeper::connect(Proof proof) {
  connecting_since_ = steady_clock::now();
  connection_.reset();
  if (std::exchange(inside_, false)) module_->leave();
  auto done = module_->enter();
  inside_ = done.has_value();
  done = done ? log_in(proof) : std::unexpected(outside_login(done.error()));
  if (!done && inside_) {
    connection_.reset();
    module_->leave();
    inside_ = false;
  }
  connecting_since_ = steady_clock::time_point{};
  return done;
}

base::Result<void> Keeper::log_in(Proof proof) {
  std::set<core::KeyRef> left_out;
  {
    const std::lock_guard lock(mutex_);
    left_out = left_out_;
  }
  if (others_) {
    witness_ = {};  // what is known of the keys is known of all tokens: join()
  } else if (hooks_.expected_kcvs) {
    witness_.keep_expected(hooks_.expected_kcvs());
  }
  auto opened = Connection::open(*module_, uri_, pin_, config_, left_out, witness_);
  if (!opened) {
    const std::lock_guard lock(mutex_);
    misfit_.reset();
    return std::unexpected(opened.error());
  }
  connection_ = std::move(*opened);
  Catalogue found = make_catalogue(*connection_, *module_, config_);
  if (auto same = compare(found, proof); !same) return same;
  if (others_) {
    if (auto joined = join(); !joined) return joined;
  }
  const std::lock_guard lock(mutex_);
  catalogue_ = std::move(found);
  suite_ = catalogue_.description.suite;
  return {};
}

base::Result<void> Keeper::join() {
  Channel channel = connection_->channels().front();
  const core::Suite suite = connection_->suite();
  Redundancy::Known known;
  do {
    known = others_->known();
    if (auto same = self_test(*connection_, channel, known.witness); !same) {
      if (ckr_is_loss(rv_of(same.error()))) return std::unexpected(outside_login(same.error()));
      return base::fail(Code::kHsmUnavailable, "a key is not the one that the others have");
    }
    if (known.suite.value_or(suite) != suite) {
      // Records bind their suite: it can't change between two calls of one operation.
      return base::fail(Code::kHsmUnavailable, "it encrypts by another suite than the others");
    }
    known.suite = suite;
  } while (!others_->agree(known));
  return {};
}

base::Result<void> Keeper::compare(const Catalogue& found, Proof proof) {
  if (others_) proof = Proof::kAllKeys;
  if (proof == Proof::kNone || !hooks_.expected_kcvs) return {};
  const auto expected = hooks_.expected_kcvs();
  const std::lock_guard lock(mutex_);
  misfit_.reset();
  for (const auto& [key, kcv] : expected) {
    if (kcv.empty() || left_out_.contains(key)) continue;
    const auto now = found.kcvs.find(key);
    if (now == found.kcvs.end()) {
      if (proof == Proof::kSameKeys || (others_ && is_signature(key.purpose))) continue;
      misfit_ = key;
      return base::fail(Code::kHsmUnavailable, "a key is missing");
    }
    if (now->second != kcv) {
      misfit_ = key;
      return base::fail(Code::kHsmUnavailable, "a key has another check value, or none");
    }
  }
  return {};
}

}  // namespace cardvault::hsm
