#include "tests/bench/worker.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace cardvault::bench {
namespace {

constexpr std::int64_t kDrainNs = 5'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;

}  // namespace

std::int64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

void Tally::add(const Tally& other) {
  latency.add(other.latency);
  requests += other.requests;
  items += other.items;
  backlog += other.backlog;
  for (const auto& [code, count] : other.problems) problems[code] += count;
}

Worker::~Worker() {
  if (epoll_ >= 0) ::close(epoll_);
}

base::Result<void> Worker::open(std::size_t count, std::size_t first) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  lanes_.reserve(count);
  for (std::size_t index = 0; index < count; ++index) {
    auto lane = Lane::open(script_, first + index);
    if (!lane) return std::unexpected(lane.error());
    lanes_.push_back(std::move(*lane));
    for (const int fd : {lanes_.back().store_fd(), lanes_.back().reveal_fd()}) {
      epoll_event event{EPOLLIN, {.u64 = index}};
      if (fd >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }
  return {};
}

void Worker::want_writable(std::size_t index, bool wanted) {
  Lane& lane = lanes_[index];
  lane.writing = wanted;
  epoll_event event{wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, {.u64 = index}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, lane.fd(), &event);
}

void Worker::lost(std::size_t index, const base::Error& error) {
  Lane& lane = lanes_[index];
  ++tally_.problems[std::string("connection lost: ") + error.operation];
  for (const int fd : {lane.store_fd(), lane.reveal_fd()}) {
    if (fd >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  }
  std::erase(idle_, index);
  if (std::exchange(lane.busy, false)) --in_flight_;
}

void Worker::ask(std::size_t index, std::int64_t due_ns) {
  Lane& lane = lanes_[index];
  lane.due_ns = due_ns;
  lane.busy = true;
  ++in_flight_;
  const auto sent = lane.ask(script_, cards_);
  if (!sent) return lost(index, sent.error());
  if (*sent == client::Wait::kWritable) want_writable(index, true);
}

void Worker::answered(std::size_t index, const client::Response& response) {
  const std::int64_t now = now_ns();
  Lane& lane = lanes_[index];
  lane.busy = false;
  --in_flight_;
  const bool well = response.status == wanted_status(script_.mode);
  const auto problems = well && response.status != 200 ? Problems{} : find_problems(response.body);
  if (problems.count != 0) tally_.problems[std::string(problems.first)] += problems.count;
  const bool open_loop = schedule_.interval_ns != 0;
  const auto measured = [&](std::int64_t at) {
    return at >= schedule_.measure_ns && at < schedule_.end_ns;
  };
  if (well && measured(now)) {
    ++tally_.requests;
    tally_.items += script_.batch - std::min(script_.batch, problems.count);
  }
  // The latency of an open loop is that of what was due while measured, however late its answer.
  if (well && measured(open_loop ? lane.due_ns : now)) {
    tally_.latency.record(now - lane.due_ns);
  }
  if (open_loop) {
    idle_.push_back(index);
  } else if (now < schedule_.end_ns) {
    ask(index, now);
  }
}

void Worker::step(std::size_t index) {
  Lane& lane = lanes_[index];
  if (!lane.busy) {
    return lost(index, {base::Code::kVaultUnavailable, "closed while idle", 0});
  }
  if (lane.writing) {
    const auto sent = lane.flush();
    if (!sent) return lost(index, sent.error());
    if (*sent != client::Wait::kNothing) return;
    want_writable(index, false);
  }
  const auto response = lane.answer();
  if (!response) return lost(index, response.error());
  if (*response) answered(index, **response);
}

void Worker::issue_due(std::int64_t now) {
  while (!idle_.empty() && next_due_ns_ <= now && next_due_ns_ < schedule_.end_ns) {
    const std::size_t index = idle_.back();
    idle_.pop_back();
    ask(index, next_due_ns_);
    next_due_ns_ += schedule_.interval_ns;
  }
}

std::int64_t Worker::next_wake(std::int64_t now) const {
  if (schedule_.interval_ns == 0 || idle_.empty() || next_due_ns_ >= schedule_.end_ns) {
    return now < schedule_.end_ns ? schedule_.end_ns : schedule_.end_ns + kDrainNs;
  }
  return next_due_ns_;
}

void Worker::count_backlog() {
  const std::int64_t now = now_ns();
  for (; next_due_ns_ < schedule_.end_ns; next_due_ns_ += schedule_.interval_ns) {
    if (next_due_ns_ < schedule_.measure_ns) continue;
    ++tally_.backlog;
    tally_.latency.record(now - next_due_ns_);
  }
  for (const Lane& lane : lanes_) {
    if (lane.busy && lane.due_ns >= schedule_.measure_ns) tally_.latency.record(now - lane.due_ns);
  }
}

Tally Worker::run(const Schedule& schedule) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // else a wake-up may come 50 µs after it is due
  schedule_ = schedule;
  next_due_ns_ = schedule.start_ns;
  const bool open_loop = schedule.interval_ns != 0;
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    if (open_loop) {
      idle_.push_back(index);
    } else {
      ask(index, now_ns());
    }
  }
  std::array<epoll_event, 64> events;
  for (;;) {
    const std::int64_t now = now_ns();
    if (open_loop) issue_due(now);
    const bool ended = now >= schedule.end_ns;
    if (ended && (in_flight_ == 0 || now >= schedule.end_ns + kDrainNs)) break;
    if (in_flight_ == 0 && idle_.empty()) break;  // no lane is left
    const std::int64_t wait = std::max<std::int64_t>(next_wake(now) - now, 0);
    const timespec timeout{wait / kSecondNs, wait % kSecondNs};
    const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < count; ++i) step(events[static_cast<std::size_t>(i)].data.u64);
  }
  if (open_loop) count_backlog();
  return tally_;
}

}  // namespace cardvault::bench
