// Group commit: one thread decides what waits, appends it to the journal, flushes once, makes it visible, answers.
//
// Decisions (conditions, locks, append-only rules) are made in commit order against everything committed before,
// the forming group included. The index follows on a second thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "storage/base/clock.h"
#include "storage/log/body_reader.h"
#include "storage/log/journal_writer.h"
#include "storage/object/catalog.h"
#include "storage/object/version_view.h"

namespace holdfast {

struct CommitContext {
  const VersionView& view;
  Index& index;     // only for requests that are `settled`: then it holds everything
  Lsn next_lsn;     // of the first fact returned; the others follow
  int64_t now_ms;   // wall clock
};

struct CommitRequest {
  // Returns the facts to make durable, or refuses. None: nothing changes. Runs on the committer's thread; must
  // not block and must not touch the caller's stack after commit() has returned.
  std::function<Result<std::vector<Fact>>(CommitContext&)> decide;
  Purpose purpose = Purpose::kPut;
  uint64_t estimated_bytes = 1024;   // of the payloads
  bool settled = false;              // alone in its group, against a complete index
  std::vector<BodyRef> bodies;       // that the facts refer to and that may not have been flushed
  uint64_t incarnation = 0;          // of the device when the first of them was written
  // Before it is decided the MD5 of `unhashed`, hexadecimal, is put into `*md5`: with that of the others of its group, which costs a fraction.
  ByteSpan unhashed;
  std::string* md5 = nullptr;        // null: nothing is to be hashed
};

class Committer {
 public:
  struct Parts {
    const Volume* volume = nullptr;
    Superblock* superblock = nullptr;
    JournalWriter* journal = nullptr;
    Index* index = nullptr;
    Overlay* overlay = nullptr;
    Catalog* catalog = nullptr;
    Clock* clock = nullptr;
  };
  // `last` is the newest record: already flushed, and applied to the index.
  Committer(Parts parts, Lsn last);
  ~Committer();

  // Blocks until the facts are durable and visible, or refused.
  Result<void> commit(CommitRequest request);
  // The same without blocking: `done` is called once, on the committer's thread or, where the pool is closing, on this one, and must
  // not block. The bodies of what is asked for are in its facts; `request.bodies` is empty.
  using Done = std::function<void(Result<void>)>;
  void submit(CommitRequest request, Done done);
  // Runs `work` on the committer's thread while no group is forming: for changes of the superblock.
  Result<void> run_exclusive(std::function<Result<void>()> work);
  // Waits until the index holds everything acknowledged before the call.
  Result<void> settle();

  void stop();
  // Empty while commits work; else why they do not.
  std::string failure() const;

  struct Statistics {
    uint64_t groups = 0, records = 0, flushes = 0, journal_bytes = 0, epoch_restarts = 0;
    Lsn visible_lsn = 0, applied_lsn = 0;
  };
  Statistics statistics() const;

 private:
  struct Waiter;
  struct Group;

  Result<void> enter_queue(Waiter& waiter);  // with mutex_ held
  Result<void> wait_in_queue(Waiter& waiter);
  void commit_loop();
  void apply_loop();
  std::deque<Waiter*> take_batch(std::unique_lock<std::mutex>& lock);
  void commit_batch(std::deque<Waiter*> batch);
  void answer(const std::deque<Waiter*>& batch);
  static void hash(const std::deque<Waiter*>& batch);
  void decide(Waiter& waiter, Group& group);
  bool find_room(Purpose purpose);
  Result<void> make_durable(Group& group);
  Result<void> write_again(Group& group);
  void lay_over(Overlay& layer, const Fact& fact, Lsn lsn);
  void publish(Group& group);
  void write_flushed_mark();
  Result<void> restart_epoch();
  Result<void> check_still_ours();
  Result<void> wait_applied(Lsn lsn);

  Parts p_;
  mutable std::mutex mutex_;
  std::condition_variable work_, to_apply_changed_, applied_changed_;
  std::deque<Waiter*> queue_;
  struct Pending {
    Lsn lsn;
    uint32_t checksum;
    RecordAddress address;
    Fact fact;
  };
  std::deque<Pending> to_apply_;
  bool stopping_ = false;
  bool committer_done_ = false;
  std::string failure_;
  bool broken_ = false;       // the last group's fate is unknown: a new epoch must void it first
  Lsn last_lsn_;              // written
  Lsn flushed_lsn_;
  Lsn visible_lsn_;           // newest fact handed to the applier
  Lsn applied_lsn_;
  Lsn awaited_lsn_ = 0;       // somebody waits until the index holds it
  bool marked_ = false;       // a record that carries flushed_lsn_ has been written
  uint64_t mark_incarnation_ = 0;  // of the device when it was; in another it may be lost
  Statistics statistics_;
  std::thread committer_, applier_;
};

}  // namespace holdfast
