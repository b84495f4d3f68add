#include "tests/support/memory_remote.h"

#include "storage/base/digest.h"
#include "storage/index/listing.h"

namespace holdfast::test {

namespace {

std::string md5(std::string_view body) { return hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body)))); }

std::unexpected<Status> gone(const std::string& call) { return error(Code::kUnavailable, call + ": the connection is cut"); }

}  // namespace

Result<Mishap> MemoryRemote::enter(const std::string& call) {
  {
    std::lock_guard lock(mutex_);
    ++requests_;
  }
  const Mishap m = mishap ? mishap(call) : Mishap::kNone;
  if (m == Mishap::kRefused) return gone(call);
  return m;
}

std::string MemoryRemote::arrived(Mishap mishap, std::string_view body) {
  std::string got(body);
  if (mishap == Mishap::kOtherBytes && !got.empty()) got[got.size() / 2] = static_cast<char>(got[got.size() / 2] ^ 1);
  return got;
}

std::map<std::string, std::string> MemoryRemote::objects() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> all;
  for (const auto& [key, stored] : objects_) all[key] = stored.body;
  return all;
}

std::vector<std::string> MemoryRemote::keys(const std::string& prefix) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix); ++at) found.push_back(at->first);
  return found;
}

void MemoryRemote::set(const std::string& key, const std::string& body) {
  std::lock_guard lock(mutex_);
  write(key, {body, md5(body), clock_ms});
}

void MemoryRemote::make_etags_opaque() {
  std::lock_guard lock(mutex_);
  for (auto& [key, stored] : objects_) stored.etag = md5("opaque " + stored.etag);
}

void MemoryRemote::write(const std::string& key, Stored stored, int64_t locked_until_ms) {
  if (locks) versions_[key].push_back({"v" + std::to_string(next_version_++), stored, false, locked_until_ms});
  objects_[key] = std::move(stored);
}

void MemoryRemote::show_latest(const std::string& key) {
  const Version* top = latest(key);
  if (top == nullptr || top->is_marker) objects_.erase(key);
  else objects_[key] = top->stored;
}

MemoryRemote::Version* MemoryRemote::latest(const std::string& key) {
  const auto found = versions_.find(key);
  return found == versions_.end() || found->second.empty() ? nullptr : &found->second.back();
}

MemoryRemote::Version* MemoryRemote::version(const std::string& key, const std::string& id) {
  for (Version& v : versions_[key]) {
    if (v.id == id) return &v;
  }
  return nullptr;
}

void MemoryRemote::hide(const std::string& key) {
  std::lock_guard lock(mutex_);
  versions_[key].push_back({"v" + std::to_string(next_version_++), {"", "", clock_ms}, true, 0});
  show_latest(key);
}

int64_t MemoryRemote::locked_until(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = versions_.find(key);
  return found == versions_.end() || found->second.empty() ? 0 : found->second.back().locked_until_ms;
}

std::vector<std::string> MemoryRemote::versioned_keys() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, all] : versions_) {
    if (!all.empty()) keys.push_back(key);
  }
  return keys;
}

Result<void> MemoryRemote::lock(const std::string& key, int64_t until_ms) {
  HF_TRY(const Mishap m, enter("lock " + key));
  std::lock_guard lock(mutex_);
  Version* top = latest(key);
  if (!locks) return error(Code::kInvalidArgument, "Bucket is missing Object Lock Configuration");
  if (top == nullptr || top->is_marker) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  if (m != Mishap::kLost) top->locked_until_ms = std::max(top->locked_until_ms, until_ms);
  if (m == Mishap::kAnswerLost) return gone("lock");
  return {};
}

Result<std::vector<RemoteVersion>> MemoryRemote::versions(const std::string& prefix) {
  HF_CHECK(enter("versions " + prefix));
  std::lock_guard lock(mutex_);
  std::vector<RemoteVersion> all;
  for (auto at = versions_.lower_bound(prefix); at != versions_.end() && at->first.starts_with(prefix); ++at) {
    for (auto v = at->second.rbegin(); v != at->second.rend(); ++v) {
      all.push_back({at->first, v->id, v->stored.body.size(), v->stored.etag, v->stored.written_ms, v->is_marker, v == at->second.rbegin()});
    }
  }
  return all;
}

Result<RemoteObject> MemoryRemote::head_version(const std::string& key, const std::string& version_id) {
  HF_CHECK(enter("head_version " + key));
  std::lock_guard lock(mutex_);
  const Version* v = version(key, version_id);
  if (v == nullptr || v->is_marker) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  return RemoteObject{key, v->stored.body.size(), v->stored.etag, v->stored.written_ms, v->locked_until_ms};
}

Result<std::string> MemoryRemote::get_version(const std::string& key, const std::string& version_id, uint64_t) {
  HF_CHECK(enter("get_version " + key));
  std::lock_guard lock(mutex_);
  const Version* v = version(key, version_id);
  if (v == nullptr || v->is_marker) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  return v->stored.body;
}

Result<void> MemoryRemote::remove_version(const std::string& key, const std::string& version_id) {
  HF_TRY(const Mishap m, enter("remove_version " + key));
  std::lock_guard lock(mutex_);
  const Version* v = version(key, version_id);
  if (v != nullptr && v->locked_until_ms > clock_ms) return error(Code::kPermissionDenied, Subject::kLock, key + " is locked");
  if (m != Mishap::kLost) std::erase_if(versions_[key], [&](const Version& other) { return other.id == version_id; });
  show_latest(key);
  if (m == Mishap::kAnswerLost) return gone("remove_version");
  return {};
}

Result<RemoteObject> MemoryRemote::head(const std::string& key) {
  HF_CHECK(enter("head " + key));
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  const Version* top = latest(key);
  return RemoteObject{key, found->second.body.size(), found->second.etag, modified(found->second), top == nullptr ? 0 : top->locked_until_ms};
}

Result<std::string> MemoryRemote::get(const std::string& key, uint64_t max_bytes) {
  HF_CHECK(enter("get " + key));
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return error(Code::kNotFound, Subject::kKey, key + " is not there");
  if (found->second.body.size() > max_bytes) return error(Code::kInvalidArgument, "too large");
  return found->second.body;
}

Result<std::string> MemoryRemote::read(const std::string& key, uint64_t offset_bytes, uint64_t size_bytes, const std::string& etag) {
  HF_TRY(const std::string whole, get(key, UINT64_MAX));
  if (!etag.empty()) {
    std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end() || found->second.etag != etag) return error(Code::kFailedPrecondition, key + " is another one");
  }
  if (offset_bytes + size_bytes > whole.size()) return error(Code::kInvalidArgument, "behind its end");
  return whole.substr(offset_bytes, size_bytes);
}

Result<std::string> MemoryRemote::put(const RemotePut& request, std::string_view body) {
  HF_TRY(const Mishap m, enter("put " + request.key));
  const std::string got = arrived(m, body);
  if (m == Mishap::kLost) return md5(got);
  std::lock_guard lock(mutex_);
  if (takes_conditions && request.only_new && objects_.contains(request.key)) return error(Code::kFailedPrecondition, "it is there");
  if (takes_conditions && !request.only_if_etag.empty() && (!objects_.contains(request.key) || objects_[request.key].etag != request.only_if_etag)) {
    return error(Code::kFailedPrecondition, "it is another one");
  }
  write(request.key, {got, md5(got), clock_ms}, request.locked_until_ms);
  if (m == Mishap::kAnswerLost) return gone("put");
  return md5(got);
}

Result<std::string> MemoryRemote::copy(const std::string& from, const std::string& to) {
  HF_TRY(const Mishap m, enter("copy " + to));
  std::lock_guard lock(mutex_);
  const auto found = objects_.find(from);
  if (found == objects_.end()) return error(Code::kNotFound, Subject::kKey, from + " is not there");
  const Stored copied{arrived(m, found->second.body), found->second.etag, clock_ms};
  if (m != Mishap::kLost) write(to, copied);
  if (m == Mishap::kAnswerLost) return gone("copy");
  return copied.etag;
}

Result<RemotePage> MemoryRemote::list(const RemoteList& request) {
  HF_CHECK(enter("list " + request.prefix));
  std::lock_guard lock(mutex_);
  RemotePage page;
  std::string last;
  const std::string& behind = request.token.empty() ? request.after : request.token;
  for (auto at = objects_.lower_bound(std::max(request.prefix, behind)); at != objects_.end() && at->first.starts_with(request.prefix); ++at) {
    const std::string common = common_prefix_of(at->first, request.prefix, request.delimiter);
    const std::string& entry = common.empty() ? at->first : common;
    if (at->first == behind || entry == behind || (!page.common_prefixes.empty() && page.common_prefixes.back() == common)) continue;
    if (page.objects.size() + page.common_prefixes.size() == 7) {  // pages are short, so that there are several
      page.next = last;
      break;
    }
    last = entry;
    if (!common.empty()) {
      page.common_prefixes.push_back(common);
      continue;
    }
    page.objects.push_back({at->first, at->second.body.size(), at->second.etag, modified(at->second)});
  }
  return page;
}

Result<void> MemoryRemote::remove(const std::string& key) {
  HF_TRY(const Mishap m, enter("remove " + key));
  std::lock_guard lock(mutex_);
  if (const auto kept = versions_.find(key); kept != versions_.end()) {
    const bool locked = std::any_of(kept->second.begin(), kept->second.end(), [this](const Version& v) { return v.locked_until_ms > clock_ms; });
    if (locked) return error(Code::kPermissionDenied, Subject::kLock, key + " is locked");
    if (m != Mishap::kLost) versions_.erase(kept);
  }
  if (m != Mishap::kLost) objects_.erase(key);
  if (m == Mishap::kAnswerLost) return gone("remove");
  return {};
}

Result<std::string> MemoryRemote::create_upload(const RemotePut& request) {
  HF_TRY(const Mishap m, enter("create_upload " + request.key));
  std::lock_guard lock(mutex_);
  const std::string id = "u" + std::to_string(next_upload_++);
  uploads_[id] = {request.key, clock_ms + static_cast<int64_t>(next_upload_), {}};  // later ones later
  if (m == Mishap::kAnswerLost) return gone("create_upload");
  return id;
}

Result<RemotePart> MemoryRemote::put_part(const std::string& key, const std::string& upload_id, uint32_t number, std::string_view body, const std::string&) {
  HF_TRY(const Mishap m, enter("put_part " + key));
  const std::string got = arrived(m, body);
  std::lock_guard lock(mutex_);
  const auto upload = uploads_.find(upload_id);
  if (upload == uploads_.end()) return error(Code::kNotFound, Subject::kUpload, "no upload");
  if (m != Mishap::kLost) upload->second.parts[number] = {got, md5(got), clock_ms};
  if (m == Mishap::kAnswerLost) return gone("put_part");
  return RemotePart{number, md5(got), body.size()};
}

Result<std::string> MemoryRemote::complete_upload(const std::string& key, const std::string& upload_id, const std::vector<RemotePart>& parts) {
  HF_TRY(const Mishap m, enter("complete_upload " + key));
  std::lock_guard lock(mutex_);
  const auto upload = uploads_.find(upload_id);
  if (upload == uploads_.end()) return error(Code::kNotFound, Subject::kUpload, "no upload");
  std::string body, digests;
  for (const RemotePart& p : parts) {
    const auto part = upload->second.parts.find(p.number);
    if (part == upload->second.parts.end() || part->second.etag != p.etag) return error(Code::kInvalidArgument, "InvalidPart");
    body += part->second.body;
    digests += Digest::of(DigestKind::kMd5, as_bytes(part->second.body));
  }
  const std::string etag = md5(digests) + "-" + std::to_string(parts.size());
  if (m != Mishap::kLost) write(key, {body, etag, clock_ms});
  uploads_.erase(upload);
  if (m == Mishap::kAnswerLost) return gone("complete_upload");
  return etag;
}

Result<void> MemoryRemote::abort_upload(const std::string& key, const std::string& upload_id) {
  HF_CHECK(enter("abort_upload " + key));
  std::lock_guard lock(mutex_);
  uploads_.erase(upload_id);
  return {};
}

Result<std::vector<RemoteUpload>> MemoryRemote::uploads(const std::string& prefix) {
  HF_CHECK(enter("uploads " + prefix));
  std::lock_guard lock(mutex_);
  std::vector<RemoteUpload> all;
  for (const auto& [id, upload] : uploads_) {
    if (upload.key.starts_with(prefix)) all.push_back({upload.key, id, upload.initiated_ms});
  }
  return all;
}

Result<std::vector<RemotePart>> MemoryRemote::parts(const std::string& key, const std::string& upload_id) {
  HF_CHECK(enter("parts " + key));
  std::lock_guard lock(mutex_);
  const auto upload = uploads_.find(upload_id);
  if (upload == uploads_.end()) return error(Code::kNotFound, Subject::kUpload, "no upload");
  std::vector<RemotePart> all;
  for (const auto& [number, part] : upload->second.parts) all.push_back({number, part.etag, part.body.size()});
  return all;
}

}  // namespace holdfast::test
