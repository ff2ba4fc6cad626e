#include <signal.h>
#include <sys/prctl.h>

#include "command.h"
#include "console.h"
#include "engine_probe.h"
#include "graft/core/runtime.h"

namespace graft::cli {
namespace {

Json to_json(const EngineTrial& trial) {
  return {{"engine", trial.plan.kind},    {"exact", trial.plan.exact_until},          {"error", trial.error.error},
          {"cosine", trial.error.cosine}, {"images_a_second", trial.rows_per_second}, {"failure", trial.failure}};
}

void find_engine(const std::string& query) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever asked may be killed
  set_thread_count(0);
  Json trials = Json::array();
  for (const auto& trial : answer_engine_query(read_engine_query(parse_json(query, "query"))))
    trials.push_back(to_json(trial));
  print_json({{"trials", trials}});
}

}  // namespace

void add_find_engine(CLI::App& program, Outcome& outcome) {
  auto* command = program.add_subcommand("find-engine", "What graft train asks a child process of its own");
  command->group("");  // not in the help
  auto query = std::make_shared<std::string>();
  command->add_option("QUERY", *query)->required();
  command->callback([query, &outcome] {
    outcome.json = true;
    find_engine(*query);
  });
}

}  // namespace graft::cli
