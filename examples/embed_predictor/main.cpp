#include <graft/predictor.h>

#include <iostream>

int main(int argc, char** argv) try {
  const auto predictor = graft::Predictor::load(argv[1]);
  for (int i = 2; i < argc; ++i)
    for (const auto& best : predictor.predict(argv[i]).top(1))
      std::cout << argv[i] << "  " << best.label << "  " << best.probability << "\n";
} catch (const graft::Error& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
