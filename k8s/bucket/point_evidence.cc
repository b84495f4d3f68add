#include "k8s/point_evidence.h"

#include <algorithm>

#include "k8s/bucket/directory.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

namespace {

constexpr uint64_t kMaxBytes = 1 << 20;
constexpr size_t kMaxProblems = 100;
constexpr size_t kMaxProblemBytes = 1000;

// Names in an archive may be of any bytes; JSON is not.
std::string printable(std::string text) {
  text.resize(std::min(text.size(), kMaxProblemBytes));
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e; }, '?');
  return text;
}

json::object encoded(const Evidence& e) {
  json::array problems;
  for (const std::string& p : e.problems) {
    if (problems.size() < kMaxProblems) problems.emplace_back(printable(p));
  }
  return {{"good", e.good}, {"finished_ms", e.finished_ms}, {"took_ms", e.took_ms}, {"ready_ms", e.ready_ms}, {"cluster", e.cluster}, {"items", e.items}, {"problems", std::move(problems)}};
}

std::optional<Evidence> decoded(const json::object& document, const char* level) {
  const json::object& o = object_at(document, level);
  if (flag_at(o, "good") == nullptr) return std::nullopt;
  return Evidence{is_true(o, "good"), static_cast<int64_t>(count_at(o, "finished_ms")), static_cast<int64_t>(count_at(o, "took_ms")),
                  static_cast<int64_t>(count_at(o, "ready_ms")), text_at(o, "cluster"), count_at(o, "items"), texts_at(o, "problems")};
}

}  // namespace

Result<PointEvidence> read_evidence(const BackupPlace& place, const std::string& name) {
  const auto text = get_object(*place.store, place.bucket, restore_point_key(place, name, kEvidenceFile), kMaxBytes);
  if (!text && text.error().code() == Code::kNotFound) return PointEvidence();
  if (!text) return std::unexpected(text.error());
  const auto document = parse_object(*text);
  if (!document) return error(Code::kCorrupt, std::string(kEvidenceFile) + ": " + document.error().message());
  return PointEvidence{decoded(*document, "read"), decoded(*document, "restore")};
}

Result<void> write_evidence(const BackupPlace& place, const std::string& name, const PointEvidence& evidence) {
  HF_CHECK(restore_point_document(place, name));
  json::object document;
  if (evidence.read) document["read"] = encoded(*evidence.read);
  if (evidence.restore) document["restore"] = encoded(*evidence.restore);
  return put_object(*place.store, place.bucket, restore_point_key(place, name, kEvidenceFile), json::serialize(document), "application/json");
}

}  // namespace holdfast::k8s
