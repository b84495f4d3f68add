#include "k8s/restore/json_patch.h"

#include <charconv>

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

// RFC 6901: "~1" is a slash, "~0" a tilde.
std::string unescaped(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    out += escape ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return out;
}

struct Place {
  json::value* parent = nullptr;
  std::string token;
};

std::unexpected<Status> bad(const JsonPatchStep& step, const std::string& why) {
  return error(Code::kInvalidArgument, step.op + " " + step.path + ": " + why);
}

// Of an array: its size for "-" and for one behind the end.
std::optional<size_t> index_of(const json::array& a, const std::string& token) {
  if (token == "-") return a.size();
  size_t index = 0;
  const auto r = std::from_chars(token.data(), token.data() + token.size(), index);
  if (r.ec != std::errc() || r.ptr != token.data() + token.size() || index > a.size()) return std::nullopt;
  return index;
}

json::value* child_of(json::value& parent, const std::string& token) {
  if (auto* o = parent.if_object()) return o->if_contains(token);
  auto* a = parent.if_array();
  const auto index = a != nullptr ? index_of(*a, token) : std::nullopt;
  return index && *index < a->size() ? &(*a)[*index] : nullptr;
}

std::optional<Place> place_of(json::value& root, const std::string& pointer) {
  if (!pointer.starts_with('/')) return std::nullopt;
  const auto tokens = split_text(std::string_view(pointer).substr(1), '/');
  Place place{&root, unescaped(tokens.back())};
  for (size_t i = 0; i + 1 < tokens.size() && place.parent != nullptr; ++i) place.parent = child_of(*place.parent, unescaped(tokens[i]));
  if (place.parent == nullptr) return std::nullopt;
  return place;
}

Result<void> add(json::value& root, const JsonPatchStep& step, json::value value) {
  const auto place = place_of(root, step.path);
  if (!place) return bad(step, "there is no such place");
  if (auto* o = place->parent->if_object()) {
    (*o)[place->token] = std::move(value);
    return {};
  }
  auto* a = place->parent->if_array();
  const auto index = a != nullptr ? index_of(*a, place->token) : std::nullopt;
  if (!index) return bad(step, "there is no such place");
  a->insert(a->begin() + static_cast<ptrdiff_t>(*index), std::move(value));
  return {};
}

Result<json::value> take(json::value& root, const JsonPatchStep& step, const std::string& pointer) {
  const auto place = place_of(root, pointer);
  json::value* found = place ? child_of(*place->parent, place->token) : nullptr;
  if (found == nullptr) return bad(step, "there is nothing at " + pointer);
  json::value out = std::move(*found);
  if (auto* o = place->parent->if_object()) {
    o->erase(place->token);
  } else {
    auto& a = place->parent->get_array();
    a.erase(a.begin() + static_cast<ptrdiff_t>(*index_of(a, place->token)));
  }
  return out;
}

json::value* find(json::value& root, const std::string& pointer) {
  const auto place = place_of(root, pointer);
  return place ? child_of(*place->parent, place->token) : nullptr;
}

Result<void> apply(json::value& root, const JsonPatchStep& step) {
  if (step.op == "add") return add(root, step, step.value);
  json::value* at = find(root, step.path);
  if (step.op == "test") {
    if (at == nullptr) return error(Code::kNotFound, "test " + step.path + ": there is nothing there");
    if (*at != step.value) return error(Code::kFailedPrecondition, "test " + step.path + ": it is something else");
    return {};
  }
  if (step.op == "replace") {
    if (at == nullptr) return bad(step, "there is nothing there");
    *at = step.value;
    return {};
  }
  if (step.op == "remove") {
    HF_CHECK(take(root, step, step.path));
    return {};
  }
  if (step.op == "move") {
    if (step.path.starts_with(step.from + "/")) return bad(step, "a value cannot be moved into itself");
    HF_TRY(json::value moved, take(root, step, step.from));
    return add(root, step, std::move(moved));
  }
  if (step.op == "copy") {
    const json::value* from = find(root, step.from);
    if (from == nullptr) return bad(step, "there is nothing at " + step.from);
    return add(root, step, json::value(*from));
  }
  return bad(step, "there is no such operation");
}

}  // namespace

Result<void> apply_json_patch(json::object& document, const std::vector<JsonPatchStep>& steps) {
  json::value root = document;
  for (const JsonPatchStep& step : steps) HF_CHECK(apply(root, step));
  document = std::move(root.get_object());
  return {};
}

}  // namespace holdfast::k8s
