#include "views_flag.h"

#include "graft/core/names.h"
#include "graft/image/averaged_views.h"

namespace graft::cli {

void add_views_flag(CLI::App& command, std::string& views) {
  command.add_option("--tta", views, "average over views of each photo: " + join(averaged_view_names()))
      ->check(CLI::IsMember(averaged_view_names()));
}

}  // namespace graft::cli
