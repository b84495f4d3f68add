#include "daemon/replicator/object_sender.h"

#include <algorithm>

#include "daemon/replicator/site_unit.h"
#include "daemon/replicator/transfer_pool.h"

namespace holdfast {

namespace {

// So many of one size without one ETag that is the source's: then it makes them in another way.
constexpr size_t kEnoughToTell = 8;

// Of each key the upload that began last.
Result<std::map<std::string, std::string>> unfinished_uploads(RemoteStore& site, const std::string& prefix) {
  HF_TRY(auto uploads, site.uploads(prefix));
  std::sort(uploads.begin(), uploads.end(), [](const RemoteUpload& a, const RemoteUpload& b) { return a.initiated_ms < b.initiated_ms; });
  std::map<std::string, std::string> by_key;
  for (const RemoteUpload& u : uploads) by_key[u.key] = u.id;
  return by_key;
}

}  // namespace

Result<ObjectSender::There> list_by_key(RemoteStore& site, const std::string& prefix) {
  HF_TRY(auto listed, list_all(site, prefix));
  ObjectSender::There there;
  for (RemoteObject& o : listed) {
    std::string key = o.key;
    there.emplace(std::move(key), std::move(o));
  }
  return there;
}

void ObjectSender::learn_etags(const std::vector<const CopyObject*>& objects, const There& there) {
  size_t seen = 0;
  for (const CopyObject* o : objects) {
    const auto found = there.find(site_prefix_ + o->name);
    if (found == there.end() || !o->same_pieces || found->second.size_bytes != o->info.size_bytes) continue;
    if (found->second.etag == o->info.etag) return;
    ++seen;
  }
  makes_other_etags_ = seen >= kEnoughToTell;
}

// What was sent in this run has been compared, and is there under the ETag that it was taken with; an older one of the same
// size is not it, unless nothing else is ever written under that name.
bool ObjectSender::is_there(const CopyObject& object, const RemoteObject& there) const {
  if (there.size_bytes != object.info.size_bytes) return false;
  if (const auto sent = sent_.find(object.name); sent != sent_.end()) return there.etag == sent->second;
  if (object.fixed && (!object.same_pieces || makes_other_etags_)) return true;
  return object.same_pieces && there.etag == object.info.etag;
}

bool ObjectSender::is_among(const CopyObject& object, const There& there) const {
  const auto found = there.find(site_prefix_ + object.name);
  return found != there.end() && is_there(object, found->second);
}

Result<void> ObjectSender::send(const std::vector<const CopyObject*>& objects, std::map<std::string, std::string> unfinished) {
  TransferPool pool(source_, site_, site_prefix_, std::move(unfinished), limits_, progress_, stop_);
  const auto done = pool.send(objects);
  for (const auto& [name, etag] : pool.sent()) sent_[name] = etag;
  return done;
}

Result<void> ObjectSender::send_missing(const std::vector<const CopyObject*>& objects, const std::string& list_prefix, const std::function<Result<void>(const There&, bool whole)>& on_look) {
  for (int round = 0;; ++round) {
    HF_TRY(const There there, list_by_key(site_, list_prefix));
    if (round == 0) learn_etags(objects, there);
    std::vector<const CopyObject*> missing;
    bool large = false;
    for (const CopyObject* o : objects) {
      if (is_among(*o, there)) {
        if (round > 0) continue;
        ++progress_.objects_done;
        progress_.bytes_done += o->info.size_bytes;
        continue;
      }
      missing.push_back(o);
      large = large || o->pieces.front().number != 0;
    }
    if (round == 0 && on_look) HF_CHECK(on_look(there, missing.empty()));
    if (missing.empty()) return {};
    if (round == 2) return error(Code::kCorrupt, place() + " loses what it accepts: " + missing.front()->name + " is not there");
    std::map<std::string, std::string> unfinished;
    if (large) {
      HF_TRY(unfinished, unfinished_uploads(site_, list_prefix));
    }
    HF_CHECK(send(missing, std::move(unfinished)));
  }
}

}  // namespace holdfast
