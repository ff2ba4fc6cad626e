#pragma once
/// Training from C++; links graft::graft.
#include "graft/artifact/predictor.h"
#include "graft/core/error.h"
#include "graft/train/observer.h"
#include "graft/train/recipe.h"
#include "graft/train/trainer.h"
