#include "vault/audit/verify_walk.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "vault/audit/bundle_check.h"
#include "vault/audit/tile_judge.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kTilesOfJob = 32;
constexpr std::size_t kJobsOfThread = 4;     // that wait
constexpr unsigned kDiagnosesOfJob = 2;      // the first of them may be the log's first fault
constexpr std::size_t kMostFindings = 1000;  // then the log is known to be damaged

// Consecutive tiles of level 0, with what is known of them.
struct Job {
  std::uint64_t number = 0, first_tile = 0;
  std::vector<std::optional<Hash>> roots;  // of full tiles
  bool trusted = false;
  std::optional<JudgedTile> last;  // instead: the partial tile at the log's end
};

struct Outcome {
  std::vector<Finding> findings;
  EventTrail trail;
  std::string first_file;  // of records
  std::uint64_t first_record = 0, records = 0;
};

Outcome work_on(const LogView& view, const TileJudge& judge, const Job& job) {
  Outcome outcome;
  outcome.first_record = job.first_tile * kTileWidth;
  unsigned diagnosed = 0;
  const std::size_t tiles = job.last ? 1 : job.roots.size();
  for (std::size_t i = 0; i < tiles; ++i) {
    const std::uint64_t tile = job.first_tile + i;
    const std::size_t before = outcome.findings.size();
    const JudgedTile judged =
        job.last ? *job.last : judge.full(0, tile, job.roots[i], job.trusted, outcome.findings);
    const EventTrail trail = check_bundle(view, tile, judged.hashes, judged.trusted,
                                          diagnosed < kDiagnosesOfJob, outcome.findings);
    outcome.records += judged.hashes.size();
    const std::string path = bundle_path(tile, judged.hashes.size());
    if (i == 0) outcome.first_file = path;
    if (trail.any && outcome.trail.any) {
      const std::uint64_t record = tile * kTileWidth;
      for (auto finding :
           {judge_shift(outcome.trail.last_shift, trail.first_shift, record, path, 0),
            judge_time(outcome.trail.last_ms, trail.first_ms, record, path, 0)}) {
        if (finding) outcome.findings.push_back(std::move(*finding));
      }
    }
    if (trail.any && !outcome.trail.any) {
      outcome.trail = trail;
    } else if (trail.any) {
      outcome.trail.last_shift = trail.last_shift;
      outcome.trail.last_ms = trail.last_ms;
    }
    if (outcome.findings.size() > before) ++diagnosed;
  }
  return outcome;
}

// Takes outcomes in any order and puts them together in the log's. Not thread-safe.
class Sequel {
 public:
  Sequel(WalkReport& report, std::vector<Finding>& findings)
      : report_(report), findings_(findings) {}

  void add(std::uint64_t number, Outcome outcome) {
    waiting_.emplace(number, std::move(outcome));
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      append(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
      ++next_;
    }
  }

  [[nodiscard]] bool full() const noexcept { return findings_.size() >= kMostFindings; }

 private:
  void append(Outcome outcome) {
    report_.records += outcome.records;
    for (Finding& finding : outcome.findings) keep(std::move(finding));
    const EventTrail& trail = outcome.trail;
    if (!trail.any) return;
    const std::string& path = outcome.first_file;
    if (auto finding = judge_shift(shift_, trail.first_shift, outcome.first_record, path, 0)) {
      keep(std::move(*finding));
    }
    if (any_) {
      if (auto finding =
              judge_time(report_.last_ms, trail.first_ms, outcome.first_record, path, 0)) {
        keep(std::move(*finding));
      }
    } else {
      report_.first_ms = trail.first_ms;
    }
    any_ = true;
    shift_ = trail.last_shift;
    report_.last_ms = trail.last_ms;
  }
  void keep(Finding finding) {
    if (!full()) findings_.push_back(std::move(finding));
  }

  WalkReport& report_;
  std::vector<Finding>& findings_;
  std::map<std::uint64_t, Outcome> waiting_;
  std::uint64_t next_ = 0;
  bool any_ = false;
  std::int64_t shift_ = 0;  // the first event of a log is number 0
};

// Threads that work on jobs, with a bounded queue before them.
class Crew {
 public:
  Crew(const LogView& view, const TileJudge& judge, const WalkOptions& options, WalkReport& report,
       std::vector<Finding>& findings)
      : view_(view), judge_(judge), options_(options), report_(report), sequel_(report, findings) {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned threads = options.threads == 0 ? cores : options.threads;
    try {
      while (threads_.size() < threads) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& failure) {  // those that the machine gave do it alone
      if (threads_.empty()) throw base::StartupError(std::string("no thread: ") + failure.what());
    }
    bound_ = threads_.size() * kJobsOfThread;
  }
  ~Crew() { close(); }
  Crew(const Crew&) = delete;             // its threads hold its address
  Crew& operator=(const Crew&) = delete;  // its threads hold its address

  void add(Job job) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return jobs_.size() < bound_; });
    job.number = added_++;
    jobs_.push_back(std::move(job));
    work_.notify_one();
  }
  // So much was found that nothing more needs to be looked at.
  [[nodiscard]] bool satisfied() {
    const std::scoped_lock lock(mutex_);
    return sequel_.full();
  }
  // When all is done. Throws what a thread threw.
  void finish() {
    close();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::optional<Job> take() {
    std::unique_lock lock(mutex_);
    work_.wait(lock, [this] { return !jobs_.empty() || closed_; });
    if (jobs_.empty()) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    room_.notify_one();
    return job;
  }
  void run() {
    while (auto job = take()) {
      Outcome outcome;
      std::exception_ptr failure;
      try {
        outcome = work_on(view_, judge_, *job);
      } catch (...) {
        failure = std::current_exception();
      }
      const std::scoped_lock lock(mutex_);
      if (failure && !failure_) failure_ = failure;
      sequel_.add(job->number, std::move(outcome));
      if (options_.progress) options_.progress(report_.records, view_.size());
    }
  }

  const LogView& view_;
  const TileJudge& judge_;
  const WalkOptions& options_;
  WalkReport& report_;
  std::mutex mutex_;
  std::condition_variable work_, room_;
  std::deque<Job> jobs_;
  std::size_t bound_ = 0;
  std::uint64_t added_ = 0;
  bool closed_ = false;
  std::exception_ptr failure_;
  Sequel sequel_;
  std::vector<std::thread> threads_;
};

// From the top down: each tile by the one above it. What lies at level 0 goes to the crew.
class Descent {
 public:
  Descent(const LogView& view, const TileJudge& judge, Crew& crew, std::vector<Finding>& findings)
      : view_(view), judge_(judge), crew_(crew), findings_(findings) {}

  void run(TileJudge::Edge edge) {
    // The highest partial tile covers the beginning of the log.
    for (unsigned level = kMaxTileLevels - 1; level > 0; --level) {
      const std::uint64_t first = hashes_at(level, view_.size()) / kTileWidth * kTileWidth;
      go_below(level, first, edge[level]);
    }
    hand_over();
    if (edge[0].hashes.empty()) return;
    Job last;
    last.first_tile = view_.size() / kTileWidth;
    last.last = std::move(edge[0]);
    crew_.add(std::move(last));
  }

 private:
  // `first`: number of the tile's first hash at its level, which is that of a tile below it.
  void go_below(unsigned level, std::uint64_t first, const JudgedTile& tile) {
    for (std::size_t i = 0; i < tile.hashes.size(); ++i) {
      // A checkpoint may claim more records than there will ever be files.
      if (findings_.size() >= kMostFindings || crew_.satisfied()) return;
      const std::uint64_t below = first + i;
      if (level == 1) {
        add(below, tile.hashes[i], tile.trusted);
      } else {
        const JudgedTile judged =
            judge_.full(level - 1, below, tile.hashes[i], tile.trusted, findings_);
        go_below(level - 1, below * kTileWidth, judged);
      }
    }
  }
  void add(std::uint64_t tile, const std::optional<Hash>& root, bool trusted) {
    if (!job_.roots.empty() && (job_.roots.size() == kTilesOfJob || job_.trusted != trusted)) {
      hand_over();
    }
    if (job_.roots.empty()) {
      job_.first_tile = tile;
      job_.trusted = trusted;
    }
    job_.roots.push_back(root);
  }
  void hand_over() {
    if (job_.roots.empty()) return;
    crew_.add(std::move(job_));
    job_ = {};
  }

  const LogView& view_;
  const TileJudge& judge_;
  Crew& crew_;
  std::vector<Finding>& findings_;
  Job job_;
};

}  // namespace

WalkReport walk_log(const LogView& view, const Hash& root, const WalkOptions& options) {
  WalkReport report;
  const TileJudge judge(view);
  std::vector<Finding> of_records;
  {
    Crew crew(view, judge, options, report, of_records);
    Descent(view, judge, crew, report.findings).run(judge.edge(root, report.findings));
    crew.finish();
  }
  std::ranges::move(of_records, std::back_inserter(report.findings));
  // Records that were changed before hashes that were, over records that are as they were.
  std::ranges::stable_sort(report.findings, {}, [](const Finding& finding) {
    return std::pair(!finding.file.starts_with("tile/entries/"), finding.record);
  });
  return report;
}

}  // namespace cardvault::audit
