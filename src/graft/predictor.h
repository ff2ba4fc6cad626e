#pragma once
/// Everything that an inference program needs; links graft::infer.
#include "graft/artifact/predictor.h"
#include "graft/core/error.h"
