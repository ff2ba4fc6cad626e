#include <gtest/gtest.h>

#include "graft/core/runtime.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  graft::set_thread_count(1);
  return RUN_ALL_TESTS();
}
