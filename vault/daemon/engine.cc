#include "vault/daemon/engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <type_traits>

#include "vault/base/check.h"
#include "vault/base/secret.h"
#include "vault/core/inquiry.h"
#include "vault/daemon/announcement.h"
#include "vault/daemon/dispatch.h"
#include "vault/daemon/request_cost.h"

namespace cardvault::daemon {

using base::Code;
using core::Failure;
using core::Response;

namespace {

constexpr std::size_t kTake = 64;                 // operations per read transaction
constexpr std::size_t kSlowBound = 256;           // some seconds of Argon2id
constexpr std::uint32_t kUnknownPerSecond = 100;  // refusals of unregistered certificates
constexpr std::string_view kStranger = "unknown";
constexpr auto kFinishTime = std::chrono::seconds(2);

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Of a frame that is long for what it asks, so that a gate's queue is bounded in bytes too.
constexpr std::size_t kBytesPerCall = 256;

Charge charge_of(const core::Ceiling& gate, const wire::GateRequest& in) {
  return {gate.gate,
          std::max(hsm_calls(in.request), static_cast<std::uint32_t>(in.bytes / kBytesPerCall))};
}

template <class T, class... Others>
constexpr bool kOneOf = (std::is_same_v<T, Others> || ...);

// What a clock in doubt stops (DESIGN section 8).
bool is_write(const core::Request& request) {
  return std::visit(
      []<class T>(const T&) {
        return kOneOf<T, core::Tokenize, core::TokenDelete, core::TokenFreeze, core::OtpSeal,
                      core::OtpVerify, core::OtpCancel, core::SecretEnroll, core::SecretVerify,
                      core::SecretChange, core::SecretRemove>;
      },
      request);
}

bool is_refused(DiskLevel disk, const core::Request& request) {
  const auto* detokenize = std::get_if<core::Detokenize>(&request);
  const bool reveals =
      detokenize != nullptr &&
      std::ranges::any_of(detokenize->items, [](const auto& item) { return !item.mask; });
  return (disk >= DiskLevel::kNoReveals && reveals) ||
         (disk >= DiskLevel::kNoWrites && is_write(request));
}

std::string_view outcome_of(const core::Answer& answer) {
  const auto* failure = std::get_if<Failure>(&answer);
  if (failure != nullptr) return base::code_name(failure->code);
  const auto single = [](const auto& a) -> std::string_view {
    if (a.batch || a.items.size() != 1) return "ok";
    const auto* f = std::get_if<Failure>(&a.items.front());
    return f == nullptr ? "ok" : base::code_name(f->code);
  };
  if (const auto* t = std::get_if<core::TokenizeAnswer>(&answer)) return single(*t);
  if (const auto* d = std::get_if<core::DetokenizeAnswer>(&answer)) return single(*d);
  return "ok";
}

}  // namespace

Engine::Engine(core::Services& services, core::Committer& committer, Metrics& metrics,
               FloodCounter& floods, Outboxes& outboxes, std::size_t queue_bound)
    : services_(services),
      committer_(committer),
      metrics_(metrics),
      floods_(floods),
      outboxes_(outboxes),
      policy_(services.clients),
      queue_(queue_bound),
      slow_queue_(kSlowBound),
      // Request ids group events of one request; they start at the time so that restarts differ.
      next_request_(static_cast<std::uint64_t>(services.clock.now_ms()) << 20) {}

Engine::~Engine() { stop(); }

void Engine::start(unsigned workers, unsigned slow_workers, const MakeReader& make_reader) {
  reserve_invocations();
  // The first blocks are durable before the first request: commits are done in their order.
  std::promise<void> reserved;
  committer_.submit(std::make_unique<Effect>(
      [](core::Transaction&, core::EventSink&) -> base::Result<void> { return {}; },
      [&](const base::Result<core::Receipt>&) { reserved.set_value(); }));
  reserved.get_future().wait();
  for (unsigned i = 0; i < workers; ++i) {
    workers_.emplace_back([this, make_reader] { run(queue_, kTake, make_reader); });
  }
  for (unsigned i = 0; i < slow_workers; ++i) {
    workers_.emplace_back([this, make_reader] { run(slow_queue_, 1, make_reader); });
  }
}

void Engine::stop() {
  queue_.close();
  slow_queue_.close();
  // A gate can have minutes of work waiting, and who seals the vault can't wait for that.
  const auto deadline = std::chrono::steady_clock::now() + kFinishTime;
  for (WorkQueue* queue : {&queue_, &slow_queue_}) {
    for (auto& operation : queue->leave(deadline)) operation->abandon({Code::kVaultUnavailable, 1});
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

std::map<std::string, std::size_t> Engine::waiting() const {
  auto waiting = queue_.waiting();
  for (const auto& [gate, slow] : slow_queue_.waiting()) waiting[gate] += slow;
  return waiting;
}

void Engine::run(WorkQueue& queue, std::size_t take, const MakeReader& make_reader) {
  const auto reader = make_reader();
  for (;;) {
    auto operations = queue.take(take);
    if (operations.empty()) return;
    core::Reader& snapshot = reader->begin();
    for (auto& operation : operations) {
      if (operation->awaits_finish()) {
        operation->finish_and_respond();
        continue;
      }
      operation->prepare(snapshot);
      if (const auto earlier = operation->covered()) {
        operation->respond_under(*earlier);
        continue;
      }
      committer_.submit(std::move(operation));
    }
    reader->end();
    outboxes_.flush();  // what the committer refused at once, or what needed no commit
    base::wipe_stack();
    reserve_invocations();
  }
}

void Engine::reserve_invocations() {
  for (const core::KeyPurpose purpose :
       {core::KeyPurpose::kPanEnc, core::KeyPurpose::kIdEnc, core::KeyPurpose::kSecretEnc}) {
    const core::KeyRef key = services_.keys.get(purpose);
    const auto total = services_.invocations.wants_reservation(key);
    if (!total) continue;
    committer_.submit(std::make_unique<Effect>(
        [key, total = *total](core::Transaction& tx, core::EventSink&) -> base::Result<void> {
          auto keys = tx.keys();
          if (!keys) return std::unexpected(keys.error());
          for (core::KeyRow& row : *keys) {
            if (row.key != key) continue;
            row.invocations_reserved = total;
            return tx.put_key(row);
          }
          return base::fail(Code::kKeyMissing, "engine.reserve");
        },
        [this, key, total = *total](const base::Result<core::Receipt>& receipt) {
          if (receipt) {
            services_.invocations.reserved(key, total);
          } else {
            services_.invocations.reservation_failed(key);
          }
        }));
  }
}

void Engine::enqueue(std::unique_ptr<core::Operation> operation, std::string_view name,
                     const Charge& charge, Reply reply) {
  const auto started = std::chrono::steady_clock::now();
  WorkQueue& queue = operation->slow() ? slow_queue_ : queue_;
  operation->bind(
      next_request_.fetch_add(1, std::memory_order_relaxed),
      [this, name, started, reply = std::move(reply)](Response response) mutable {
        metrics_.request(name, outcome_of(response.answer()),
                         std::chrono::steady_clock::now() - started);
        reply(std::move(response));
      },
      [&queue, charge](std::unique_ptr<core::Operation> again) {
        if (!queue.push_again(charge, again)) again->abandon({Code::kVaultUnavailable, 1});
      });
  if (!queue.push(charge, operation)) {
    floods_.add("gate:" + charge.gate, "", base::code_name(Code::kOverloaded));
    operation->abandon({Code::kOverloaded, 1});
  }
}

// Who asks, also where a client is frozen or revoked. One that the gate may not present is none: a
// gate that is taken over would write others' names into the log.
std::string Engine::actor_of(const base::Result<core::Principal>& principal,
                             const core::Caller& caller) const {
  if (principal) return "client:" + principal->id();
  const Code code = principal.error().code;
  if (code == Code::kClientFrozen || code == Code::kClientRevoked) {
    if (const auto client = services_.clients.by_caller(caller)) return "client:" + client->id;
  }
  return std::string(kStranger);
}

void Engine::refuse(std::string actor, const core::Ceiling& gate, const core::Caller& caller,
                    std::string_view operation, Failure failure, Reply reply) {
  const bool stranger = actor == kStranger;
  core::Event event;
  event.time_ms = services_.clock.now_ms();
  event.actor = std::move(actor);
  event.operation = operation;
  event.outcome = base::code_name(failure.code);
  event.source = caller.source;
  event.gate = gate.gate;
  if (stranger && !caller.serial.empty()) {
    event.details.emplace_back("certificate", caller.serial);
  }
  enqueue(std::make_unique<core::RefusalOperation>(services_, std::move(event), failure), "refused",
          {gate.gate, 1}, std::move(reply));
}

void Engine::admit(core::Principal principal, const core::Ceiling& gate, wire::GateRequest in,
                   Reply reply) {
  const std::string_view name = core::operation_name(in.request);
  const Charge charge = charge_of(gate, in);
  const std::string actor = "client:" + principal.id();
  std::visit(
      [&]<class T>(T&& typed) {
        if constexpr (kOneOf<T, core::ReadyCheck, core::Refused, core::Flood>) {
          CARDVAULT_CHECK(false);  // the link or submit() answers these itself
        } else {
          auto authorized = policy_.authorize(std::move(principal), std::forward<T>(typed));
          if (authorized) {
            enqueue(MakeOperation(services_)(std::move(*authorized)), name, charge,
                    std::move(reply));
          } else {
            refuse(actor, gate, in.caller, name, authorized.error(), std::move(reply));
          }
        }
      },
      std::move(in.request));
}

void Engine::submit(const core::Ceiling& gate, wire::GateRequest in, Reply reply) {
  const std::string_view name = core::operation_name(in.request);
  const auto* gate_refusal = std::get_if<core::Refused>(&in.request);
  auto principal = policy_.identify(in.caller, gate);
  std::string actor = actor_of(principal, in.caller);
  const std::string bucket = principal ? principal->id() : "?unknown";
  const std::uint32_t rate = !principal ? kUnknownPerSecond
                             : principal->client->rate_per_s != 0
                                 ? principal->client->rate_per_s
                                 : services_.settings.load()->rate_per_s;
  if (const auto wait = rates_.take(bucket, rate, rate_items(in.request), monotonic_us());
      wait != 0) {
    floods_.add(actor, in.caller.source, "rate_limited");
    reply(Response::unaudited({Code::kRateLimited, wait}));
    return;
  }
  if (sealed_) {
    reply(Response::unaudited({Code::kSealed, core::retry_after_s(Code::kSealed)}));
    return;
  }
  const DiskLevel disk = disk_;
  if (!principal && disk != DiskLevel::kEnough) {
    // A line of the log for each would let strangers use up what is left. What no event of its own
    // says may not be answered.
    floods_.add(actor, in.caller.source, base::code_name(principal.error().code));
    reply(Response::unaudited({Code::kStorageFull, core::retry_after_s(Code::kStorageFull)}));
    return;
  }
  if (!principal) {
    refuse(std::move(actor), gate, in.caller, name, core::failure_of(principal.error()),
           std::move(reply));
    return;
  }
  if (gate_refusal != nullptr) {
    // A taken gate could write anything into the name of an operation: only a name goes to the log.
    const bool named = core::valid_client_id(gate_refusal->operation);
    refuse(std::move(actor), gate, in.caller, named ? gate_refusal->operation : "http",
           {.code = gate_refusal->code, .item = gate_refusal->item}, std::move(reply));
    return;
  }
  if (is_write(in.request) && !services_.clock.trusted()) {
    reply(Response::unaudited({Code::kClockSuspect, core::retry_after_s(Code::kClockSuspect)}));
    return;
  }
  if (is_refused(disk, in.request)) {
    floods_.add(actor, in.caller.source, base::code_name(Code::kStorageFull));
    reply(Response::unaudited({Code::kStorageFull, core::retry_after_s(Code::kStorageFull)}));
    return;
  }
  admit(std::move(*principal), gate, std::move(in), std::move(reply));
}

}  // namespace cardvault::daemon
