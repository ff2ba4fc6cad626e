#pragma once

namespace graft {

/// How much of a TorchScript file's program is believed.
enum class Trust {
  kScan,      ///< the file is scanned before LibTorch sees it, and its operators after (docs/security.md)
  kAnything,  ///< the program is run whatever it does: for files of one's own alone
};

}  // namespace graft
