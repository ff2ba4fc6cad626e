#include <gtest/gtest.h>

#include "graft/core/runtime.h"
#include "support/parity.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  graft::set_thread_count(1);
  const int failed = RUN_ALL_TESTS();
  graft::test::write_differences();
  return failed;
}
