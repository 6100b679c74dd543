#include "query/api/state.h"

#include <nlohmann/json.hpp>

namespace arch::api {
namespace {

using Json = nlohmann::json;
constexpr uint64_t kFileLimit = 4u << 20;

Json read(const std::string& archive_directory, const std::string& name) {
  auto text = read_file(Fs::real(), archive_directory + "/state/" + name, kFileLimit);
  return text ? Json::parse(*text, nullptr, false) : Json();
}

}  // namespace

ReconcileView read_reconcile(const std::string& archive_directory) {
  ReconcileView view;
  const Json state = read(archive_directory, "reconcile.json");
  if (!state.is_object()) return view;
  try {
    view.ran = state.at("ran");
    view.error = state.value("error", "");
    if (view.error.empty()) {
      const Json& report = state.at("report");
      view.from = report.at("from");
      view.to = report.at("to");
      view.accepted = report.at("accepted");
      view.archived = report.at("archived");
      view.missing = report.at("missing");
      view.waiting = report.at("waiting");
    }
    view.known = true;
  } catch (const Json::exception&) {
    view = {};
  }
  return view;
}

CanaryView read_canary(const std::string& archive_directory) {
  CanaryView view;
  const Json state = read(archive_directory, "canary.json");
  if (!state.is_object()) return view;
  try {
    view.ran = state.at("ran");
    view.good = state.at("good");
    view.failed_step = state.value("failed_step", "");
    view.why = state.value("why", "");
    view.known = true;
  } catch (const Json::exception&) {
    view = {};
  }
  return view;
}

}  // namespace arch::api
