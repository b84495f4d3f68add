#include "tests/support/small_kopia.h"

#include <gtest/gtest.h>

#include <sstream>

#include "storage/base/digest.h"

namespace holdfast::test {

std::map<std::string, std::string> read_contents(const RepositoryFiles& files, const std::string& prefix) {
  std::map<std::string, std::string> contents;
  if (!files.contains(prefix + "kopia.repository")) return contents;
  std::map<std::string, std::pair<uint64_t, std::string>> entries;
  for (const auto& [key, body] : files) {
    if (!key.starts_with(prefix + "x")) continue;
    std::istringstream lines(body);
    std::string content, pack;
    for (uint64_t version = 0; lines >> content >> version >> pack;) {
      if (auto& entry = entries[content]; version > entry.first) entry = {version, pack};
    }
  }
  for (const auto& [name, entry] : entries) {
    const auto pack = files.find(prefix + entry.second);
    if (entry.second == "-" || pack == files.end()) continue;
    std::istringstream lines(pack->second);
    std::string content, value;
    while (lines >> content >> value) {
      if (content == name) contents[name] = value;
    }
  }
  return contents;
}

SmallKopia::SmallKopia(ObjectStore& store, std::string bucket, std::string prefix, uint64_t seed) : store_(store), bucket_(std::move(bucket)), prefix_(std::move(prefix)), random_(seed) {
  put("kopia.repository", "format of " + std::to_string(seed));
  put("kopia.blobcfg", "blobs");
  others_ = {"kopia.repository", "kopia.blobcfg", "kopia.maintenance"};
  put("kopia.maintenance", "0");
}

std::string SmallKopia::new_name(const char* kind) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random_()));
  return std::string(kind) + text;
}

void SmallKopia::put(const std::string& name, const std::string& body) {
  auto sink = store_.open_body(bucket_, body.size());
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->append(as_bytes(body)));
  PutRequest request;
  request.bucket = bucket_;
  request.key = prefix_ + name;
  request.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
  ASSERT_TRUE(store_.put(std::move(request), std::move(*sink)));
}

void SmallKopia::remove(const std::string& name) {
  RemoveRequest request;
  request.key = prefix_ + name;
  const auto done = store_.remove(bucket_, {request});
  ASSERT_TRUE(done);
  ASSERT_TRUE(done->front());
}

void SmallKopia::put_index(const std::map<std::string, Entry>& entries) {
  std::string body;
  for (const auto& [content, entry] : entries) body += content + " " + std::to_string(entry.version) + " " + (entry.pack.empty() ? "-" : entry.pack) + "\n";
  const std::string name = new_name("xn0_");
  put(name, body);
  indexes_.insert(name);
}

std::map<std::string, std::string> SmallKopia::write(size_t contents) {
  const std::string pack = new_name(random_() % 4 == 0 ? "q" : "p");
  std::map<std::string, std::string> made;
  std::map<std::string, Entry> entries;
  std::string body;
  for (size_t i = 0; i < contents; ++i) {
    const std::string content = "c" + std::to_string(next_content_++), value = std::to_string(random_());
    made[content] = value;
    entries[content] = entries_[content] = {++version_, pack};
    body += content + " " + value + "\n";
  }
  packs_[pack] = made;
  put(pack, body);
  put_index(entries);
  return made;
}

void SmallKopia::forget(const std::map<std::string, std::string>& contents) {
  std::map<std::string, Entry> entries;
  for (const auto& [content, value] : contents) entries[content] = entries_[content] = {++version_, ""};
  put_index(entries);
}

void SmallKopia::compact() {
  const std::set<std::string> before = indexes_;
  std::erase_if(entries_, [](const auto& e) { return e.second.pack.empty(); });
  put_index(entries_);
  for (const std::string& name : before) {
    remove(name);
    indexes_.erase(name);
  }
}

void SmallKopia::rewrite() {
  if (packs_.empty()) return;
  auto victim = packs_.begin();
  std::advance(victim, static_cast<long>(random_() % packs_.size()));
  const std::string pack = new_name("p");
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> kept;
  std::string body;
  for (const auto& [content, value] : victim->second) {
    const auto entry = entries_.find(content);
    if (entry == entries_.end() || entry->second.pack != victim->first) continue;
    kept[content] = value;
    entries[content] = {++version_, pack};
    body += content + " " + value + "\n";
  }
  if (kept.empty()) return;
  put(pack, body);
  packs_[pack] = kept;
  put_index(entries);
  for (const auto& [content, entry] : entries) entries_[content] = entry;
}

void SmallKopia::remove_packs() {
  std::set<std::string> needed;
  for (const auto& [content, entry] : entries_) needed.insert(entry.pack);
  for (auto at = packs_.begin(); at != packs_.end();) {
    if (needed.contains(at->first)) {
      ++at;
      continue;
    }
    remove(at->first);
    at = packs_.erase(at);
  }
}

void SmallKopia::maintain() {
  const unsigned what = random_() % 4;
  if (what == 0 || what == 3) rewrite();
  if (what == 1 || what == 3) compact();
  if (what == 2 || what == 3) remove_packs();
  put("kopia.maintenance", std::to_string(version_));
}

void SmallKopia::chatter() {
  for (const char* kind : {"s", "_log_"}) {
    const std::string name = new_name(kind);
    put(name, "of no use");
    others_.insert(name);
  }
}

std::set<std::string> SmallKopia::names() const {
  std::set<std::string> all = others_;
  all.insert(indexes_.begin(), indexes_.end());
  for (const auto& [pack, contents] : packs_) all.insert(pack);
  return all;
}

}  // namespace holdfast::test
