// A repository that works as kopia's does: packs with contents, indexes that say which pack has a content, or that it is no more, the
// newest entry winning; compaction of indexes, rewriting of packs, removal of packs that nothing names. The bytes are legible.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "storage/object_store.h"

namespace holdfast::test {

// Reads one from what lies under a prefix: kopia.repository, packs and indexes by their whole keys.
using RepositoryFiles = std::map<std::string, std::string>;
// What a content that can be read has in it, by its name. Nothing where there is no kopia.repository. A content whose pack is
// missing, or does not have it, is not in it.
std::map<std::string, std::string> read_contents(const RepositoryFiles& files, const std::string& prefix);

// In a bucket, under a prefix that ends with '/'. Not thread-safe.
class SmallKopia {
 public:
  SmallKopia(ObjectStore& store, std::string bucket, std::string prefix, uint64_t seed);

  // A pack of new contents, and an index that names them; gives them, with what is in them.
  std::map<std::string, std::string> write(size_t contents);
  // An index that says that they are no more.
  void forget(const std::map<std::string, std::string>& contents);
  // One index in the place of all; those go.
  void compact();
  // What is still needed of one pack into a new one, with an index that says so.
  void rewrite();
  // Packs that no index needs go.
  void remove_packs();
  // One of the last three, or all.
  void maintain();
  // A session and a log, which are nobody's business.
  void chatter();

  std::set<std::string> names() const;  // of its blobs

 private:
  struct Entry {
    uint64_t version = 0;
    std::string pack;  // empty: it is no more
  };
  std::string new_name(const char* kind);
  void put(const std::string& name, const std::string& body);
  void remove(const std::string& name);
  void put_index(const std::map<std::string, Entry>& entries);

  ObjectStore& store_;
  const std::string bucket_, prefix_;
  std::mt19937_64 random_;
  uint64_t version_ = 0, next_content_ = 1;
  std::map<std::string, Entry> entries_;                                // newest, by content
  std::map<std::string, std::map<std::string, std::string>> packs_;     // contents by pack
  std::set<std::string> indexes_, others_;
};

}  // namespace holdfast::test
